// The alert of a hit: names from the rule, entities and extended properties from the event
// (spec/alerts.md 2.2, 2.3).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "detect/rules/fields.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::ordered_json;

std::string text(std::string_view value) {
    return std::string(value);
}
std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Collects entities, each with its `$id` from "1" on.
class Entities {
  public:
    Json& add(std::string_view type) {
        list_.push_back({{"$id", std::to_string(list_.size() + 1)}, {"Type", type}});
        return list_.back();
    }
    static Json reference(const Json& entity) { return {{"$ref", entity["$id"]}}; }
    Json list_ = Json::array();
};

void add_file(Entities& entities, std::string_view path) {
    const auto slash = path.rfind('/');
    auto& file = entities.add("file");
    file["Directory"] = slash == std::string_view::npos
                            ? std::string{}
                            : text(path.substr(0, std::max<std::size_t>(slash, 1)));
    file["Name"] = text(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

void add_account(Entities& entities, std::string_view name, std::string_view user_id) {
    auto& account = entities.add("account");
    account["Name"] = text(name);
    account["Sid"] = text(user_id);
}

void put(Json& object, const char* key, std::string_view value) {
    if (!value.empty()) object[key] = text(value);
}

void describe(const model::ProcessCreate& process, const model::Event& event, Entities& entities,
              Json& extended) {
    Json image;
    Json account;
    if (!process.executable.empty()) {
        add_file(entities, process.executable);
        image = Entities::reference(entities.list_.back());
    }
    if (!process.user_id.empty() || !process.user_name.empty()) {
        add_account(entities, process.user_name, process.user_id);
        account = Entities::reference(entities.list_.back());
    }
    Json parent;
    if (!process.parent_executable.empty() || !process.parent_command_line.empty()) {
        auto& entity = entities.add("process");
        entity["ProcessId"] = std::to_string(process.parent_process_id);
        entity["CommandLine"] = text(process.parent_command_line);
        parent = Entities::reference(entity);
    }
    auto& entity = entities.add("process");
    entity["ProcessId"] = std::to_string(process.process_id);
    entity["CommandLine"] = text(process.command_line);
    if (!image.is_null()) entity["ImageFile"] = image;
    if (!parent.is_null()) entity["ParentProcess"] = parent;
    if (!account.is_null()) entity["Account"] = account;
    entity["CreationTimeUtc"] = to_iso8601(event.time);
    if (!process.container_id.empty()) entity["ContainerId"] = text(process.container_id);

    extended["CommandLine"] = text(process.command_line);
    extended["User Name"] = text(process.user_name);
    extended["UserId"] = text(process.user_id);
    extended["ParentProcessId"] = process.parent_process_id;
    extended["Executable"] = text(process.executable);
    extended["ProcessId"] = process.process_id;
    extended["HitCount"] = event.hit_count;
}

void describe(const model::ConnectionCreate& connection, Entities& entities, Json& extended) {
    const bool in = connection.direction == model::Direction::In;
    auto& ip = entities.add("ip");
    ip["Address"] = text(connection.remote_address);
    auto& link = entities.add("network-connection");
    link["SourceAddress"] = text(in ? connection.remote_address : connection.local_address);
    link["SourcePort"] = text(in ? connection.remote_port : connection.local_port);
    link["DestinationAddress"] = text(in ? connection.local_address : connection.remote_address);
    link["DestinationPort"] = text(in ? connection.local_port : connection.remote_port);
    link["Protocol"] = text(connection.protocol);
    if (!connection.dns_name.empty()) entities.add("dns")["DomainName"] = text(connection.dns_name);
    extended["Remote Address"] = text(connection.remote_address);
    extended["Remote Port"] = text(connection.remote_port);
    extended["Local Address"] = text(connection.local_address);
    extended["Local Port"] = text(connection.local_port);
    extended["Direction"] = in ? "In" : "Out";
    extended["Protocol"] = text(connection.protocol);
    put(extended, "Executable", connection.executable);
}

void describe(const model::Login& login, Entities& entities, Json& extended) {
    const bool unknown = login.remote_address.empty();
    add_account(entities, login.user_name, login.user_id);
    if (!unknown) entities.add("ip")["Address"] = text(login.remote_address);
    extended["Remote Address"] = unknown ? "?" : text(login.remote_address);
    extended["Remote Port"] = text(login.remote_port);
    extended["Local Port"] = text(login.local_port);
    extended["Login Shell"] = text(login.executable);
    extended["Login Process Id"] = std::to_string(login.process_id);
    extended["User Name"] = text(login.user_name.empty() ? login.user_id : login.user_name);
}

void describe(const model::Operation& operation, Json& extended) {
    extended["Auth Type"] = text(operation.auth_type);
    extended["Protocol"] = text(operation.protocol);
    extended["Masked IP Address"] = text(operation.masked_ip_address);
    extended["Status Code"] =
        text(operation.status_code.empty() ? operation.result_type : operation.status_code);
    extended["Operation"] = text(operation.operation_name);
}

void describe(const model::ControlPlaneOperation& operation, Entities& entities, Json& extended) {
    entities.add("azure-resource")["ResourceId"] = text(operation.resource_id);
    extended["Caller"] = text(operation.caller);
    extended["Caller IP Address"] = text(operation.caller_ip_address);
    extended["Operation Name"] = text(operation.operation_name);
    extended["Activity Status"] = text(operation.result_type);
    extended["Correlation Id"] = text(operation.correlation_id);
    extended["Resource Name"] = text(operation.resource_id.substr(operation.resource_id.rfind('/') + 1));
}

/// A recorded event of another log source, read through the names that agents' events have too.
model::ProcessCreate process_of(const model::OtherPayload& other) {
    const auto get = [&](std::string_view key) { return model::find(other.fields, key); };
    return {.executable = get("Image"),
            .command_line = get("CommandLine"),
            .user_id = get("UserId"),
            .user_name = get("User"),
            .parent_executable = get("ParentImage"),
            .parent_command_line = get("ParentCommandLine"),
            .working_directory = get("CurrentDirectory")};
}

/// What was plugged in: an interface has a name, another device the place that lsusb shows.
void describe_hardware(const model::OtherPayload& other, Json& extended) {
    const auto get = [&](std::string_view key) { return model::find(other.fields, key); };
    if (const auto interface = get("InterfaceName"); !interface.empty()) {
        extended["Interface"] = text(interface);
        return;
    }
    const auto digits = [](std::string_view number) {
        return std::string(number.size() < 3 ? 3 - number.size() : 0, '0') + text(number);
    };
    extended["Device Name"] =
        "Bus " + digits(get("BusNumber")) + " Device " + digits(get("KernelDeviceNumber"));
}

std::string discriminator(const RuleMeta& rule, const RuleHit& hit, const model::Item& item,
                          const std::vector<FieldValue>& fields, const model::Operation* operation) {
    const auto get = [&](std::string_view name) -> std::string {
        const auto found = std::ranges::find(fields, name, &FieldValue::first);
        return found == fields.end() ? std::string{} : text(found->second);
    };
    switch (rule.discriminator) {
        case Discriminator::Command:
            return hit.segment_text + "\n" + get("User");
        case Discriminator::RemoteAddress:
            return get("net.remote_address").empty() ? get("DestinationIp") : get("net.remote_address");
        case Discriminator::Login:
            return get("User") + "\n" + get("SourceIp");
        case Discriminator::Authentication:
            return operation != nullptr ? text(operation->auth_type) : std::string{};
        case Discriminator::Correlation: {
            const auto* control = std::get_if<model::ControlPlaneOperation>(&item.payload);
            return control != nullptr ? text(control->correlation_id) : std::string{};
        }
        case Discriminator::File:
            return get("TargetFilename") + "\n" + get("file.mask");
        case Discriminator::Event:
            break;
    }
    std::string out;
    for (const auto& name : rule.fields)
        out += get(name) + "\n";
    for (const auto& name : rule.extended)  // one device is not another
        out += get(name) + "\n";
    return out;
}

}  // namespace

model::Alert alert_of(const RuleMeta& rule) {
    model::Alert alert;
    alert.type = rule.alert_type;
    alert.display_name = rule.display_name;
    alert.severity = rule.severity;
    alert.description = rule.description;
    alert.component = rule.component;
    alert.intent = rule.intent;
    alert.techniques = rule.techniques;
    alert.remediation = rule.remediation;
    alert.rule = rule.origin;
    return alert;
}

model::Alert make_alert(const RuleMeta& rule, const RuleHit& hit, const model::Event& event,
                        const model::Item& item, ExtraFields extra) {
    auto alert = alert_of(rule);
    alert.hub.value = text(event.hub);
    const bool control_plane = std::holds_alternative<model::ControlPlaneOperation>(item.payload);
    alert.compromised_entity = text(control_plane ? event.hub : event.device);
    alert.start = event.hit_count > 1 ? event.window_start : event.time;
    alert.end = event.hit_count > 1 ? event.window_end : event.time;
    alert.hit_count = event.hit_count;
    alert.evidence = {item.position};

    Entities entities;
    Json extended = Json::object();
    if (!control_plane) {
        auto& device = entities.add("iotdevice");
        device["DeviceId"] = text(event.device);
        device["IoTHub"] = text(event.hub);
        device["DeviceName"] = text(event.device);
        extended["DeviceId"] = text(event.device);
    }
    const auto* operation = std::get_if<model::Operation>(&item.payload);
    if (const auto* process = std::get_if<model::ProcessCreate>(&item.payload)) {
        describe(*process, event, entities, extended);
    } else if (const auto* connection = std::get_if<model::ConnectionCreate>(&item.payload)) {
        describe(*connection, entities, extended);
    } else if (const auto* login = std::get_if<model::Login>(&item.payload)) {
        describe(*login, entities, extended);
    } else if (const auto* file = std::get_if<model::FileChange>(&item.payload)) {
        add_file(entities, file->path);
        extended["File Path"] = text(file->path);
        extended["Operation"] = text(file->mask);
    } else if (operation != nullptr) {
        describe(*operation, extended);
    } else if (const auto* control = std::get_if<model::ControlPlaneOperation>(&item.payload)) {
        describe(*control, entities, extended);
    } else if (const auto* other = std::get_if<model::OtherPayload>(&item.payload)) {
        if (other->category == "process_creation") describe(process_of(*other), event, entities, extended);
        for (const auto& [name, value] : other->fields) {
            const auto key = text(name);
            if (other->category != "process_creation" && !extended.contains(key)) extended[key] = text(value);
        }
        if (event.kind == model::EventKind::Peripheral) describe_hardware(*other, extended);
    }
    std::vector<FieldValue> fields;
    NumberText numbers;
    event_fields(event, item, {}, numbers, fields);
    fields.insert(fields.end(), extra.begin(), extra.end());
    for (const auto& name : rule.extended) {
        const auto found = std::ranges::find(fields, name, &FieldValue::first);
        if (found != fields.end()) extended[name] = text(found->second);
    }
    // spec/alerts.md 2.3: what intelligence said goes under these keys.
    static constexpr std::pair<std::string_view, const char*> kIntelKeys[] = {
        {"intel.indicator", "Indicator"},
        {"intel.category", "IndicatorCategory"},
        {"intel.source", "IndicatorSource"}};
    for (const auto& [name, key] : kIntelKeys) {
        const auto found = std::ranges::find(extra, name, &FieldValue::first);
        if (found != extra.end()) extended[key] = text(found->second);
    }
    alert.entities_json = dump(entities.list_);
    alert.extended_json = dump(extended);
    alert.discriminator = discriminator(rule, hit, item, fields, operation);
    return alert;
}

}  // namespace fieldwatch::detect
