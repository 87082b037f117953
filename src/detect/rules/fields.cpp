#include "detect/rules/fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace fieldwatch::detect {
namespace {

class Collector {
  public:
    explicit Collector(std::vector<FieldValue>& out) : out_(out) {}
    void operator()(std::string_view name, std::string_view value) {
        if (!value.empty()) out_.emplace_back(name, value);
    }

  private:
    std::vector<FieldValue>& out_;
};

std::string_view class_of(std::string_view address, const AddressSettings& settings) {
    const auto parsed = parse_address(address);
    if (!parsed) return {};
    return is_external(address, settings) ? to_string(AddressClass::External) : to_string(classify(*parsed));
}

void process_fields(const model::ProcessCreate& process, NumberText& numbers, Collector add) {
    add("Image", process.executable);
    add("CommandLine", process.command_line);
    add("ParentImage", process.parent_executable);
    add("ParentCommandLine", process.parent_command_line);
    add("GrandparentImage", process.grandparent_executable);
    add("User", process.user_name.empty() ? process.user_id : process.user_name);
    add("UserId", process.user_id);
    add("CurrentDirectory", process.working_directory);
    add("LogonId", process.login_uid);
    add("Hashes", process.hash);
    add("ContainerId", process.container_id);
    if (process.process_id != 0) add("ProcessId", numbers(process.process_id));
    if (process.parent_process_id != 0) add("ParentProcessId", numbers(process.parent_process_id));
}

void connection_fields(const model::ConnectionCreate& connection, const AddressSettings& addresses,
                       Collector add) {
    const bool in = connection.direction == model::Direction::In;
    // Sysmon's view, which Sigma follows: source is who opened the connection.
    add("SourceIp", in ? connection.remote_address : connection.local_address);
    add("SourcePort", in ? connection.remote_port : connection.local_port);
    add("DestinationIp", in ? connection.local_address : connection.remote_address);
    add("DestinationPort", in ? connection.local_port : connection.remote_port);
    add("DestinationHostname", connection.dns_name);
    add("Initiated", in ? "false" : "true");
    add("Protocol", connection.protocol);
    add("Image", connection.executable);
    add("CommandLine", connection.command_line);
    add("User", connection.user_id);
    add("net.remote_address", connection.remote_address);
    add("net.remote_port", connection.remote_port);
    add("net.local_port", connection.local_port);
    add("net.remote_class", class_of(connection.remote_address, addresses));
    add("net.direction", in ? "in" : connection.direction == model::Direction::Out ? "out" : "unknown");
}

void login_fields(const model::Login& login, Collector add) {
    add("User", login.user_name.empty() ? login.user_id : login.user_name);
    add("Image", login.executable);
    add("SourceIp", login.remote_address);
    add("SourcePort", login.remote_port);
    add("login.operation", login.operation);
    add("login.result", login.result == model::LoginResult::Success ? "Success"
                        : login.result == model::LoginResult::Fail  ? "Fail"
                                                                    : "Logout");
    add("login.local", is_local_login(login.remote_address) ? "true" : "false");
}

void operation_fields(const model::Operation& operation, Collector add) {
    add("hub.category", operation.category);
    add("hub.operation", operation.operation_name);
    add("hub.result_type", operation.result_type);
    add("hub.result_description", operation.result_description);
    add("hub.level", operation.level);
    add("hub.protocol", operation.protocol);
    add("hub.auth_type", operation.auth_type);
    add("hub.auth_scope", operation.auth_scope);
    add("hub.auth_failure_reason", operation.auth_failure_reason);
    add("hub.ip_address", operation.ip_address);
    add("hub.masked_ip_address", operation.masked_ip_address);
    add("hub.sdk_version", operation.sdk_version);
    add("hub.status_code", operation.status_code);
}

void control_plane_fields(const model::ControlPlaneOperation& operation, Collector add) {
    add("hub.operation", operation.operation_name);
    add("hub.result_type", operation.result_type);
    add("hub.caller", operation.caller);
    add("hub.caller_ip_address", operation.caller_ip_address);
    add("hub.resource_id", operation.resource_id);
    add("hub.result_signature", operation.result_signature);
    add("hub.status_code", operation.status_code);
}

struct CategoryFields {
    std::string_view category;
    std::vector<std::string_view> fields;
};

const std::vector<CategoryFields>& agent_fields() {
    static const std::vector<CategoryFields> fields{
        {"process_creation",
         {"Image", "CommandLine", "ParentImage", "ParentCommandLine", "GrandparentImage", "User", "UserId",
          "CurrentDirectory", "LogonId", "Hashes", "ContainerId", "ProcessId", "ParentProcessId"}},
        {"network_connection",
         {"SourceIp", "SourcePort", "DestinationIp", "DestinationPort", "DestinationHostname", "Initiated",
          "Protocol", "Image", "CommandLine", "User"}},
        {"file_event", {"TargetFilename", "file.mask", "file.watched_by", "Image"}},
        {"login", {"User", "Image", "SourceIp", "SourcePort"}},
        {"listening_port", {"Image", "Protocol"}},
        {"peripheral",
         {"ActionType", "BusNumber", "KernelDeviceNumber", "DeviceClass", "DeviceSubclass", "DeviceProtocol",
          "InterfaceClass", "InterfaceSubclass", "InterfaceProtocol", "InterfaceName"}},
        {"operation", {}},
        {"control_plane", {}},
    };
    return fields;
}

constexpr std::array<std::string_view, 6> kDerivedPrefixes{"cmd.", "line.",  "net.",
                                                           "hub.", "login.", "intel."};

}  // namespace

std::string_view NumberText::operator()(std::int64_t value) {
    char text[24];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    const auto length = static_cast<std::size_t>(end - text);
    if (error != std::errc{} || bytes_.size() + length > kBytes) return {};
    bytes_.append(text, length);
    return std::string_view(bytes_).substr(bytes_.size() - length);
}

LogSource log_source_of(const model::Event& event, const model::Item& item) {
    if (const auto* other = std::get_if<model::OtherPayload>(&item.payload)) {
        if (event.kind == model::EventKind::SigmaEvent)
            return {other->product, other->category, other->service};
    }
    switch (event.kind) {
        case model::EventKind::ProcessCreate:
            return {"linux", "process_creation", {}};
        case model::EventKind::ConnectionCreate:
            return {"linux", "network_connection", {}};
        case model::EventKind::Login:
            return {"linux", "login", {}};
        case model::EventKind::FileSystem:
            return {"linux", "file_event", {}};
        case model::EventKind::ListeningPorts:
            return {"linux", "listening_port", {}};
        case model::EventKind::Peripheral:
            return {"linux", "peripheral", {}};
        case model::EventKind::Operation:
            return {"iothub", "operation", {}};
        case model::EventKind::ControlPlane:
            return {"iothub", "control_plane", {}};
        default:
            return {"fieldwatch", to_string(event.kind), {}};
    }
}

void event_fields(const model::Event& event, const model::Item& item, const AddressSettings& addresses,
                  NumberText& numbers, std::vector<FieldValue>& out) {
    Collector add(out);
    if (const auto* process = std::get_if<model::ProcessCreate>(&item.payload)) {
        process_fields(*process, numbers, add);
    } else if (const auto* connection = std::get_if<model::ConnectionCreate>(&item.payload)) {
        connection_fields(*connection, addresses, add);
    } else if (const auto* login = std::get_if<model::Login>(&item.payload)) {
        login_fields(*login, add);
    } else if (const auto* file = std::get_if<model::FileChange>(&item.payload)) {
        add("TargetFilename", file->path);
        add("file.mask", file->mask);
        add("Image", file->executable);
        add("file.watched_by", model::find(item.extra_details, "WatchedBy"));
    } else if (const auto* port = std::get_if<model::ListeningPort>(&item.payload)) {
        add("Image", port->executable);
        add("Protocol", port->protocol);
        add("net.local_address", port->local_address);
        add("net.local_port", port->local_port);
        const bool every = port->local_address.empty() || port->local_address == "*";
        add("net.local_class", every ? "unspecified" : class_of(port->local_address, addresses));
    } else if (const auto* operation = std::get_if<model::Operation>(&item.payload)) {
        operation_fields(*operation, add);
    } else if (const auto* control = std::get_if<model::ControlPlaneOperation>(&item.payload)) {
        control_plane_fields(*control, add);
    } else if (const auto* other = std::get_if<model::OtherPayload>(&item.payload)) {
        if (event.kind != model::EventKind::SigmaEvent && event.kind != model::EventKind::Peripheral) return;
        // Recorded fields may be empty or null, and rules may ask for that.
        out.insert(out.end(), other->fields.begin(), other->fields.end());
    }
}

std::optional<ProcessText> process_text(const model::Event& event, const model::Item& item) {
    if (const auto* process = std::get_if<model::ProcessCreate>(&item.payload))
        return ProcessText{process->command_line, process->working_directory};
    const auto* other = std::get_if<model::OtherPayload>(&item.payload);
    if (other == nullptr || event.kind != model::EventKind::SigmaEvent ||
        other->category != "process_creation")
        return std::nullopt;
    return ProcessText{model::find(other->fields, "CommandLine"),
                       model::find(other->fields, "CurrentDirectory")};
}

std::optional<CommandField> command_field(std::string_view suffix) {
    static constexpr std::array<std::pair<std::string_view, CommandScalar>, 9> kScalars{{
        {"names", CommandScalar::Name},  // reads better of a whole line
        {"name", CommandScalar::Name},
        {"path", CommandScalar::Path},
        {"line", CommandScalar::Line},
        {"raw", CommandScalar::Raw},
        {"script", CommandScalar::Script},
        {"interpreter", CommandScalar::Interpreter},
        {"operand1", CommandScalar::Operand1},
        {"operand2", CommandScalar::Operand2},
    }};
    static constexpr std::array<std::pair<std::string_view, CommandList>, 19> kLists{{
        {"args", CommandList::Args},
        {"operands", CommandList::Operands},
        {"options", CommandList::Options},
        {"settings", CommandList::Settings},
        {"paths", CommandList::Paths},
        {"basenames", CommandList::Basenames},
        {"writes", CommandList::Writes},
        {"reads", CommandList::Reads},
        {"destinations", CommandList::Destinations},
        {"homes", CommandList::Homes},
        {"hosts", CommandList::Hosts},
        {"external_hosts", CommandList::ExternalHosts},
        {"urls", CommandList::Urls},
        {"images", CommandList::Images},
        {"pipes_to", CommandList::PipesTo},
        {"pipes_from", CommandList::PipesFrom},
        {"facts", CommandList::Facts},
        {"wrappers", CommandList::Wrappers},
        {"assignments", CommandList::Assignments},
    }};
    for (const auto& [name, scalar] : kScalars) {
        if (name == suffix) return CommandField{.is_scalar = true, .scalar = scalar};
    }
    for (const auto& [name, list] : kLists) {
        if (name == suffix) return CommandField{.is_scalar = false, .list = list};
    }
    return std::nullopt;
}

std::span<const std::string_view> command_field_names() {
    static constexpr std::array<std::string_view, 28> kNames{
        "name",      "names",    "path",     "line",         "raw",     "script",   "interpreter",
        "operand1",  "operand2", "args",     "operands",     "options", "settings", "paths",
        "basenames", "writes",   "reads",    "destinations", "homes",   "hosts",    "external_hosts",
        "urls",      "images",   "pipes_to", "pipes_from",   "facts",   "wrappers", "assignments"};
    return kNames;
}

void command_values(CommandLine& line, const Segment& segment, CommandField field,
                    std::vector<std::string_view>& out) {
    if (!field.is_scalar) return line.list(segment, field.list, out);
    std::string_view value;
    switch (field.scalar) {
        case CommandScalar::Name:
            value = segment.name;
            break;
        case CommandScalar::Path:
            value = segment.path;
            break;
        case CommandScalar::Line:
            value = line.text(segment);
            break;
        case CommandScalar::Raw:
            value = segment.raw;
            break;
        case CommandScalar::Script:
            value = segment.script;
            break;
        case CommandScalar::Interpreter:
            value = to_string(segment.interpreter);
            break;
        case CommandScalar::Operand1:
        case CommandScalar::Operand2: {
            int wanted = field.scalar == CommandScalar::Operand1 ? 1 : 2;
            for (const auto word : line.argv(segment).subspan(std::min<std::size_t>(1, segment.argv_count))) {
                if ((word.empty() || word.front() != '-') && --wanted == 0) {
                    value = word;
                    break;
                }
            }
            break;
        }
    }
    if (!value.empty()) out.push_back(value);
}

namespace {

bool agent_carries(const LogSource& source, std::string_view field) {
    if (!source.service.empty() || source.category.empty()) return false;
    for (const auto& entry : agent_fields()) {
        if (entry.category != source.category) continue;
        if (std::ranges::find(entry.fields, field) != entry.fields.end()) return true;
        return std::ranges::any_of(kDerivedPrefixes, [&](auto prefix) { return field.starts_with(prefix); });
    }
    return false;
}

}  // namespace

std::optional<Feed> fed_by(const LogSource& source, std::span<const std::string> fields) {
    if (!fields.empty() &&
        std::ranges::all_of(fields, [&](const auto& field) { return agent_carries(source, field); }))
        return Feed::Agent;
    if (source.product != "linux" || !source.category.empty()) return std::nullopt;
    if (source.service == "auditd") return Feed::Auditd;
    static constexpr std::array<std::string_view, 7> kLogFields{"program", "host", "message", "USER",
                                                                "COMMAND", "TTY",  "PWD"};
    const bool carried = std::ranges::all_of(
        fields, [](const auto& field) { return std::ranges::find(kLogFields, field) != kLogFields.end(); });
    return carried ? std::optional(Feed::Logs) : std::nullopt;
}

bool LogSource::is_for(const LogSource& source) const {
    return (product.empty() || product == source.product) &&
           (category.empty() || category == source.category) &&
           (service.empty() || is_part_of(source.service, service));
}

bool is_part_of(std::string_view service, std::string_view log) {
    if (service == log) return true;
    static constexpr std::array<std::string_view, 4> kAuth{"sshd", "sudo", "auth", "vsftpd"};
    static constexpr std::array<std::string_view, 7> kText{"sshd", "sudo",   "auth",     "vsftpd",
                                                           "cron", "clamav", "guacamole"};
    if (log == "auth") return std::ranges::find(kAuth, service) != kAuth.end();
    return log == "syslog" && std::ranges::find(kText, service) != kText.end();
}

}  // namespace fieldwatch::detect
