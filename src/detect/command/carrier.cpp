// Commands that run another one but are worth seeing themselves (docker exec, flock, watch, systemd-run, …):
// the outer one stays a segment, and what it carries is read beside it.
#include <algorithm>
#include <array>

#include "detect/command/lexer.hpp"
#include "detect/command/words.hpp"

namespace fieldwatch::detect {
namespace {

using LexedWords = std::span<const LexedWord>;

constexpr std::array kCarriers{
    OuterCommand{"flock", "wWE", 1},
    OuterCommand{"watch", "n"},
    OuterCommand{"strace", "abeEoOpPsSuIX"},
    OuterCommand{"ltrace", "aAbeFlnopsSuwxX"},
    OuterCommand{"systemd-run", "HMpEu"},
    OuterCommand{"systemd-inhibit"},
    OuterCommand{"systemd-nspawn", "DMu"},
    OuterCommand{"unshare", "SGRw"},
    OuterCommand{"nsenter", "tSG"},
    OuterCommand{"setpriv"},
    OuterCommand{"runuser", "ugGsw"},
    OuterCommand{"pkexec"},
    OuterCommand{"gosu", "", 1},
    OuterCommand{"su-exec", "", 1},
    OuterCommand{"setuidgid", "", 1},
    OuterCommand{"s6-setuidgid", "", 1},
    OuterCommand{"chpst", "uUbenlmdopfrtcC/"},
    OuterCommand{"softlimit", "acdfmorpst"},
    OuterCommand{"tini", "pe"},
    OuterCommand{"dumb-init", "r"},
    OuterCommand{"sshpass", "pfdeP"},
    OuterCommand{"proxychains", "f"},
    OuterCommand{"proxychains4", "f"},
    OuterCommand{"torsocks", "aPup"},
    OuterCommand{"torify"},
    OuterCommand{"parallel", "jSaILnN"},
    OuterCommand{"fakeroot", "lisb"},
    OuterCommand{"faketime", "f", 1},
    OuterCommand{"cpulimit", "lpe"},
    OuterCommand{"prlimit", "p"},
    OuterCommand{"numactl", "CNmip"},
    OuterCommand{"cgexec", "g"},
    OuterCommand{"setarch", "", 1},
    OuterCommand{"choom", "np"},
    OuterCommand{"aa-exec", "pn"},
    OuterCommand{"runcon", "turl", 1},
    OuterCommand{"logsave", "", 1},
    OuterCommand{"proot", "rbwRS"},
    OuterCommand{"lxc-attach", "nse"},
    OuterCommand{"screen", "cehpsStT"},
    OuterCommand{"daemonize", "acepoulv"},
    OuterCommand{"catchsegv"},
    OuterCommand{"rlwrap"},
    OuterCommand{"eatmydata"},
    OuterCommand{"dbus-run-session"},
    OuterCommand{"firejail"},
    OuterCommand{"k3s"},
    OuterCommand{"microk8s"},
};

/// The first word behind their options is the machine; options may follow that too.
constexpr std::array kRemoteShells{
    OuterCommand{"ssh", "BbcDEeFIiJLlmOopPQRSWw"},
    OuterCommand{"autossh", "BbcDEeFIiJLlMmOopPQRSWw"},
    OuterCommand{"dbclient", "BbcIiJKLlmopRW"},
    OuterCommand{"rsh", "lp"},
    OuterCommand{"remsh", "lp"},
};

constexpr std::array<std::string_view, 12> kEngines{
    "docker", "podman", "nerdctl",        "crictl",         "ctr",    "kubectl", "oc",
    "lxc",    "incus",  "docker-compose", "podman-compose", "buildah"};

/// Long options of `docker run` and its like that take no value; all the others take the next word.
constexpr std::array<std::string_view, 18> kContainerFlags{"--rm",
                                                           "--privileged",
                                                           "--detach",
                                                           "--interactive",
                                                           "--tty",
                                                           "--init",
                                                           "--read-only",
                                                           "--no-healthcheck",
                                                           "--oom-kill-disable",
                                                           "--publish-all",
                                                           "--quiet",
                                                           "--help",
                                                           "--sig-proxy",
                                                           "--replace",
                                                           "--rmi",
                                                           "--disable-content-trust",
                                                           "--sync",
                                                           "--no-hosts"};

bool is_boolean(std::string_view option) {
    if (option.starts_with("--"))
        return option.find('=') != std::string_view::npos ||
               std::ranges::find(kContainerFlags, option) != kContainerFlags.end();
    constexpr std::string_view kValueLetters = "evpuwlhmcna";
    if (option.size() > 2 && kValueLetters.find(option[1]) != std::string_view::npos) return true;  // -v/a:/b
    constexpr std::string_view kFlags = "ditPqT";
    return kFlags.find(option.back()) != std::string_view::npos;
}

std::string_view value_of(const LexedWord& word) {
    return word.value;
}
std::string_view value_of(std::string_view word) {
    return word;
}

/// Where the first of `verbs` stands among the words of an engine; their number for none.
template <class WordList>
std::size_t verb_of(const WordList& words, std::initializer_list<std::string_view> verbs) {
    std::size_t at = 1;
    while (at < words.size() && std::ranges::find(verbs, value_of(words[at])) == verbs.end())
        ++at;
    return at;
}

template <class WordList>
std::size_t behind_engine_options(const WordList& words, std::size_t at) {
    while (at < words.size() && is_option(value_of(words[at])))
        at += is_boolean(value_of(words[at])) ? 1 : 2;
    return at;
}

/// `docker run [options] IMAGE X`, `podman exec [options] NAME X`, `kubectl exec POD -- X`: where X begins; 0
/// for none.
std::size_t in_container(LexedWords words) {
    const auto verb = verb_of(words, {"run", "exec", "create"});
    for (auto i = verb; i < words.size(); ++i) {
        if (words[i].value == "--") return i + 1;
    }
    const auto engine = basename_of(words[0].value);
    if (engine == "kubectl" || engine == "oc" || engine == "lxc" || engine == "incus") return 0;
    const bool names_twice = engine == "ctr" && verb < words.size() && words[verb].value == "run";
    return behind_engine_options(words, verb + 1) + (names_twice ? 2 : 1);
}

/// `ssh [options] HOST [options] X`.
std::size_t on_machine(LexedWords words, std::string_view short_with_value) {
    const auto host = behind_options(words, 1, short_with_value);
    return behind_options(words, host + 1, short_with_value);
}

/// `ip netns exec NAME X`, `ip vrf exec NAME X`.
std::size_t in_namespace(LexedWords words) {
    const auto verb = verb_of(words, {"exec"});
    const auto place = words[verb - 1].value;
    return place == "netns" || place == "vrf" ? verb + 2 : 0;
}

/// `tmux new-session [options] X`.
std::size_t in_terminal(LexedWords words) {
    static constexpr std::array<std::string_view, 6> kVerbs{"new",        "new-session", "neww",
                                                            "new-window", "splitw",      "split-window"};
    if (words.size() < 3 || std::ranges::find(kVerbs, words[1].value) == kVerbs.end()) return 0;
    return behind_options(words, 2, "cFnstxye");
}

/// The dynamic loader as a command: `/lib/ld-linux.so.3 [--library-path P] X`.
bool is_dynamic_loader(std::string_view name) {
    return (name.starts_with("ld-linux") || name.starts_with("ld-musl") || name.starts_with("ld-uClibc")) &&
           name.find(".so") != std::string_view::npos;
}

std::size_t carried_at(std::string_view name, LexedWords words) {
    if (std::ranges::find(kEngines, name) != kEngines.end()) return in_container(words);
    if (name == "tmux") return in_terminal(words);
    if (name == "ip") return in_namespace(words);
    const auto* const shell = std::ranges::find(kRemoteShells, name, &OuterCommand::name);
    if (shell != kRemoteShells.end()) return on_machine(words, shell->short_with_value);
    if (is_dynamic_loader(name)) return behind_options(words, 1, {});
    const auto* const carrier = std::ranges::find(kCarriers, name, &OuterCommand::name);
    if (carrier == kCarriers.end()) return 0;
    return behind_options(words, 1, carrier->short_with_value) + carrier->positional;
}

}  // namespace

bool is_remote_shell(std::string_view name) {
    return std::ranges::find(kRemoteShells, name, &OuterCommand::name) != kRemoteShells.end();
}

/// The images that a container engine is asked to fetch or to run.
void CommandLine::images(const Segment& segment, std::vector<std::string_view>& out) {
    if (std::ranges::find(kEngines, segment.name) == kEngines.end()) return;
    const auto words = argv(segment);
    constexpr std::string_view kImage = "--image=";
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i].starts_with(kImage)) out.push_back(words[i].substr(kImage.size()));
        if (words[i] == "--image" && i + 1 < words.size()) out.push_back(words[i + 1]);
    }
    if (segment.name == "kubectl" || segment.name == "oc") return;
    const auto verb = verb_of(words, {"run", "create", "pull", "start"});
    if (verb >= words.size()) return;
    // `docker network create X`: what has no image.
    static constexpr std::array<std::string_view, 6> kOthers{"network", "volume",  "secret",
                                                             "config",  "context", "buildx"};
    if (std::ranges::find(kOthers, words[verb - 1]) != kOthers.end()) return;
    if (words[verb] == "run" || words[verb] == "create") {
        if (const auto at = behind_engine_options(words, verb + 1); at < words.size())
            out.push_back(words[at]);
        return;
    }
    std::ranges::copy_if(words.subspan(verb + 1), std::back_inserter(out),
                         [](auto word) { return !is_option(word); });
}

/// False when the command carries nothing.
bool CommandUnwrapper::queue_carried() {
    if (segment_.name == "start-stop-daemon") return queue_daemon();
    auto first = carried_at(segment_.name, words_);
    const bool has_shell_text = segment_.name == "flock" && first + 1 < words_.size() &&
                                (words_[first].value == "-c" || words_[first].value == "--command");
    if (has_shell_text) ++first;
    if (first == 0 || first >= words_.size()) return false;
    if (is_remote_shell(segment_.name)) {
        queue_beside(joined_from(first));
        return true;
    }
    queue_beside(words_[first].quoted && first + 1 == words_.size()
                     ? words_[first].value
                     : text_.substr(words_[first].begin, end_ - words_[first].begin));
    return true;
}

/// `start-stop-daemon … --exec P … -- ARGUMENTS` runs P with them.
bool CommandUnwrapper::queue_daemon() {
    std::string_view program;
    for (std::size_t i = 1; i < words_.size(); ++i) {
        const auto word = words_[i].value;
        if (word == "--") {
            if (program.empty() || i + 1 >= words_.size()) break;
            const auto arguments = text_.substr(words_[i + 1].begin, end_ - words_[i + 1].begin);
            queue_beside(line_.joined(program, arguments));
            return true;
        }
        const bool names = word == "--exec" || word == "--startas" ||
                           (word.size() > 1 && word[0] == '-' && word[1] != '-' &&
                            (word.back() == 'x' || word.back() == 'a'));
        if (names && i + 1 < words_.size()) program = words_[i + 1].value;
    }
    if (program.empty()) return false;
    queue_beside(program);
    return true;
}

/// Another command that this one runs, the segment staying one to be judged as well.
void CommandUnwrapper::queue_beside(std::string_view text) {
    line_.enqueue(text, static_cast<std::int32_t>(line_.segments_.size()), Origin::Shell,
                  static_cast<std::uint8_t>(segment_.depth + 1));
}

}  // namespace fieldwatch::detect
