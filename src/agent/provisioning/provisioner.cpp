#include "agent/provisioning/provisioner.hpp"

#include <algorithm>
#include <utility>

#include "agent/agent_log.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kAssignmentBytesMax = 4'096;
constexpr std::chrono::seconds kAskPatience{60};
constexpr std::string_view kAssignmentVersion = "1\n";

/// The lines before hub and device.
std::string assignment_head(const ProvisioningOptions& of) {
    std::string out(kAssignmentVersion);
    for (const auto* const text : {&of.host, &of.id_scope, &of.registration_id})
        out.append(*text).push_back('\n');
    return out;
}

}  // namespace

std::string format_assignment(const ProvisionedDevice& device, const ProvisioningOptions& of) {
    auto out = assignment_head(of);
    out.append(device.hub).push_back('\n');
    out.append(device.device_id).push_back('\n');
    return out;
}

Result<ProvisionedDevice> read_assignment(std::string_view text, const ProvisioningOptions& of) {
    if (!text.starts_with(kAssignmentVersion) || !text.ends_with('\n'))
        return fail(Errc::Malformed, "no whole assignment of version 1");
    const auto head = assignment_head(of);
    if (!text.starts_with(head)) return fail(Errc::NotFound, "an assignment of another registration");
    text.remove_prefix(head.size());
    const auto hub = text.substr(0, text.find('\n'));
    const auto device = text.substr(std::min(hub.size() + 1, text.size()));
    const auto end = device.find('\n');
    if (hub.empty() || device.size() < 2 || end != device.size() - 1)
        return fail(Errc::Malformed, "an assignment without hub or device");
    return ProvisionedDevice{std::string(hub), std::string(device.substr(0, end))};
}

Provisioner::Provisioner(ProvisioningOptions options, Handlers handlers, const Parts& parts)
    : options_(std::move(options)), handlers_(std::move(handlers)), parts_(parts), schedule_(parts.random) {}

ProvisionedDevice Provisioner::begin(ProvisionedDevice configured) {
    device_ = std::move(configured);
    if (const auto text = read_file(parts_.files, kAssignmentFile, kAssignmentBytesMax)) {
        auto kept = read_assignment(as_text(*text), options_);
        if (kept)
            device_ = std::move(*kept);
        else
            say(Severity::Warning, std::string(kAssignmentFile) + " is not used: " + kept.error().message);
    } else if (text.error().code != Errc::NotFound) {
        say(Severity::Warning, std::string(kAssignmentFile) + " is not used: " + text.error().message);
    }
    if (device_.hub.empty()) schedule_.no_hub(now_ns());
    return device_;
}

void Provisioner::hub_lost(bool refused) {
    schedule_.hub_lost(refused, now_ns());
}

void Provisioner::hub_serves() {
    schedule_.hub_serves();
    client_.reset();
    last_error_.clear();
}

void Provisioner::advance() {
    if (!client_) {
        if (now_ns() < schedule_.due_ns()) return;
        client_ = std::make_unique<ProvisioningClient>(options_, parts_.clock, parts_.random, kAskPatience);
        handlers_.asking();
    }
    const auto answer = client_->advance();
    if (!answer) {
        const auto wait = schedule_.failed(client_->retry_after(), now_ns());
        client_.reset();
        last_error_ = answer.error().message;
        handlers_.failed(answer.error(), std::chrono::duration_cast<std::chrono::seconds>(wait));
    } else if (!answer->hub.empty()) {
        const auto device = *answer;
        client_.reset();
        schedule_.answered(now_ns());
        last_error_.clear();
        take(device);
    }
}

void Provisioner::take(const ProvisionedDevice& device) {
    const auto before = std::exchange(device_, device);
    // Kept before it is used: a device that restarts goes where it went.
    if (device != before) {
        const auto kept =
            replace_file(parts_.files, kAssignmentFile, as_bytes(format_assignment(device, options_)));
        if (!kept)
            say(Severity::Warning, std::string(kAssignmentFile) + " cannot be kept: " + kept.error().message);
    }
    handlers_.assigned(device, before.hub);
}

std::string Provisioner::state() const {
    if (client_) return "asking";
    if (!last_error_.empty()) return last_error_;
    return device_.hub.empty() ? "waiting" : "assigned";
}

}  // namespace fieldwatch::agent
