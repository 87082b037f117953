// Bodies of registry changes, read: identities, twins and hub configuration in our own form and in that of
// the hub's exports (spec/hub-signals.md sections 4 and 5). Unknown members are let be; keys are made into
// fingerprints at once and kept nowhere.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/registry_change.hpp"

namespace fieldwatch::detect {

enum class CredentialType : std::uint8_t { SymmetricKey, X509Thumbprint, ClientCertificate };
std::string_view to_string(CredentialType type);

struct Credential {
    CredentialType type = CredentialType::SymmetricKey;
    std::string fingerprint;  ///< first 16 hex digits of a SHA-256, or of the registry's own HMAC
    friend auto operator<=>(const Credential&, const Credential&) = default;
};

/// First 16 hex digits of the SHA-256 of a credential.
std::string fingerprint_of(std::string_view credential);

struct IdentityDocument {
    std::string device, module;
    bool removed = false;
    bool enabled = true;
    bool edge = false;
    bool has_credentials = false;  ///< the document says anything about them
    std::vector<Credential> credentials;
    std::vector<std::string> parents;  ///< device ids of the gateways that it may connect through
    std::optional<Timestamp> created;
};

/// Sections that a change did not speak of are null. Pointers live as long as the RegistryDocuments.
struct TwinDocument {
    std::string device, module;
    const nlohmann::json* desired = nullptr;
    const nlohmann::json* reported = nullptr;
    const nlohmann::json* tags = nullptr;
};

struct IpFilterRule {
    std::string name, mask;
    bool accepts = false;
    std::optional<IpPrefix> range;  ///< none for a mask that is no range
};
struct DiagnosticSetting {
    struct Category {
        std::string name;
        bool enabled = false;
        std::int64_t retention_days = 0;  ///< 0 = for ever, or no policy
    };
    std::string name;
    std::vector<Category> categories;
    bool has_destination = false;
};
struct HubDocument {
    std::optional<bool> security_enabled, twin_data, address_collection;
    std::string public_network_access, minimum_tls, network_default;
    std::vector<IpFilterRule> ip_rules;       ///< the classic filter, in order
    std::vector<IpFilterRule> network_rules;  ///< of the newer rule set
    std::vector<DiagnosticSetting> diagnostics;
};

struct RegistryDocuments {
    std::shared_ptr<const nlohmann::json> root;  ///< owns what the twins point into
    std::vector<IdentityDocument> identities;
    std::vector<TwinDocument> twins;
    std::optional<HubDocument> hub;
};

/// At most 10,000 identities a record. Errors: Malformed, TooLarge.
Result<RegistryDocuments> read_registry_change(const model::RegistryChange& change);

/// The text member `key`, in any letter case; empty when there is none.
std::string text_member(const nlohmann::json& object, std::string_view key);

}  // namespace fieldwatch::detect
