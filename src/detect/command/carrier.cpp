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

constexpr std::array<std::string_view, 11> kEngines{
    "docker", "podman", "nerdctl", "crictl",         "ctr",           "kubectl",
    "oc",     "lxc",    "incus",   "docker-compose", "podman-compose"};

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

/// `docker run [options] IMAGE X`, `podman exec [options] NAME X`, `kubectl exec POD -- X`: where X begins; 0
/// for none.
std::size_t in_container(LexedWords words) {
    std::size_t verb = 1;
    const auto is_verb = [](std::string_view word) {
        return word == "run" || word == "exec" || word == "create";
    };
    while (verb < words.size() && !is_verb(words[verb].value))
        ++verb;
    for (auto i = verb; i < words.size(); ++i) {
        if (words[i].value == "--") return i + 1;
    }
    const auto engine = basename_of(words[0].value);
    if (engine == "kubectl" || engine == "oc" || engine == "lxc" || engine == "incus") return 0;
    auto at = verb + 1;
    while (at < words.size() && is_option(words[at].value))
        at += is_boolean(words[at].value) ? 1 : 2;
    const bool names_twice = engine == "ctr" && verb < words.size() && words[verb].value == "run";
    return at + (names_twice ? 2 : 1);
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
    if (is_dynamic_loader(name)) return behind_options(words, 1, {});
    const auto* const carrier = std::ranges::find(kCarriers, name, &OuterCommand::name);
    if (carrier == kCarriers.end()) return 0;
    return behind_options(words, 1, carrier->short_with_value) + carrier->positional;
}

}  // namespace

/// False when the command carries nothing.
bool CommandUnwrapper::queue_carried() {
    if (segment_.name == "start-stop-daemon") return queue_daemon();
    const auto first = carried_at(segment_.name, words_);
    if (first == 0 || first >= words_.size()) return false;
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
