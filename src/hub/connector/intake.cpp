#include "hub/connector/intake.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/printable.hpp"

namespace fieldwatch::hub {

Intake::Intake(Parts parts, ImportTarget target, bool register_devices)
    : parts_(parts),
      target_(std::move(target)),
      register_devices_(register_devices),
      feed_(parts.journal, parts.partition_count, parts.clock),
      import_(feed_, parts.clock) {}

Result<model::Identity> Intake::identity_of(std::string_view device, std::string_view module) {
    model::Identity out{
        .hub = target_.hub, .device = FIELDWATCH_TRY(model::parse_device_id(device)), .module = {}};
    if (!module.empty()) out.module = FIELDWATCH_TRY(model::parse_module_id(module));
    return out;
}

void Intake::note(const model::Identity& identity) {
    auto key = identity.device.value + '\0' + identity.module.value;
    if (!register_devices_ || noted_.contains(key) || noted_.size() >= kDevicesMax) return;
    if (!identity.module.empty()) note({identity.hub, identity.device, {}});
    const auto known = parts_.registry.get(identity);
    if (!known && known.error().code == Errc::NotFound) {
        registry::Entry entry;
        entry.identity = identity;
        entry.status_reason = "heard of by a connector";
        const auto made = parts_.registry.create(std::move(entry));
        if (!made && made.error().code != Errc::AlreadyExists) {
            log::warning("connector", identity.device.value + " is not registered: " + made.error().message);
            return;
        }
    } else if (!known) {
        return;  // the registry cannot be read: it is asked again with the next message
    }
    noted_.insert(std::move(key));
}

Result<void> Intake::message(const ForeignMessage& message) {
    const auto identity = identity_of(message.device, message.module);
    if (!identity) return refuse("a message: " + identity.error().message), Result<void>{};
    const auto now = parts_.clock.now();
    const Message taken{.properties = message.properties,
                        .body = message.body,
                        .received = std::min(now, message.enqueued.value_or(now))};
    if (const auto filled = fill_record(scratch_, taken, message.stamps); !filled)
        return refuse("a message of " + identity->device.value + ": " + filled.error().message),
               Result<void>{};
    if (message.security) scratch_.kind = model::RecordKind::SecurityMessage;
    scratch_.sender = *identity;
    note(*identity);
    FIELDWATCH_TRY(feed_.append(scratch_));
    const bool security = scratch_.kind == model::RecordKind::SecurityMessage;
    ingress_.add({.identity = *identity, .protocol = std::string(message.protocol)}, security,
                 message.body.size(), feed_.partition_of(scratch_), parts_.log);
    count(security ? &IntakeCounts::security_messages : &IntakeCounts::messages);
    return {};
}

Result<void> Intake::operation(const ForeignOperation& operation) {
    model::Record record;
    record.kind = model::RecordKind::Operation;
    record.received = parts_.clock.now();
    record.sender.hub = target_.hub;
    if (!operation.device.empty()) {
        auto identity = identity_of(operation.device, operation.module);
        if (!identity)
            return refuse(std::string(operation.operation.name) + ": " + identity.error().message),
                   Result<void>{};
        record.sender = std::move(*identity);
    }
    const bool connected = operation.operation.category == "Connections" &&
                           operation.operation.name == "deviceConnect" && operation.operation.result == 0 &&
                           !record.sender.device.empty();
    if (connected) note(record.sender);
    record.body = to_json(operation.operation,
                          {.identity = record.sender,
                           .protocol = std::string(operation.protocol),
                           .address = std::string(operation.address),
                           .mask_address = target_.mask_addresses},
                          std::min(operation.time, record.received));
    FIELDWATCH_TRY(connected ? feed_.append_connect(record) : feed_.append(record));
    count(&IntakeCounts::operations);
    return {};
}

Result<void> Intake::diagnostics(std::string_view document) {
    ImportReport report;
    const auto done = import_.take_document(target_, document, report);
    {
        const std::lock_guard lock(mutex_);
        counts_.operations += report.accepted;
        counts_.refused += report.refused;
        if (!report.refusals.empty())
            counts_.last_refusal =
                printable(report.refusals.back().where + ": " + report.refusals.back().why);
        if (report.accepted > 0) counts_.last_received = parts_.clock.now();
    }
    if (done) return {};
    if (done.error().code == Errc::Exhausted || done.error().code == Errc::Io) return done;
    refuse("a batch of records: " + done.error().message);
    return {};
}

Result<void> Intake::settle() {
    return feed_.settle();
}

void Intake::tell_ingress() {
    ingress_.flush(parts_.log);
}

void Intake::refuse(std::string why) {
    const std::lock_guard lock(mutex_);
    ++counts_.refused;
    counts_.last_refusal = printable(why);
}

void Intake::pass_over() {
    const std::lock_guard lock(mutex_);
    ++counts_.passed_over;
}

void Intake::count(std::uint64_t IntakeCounts::* which) {
    const std::lock_guard lock(mutex_);
    ++(counts_.*which);
    counts_.last_received = parts_.clock.now();
}

IntakeCounts Intake::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

}  // namespace fieldwatch::hub
