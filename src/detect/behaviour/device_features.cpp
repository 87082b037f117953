#include "detect/behaviour/device_features.hpp"

#include <algorithm>
#include <cctype>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "detect/behaviour/flow.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kTokenBytesMax = 96;

/// Paths differ in version numbers, process ids and random names, not in meaning: digits become one `#`.
std::string normalised(std::string_view path) {
    std::string out;
    for (const char c : path.substr(0, kTokenBytesMax)) {
        if (std::isdigit(static_cast<unsigned char>(c)) == 0)
            out.push_back(c);
        else if (out.empty() || out.back() != '#')
            out.push_back('#');
    }
    return out;
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == path.npos ? path : path.substr(slash + 1);
}

void add(std::vector<Token>& tokens, TokenKind kind, std::string text) {
    const auto hash = hash64(as_bytes(text), static_cast<std::uint64_t>(kind) + 1);
    tokens.push_back({kind, std::move(text), hash});
}

bool is_shell(std::string_view name) {
    for (const std::string_view shell : {"sh", "bash", "dash", "ash", "zsh", "busybox"})
        if (name == shell) return true;
    return false;
}
bool is_writable_directory(std::string_view path) {
    for (const std::string_view root : {"/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/mnt/", "/var/run/"})
        if (path.starts_with(root)) return true;
    return false;
}

void process(const model::ProcessCreate& process, double hits, std::vector<Count>& counts,
             std::vector<Token>& tokens) {
    counts.push_back({Feature::Executions, hits});
    const auto name = base_name(process.executable);
    if (is_shell(name)) counts.push_back({Feature::ShellExecutions, hits});
    if (is_writable_directory(process.executable))
        counts.push_back({Feature::WritableDirectoryExecutions, hits});
    add(tokens, TokenKind::Image, normalised(process.executable));
    if (process.parent_executable.empty()) return;
    const auto pair = normalised(base_name(process.parent_executable)) + ">" + normalised(name);
    add(tokens, TokenKind::ParentChild, pair);
    if (!process.grandparent_executable.empty())
        add(tokens, TokenKind::Chain, normalised(base_name(process.grandparent_executable)) + ">" + pair);
}

void connection(const model::Event& event, const model::Item& item, const model::ConnectionCreate& connection,
                double hits, std::vector<Count>& counts, std::vector<Token>& tokens) {
    const auto flow = flow_of(event, item, connection);
    if (!flow) return;
    counts.push_back({flow->outgoing ? Feature::FlowsOut : Feature::FlowsIn, hits});
    if (flow->bytes_out > 0) counts.push_back({Feature::BytesOut, flow->bytes_out});
    if (flow->unanswered) counts.push_back({Feature::UnansweredFlows, hits});
    if (!flow->outgoing) return;
    // The /24 of IPv4, the /48 of IPv6: services move within their networks.
    auto net = flow->remote;
    std::fill(net.bytes.begin() + (net.is_v4 ? 3 : 6), net.bytes.end(), std::uint8_t{0});
    add(tokens, TokenKind::Destination,
        net.text() + (net.is_v4 ? "/24:" : "/48:") + std::to_string(flow->port) + "/" +
            std::string(to_string(flow->transport)));
}

void operation(const model::Operation& operation, double hits, std::vector<Count>& counts,
               std::vector<Token>& tokens) {
    const auto messages =
        static_cast<double>(std::clamp<std::int64_t>(operation.message_count, 0, 1'000'000'000));
    if (messages > 0) counts.push_back({Feature::HubMessages, messages});
    if (operation.category == "Connections") counts.push_back({Feature::HubConnections, hits});
    if (!operation.auth_failure_reason.empty())
        counts.push_back({Feature::HubAuthenticationFailures, hits});
    else if (operation.level == "Error")
        counts.push_back({Feature::HubErrors, hits});
    std::string text(operation.operation_name.substr(0, kTokenBytesMax));
    text.append("/")
        .append(operation.protocol.substr(0, 16))
        .append("/")
        .append(operation.auth_type.substr(0, 16));
    add(tokens, TokenKind::HubOperation, std::move(text));
}

}  // namespace

std::string_view to_string(Feature feature) {
    constexpr std::string_view kNames[] = {"programs started",
                                           "shells started",
                                           "programs started from writable directories",
                                           "programs ended",
                                           "connections out",
                                           "connections in",
                                           "bytes out",
                                           "unanswered connections",
                                           "failed logins",
                                           "logins",
                                           "file changes",
                                           "connections to the hub",
                                           "authentication failures at the hub",
                                           "errors at the hub",
                                           "messages to the hub",
                                           "control-plane operations",
                                           "dropped events",
                                           "configuration errors",
                                           "things never seen before",
                                           "events"};
    return kNames[static_cast<std::size_t>(feature)];
}

std::string_view to_string(TokenKind kind) {
    constexpr std::string_view kNames[] = {"program",     "program started by", "chain of programs",
                                           "destination", "user and source",    "hub operation"};
    return kNames[static_cast<std::size_t>(kind)];
}

void features_of(const model::Event& event, const model::Item& item, std::vector<Count>& counts,
                 std::vector<Token>& tokens) {
    const auto hits = static_cast<double>(std::clamp<std::int64_t>(event.hit_count, 1, 1'000'000'000));
    counts.push_back({Feature::Events, hits});
    if (const auto* const p = std::get_if<model::ProcessCreate>(&item.payload)) {
        process(*p, hits, counts, tokens);
    } else if (std::holds_alternative<model::ProcessTerminate>(item.payload)) {
        counts.push_back({Feature::ProcessEnds, hits});
    } else if (const auto* const c = std::get_if<model::ConnectionCreate>(&item.payload)) {
        connection(event, item, *c, hits, counts, tokens);
    } else if (const auto* const login = std::get_if<model::Login>(&item.payload)) {
        if (login->result == model::LoginResult::Logout) return;
        const bool failed = login->result == model::LoginResult::Fail;
        counts.push_back({failed ? Feature::LoginFailures : Feature::LoginSuccesses, hits});
        if (!failed)
            add(tokens, TokenKind::UserSource,
                std::string(login->user_name.substr(0, 48)) + " from " +
                    std::string(login->remote_address.substr(0, 48)));
    } else if (std::holds_alternative<model::FileChange>(item.payload)) {
        counts.push_back({Feature::FileChanges, hits});
    } else if (const auto* const o = std::get_if<model::Operation>(&item.payload)) {
        operation(*o, hits, counts, tokens);
    } else if (const auto* const control = std::get_if<model::ControlPlaneOperation>(&item.payload)) {
        // What people do in the product itself is in the activity log, and no behaviour of the hub.
        if (!control->operation_name.starts_with("Fieldwatch/"))
            counts.push_back({Feature::ControlPlaneOperations, hits});
    } else if (const auto* const d = std::get_if<model::DroppedEvents>(&item.payload)) {
        const auto dropped = static_cast<double>(std::clamp<std::int64_t>(d->dropped, 0, 1'000'000'000));
        counts.push_back({Feature::DroppedEvents, dropped});
    } else if (std::holds_alternative<model::ConfigurationError>(item.payload)) {
        counts.push_back({Feature::ConfigurationErrors, hits});
    }
}

}  // namespace fieldwatch::detect
