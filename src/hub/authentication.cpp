#include "hub/authentication.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "hub/telemetry_metrics.hpp"
#include "net/certificate_chain.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

bool lists(std::string_view names, std::string_view host) {
    while (!names.empty()) {
        const auto end = std::min(names.find(','), names.size());
        auto name = names.substr(0, end);
        names.remove_prefix(std::min(end + 1, names.size()));
        while (name.starts_with(' '))
            name.remove_prefix(1);
        while (name.ends_with(' '))
            name.remove_suffix(1);
        if (!name.empty() && sas::same_host(sas::without_port(name), host)) return true;
    }
    return false;
}

std::string auth_json(std::string_view scope, std::string_view type, std::string_view issuer,
                      std::string_view rule) {
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member("scope", scope)
        .member("type", type)
        .member("issuer", issuer)
        .key("acceptingIpFilterRule");
    if (rule.empty())
        json.null();
    else
        json.string(rule);
    json.end_object();
    return text;
}

std::string thumbprint_of(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c == ':' || c == ' ') continue;
        digits += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return digits;
}

const registry::Policy* find_policy(const registry::Hub& hub, std::string_view name) {
    const auto found = std::find_if(hub.policies.begin(), hub.policies.end(),
                                    [&](const registry::Policy& policy) { return policy.name == name; });
    return found == hub.policies.end() ? nullptr : &*found;
}

bool either_key_verifies(const sas::Token& token, const registry::Keys& keys) {
    return sas::verify(token, keys.primary) || sas::verify(token, keys.secondary);
}

// Steps 3 to 5 of section 2.3. A reason, or "" when the token opens the identity.
struct TokenVerdict {
    std::string_view reason, description;
};
TokenVerdict judge_token(const sas::Token& token, const registry::Hub& hub, const registry::Entry& entry,
                         HubCache& hubs, Timestamp now, Ticks skew) {
    const auto* keys = &entry.keys;
    if (!token.policy.empty()) {
        const auto* const policy = find_policy(hub, token.policy);
        if (policy == nullptr || !policy->device_connect) {
            return {"SasBadSignature", "The token's policy does not exist or does not let devices connect."};
        }
        keys = &policy->keys;
    } else if (entry.auth != registry::AuthType::Sas) {
        return {"SasBadSignature", "The identity does not authenticate with keys."};
    }
    if (!either_key_verifies(token, *keys))
        return {"SasBadSignature", "The token's signature does not match."};
    const auto scope = sas::parse_resource(token.resource);
    if (!scope) return {"SasMalformed", "The token's resource is no device, module or hub."};
    const auto hub_name = hub.name;
    const auto scope_hub = hubs.find(scope->host);
    const bool same_hub = scope_hub != nullptr && scope_hub->name == hub_name;
    const bool wide_enough =
        scope->device.empty() ? !token.policy.empty()
                              : sas::covers(*scope, entry.identity.device.value, entry.identity.module.value);
    if (!same_hub || !wide_enough) return {"SasBadSignature", "The token is for another resource."};
    if (token.expiry + skew <= now) return {"SasExpired", "The sas token has expired."};
    return {};
}

TokenVerdict judge_authority(const net::PeerCertificate& certificate, const KnownHub& hub,
                             const registry::Entry& entry, Timestamp now) {
    if (certificate.common_name != entry.identity.device.value)
        return {"CertUntrusted", "The certificate's common name is not the device's id."};
    if (now < certificate.not_before || certificate.not_after < now)
        return {"CertExpired", "The x509 certificate is not valid now or has expired."};
    auto authorities = hub.authorities_pem;
    const auto enrolled = hub.enrollment_authorities_pem.find(thumbprint_of(entry.primary_thumbprint));
    if (enrolled != hub.enrollment_authorities_pem.end()) authorities.push_back(enrolled->second);
    if (authorities.empty() || !net::verify_chain(certificate, authorities, now))
        return {"CertUntrusted", "The certificate leads to no verified authority of the hub."};
    return {};
}

TokenVerdict judge_certificate(const net::PeerCertificate& certificate, const KnownHub& hub,
                               const registry::Entry& entry, const std::string& sha256_hex, Timestamp now) {
    if (entry.auth == registry::AuthType::X509Ca) return judge_authority(certificate, hub, entry, now);
    if (entry.auth != registry::AuthType::X509Thumbprint) {
        return {"CertUntrusted", "The identity does not authenticate with a certificate."};
    }
    const auto sha1_hex = hex(sha1(certificate.der));
    const auto matches = [&](const std::string& configured) {
        const auto wanted = thumbprint_of(configured);
        return !wanted.empty() &&
               (equal_constant_time(wanted, sha1_hex) || equal_constant_time(wanted, sha256_hex));
    };
    if (!matches(entry.primary_thumbprint) && !matches(entry.secondary_thumbprint)) {
        return {"CertThumbprintMismatch", "The certificate's thumbprint does not match configuration."};
    }
    if (now < certificate.not_before || certificate.not_after < now) {
        return {"CertExpired", "The x509 certificate is not valid now or has expired."};
    }
    return {};
}

ShownCertificate shown(const net::PeerCertificate& certificate) {
    return {.thumbprint = hex(sha256(certificate.der)),
            .not_after = to_iso8601(certificate.not_after, 0),
            .key = certificate.strength.key,
            .signature = certificate.strength.signature,
            .flaw = certificate.strength.flaw};
}

void read_authorities(registry::Registry& registry, KnownHub& hub) {
    const auto each = [&](std::string_view kind, const auto& take) {
        const auto documents = registry.documents(hub.name, kind, {});
        if (!documents) return log::error("hub", "reading authorities: " + documents.error().message);
        for (const auto& document : *documents) {
            const auto json = nlohmann::json::parse(document.json, nullptr, false);
            if (json.is_object()) take(document.id, json);
        }
    };
    each("certificate", [&](const std::string&, const nlohmann::json& json) {
        if (json.value("isVerified", false)) hub.authorities_pem.push_back(json.value("certificate", ""));
    });
    each(kEnrollmentAuthority, [&](const std::string& thumbprint, const nlohmann::json& json) {
        hub.enrollment_authorities_pem.emplace(thumbprint, json.value("certificate", ""));
    });
}

}  // namespace

std::shared_ptr<const HubCache::Hubs> HubCache::current() {
    const auto now = registry_.change_count();
    const auto [hubs, fresh] = state_.with(
        [&](const State& state) { return std::pair(state.hubs, state.seen && *state.seen == now); });
    if (fresh) return hubs;
    auto loaded = registry_.hubs();
    if (!loaded) {
        log::error("hub", "reading hubs: " + loaded.error().message);
        return hubs;
    }
    auto next = std::make_shared<Hubs>();
    for (auto& one : *loaded) {
        auto known = std::make_shared<KnownHub>();
        static_cast<registry::Hub&>(*known) = std::move(one);
        known->rules = NetworkRules::parse(known->configuration_json);
        if (auto routing = Routing::parse(known->configuration_json); !routing)
            log::error("hub", known->name.value + ": " + routing.error().message);
        else if (routing->selects_events())
            known->routing = std::make_shared<const Routing>(std::move(*routing));
        if (auto metrics = TelemetryMetrics::parse(known->configuration_json); !metrics)
            log::error("hub", known->name.value + ": " + metrics.error().message);
        else if (!metrics->empty())
            known->metrics = std::make_shared<const TelemetryMetrics>(std::move(*metrics));
        read_authorities(registry_, *known);
        next->push_back(std::move(known));
    }
    state_.with([&](State& state) {
        state.hubs = next;
        state.seen = now;
    });
    return next;
}

std::shared_ptr<const KnownHub> HubCache::find(std::string_view host) {
    const auto hubs = current();
    host = sas::without_port(host);
    const auto label = host.substr(0, host.find('.'));
    for (const auto& hub : *hubs) {
        if (lists(hub->host_names, host) || sas::same_host(hub->name.value, label)) return hub;
    }
    return hubs->size() == 1 && hubs->front()->host_names.empty() ? hubs->front() : nullptr;
}

std::expected<std::string, Refusal> judge_network(const KnownHub& hub, std::string_view address,
                                                  std::string_view tls_version) {
    Refusal refusal{.hub = hub.name, .mask_addresses = hub.mask_addresses};
    if (!hub.rules.accepts_tls(tls_version)) {
        refusal.description = "The connection's TLS version is below the hub's minimum.";
        return std::unexpected(refusal);
    }
    auto verdict = hub.rules.judge(address);
    if (!verdict.accepted) {
        refusal.reason = "IpFiltered";
        refusal.description = "The address is refused by the hub's IP filter.";
        return std::unexpected(refusal);
    }
    return std::move(verdict.rule);
}

std::expected<Admission, Refusal> authenticate(const Credentials& credentials, HubCache& hubs,
                                               registry::Registry& registry, const Clock& clock,
                                               AuthenticationLimits limits) {
    const auto found = hubs.find(credentials.host);
    if (found == nullptr) return std::unexpected(Refusal{.description = "No hub has this host name."});
    const auto& hub = *found;
    Refusal refusal{.hub = hub.name, .mask_addresses = hub.mask_addresses};
    const auto refuse = [&](int result, std::string_view reason, std::string_view description) {
        refusal.result = result;
        refusal.reason = reason;
        refusal.description = description;
        return std::unexpected(refusal);
    };
    auto device = model::parse_device_id(credentials.device);
    const model::Identity identity{hub.name, device ? *device : model::DeviceId{},
                                   model::ModuleId{std::string(credentials.module)}};
    if (!device || (!credentials.module.empty() && !model::parse_module_id(credentials.module))) {
        return refuse(404001, "UnknownDevice", "The client id is no device or module id.");
    }
    const auto entry = registry.get(identity);
    if (!entry) {
        if (entry.error().code != Errc::NotFound) {
            log::error("hub", "reading an identity: " + entry.error().message);
            refusal.code = mqtt::ConnackCode::ServerUnavailable;
            return refuse(500001, "", "The registry cannot be read.");
        }
        return refuse(identity.module.empty() ? 404001 : 404010, "UnknownDevice",
                      "The identity is not registered.");
    }
    refusal.registered = true;
    const auto rule = judge_network(hub, credentials.address, credentials.tls_version);
    if (!rule) return refuse(rule.error().result, rule.error().reason, rule.error().description);
    Admission admission{
        .identity = identity, .generation_id = entry->generation_id, .mask_addresses = hub.mask_addresses};
    const std::string_view own_scope = identity.module.empty() ? "device" : "module";
    TokenVerdict verdict;
    if (credentials.certificate) admission.certificate = shown(*credentials.certificate);
    if (credentials.password) {
        const auto token = sas::parse_token(*credentials.password);
        if (!token) return refuse(401003, "SasMalformed", "The password is no shared access signature.");
        verdict = judge_token(*token, hub, *entry, hubs, clock.now(), limits.clock_skew);
        admission.auth_type = auth_json(token->policy.empty() ? own_scope : "hub", "sas", "iothub", *rule);
        admission.expiry = token->expiry;
    } else if (credentials.certificate) {
        verdict = judge_certificate(*credentials.certificate, hub, *entry, admission.certificate.thumbprint,
                                    clock.now());
        const bool by_authority = entry->auth == registry::AuthType::X509Ca;
        admission.auth_type =
            auth_json(own_scope, by_authority ? "x509Authority" : "x509Certificate", "external", *rule);
    } else {
        return refuse(401003, "SasMalformed", "Neither a token nor a certificate came with the connect.");
    }
    if (!verdict.description.empty()) return refuse(401003, verdict.reason, verdict.description);
    // Last, so that only who holds the key learns from the log's code that the identity is there but
    // disabled.
    if (const auto code = standing(registry, identity); code != 0) {
        if (code == 500001) {
            refusal.code = mqtt::ConnackCode::ServerUnavailable;
            return refuse(code, "", "The registry cannot be read.");
        }
        return refuse(code, code == 403012 ? "DeviceDisabled" : "UnknownDevice",
                      "The identity is disabled or gone.");
    }
    return admission;
}

int standing(registry::Registry& registry, const model::Identity& identity) {
    const auto code_of = [&](const model::Identity& one) {
        const auto entry = registry.get(one);
        if (!entry)
            return entry.error().code != Errc::NotFound ? 500001 : one.module.empty() ? 404001 : 404010;
        return entry->enabled ? 0 : 403012;
    };
    // A disabled device takes its modules with it.
    if (const auto code = code_of({identity.hub, identity.device, {}}); code != 0 || identity.module.empty())
        return code;
    return code_of(identity);
}

}  // namespace fieldwatch::hub
