#include "detect/sequence/reconnaissance.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

constexpr AlertType kReconnaissance{
    "fieldwatch-a22",
    "IoT_LinuxReconnaissance",
    "Local host reconnaissance detected",
    "Somebody looked round on the device: its system, users, network and processes, within a short time.",
    "Discovery",
    model::Severity::Medium,
    "T1082,T1033,T1016,T1057",
    "Confirm that a legitimate user ran it; else escalate to the information security team"};

/// Commands that are a look round whatever their arguments.
constexpr std::string_view kAlways[] = {"id",       "whoami",  "w",  "who", "last",  "lscpu", "nproc", "free",
                                        "ifconfig", "netstat", "ss", "arp", "lsmod", "df",    "dmesg"};
constexpr std::string_view kReaders[] = {"cat", "less", "more", "head", "tail", "strings", "grep"};
constexpr std::string_view kFiles[] = {"/proc/cpuinfo", "/proc/meminfo",   "/proc/version",
                                       "/proc/mounts",  "/etc/passwd",     "/etc/group",
                                       "/etc/issue",    "/etc/os-release", "/etc/hosts"};

bool is_among(std::string_view word, std::span<const std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

/// Options whose letters come in clusters: -a, -ra, -aux.
bool has_letter(std::span<const std::string_view> arguments, char letter) {
    return std::ranges::any_of(arguments, [&](std::string_view word) {
        return word.starts_with('-') && !word.starts_with("--") && word.find(letter) != word.npos;
    });
}

/// What a segment looks at, empty when it is no look round. One name for one thing, so that repeating it is
/// one look.
std::string look_of(CommandLine& command, const Segment& segment, std::vector<std::string_view>& scratch) {
    const auto words = command.argv(segment);
    if (words.empty()) return {};
    const auto arguments = words.subspan(1);
    const auto name = segment.name;
    if (is_among(name, kAlways)) return std::string(name);
    const auto first = arguments.empty() ? std::string_view{} : arguments.front();
    // These change something when they are given something.
    if ((name == "hostname" || name == "mount" || name == "env") &&
        std::ranges::all_of(arguments, [](auto word) { return word.starts_with('-'); }))
        return std::string(name);
    if (name == "uname" && (has_letter(arguments, 'a') || first == "--all")) return "uname -a";
    if (name == "crontab" && has_letter(arguments, 'l')) return "crontab -l";
    if (name == "ps" && !arguments.empty() &&
        (first == "aux" || first == "-aux" || first == "auxw" || first == "auxww" || first == "ax" ||
         first == "-ef" || first == "-A" || first == "-e"))
        return "ps";
    if (name == "ip") {
        for (const auto word : arguments) {
            if (word.starts_with('-')) continue;
            if (word.starts_with('a')) return "ip addr";
            if (word.starts_with('r') && word != "rule") return "ip route";
            break;
        }
        return {};
    }
    if (!is_among(name, kReaders)) return {};
    scratch.clear();
    command.list(segment, CommandList::Paths, scratch);
    for (const auto path : scratch) {
        if (is_among(path, kFiles)) return std::string("cat ").append(path);
    }
    return {};
}

/// How loaders ask for the architecture: reading the header of a program that is surely there.
bool is_architecture_probe(CommandLine& command, const Segment& segment,
                           std::vector<std::string_view>& scratch) {
    if (segment.name != "cat" && segment.name != "dd" && segment.name != "head" &&
        segment.name != "hexdump" && segment.name != "od")
        return false;
    scratch.clear();
    command.list(segment, CommandList::Paths, scratch);
    const bool in_busybox = std::ranges::find(command.wrappers(segment), std::string_view("busybox")) !=
                            command.wrappers(segment).end();
    return std::ranges::any_of(scratch, [&](std::string_view path) {
        return path == "/bin/echo" || (path == "/proc/self/exe" && in_busybox);
    });
}

}  // namespace

bool Reconnaissance::concerns(CommandLine& command) const {
    std::vector<std::string_view> scratch;
    return std::ranges::any_of(command.segments(), [&](const Segment& segment) {
        return !look_of(command, segment, scratch).empty() ||
               is_architecture_probe(command, segment, scratch);
    });
}

void Reconnaissance::observe_command(const model::Event& event, const model::Item& item,
                                     const model::ProcessCreate& process, CommandLine& command,
                                     Context& context) {
    std::vector<std::string> looks;
    std::vector<std::string_view> scratch;
    bool probe = false;
    for (const auto& segment : command.segments()) {
        auto look = look_of(command, segment, scratch);
        if (!look.empty() && std::ranges::find(looks, look) == looks.end()) looks.push_back(std::move(look));
        probe = probe || is_architecture_probe(command, segment, scratch);
    }
    if (looks.empty() && !probe) return;
    const std::string_view name = process.user_name.empty() ? process.user_id : process.user_name;
    auto key = device_key(event.hub, event.device);
    key.append(1, '\0').append(name);
    auto& user = users_.get(key);
    const auto from = event.hit_count > 1 ? event.window_start : event.time;
    for (const auto& what : looks) {
        std::erase_if(user.looks, [&](const Look& look) { return look.what == what; });
        const auto at = std::ranges::upper_bound(user.looks, from, {}, &Look::time);
        user.looks.insert(at, {what, from, item.position});
    }
    const auto newest = user.looks.empty() ? from : user.looks.back().time;
    std::erase_if(user.looks,
                  [&](const Look& look) { return newest - look.time > context.settings.recon_window; });
    if (user.looks.size() > kLooksMax) user.looks.erase(user.looks.begin());
    const bool distinct = user.looks.size() >= static_cast<std::size_t>(context.settings.recon_distinct);
    if (!probe && looks.size() < 2 && !distinct) return;

    auto alert = device_alert(kReconnaissance, event, item.position);
    std::vector<std::string> named = looks;
    if (distinct) {
        alert.evidence.clear();
        named.clear();
        for (const auto& look : user.looks) {
            add_evidence(alert.evidence, look.position);
            named.push_back(look.what);
            alert.start = std::min(alert.start, look.time);
            alert.end = std::max(alert.end, look.time);
        }
        std::ranges::sort(alert.evidence);
        user.looks.clear();
    }
    alert.discriminator = name;
    JsonWriter(alert.extended_json)
        .begin_object()
        .member("CommandLine", process.command_line)
        .member("Commands", json_list(named))
        .member("User Name", process.user_name)
        .member("UserId", process.user_id)
        .member("ParentProcessId", process.parent_process_id)
        .member("Executable", process.executable)
        .member("ProcessId", process.process_id)
        .member("HitCount", event.hit_count)
        .member("DeviceId", event.device)
        .end_object();
    EntityWriter(alert.entities_json, event.hub, event.device)
        .add("account", {{"Name", process.user_name}, {"Sid", process.user_id}})
        .add("process",
             {{"ProcessId", std::to_string(process.process_id)}, {"CommandLine", process.command_line}})
        .end();
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

void Reconnaissance::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(users_.size()));
    for (const auto& [key, user] : users_) {
        out.text(key);
        out.u32(static_cast<std::uint32_t>(user.looks.size()));
        for (const auto& look : user.looks) {
            out.text(look.what);
            out.i64(look.time.ticks);
            write(out, look.position);
        }
    }
}

Result<void> Reconnaissance::restore(ByteReader& in) {
    users_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kUsersMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& user = users_.get(FIELDWATCH_TRY(in.text()));
        user.looks.resize(FIELDWATCH_TRY(read_count(in, kLooksMax)));
        for (auto& look : user.looks) {
            look.what = FIELDWATCH_TRY(read_text(in));
            look.time = FIELDWATCH_TRY(read_time(in));
            look.position = FIELDWATCH_TRY(read_position(in));
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
