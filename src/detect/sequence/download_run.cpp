#include "detect/sequence/download_run.hpp"

#include <algorithm>

#include "base/json_text.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kTextMax = 1'024;  ///< of a path or a line that is kept

/// Beside a saved number of files: runs follow. States of before they were kept have none.
constexpr std::uint32_t kWithRuns = 0x8000'0000;

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

DownloadRun::Run DownloadRun::run_of(std::string_view path, const model::Event& event,
                                     const model::Item& item, const model::ProcessCreate& process) {
    return {.path = std::string(path),
            .command = std::string(process.command_line),
            .executable = std::string(process.executable),
            .user_name = std::string(process.user_name.empty() ? process.user_id : process.user_name),
            .user_id = std::string(process.user_id),
            .process_id = process.process_id,
            .parent_process_id = process.parent_process_id,
            .hit_count = event.hit_count,
            .time = event.time,
            .position = item.position};
}

model::Alert DownloadRun::alert_of(const model::Event& event, const File& file, const Run& run) {
    auto alert = device_alert(kBackdoor, event, file.position);
    alert.start = file.time;
    alert.end = std::max(alert.end, run.time);
    add_evidence(alert.evidence, run.position);
    std::ranges::sort(alert.evidence);
    alert.discriminator = file.path + "|" + run.user_name;
    JsonWriter(alert.extended_json)
        .begin_object()
        .member("CommandLine", run.command)
        .member("DownloadCommandLine", file.command)
        .member("File Path", file.path)
        .member("User Name", run.user_name)
        .member("UserId", run.user_id)
        .member("ParentProcessId", run.parent_process_id)
        .member("ProcessId", run.process_id)
        .member("Executable", run.executable)
        .member("HitCount", run.hit_count)
        .member("DeviceId", event.device)
        .end_object();
    const auto slash = file.path.rfind('/');
    EntityWriter(alert.entities_json, event.hub, event.device)
        .add("process", {{"ProcessId", std::to_string(run.process_id)}, {"CommandLine", run.command}})
        .add("file", {{"Directory", slash == std::string::npos ? "" : file.path.substr(0, slash)},
                      {"Name", basename(file.path)}})
        .end();
    return alert;
}

bool DownloadRun::concerns(CommandLine& command) {
    return std::ranges::any_of(command.segments(), [](const Segment& segment) {
        return segment.has(Fact::Downloads) || segment.has(Fact::RunsFromTemp);
    });
}

bool DownloadRun::waits(const model::Event& event, const model::ProcessCreate& process) {
    if (in_temporary_directory(process.executable)) return true;
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
    note_run(key, process.executable, event, item, process);
    for (const auto& segment : command.segments()) {
        if (segment.has(Fact::Downloads)) continue;
        note_run(key, segment.path, event, item, process);
        note_run(key, segment.script, event, item, process);
    }
    std::vector<std::string_view> values;
    for (const auto& segment : command.segments()) {
        if (!segment.has(Fact::Downloads)) continue;
        auto& device = devices_.get(key);
        values.clear();
        command.list(segment, CommandList::Destinations, values);
        for (const auto path : values) {
            if (!path.empty() && path != "-" && path != "/dev/null")
                remember(device, path, process.command_line, event, item, context);
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
                     process.command_line, event, item, context);
        }
    }
}

void DownloadRun::note_run(std::string_view key, std::string_view path, const model::Event& event,
                           const model::Item& item, const model::ProcessCreate& process) {
    if (!in_temporary_directory(path) || path.size() > kTextMax) return;
    auto& runs = devices_.get(key).runs;
    std::erase_if(runs, [&](const Run& run) { return run.path == path; });
    if (runs.size() == kRunsMax) runs.erase(runs.begin());
    auto run = run_of(path, event, item, process);
    for (auto* const text : {&run.command, &run.executable, &run.user_name, &run.user_id})
        if (text->size() > kTextMax) text->resize(kTextMax);
    runs.push_back(std::move(run));
}

bool DownloadRun::ran_already(const Device& device, const File& file, const model::Event& event,
                              Context& context) {
    for (const auto& run : device.runs) {
        const bool in_time = run.time > file.time && run.time - file.time <= context.settings.backdoor_window;
        if (!in_time || run.position == file.position || !same_file(file.path, run.path)) continue;
        context.book.raise(alert_of(event, file, run), context.settings.dedup_window, context.now,
                           context.out);
        return true;
    }
    return false;
}

void DownloadRun::remember(Device& device, std::string_view path, std::string_view line,
                           const model::Event& event, const model::Item& item, Context& context) {
    if (path.size() > kTextMax) return;
    if (path.starts_with("./")) path.remove_prefix(2);
    std::erase_if(device.files, [&](const File& file) { return file.path == path; });
    File file{std::string(path), std::string(line.substr(0, kTextMax)), event.time, item.position};
    if (ran_already(device, file, event, context)) return;
    if (device.files.size() == kFilesMax) {
        device.files.erase(device.files.begin());
        ++files_evicted_;
    }
    device.files.push_back(std::move(file));
}

void DownloadRun::run(Device& device, std::string_view path, const model::Event& event,
                      const model::Item& item, const model::ProcessCreate& process, Context& context) {
    if (path.starts_with("./")) path.remove_prefix(2);
    if (path.empty()) return;
    for (auto file = device.files.begin(); file != device.files.end(); ++file) {
        const bool in_time =
            event.time >= file->time && event.time - file->time <= context.settings.backdoor_window;
        if (!in_time || file->position == item.position || !same_file(file->path, path)) continue;
        context.book.raise(alert_of(event, *file, run_of(path, event, item, process)),
                           context.settings.dedup_window, context.now, context.out);
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
        out.u32(static_cast<std::uint32_t>(device.files.size()) | (device.runs.empty() ? 0 : kWithRuns));
        for (const auto& file : device.files) {
            out.text(file.path);
            out.text(file.command);
            out.i64(file.time.ticks);
            write(out, file.position);
        }
        if (device.runs.empty()) continue;
        out.u8(static_cast<std::uint8_t>(device.runs.size()));
        for (const auto& run : device.runs) {
            for (const auto* text : {&run.path, &run.command, &run.executable, &run.user_name, &run.user_id})
                out.text(*text);
            out.i64(run.process_id);
            out.i64(run.parent_process_id);
            out.i64(run.hit_count);
            out.i64(run.time.ticks);
            write(out, run.position);
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
        const auto files = FIELDWATCH_TRY(in.u32());
        if ((files & ~kWithRuns) > kFilesMax) return fail(Errc::Corrupt, "more downloads than are kept");
        device.files.resize(files & ~kWithRuns);
        for (auto& file : device.files) {
            file.path = FIELDWATCH_TRY(read_text(in));
            file.command = FIELDWATCH_TRY(read_text(in));
            file.time = FIELDWATCH_TRY(read_time(in));
            file.position = FIELDWATCH_TRY(read_position(in));
        }
        if ((files & kWithRuns) == 0) continue;
        device.runs.resize(FIELDWATCH_TRY(in.u8()));
        if (device.runs.size() > kRunsMax) return fail(Errc::Corrupt, "more runs than are kept");
        for (auto& run : device.runs) {
            for (auto* text : {&run.path, &run.command, &run.executable, &run.user_name, &run.user_id})
                *text = FIELDWATCH_TRY(read_text(in));
            run.process_id = FIELDWATCH_TRY(in.i64());
            run.parent_process_id = FIELDWATCH_TRY(in.i64());
            run.hit_count = FIELDWATCH_TRY(read_amount(in));
            run.time = FIELDWATCH_TRY(read_time(in));
            run.position = FIELDWATCH_TRY(read_position(in));
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
