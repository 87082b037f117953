// fieldwatch-agent: the device's own security agent. `run` splits at once: the parent becomes the
// collector, a program of its own that keeps what privileges collecting needs and has no network; the child
// is the sender, which gives all privileges up before it touches the network.
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/accounts.hpp"
#include "agent/agent_log.hpp"
#include "agent/config.hpp"
#include "agent/inventory/packages.hpp"
#include "agent/inventory/system_information.hpp"
#include "agent/provisioning/provisioner.hpp"
#include "agent/response/request.hpp"
#include "agent/sender.hpp"
#include "agent/state_folder.hpp"
#include "agent/system_calls.hpp"
#include "agent/update/launcher.hpp"
#include "base/file_system.hpp"
#include "base/printable.hpp"

namespace {

using namespace fieldwatch;
using agent::AgentConfig;
using agent::Severity;

constexpr std::string_view kHelp =
    R"(fieldwatch-agent: watches this device and tells its hub.

  fieldwatch-agent run [--config FILE]           collect and send until stopped (root; the sending half gives root up)
  fieldwatch-agent check-config [--config FILE]  read the configuration and the credentials, say what is wrong
  fieldwatch-agent status [--config FILE]        what the running agent sees, sends and loses, as JSON
  fieldwatch-agent provision --connection-string-file FILE --ca-file FILE [--port N] [--connect-host HOST]
                             [--certificate FILE] [--state DIR] [--user NAME] [--config FILE]
                                                 write a configuration; FILE's content stays where it is; a
                                                 certificate file has the private key too, PEM, and goes with a
                                                 connection string that ends in ;x509=true
  fieldwatch-agent provision --dps-host HOST --id-scope SCOPE --registration-id ID (--key-file FILE | --certificate FILE)
                             --connection-string-file FILE --ca-file FILE […]
                                                 the same, after asking a provisioning service for the hub: FILE is
                                                 written; the agent asks it again when that hub will not have it
  fieldwatch-agent sbom [--root DIR]             what software is installed here, as CycloneDX 1.5 JSON

The configuration is /etc/fieldwatch-agent/config.json unless --config says otherwise.
Exit status: 0 done, 1 failed, 2 used wrongly.
)";

struct Arguments {
    std::string command;
    std::string config = "/etc/fieldwatch-agent/config.json";
    AgentConfig provision;
    agent::ProvisioningOptions provisioning;
    std::string registration_key_file;
    std::string root;
    bool help = false;
};

bool parse(int argc, char** argv, Arguments& out) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--help" || word == "-h") {
            out.help = true;
            continue;
        }
        if (!word.starts_with("--")) {
            if (!out.command.empty()) return false;
            out.command = word;
            continue;
        }
        if (i + 1 >= argc) return false;
        const std::string value = argv[++i];
        if (word == "--config") {
            out.config = value;
        } else if (word == "--connection-string-file") {
            out.provision.connection_string_file = value;
        } else if (word == "--ca-file") {
            out.provision.ca_file = value;
        } else if (word == "--dps-host") {
            out.provisioning.host = value;
        } else if (word == "--id-scope") {
            out.provisioning.id_scope = value;
        } else if (word == "--registration-id") {
            out.provisioning.registration_id = value;
        } else if (word == "--key-file") {
            out.registration_key_file = value;
        } else if (word == "--certificate") {
            out.provision.key_file = value;
            out.provision.by_certificate = true;
        } else if (word == "--port") {
            const int port = std::atoi(value.c_str());
            if (port < 1 || port > 65'535) return false;
            out.provision.port = static_cast<std::uint16_t>(port);
        } else if (word == "--connect-host") {
            out.provision.connect_host = value;
        } else if (word == "--state") {
            out.provision.state_directory = value;
        } else if (word == "--root") {
            out.root = value;
        } else if (word == "--user") {
            out.provision.user = value;
        } else {
            return false;
        }
    }
    return true;
}

int complain(const Error& error) {
    std::fprintf(stderr, "fieldwatch-agent: %s\n", printable(error.message).c_str());
    return 1;
}

constexpr agent::AccountIds kNobody{65'534, 65'534};

/// The account that the sender becomes. From /etc/passwd itself: the C library's name service would map three
/// more libraries for good.
agent::AccountIds account_of(const std::string& name) {
    const auto passwd = read_file(posix_file_system(), "/etc/passwd", 1U << 20);
    for (const auto* candidate : {name.c_str(), "nobody"}) {
        if (passwd) {
            if (const auto found = agent::find_account(as_text(*passwd), candidate)) return *found;
        }
    }
    return kNobody;
}

/// Reads the trusted authorities: the directories above need not be open to whom the sender becomes.
Result<void> read_authorities(AgentConfig& config) {
    if (config.ca_file.empty()) return {};
    const auto content = FIELDWATCH_TRY(read_file(posix_file_system(), config.ca_file, 1u << 20));
    config.ca_pem = as_text(content);
    return {};
}

/// The same of updates, where the configuration allows any. What is wrong with them costs nothing else.
void read_update_trust(AgentConfig& config) {
    auto& update = config.update;
    if (update.key_file.empty()) return;
    auto key = agent::read_update_key(update.key_file);
    const auto trusted = update.ca_file.empty() ? Result<Bytes>(Bytes{})
                                                : read_file(posix_file_system(), update.ca_file, 1u << 20);
    if (!key || !trusted)
        return agent::say(Severity::Error,
                          "update: there are none: " + (key ? trusted.error().message : key.error().message));
    update.key = *key;
    update.ca_pem = as_text(*trusted);
}

/// Becomes the programs that an update brought, if it did.
void start_from_slot(const Arguments& arguments, char** argv) {
    auto config = agent::load_config(arguments.config);
    if (!config || config->update.key_file.empty() || ::geteuid() != 0 ||
        agent::runs_from(config->update.slots_directory))
        return;
    read_update_trust(*config);
    if (!config->update.key) return;
    agent::launch({.slots_directory = config->update.slots_directory,
                   .state_directory = config->state_directory,
                   .key = *config->update.key,
                   .package = agent::Version::parse(agent::kAgentVersion).value_or(agent::Version{}),
                   .trial_seconds = config->update.trial_seconds},
                  argv, system_clock());
}

/// Makes the state directory the sender's and goes there: later paths are relative, for the same reason.
/// Where nothing can be written there the agent runs without what it keeps, and says so.
Result<void> enter_state_directory(const AgentConfig& config, const agent::AccountIds& account) {
    (void)posix_file_system().make_directories(config.state_directory);
    if (::chdir(config.state_directory.c_str()) != 0) {
        return fail(Errc::Io, config.state_directory + ": " + std::strerror(errno));
    }
    if (::geteuid() != 0) return {};
    // Where there can be no spool now, the sender itself makes one as soon as there can.
    (void)posix_file_system().make_directories("spool");
    return agent::hand_over(".", account);
}

Result<void> give_up_privileges(const agent::AccountIds& account) {
    if (::geteuid() == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(account.gid, account.gid, account.gid) != 0 ||
            ::setresuid(account.uid, account.uid, account.uid) != 0) {
            return fail(Errc::Io, std::string("cannot give up root: ") + std::strerror(errno));
        }
        if (::setuid(0) == 0) return fail(Errc::Internal, "root could be taken back");
    }
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // the key is in this process's memory
    return {};
}

/// Starts the third process, if the local configuration allows anything that needs it; the sender's end of
/// the socket, else -1. It keeps root until the sender has given it up, and takes nothing from it before.
int start_responder(const AgentConfig& config, const std::string& collector) {
    if ((config.response_allowed & (agent::kAllowKill | agent::kAllowBlock | agent::kAllowIsolate)) == 0)
        return -1;
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) return -1;
    const timeval patience{.tv_sec = 3, .tv_usec = 0};
    ::setsockopt(sockets[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto allowed = std::to_string(config.response_allowed);
    const auto sender = std::to_string(::getpid());
    const auto parent = std::to_string(::getppid());  // the collector, as soon as it has become it
    const auto child = ::fork();
    if (child == 0) {
        ::dup2(sockets[0], 3);
        if (sockets[0] == 3) ::fcntl(3, F_SETFD, 0);
        ::execl(collector.c_str(), "fieldwatch-collector", "respond", allowed.c_str(), sender.c_str(),
                parent.c_str(), nullptr);
        ::_exit(1);
    }
    ::close(sockets[0]);
    if (child > 0) return sockets[1];
    ::close(sockets[1]);
    return -1;
}

Result<int> run_sender(AgentConfig config, int socket, const std::string& collector) {
    auto identity = FIELDWATCH_TRY(agent::load_identity(config));
    const int responder = start_responder(config, collector);
    const auto account = account_of(config.user);
    FIELDWATCH_TRY(read_authorities(config));
    read_update_trust(config);
    if (const char* given = std::getenv("RUNTIME_DIRECTORY"); given && given[0] == '/') {
        config.runtime_directory = given;
        (void)agent::hand_over(config.runtime_directory, account);
    }
    FIELDWATCH_TRY(enter_state_directory(config, account));
    FIELDWATCH_TRY(give_up_privileges(account));
    agent::Sender sender(std::move(config), std::move(identity),
                         {.collector = socket, .responder = responder}, system_clock(), system_random());
    FIELDWATCH_TRY(sender.open());
    if (const auto limited = agent::limit_system_calls(agent::Half::Sender); !limited)
        agent::say(Severity::Warning, limited.error().message);
    return sender.run();
}

/// The collector's file lies beside ours.
std::string collector_path() {
    char self[4'096];
    const auto size = ::readlink("/proc/self/exe", self, sizeof self);
    const std::string path(self, size > 0 ? static_cast<std::size_t>(size) : 0);
    return path.substr(0, path.rfind('/') + 1) + "fieldwatch-collector";
}

int run(const Arguments& arguments, char** argv) {
    start_from_slot(arguments, argv);
    const auto collector = collector_path();
    if (::access(collector.c_str(), X_OK) != 0) {
        return complain({Errc::NotFound, collector + ": " + std::strerror(errno)});
    }
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        return complain({Errc::Io, std::string("socketpair: ") + std::strerror(errno)});
    }
    const int bytes = 1 << 20;  // 150 full datagrams: a sender that is busy for a moment stalls nothing
    ::setsockopt(sockets[0], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    const auto child = ::fork();
    if (child < 0) return complain({Errc::Io, std::string("fork: ") + std::strerror(errno)});
    if (child == 0) {
        ::close(sockets[0]);
        ::prctl(PR_SET_NAME, "fieldwatch-send", 0, 0, 0);
        // A terminal's Ctrl-C reaches both halves: the collector stops, and the sender when it has taken the
        // rest.
        ::signal(SIGINT, SIG_IGN);
        struct sigaction action{};
        action.sa_handler = [](int) { agent::Sender::request_stop(); };
        ::sigaction(SIGTERM, &action, nullptr);
        auto config = agent::load_config(arguments.config);
        if (!config) return complain(config.error());
        for (const auto& warning : config->warnings)
            agent::say(Severity::Warning, "configuration: " + warning);
        const auto result = run_sender(std::move(*config), sockets[1], collector);
        return result ? *result : complain(result.error());
    }
    const int moved = ::dup2(sockets[0], 3);  // where the collector looks; open beyond its exec
    if (sockets[0] == 3) ::fcntl(3, F_SETFD, 0);
    const auto pid = std::to_string(child);
    if (moved == 3) ::execl(collector.c_str(), "fieldwatch-collector", pid.c_str(), nullptr);
    const int error = errno;
    ::kill(child, SIGKILL);
    return complain({Errc::Io, collector + ": " + std::strerror(error)});
}

int check_config(const Arguments& arguments) {
    const auto config = agent::load_config(arguments.config);
    if (!config) return complain(config.error());
    const auto identity = agent::load_identity(*config);
    if (!identity) return complain(identity.error());
    const auto& names = identity->names;
    if (!config->update.key_file.empty()) {
        const auto key = agent::read_update_key(config->update.key_file);
        if (!key) return complain(key.error());
        std::printf("updates: signed by %s\n", key->id().c_str());
    }
    for (const auto& warning : config->warnings)
        std::printf("warning: %s\n", warning.c_str());
    if (names.host_name.empty()) {
        const auto& service = config->provisioning;
        std::printf("%s: good; registration %s at %s, which is asked for the hub\n", arguments.config.c_str(),
                    service.registration_id.c_str(), service.host.c_str());
        return 0;
    }
    const auto port = config->port != 0 ? ", port " + std::to_string(config->port) : std::string();
    std::printf("%s: good; %s/%s at %s%s\n", arguments.config.c_str(), names.device_id.c_str(),
                names.module_id.c_str(), names.host_name.c_str(), port.c_str());
    return 0;
}

int sbom(const Arguments& arguments) {
    const auto system = agent::read_system_information(arguments.root);
    std::string distribution;
    for (const auto& extra : system.extras) {
        if (std::string_view(extra.name) == "OsDist") distribution = extra.text;
    }
    const auto packages = agent::PackageReader(arguments.root).read();
    const auto text = agent::to_cyclonedx(packages, distribution, system_clock().now(), system_random());
    std::fwrite(text.data(), 1, text.size(), stdout);
    return 0;
}

int status(const Arguments& arguments) {
    const auto config = agent::load_config(arguments.config);
    if (!config) return complain(config.error());
    const auto text = read_file(posix_file_system(), config->state_directory + "/status.json", 64 * 1'024);
    if (!text) return complain({Errc::NotFound, "no agent runs here (" + text.error().message + ")"});
    std::fwrite(text->data(), 1, text->size(), stdout);
    return 0;
}

/// Asks the provisioning service and writes what it says as a connection string of the device.
/// The running agent asks that service again when the hub will not have it.
Result<void> ask_for_hub(const Arguments& arguments, AgentConfig& config) {
    auto options = arguments.provisioning;
    if (options.id_scope.empty() || options.registration_id.empty() ||
        arguments.registration_key_file.empty() == config.key_file.empty())
        return fail(
            Errc::InvalidArgument,
            "--dps-host goes with --id-scope, --registration-id and one of --key-file and --certificate");
    options.port = std::exchange(config.port, 0);  // the service's; what it answers names the hub's
    options.ca_file = config.ca_file;
    config.provisioning = {.host = options.host,
                           .port = options.port,
                           .id_scope = options.id_scope,
                           .registration_id = options.registration_id};
    auto& secret = config.by_certificate ? options.certificate : options.key_base64;
    secret = FIELDWATCH_TRY(
        agent::read_secret(config.by_certificate ? config.key_file : arguments.registration_key_file));
    const auto device =
        FIELDWATCH_TRY(agent::provision(options, system_clock(), system_random(), std::chrono::seconds(60)));
    const auto text = sas::format({.host_name = device.hub,
                                   .device_id = device.device_id,
                                   .shared_access_key = options.key_base64,
                                   .x509 = config.by_certificate}) +
                      "\n";
    ::umask(0077);
    FIELDWATCH_TRY(replace_file(posix_file_system(), config.connection_string_file, as_bytes(text)));
    // What a running agent was told since then is older now.
    (void)posix_file_system().remove(config.state_directory + "/" + agent::kAssignmentFile);
    return {};
}

int provision(Arguments& arguments) {
    if (arguments.provision.connection_string_file.empty() || arguments.provision.ca_file.empty()) {
        std::fputs("fieldwatch-agent: provision needs --connection-string-file and --ca-file\n", stderr);
        return 2;
    }
    if (!arguments.provisioning.host.empty()) {
        if (const auto asked = ask_for_hub(arguments, arguments.provision); !asked)
            return complain(asked.error());
    }
    const auto identity = agent::load_identity(arguments.provision);
    if (!identity) return complain(identity.error());
    const auto slash = arguments.config.rfind('/');
    if (slash != std::string::npos && slash > 0) {
        const auto made = posix_file_system().make_directories(arguments.config.substr(0, slash));
        if (!made) return complain(made.error());
    }
    const auto written = replace_file(posix_file_system(), arguments.config,
                                      as_bytes(agent::format_config(arguments.provision)));
    if (!written) return complain(written.error());
    ::chmod(arguments.config.c_str(), 0600);
    std::printf("%s: written for %s/%s\n", arguments.config.c_str(), identity->names.device_id.c_str(),
                identity->names.module_id.c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    const bool parsed = parse(argc, argv, arguments);
    if (parsed && arguments.help) {
        std::fwrite(kHelp.data(), 1, kHelp.size(), stdout);
        return 0;
    }
    ::signal(SIGPIPE, SIG_IGN);
    if (parsed && arguments.command == "run") return run(arguments, argv);
    if (parsed && arguments.command == "check-config") return check_config(arguments);
    if (parsed && arguments.command == "status") return status(arguments);
    if (parsed && arguments.command == "sbom") return sbom(arguments);
    if (parsed && arguments.command == "provision") return provision(arguments);
    std::fwrite(kHelp.data(), 1, kHelp.size(), stderr);
    return 2;
}
