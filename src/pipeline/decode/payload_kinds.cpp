// From checked slots to the normalised payloads, kind by kind.
#include <algorithm>
#include <array>

#include "pipeline/decode/payload.hpp"

namespace fieldwatch::pipeline {

namespace {
model::Direction direction_of(std::string_view text) {
    return text == "In"    ? model::Direction::In
           : text == "Out" ? model::Direction::Out
                           : model::Direction::Unknown;
}

/// As if it were not there.
std::string_view known_address(std::string_view text) {
    return text == kUnknownAddress ? std::string_view() : text;
}

/// The public documents say that a host's name stands among the extended properties, not under which key.
bool names_host(std::string_view key) {
    static constexpr std::array<std::string_view, 8> kKeys{"hostname", "host",   "dnsname",    "dnsquery",
                                                           "dns",      "domain", "domainname", "queryname"};
    const auto same = [&](std::string_view known) {
        return std::ranges::equal(key, known, [](char c, char lower) {
            return (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == lower;
        });
    };
    return std::ranges::any_of(kKeys, same);
}
}  // namespace

model::Payload PayloadDecoder::make(const PayloadSchema& schema) {
    using model::EventKind;
    switch (schema.kind) {
        case EventKind::ConnectedHardware:
        case EventKind::SystemInformation:
        case EventKind::Diagnostic:
        case EventKind::Heartbeat:
        case EventKind::Peripheral:
        case EventKind::SBoM:
        case EventKind::Custom:
            return make_other(schema);
        default:
            return schema.version_2 ? make_version_2(schema.kind) : make_version_1(schema.kind);
    }
}

model::ProcessCreate PayloadDecoder::process_create(model::ProcessCreate process) {
    process.hash = extra("Hash");
    process.parent_executable = extra("ParentExecutable");
    process.parent_command_line = extra("ParentCommandLine");
    process.grandparent_executable = extra("GrandparentExecutable");
    process.working_directory = extra("WorkingDirectory");
    process.container_id = extra("ContainerId");
    process.login_uid = extra("LoginUid");
    return process;
}

model::Payload PayloadDecoder::make_version_1(model::EventKind kind) {
    using model::EventKind;
    switch (kind) {
        case EventKind::ProcessCreate: {
            using namespace slot::process_create;
            return process_create({.executable = text(Executable),
                                   .command_line = text(CommandLine),
                                   .user_id = text(UserId),
                                   .user_name = text(UserName),
                                   .process_id = integer(ProcessId),
                                   .parent_process_id = integer(ParentProcessId)});
        }
        case EventKind::ProcessTerminate: {
            using namespace slot::process_terminate;
            return model::ProcessTerminate{text(Executable), integer(ProcessId), integer(ExitStatus)};
        }
        case EventKind::ConnectionCreate: {
            using namespace slot::connection_create;
            return model::ConnectionCreate{.remote_address = text(RemoteAddress),
                                           .remote_port = text(RemotePort),
                                           .local_address = text(LocalAddress),
                                           .local_port = text(LocalPort),
                                           .protocol = text(Protocol),
                                           .executable = text(Executable),
                                           .command_line = text(CommandLine),
                                           .user_id = text(UserId),
                                           .dns_name = extra("DnsName"),
                                           .process_id = integer(ProcessId),
                                           .direction = direction_of(text(Direction))};
        }
        case EventKind::Login: {
            using namespace slot::login;
            return model::Login{
                .user_id = text(UserId),
                .user_name = text(UserName),
                .operation = text(Operation),
                .executable = text(Executable),
                .remote_address = known_address(text(RemoteAddress)),
                .remote_port = text(RemotePort),
                .local_port = text(LocalPort),
                .process_id = integer(ProcessId),
                .result = text(Result) == "Fail" ? model::LoginResult::Fail : model::LoginResult::Success};
        }
        case EventKind::ListeningPorts: {
            using namespace slot::listening_ports;
            return model::ListeningPort{text(Protocol),      text(LocalAddress), text(LocalPort),
                                        text(RemoteAddress), text(RemotePort),   extra("Executable")};
        }
        case EventKind::LocalUsers: {
            using namespace slot::local_users;
            return model::LocalUser{text(UserName), text(UserId), text(GroupNames), text(GroupIds)};
        }
        case EventKind::FirewallConfiguration: {
            using namespace slot::firewall;
            model::FirewallRule rule{.enabled = slots_[Enabled]->boolean,
                                     .action = text(Action),
                                     .direction = text(Direction),
                                     .chain = text(ChainName),
                                     .source_address = text(SourceAddress),
                                     .source_port = text(SourcePort),
                                     .destination_address = text(DestinationAddress),
                                     .destination_port = text(DestinationPort),
                                     .protocol = text(Protocol)};
            if (slots_[Priority] != nullptr) rule.priority = integer(Priority);
            return rule;
        }
        case EventKind::OSBaseline: {
            using namespace slot::baseline;
            return model::BaselineCheck{text(CceId), text(Description), text(Result),
                                        text(Error), text(Severity),    {}};
        }
        case EventKind::ConfigurationError: {
            using namespace slot::configuration_error;
            return model::ConfigurationError{text(ConfigurationName), text(ErrorType),
                                             text(UsedConfiguration), text(Message)};
        }
        case EventKind::DroppedEventsStatistics: {
            using namespace slot::dropped;
            return model::DroppedEvents{text(Queue), integer(Collected), integer(Dropped)};
        }
        case EventKind::MessageStatistics: {
            using namespace slot::message_statistics;
            return model::MessageStatistics{integer(Sent), integer(Under4Kb), integer(Failed)};
        }
        default:
            return model::OtherPayload{};
    }
}

model::Payload PayloadDecoder::make_version_2(model::EventKind kind) {
    using model::EventKind;
    switch (kind) {
        case EventKind::ProcessCreate: {
            using namespace slot::process_2;
            if (text(EventType) == "EXIT")
                return model::ProcessTerminate{text(Executable), integer(ProcessId), 0};
            return process_create({.executable = text(Executable),
                                   .command_line = text(Commandline),
                                   .user_id = text(UserId),
                                   .user_name = extra("UserName"),
                                   .process_id = integer(ProcessId),
                                   .parent_process_id = integer(ParentProcessId)});
        }
        case EventKind::ConnectionCreate: {
            using namespace slot::network_2;
            std::string_view name = extra("DnsName");
            if (slots_[ExtendedProperties] != nullptr && name.empty()) {
                for (const auto& property : slots_[ExtendedProperties]->members) {
                    if (name.empty() && names_host(property.key)) name = property.value.text;
                }
            }
            // Outbound iff the local port is the ephemeral one: spec/security-messages.md section 8.3.
            const bool outbound = integer(LocalPort) > integer(RemotePort);
            return model::ConnectionCreate{
                .remote_address = text(RemoteAddress),
                .remote_port = text(RemotePort),
                .local_address = text(LocalAddress),
                .local_port = text(LocalPort),
                .protocol = text(Protocol),
                .executable = text(Executable),
                .command_line = text(Commandline),
                .user_id = text(UserId),
                .dns_name = name,
                .process_id = integer(ProcessId),
                .bytes_in = integer(BytesIn),
                .bytes_out = integer(BytesOut),
                .direction = outbound ? model::Direction::Out : model::Direction::In};
        }
        case EventKind::Login: {
            using namespace slot::login_2;
            const auto operation = text(Operation);
            return model::Login{.user_id = text(UserId),
                                .user_name = text(UserName),
                                .operation = operation,
                                .executable = text(Executable),
                                .remote_address = known_address(text(RemoteAddress)),
                                .process_id = integer(ProcessId),
                                .result = operation == "LoginFailed" ? model::LoginResult::Fail
                                          : operation == "Logout"    ? model::LoginResult::Logout
                                                                     : model::LoginResult::Success};
        }
        case EventKind::OSBaseline: {
            using namespace slot::baseline_2;
            return model::BaselineCheck{text(Id),    text(Description), text(Result),
                                        text(Error), text(Severity),    text(Remediation)};
        }
        case EventKind::FileSystem: {
            using namespace slot::file_2;
            return model::FileChange{text(Path), text(Mask), extra("Executable")};
        }
        default:
            return model::OtherPayload{};
    }
}

model::OtherPayload PayloadDecoder::make_other(const PayloadSchema& schema) {
    const auto fields =
        arena_.allocate<std::pair<std::string_view, std::string_view>>(schema.fields.size() + extra_.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        if (slots_[i] == nullptr) continue;
        const auto type = slots_[i]->type;
        if (type == json::Type::String || type == json::Type::Integer)
            fields[count++] = {schema.fields[i].name, text(i)};
    }
    // A custom event's own fields are its map; of a package and of a system it says what detection compares
    // by.
    if (schema.kind == model::EventKind::Custom || schema.kind == model::EventKind::SBoM ||
        schema.kind == model::EventKind::SystemInformation) {
        for (const auto& field : extra_)
            fields[count++] = field;
    }
    return model::OtherPayload{.fields = fields.first(count), .product = {}, .service = {}, .category = {}};
}

}  // namespace fieldwatch::pipeline
