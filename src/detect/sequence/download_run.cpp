#include "detect/sequence/download_run.hpp"

#include <algorithm>

#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kTextMax = 1'024;  ///< of a path or a line that is kept

constexpr AlertType kBackdoor{"fieldwatch-a24",
                              "IoT_LinuxBackdoor",
                              "Possible backdoor detected",
                              "A file was downloaded and then run by another command.",
                              "Persistence,Execution",
                              model::Severity::Medium,
                              "T1105,T1543",
                              "Ask the user who ran the command whether it was legitimate and expected on "
                              "this device; if not, escalate to the "
                              "information security team"};

std::string_view basename(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == path.npos ? path : path.substr(slash + 1);
}

/// Last path part of a URL without query; empty when the URL names no file.
std::string_view url_file(std::string_view url) {
    const auto scheme = url.find("://");
    auto rest = scheme == url.npos ? url : url.substr(scheme + 3);
    rest = rest.substr(0, rest.find_first_of("?#"));
    return rest.find('/') == rest.npos ? std::string_view{} : basename(rest);
}

bool is_system_path(std::string_view path) {
    constexpr std::string_view kPlaces[] = {"/bin/",      "/sbin/",    "/usr/bin/",
                                            "/usr/sbin/", "/usr/lib/", "/lib/"};
    return std::any_of(std::begin(kPlaces), std::end(kPlaces),
                       [&](auto place) { return path.starts_with(place); });
}

/// The same file, as far as can be told: by full path, or by name where one side has no directory.
bool same_file(std::string_view downloaded, std::string_view run) {
    if (downloaded == run) return true;
    if (downloaded.starts_with('/') && run.starts_with('/')) return false;
    return !is_system_path(run) && basename(downloaded) == basename(run);
}

std::string join_path(std::string_view directory, std::string_view name) {
    std::string out(directory);
    if (!out.ends_with('/')) out += '/';
    return out.append(name);
}

}  // namespace

bool DownloadRun::concerns(CommandLine& command) {
    return std::ranges::any_of(command.segments(),
                               [](const Segment& segment) { return segment.has(Fact::Downloads); });
}

bool DownloadRun::waits(const model::Event& event) {
    const auto* const device = devices_.find(device_key(event.hub, event.device));
    return device != nullptr && !device->files.empty();
}

void DownloadRun::observe(const model::Event& event, const model::Item& item,
                          const model::ProcessCreate& process, CommandLine& command, bool absorbed,
                          Context& context) {
    const auto key = device_key(event.hub, event.device);
    if (auto* const device = devices_.find(key); device != nullptr && !device->files.empty()) {
        run(*device, process.executable, event, item, process, context);
        for (const auto& segment : command.segments()) {
            if (segment.has(Fact::Downloads)) continue;  // `wget -O x` names x, but does not run it
            const auto words = command.argv(segment);
            if (!words.empty() && words[0].find('/') != words[0].npos)  // a bare name is looked for in PATH
                run(*device, segment.path, event, item, process, context);
            if (!segment.script.empty()) run(*device, segment.script, event, item, process, context);
        }
    }
    if (absorbed) return;
    std::vector<std::string_view> values;
    for (const auto& segment : command.segments()) {
        if (!segment.has(Fact::Downloads)) continue;
        auto& device = devices_.get(key);
        values.clear();
        command.list(segment, CommandList::Destinations, values);
        for (const auto path : values) {
            if (!path.empty() && path != "-" && path != "/dev/null")
                remember(device, path, process.command_line, event, item);
        }
        if (!values.empty()) continue;
        values.clear();
        command.list(segment, CommandList::Urls, values);
        for (const auto url : values) {
            const auto name = url_file(url);
            if (name.empty()) continue;
            remember(device,
                     process.working_directory.empty() ? std::string(name)
                                                       : join_path(process.working_directory, name),
                     process.command_line, event, item);
        }
    }
}

void DownloadRun::remember(Device& device, std::string_view path, std::string_view line,
                           const model::Event& event, const model::Item& item) {
    if (path.size() > kTextMax) return;
    if (path.starts_with("./")) path.remove_prefix(2);
    std::erase_if(device.files, [&](const File& file) { return file.path == path; });
    if (device.files.size() == kFilesMax) {
        device.files.erase(device.files.begin());
        ++files_evicted_;
    }
    device.files.push_back(
        {std::string(path), std::string(line.substr(0, kTextMax)), event.time, item.position});
}

void DownloadRun::run(Device& device, std::string_view path, const model::Event& event,
                      const model::Item& item, const model::ProcessCreate& process, Context& context) {
    if (path.starts_with("./")) path.remove_prefix(2);
    if (path.empty()) return;
    for (auto file = device.files.begin(); file != device.files.end(); ++file) {
        const bool in_time =
            event.time >= file->time && event.time - file->time <= context.settings.backdoor_window;
        if (!in_time || file->position == item.position || !same_file(file->path, path)) continue;
        auto alert = device_alert(kBackdoor, event, file->position);
        alert.start = file->time;
        add_evidence(alert.evidence, item.position);
        const std::string_view user = process.user_name.empty() ? process.user_id : process.user_name;
        alert.discriminator = file->path + "|" + std::string(user);
        JsonWriter(alert.extended_json)
            .begin_object()
            .member("CommandLine", process.command_line)
            .member("DownloadCommandLine", file->command)
            .member("File Path", file->path)
            .member("User Name", user)
            .member("UserId", process.user_id)
            .member("ParentProcessId", process.parent_process_id)
            .member("ProcessId", process.process_id)
            .member("Executable", process.executable)
            .member("HitCount", event.hit_count)
            .member("DeviceId", event.device)
            .end_object();
        const auto slash = file->path.rfind('/');
        EntityWriter(alert.entities_json, event.hub, event.device)
            .add("process",
                 {{"ProcessId", std::to_string(process.process_id)}, {"CommandLine", process.command_line}})
            .add("file", {{"Directory", slash == std::string::npos ? "" : file->path.substr(0, slash)},
                          {"Name", basename(file->path)}})
            .end();
        context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
        device.files.erase(file);
        return;
    }
}

void DownloadRun::save(ByteWriter& out) const {
    out.u64(files_evicted_);
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(key);
        out.u32(static_cast<std::uint32_t>(device.files.size()));
        for (const auto& file : device.files) {
            out.text(file.path);
            out.text(file.command);
            out.i64(file.time.ticks);
            write(out, file.position);
        }
    }
}

Result<void> DownloadRun::restore(ByteReader& in) {
    devices_.clear();
    files_evicted_ = FIELDWATCH_TRY(in.u64());
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& device = devices_.get(FIELDWATCH_TRY(in.text()));
        device.files.resize(FIELDWATCH_TRY(read_count(in, kFilesMax)));
        for (auto& file : device.files) {
            file.path = FIELDWATCH_TRY(read_text(in));
            file.command = FIELDWATCH_TRY(read_text(in));
            file.time = FIELDWATCH_TRY(read_time(in));
            file.position = FIELDWATCH_TRY(read_position(in));
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
