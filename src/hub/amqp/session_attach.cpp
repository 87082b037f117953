// Who a session is, and which links it may have: tokens, certificates, attaches.
#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/cbs_link.hpp"
#include "hub/amqp/device_endpoint.hpp"
#include "hub/amqp/event_links.hpp"
#include "hub/amqp/registration_link.hpp"
#include "hub/amqp/service_links.hpp"
#include "hub/amqp/session.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

constexpr int kTelemetryCredit = 1'000;  // unsettled transfers; a hundredth of a second of the fastest device
constexpr int kRequestCredit = 64;       // tokens, twin requests, method answers
constexpr std::size_t kTokensMax = 8;    // a policy's, one an identity at most
constexpr std::size_t kRefusedTokensMax = 8;  // then the connection is closed

std::string client_version(const amqp::Attach& attach) {
    const auto* const version = attach.properties.find("com.microsoft:client-version");
    return version == nullptr ? std::string() : amqp::to_text(*version);
}

}  // namespace

AuthenticationLimits AmqpSession::authentication_limits() const {
    return {.clock_skew = std::chrono::duration_cast<Ticks>(core_.core.shared.options.clock_skew)};
}

bool AmqpSession::authenticate(const amqp::SaslAttempt& attempt) {
    // A device that is to be provisioned: `{idScope}/registrations/{id}`.
    if (const auto user = mqtt::parse_provisioning_user(attempt.user)) {
        Applicant applicant{.scope = std::string(user->scope),
                            .registration_id = std::string(user->registration_id),
                            .token = std::string(attempt.password)};
        return admit_applicant(std::move(applicant));
    }
    return take_token(attempt.password) == 0;
}

bool AmqpSession::admit_applicant(Applicant applicant) {
    applicant.by = speaker_;
    if (hub().provisioning->admit(applicant) != 0) return false;
    applicant_ = std::move(applicant);
    return true;
}

/// Whom the token names, if it is somebody who is in on this connection. Nothing is proven by that.
std::optional<model::Identity> AmqpSession::in_already(std::string_view token_text) const {
    const auto token = sas::parse_token(token_text);
    if (!token) return std::nullopt;
    auto& hubs = core_.core.hubs;
    if (is_event_token(token_text)) {
        if (events_ && events_->policy == token->policy) return model::Identity{events_->hub, {}, {}};
        return std::nullopt;
    }
    const auto resource = sas::parse_resource(token->resource);
    const auto known = resource ? hubs.find(resource->host) : nullptr;
    if (!known) return std::nullopt;
    if (!resource->device.empty()) {
        const model::Identity named{known->name, model::DeviceId{std::string(resource->device)},
                                    model::ModuleId{std::string(resource->module)}};
        return endpoints_.contains(named) ? std::optional(named) : std::nullopt;
    }
    if (service_ && service_->hub == known->name && service_->policy.name == token->policy)
        return model::Identity{known->name, {}, {}};
    return std::nullopt;
}

/// Who comes in takes from the rate of connects, before its token is looked at more closely. Who is in and
/// shows its next token does not: a fleet that renews must not keep others out. It has a rate of its own.
bool AmqpSession::admits_token(std::string_view text) {
    const auto renewed = in_already(text);
    if (!renewed) return hub().admits_connect(hostname_, speaker_);
    if (renewals_.take(now())) return true;
    auto by = speaker_;
    by.identity = *renewed;
    const auto known = core_.core.hubs.find(renewed->hub.value);
    by.mask_address = known && known->mask_addresses;
    hub().counters.throttled.add();
    hub().throttles.over(Throttle::Connects, by, "too many tokens for who is in already on one connection");
    return false;
}

int AmqpSession::take_token(std::string_view text) {
    auto& shared = hub();
    const auto refuse = [&](const Refusal& refusal, std::string_view device = {},
                            std::string_view module = {}) {
        shared.log_refusal(refusal, speaker_, device, module);
        if (++refused_tokens_ > kRefusedTokensMax)
            engine_.close({"amqp:unauthorized-access", "too many tries"});
        return refusal.result;
    };
    if (!admits_token(text)) return 429001;
    auto& hubs = core_.core.hubs;
    const auto& clock = shared.parts.clock;
    const auto network_of = [&](const model::HubName& name) -> std::expected<std::string, Refusal> {
        const auto known = hubs.find(name.value);
        if (!known) return std::string();
        return judge_network(*known, speaker_.address, speaker_.tls_version);
    };
    if (is_event_token(text)) {
        const auto access = authenticate_events(text, hubs, clock, authentication_limits());
        if (!access) return refuse(access.error());
        if (const auto rule = network_of(access->hub); !rule) return refuse(rule.error());
        events_ = *access;
        arm_again_ = true;
        return 0;
    }
    const auto token = sas::parse_token(text);
    const auto resource =
        token ? sas::parse_resource(token->resource) : Result<sas::Resource>(sas::Resource{});
    if (token && resource && !resource->device.empty()) {
        auto admission = hub::authenticate({.host = resource->host,
                                            .device = resource->device,
                                            .module = resource->module,
                                            .password = text,
                                            .address = speaker_.address,
                                            .tls_version = speaker_.tls_version},
                                           hubs, shared.parts.registry, clock, authentication_limits());
        if (!admission) return refuse(admission.error(), resource->device, resource->module);
        enter(std::move(*admission));
        return 0;
    }
    const auto caller = authenticate_service(text, {}, hubs, clock, authentication_limits());
    if (!caller) return refuse(caller.error());
    if (const auto rule = network_of(caller->hub); !rule) return refuse(rule.error());
    if (caller->may(Right::DeviceConnect)) {
        // It opens devices one by one, when their links are attached.
        if (tokens_.size() >= kTokensMax) tokens_.erase(tokens_.begin());
        tokens_.emplace_back(text);
    }
    service_ = *caller;
    arm_again_ = true;
    return 0;
}

DeviceEndpoint* AmqpSession::enter(Admission admission) {
    arm_again_ = true;  // its end is another
    close_at_.reset();  // a client that was told to go, and has shown a better token instead
    const auto found = endpoints_.find(admission.identity);
    if (found != endpoints_.end()) {
        found->second->renew(admission);
        return found->second.get();
    }
    const auto identity = admission.identity;
    auto endpoint = std::make_unique<DeviceEndpoint>(*this, std::move(admission));
    return endpoints_.emplace(identity, std::move(endpoint)).first->second.get();
}

std::expected<DeviceEndpoint*, int> AmqpSession::admit(const amqp::Address& address) {
    for (auto& [identity, endpoint] : endpoints_) {
        if (identity.device.value == address.device && identity.module.value == address.module)
            return endpoint.get();
    }
    const auto certificate = connection_.certificate();
    if (tokens_.empty() && !certificate && !endpoints_.empty()) return std::unexpected(401003);
    // An identity that no token of its own brought in, which took from the rate: it connects here.
    auto& shared = hub();
    if (!shared.admits_connect(hostname_, speaker_)) return std::unexpected(429001);
    Credentials credentials{.host = hostname_,
                            .device = address.device,
                            .module = address.module,
                            .address = speaker_.address,
                            .tls_version = speaker_.tls_version};
    const auto attempt = [&] {
        return hub::authenticate(credentials, core_.core.hubs, shared.parts.registry, shared.parts.clock,
                                 authentication_limits());
    };
    for (const auto& token : tokens_) {
        const auto parsed = sas::parse_token(token);
        const auto resource = sas::parse_resource(parsed->resource);
        credentials.host = resource->host;
        credentials.password = token;
        if (auto admission = attempt()) return enter(std::move(*admission));
    }
    credentials.host = hostname_;
    credentials.password.reset();
    credentials.certificate = certificate;
    auto admission = attempt();
    if (admission) return enter(std::move(*admission));
    shared.log_refusal(admission.error(), speaker_, address.device, address.module);
    return std::unexpected(401003);
}

NoticeLink* AmqpSession::notice_link(amqp::LinkId link) const {
    const auto found = links_.find(link);
    return found == links_.end() ? nullptr : dynamic_cast<NoticeLink*>(found->second.link.get());
}

PartitionLink* AmqpSession::partition_link(amqp::LinkId link) const {
    const auto found = links_.find(link);
    return found == links_.end() ? nullptr : dynamic_cast<PartitionLink*>(found->second.link.get());
}

void AmqpSession::refuse(const amqp::Attach& attach, int result, std::string_view description) {
    engine_.refuse(attach.link, condition_of(result, description));
}

void AmqpSession::keep(const amqp::Attach& attach, amqp::Node node, std::unique_ptr<AmqpLink> link,
                       int credit) {
    links_.emplace(attach.link, OpenLink{.node = node,
                                         .client_sends = attach.client_sends,
                                         .client_session = attach.session,
                                         .name = attach.name,
                                         .other_address = attach.other_address,
                                         .link = std::move(link)});
    engine_.accept(attach.link, credit);
}

void AmqpSession::attached(amqp::Attach attach) {
    const auto address = amqp::parse_address(attach.address, attach.client_sends);
    if (!address) return refuse(attach, 404001, address.error().message);
    switch (address->node) {
        case amqp::Node::Cbs:
            return keep(attach, address->node, std::make_unique<CbsLink>(attach.link, *this), kRequestCredit);
        case amqp::Node::Management:
        case amqp::Node::Partition:
            return attach_events(attach, *address);
        case amqp::Node::ServiceSend:
        case amqp::Node::Feedback:
        case amqp::Node::FileNotifications:
            return attach_service(attach, *address);
        case amqp::Node::Registrations:
            return attach_registration(attach, *address);
        default:
            return attach_device(attach, *address);
    }
}

void AmqpSession::attach_registration(const amqp::Attach& attach, const amqp::Address& address) {
    const bool known = applicant_ && applicant_->scope == address.scope &&
                       applicant_->registration_id == address.registration;
    if (!known && !admit_applicant({.scope = address.scope,
                                    .registration_id = address.registration,
                                    .token = std::nullopt,
                                    .certificate = connection_.certificate()}))
        return refuse(attach, 401003, "nothing on this connection proves the registration id");
    keep(attach, address.node, std::make_unique<RegistrationLink>(attach.link, *this, *applicant_), 4);
}

void AmqpSession::attach_device(const amqp::Attach& attach, const amqp::Address& address) {
    const bool telemetry = address.node == amqp::Node::Telemetry;
    const bool receives = address.node == amqp::Node::DeviceBound || address.node == amqp::Node::ModuleInputs;
    if (receives && attach.client_sends)
        return refuse(attach, 400003, "a device only receives from this address");
    const auto admitted = admit(address);
    if (!admitted) {
        return refuse(attach, admitted.error(),
                      admitted.error() == 429001 ? "too many connects at this hub"
                                                 : "nothing on this connection opens the identity");
    }
    auto* const device = *admitted;
    device->set_client_version(client_version(attach));
    keep(attach, address.node, device->open(attach, address.node),
         telemetry ? kTelemetryCredit : kRequestCredit);
    links_.at(attach.link).owner = device;
}

void AmqpSession::attach_service(const amqp::Attach& attach, const amqp::Address& address) {
    if (!service_ || !service_->may(Right::ServiceConnect) || !service_->covers({}, {}))
        return refuse(attach, 401003, "the link needs a token of a policy with ServiceConnect");
    const bool sends = address.node == amqp::Node::ServiceSend;
    if (sends != attach.client_sends) return refuse(attach, 400003, "the link goes the other way");
    auto by = speaker_;
    by.identity.hub = service_->hub;
    by.policy = service_->policy.name;
    by.auth_type = service_auth_type();
    by.mask_address = service_->mask_addresses;
    by.sdk_version = client_version(attach).substr(0, 256);
    if (sends) {
        return keep(attach, address.node,
                    std::make_unique<ServiceSendLink>(attach.link, *this, std::move(by)), kRequestCredit);
    }
    const auto kind =
        address.node == amqp::Node::Feedback ? registry::NoticeKind::Feedback : registry::NoticeKind::File;
    keep(attach, address.node, std::make_unique<NoticeLink>(attach.link, *this, service_->hub, kind), 0);
}

void AmqpSession::attach_events(const amqp::Attach& attach, const amqp::Address& address) {
    std::optional<model::HubName> name;
    if (events_) name = events_->hub;
    if (!name && service_ && service_->may(Right::ServiceConnect)) name = service_->hub;
    if (!name || core_.shared.reader == nullptr)
        return refuse(attach, 401003, "the link needs a token of a policy with ServiceConnect");
    if (address.node == amqp::Node::Management) {
        return keep(attach, address.node, std::make_unique<ManagementLink>(attach.link, *this, *name),
                    kRequestCredit);
    }
    const auto entity_hub = hub_of_entity(address.entity, hostname_, core_.core.hubs);
    if (attach.client_sends || entity_hub == nullptr || entity_hub->name != *name)
        return refuse(attach, 404001, "no event hub of this name can be read here");
    auto source = event_source(address, attach.filter, core_.core.shared.parts.partition_count);
    if (!source) {
        const bool missing = source.error().code == Errc::NotFound;
        return refuse(attach, missing ? 404001 : 400004, source.error().message);
    }
    source->hub = *name;
    source->wants_metrics = attach.wants_metrics;
    const auto* const epoch = attach.properties.find("com.microsoft:epoch");
    if (epoch != nullptr && epoch->is_number()) source->epoch = epoch->number();
    const auto entry =
        core_.shared.readers.enter(source->place(), {core_.core.index, id_, attach.link}, source->epoch);
    if (!entry.admitted)
        return engine_.refuse(attach.link, {entry.why_not, "other receivers hold this partition"});
    for (const auto& gone : entry.evicted) {
        core_.shared.on_session(gone.core, gone.session, [link = gone.link](AmqpSession& session) {
            session.drop_link(link, {"amqp:link:stolen", "a receiver with a higher epoch came"});
        });
    }
    keep(attach, address.node, std::make_unique<PartitionLink>(attach.link, *this, std::move(*source)), 0);
}

}  // namespace fieldwatch::hub
