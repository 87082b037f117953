#include "detect/registry_document.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kIdentitiesMax = 10'000;
constexpr std::size_t kFingerprintDigits = 16;

bool equal_no_case(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(left, right, [&](char a, char b) { return lower(a) == lower(b); });
}

/// A member in any letter case; null when there is none.
const Json* member(const Json& object, std::string_view key) {
    if (!object.is_object()) return nullptr;
    if (const auto found = object.find(key); found != object.end()) return &*found;
    for (const auto& [name, value] : object.items()) {
        if (equal_no_case(name, key)) return &value;
    }
    return nullptr;
}

/// A member of the document, or of the `properties` that exports wrap it in.
const Json* setting(const Json& document, std::string_view key) {
    if (const auto* const found = member(document, key)) return found;
    const auto* const properties = member(document, "properties");
    return properties == nullptr ? nullptr : member(*properties, key);
}

std::string text_of(const Json* value) {
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    return value->is_number() ? value->dump() : std::string();
}

std::optional<bool> flag_of(const Json* value) {
    if (value == nullptr) return std::nullopt;
    if (value->is_boolean()) return value->get<bool>();
    const auto text = text_of(value);
    if (equal_no_case(text, "true") || equal_no_case(text, "enabled")) return true;
    if (equal_no_case(text, "false") || equal_no_case(text, "disabled")) return false;
    return std::nullopt;
}

void add_credential(IdentityDocument& out, CredentialType type, std::string fingerprint) {
    if (fingerprint.empty()) return;
    Credential credential{type, std::move(fingerprint)};
    if (std::ranges::find(out.credentials, credential) == out.credentials.end())
        out.credentials.push_back(std::move(credential));
}

void read_credentials(const Json& authentication, IdentityDocument& out) {
    const auto read = [&](std::string_view group, std::string_view kind, CredentialType type) {
        const auto* const object = member(authentication, group);
        if (object == nullptr) return;
        for (const std::string_view place : {"primary", "secondary"}) {
            const auto own = text_of(member(*object, std::string(place) + "Fingerprint"));
            auto secret = text_of(member(*object, std::string(place) + std::string(kind)));
            std::erase(secret, ':');  // how some print a thumbprint; no character of base64
            if (type == CredentialType::X509Thumbprint)
                std::ranges::transform(secret, secret.begin(), [](char c) {
                    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
                });
            add_credential(out, type, own.substr(0, kFingerprintDigits));
            if (!secret.empty()) add_credential(out, type, fingerprint_of(secret));
        }
    };
    out.has_credentials = true;
    read("symmetricKey", "Key", CredentialType::SymmetricKey);
    read("x509Thumbprint", "Thumbprint", CredentialType::X509Thumbprint);
}

/// `ms-azure-iot-edge://GATEWAY-GENERATION`: the gateway's device id.
std::string parent_of(std::string_view scope) {
    const auto scheme = scope.find("://");
    auto name = scheme == scope.npos ? scope : scope.substr(scheme + 3);
    const auto dash = name.rfind('-');
    return std::string(scheme == name.npos || dash == name.npos ? name : name.substr(0, dash));
}

class Reader {
  public:
    Reader(const model::RegistryChange& change, RegistryDocuments& out) : change_(change), out_(out) {}

    Result<void> identities(const Json& root) {
        removed_ = equal_no_case(text_of(member(root, "change")), "delete");
        for (const std::string_view list : {"identities", "devices", "value"}) {
            const auto* const entries = member(root, list);
            if (entries == nullptr || !entries->is_array()) continue;
            for (const auto& entry : *entries)
                FIELDWATCH_TRY(identity(entry, std::string(change_.device), std::string(change_.module)));
            return {};
        }
        const auto* const inner = member(root, "identity");
        return identity(inner != nullptr ? *inner : root, std::string(change_.device),
                        std::string(change_.module));
    }

    void twin(const Json& root, std::string device, std::string module) {
        TwinDocument twin;
        twin.device = std::move(device);
        twin.module = std::move(module);
        if (auto text = text_of(member(root, "deviceId")); !text.empty()) twin.device = std::move(text);
        if (auto text = text_of(member(root, "moduleId")); !text.empty()) twin.module = std::move(text);
        if (const auto section = text_of(member(root, "section")); !section.empty()) {
            const auto* const document = member(root, "document");
            if (document == nullptr || !document->is_object()) return;
            (section == "tags" ? twin.tags : section == "reported" ? twin.reported : twin.desired) = document;
        } else {
            const auto object = [](const Json* value) {
                return value != nullptr && value->is_object() ? value : nullptr;
            };
            twin.tags = object(member(root, "tags"));
            twin.desired = object(setting(root, "desired"));
            twin.reported = object(setting(root, "reported"));
        }
        if (twin.tags == nullptr && twin.desired == nullptr && twin.reported == nullptr) return;
        out_.twins.push_back(std::move(twin));
    }

  private:
    Result<void> identity(const Json& entry, std::string device, std::string module) {
        if (!entry.is_object()) return fail(Errc::Malformed, "/identity: an object is needed");
        if (out_.identities.size() >= kIdentitiesMax)
            return fail(Errc::TooLarge, "/identities: at most 10000 are allowed in one record");
        IdentityDocument out;
        out.device = std::move(device);
        out.module = std::move(module);
        if (auto text = text_of(member(entry, "deviceId")); !text.empty()) out.device = std::move(text);
        if (auto text = text_of(member(entry, "moduleId")); !text.empty()) out.module = std::move(text);
        if (out.device.empty()) return fail(Errc::Malformed, "/identity/deviceId: is required");
        out.removed = removed_ || equal_no_case(text_of(member(entry, "change")), "delete");
        out.enabled = flag_of(member(entry, "status")).value_or(true);
        if (const auto* const capabilities = member(entry, "capabilities"))
            out.edge = flag_of(member(*capabilities, "iotEdge")).value_or(false);
        if (const auto* const authentication = member(entry, "authentication"))
            read_credentials(*authentication, out);
        if (const auto* const scopes = member(entry, "parentScopes"); scopes && scopes->is_array()) {
            for (const auto& scope : *scopes) {
                if (scope.is_string()) out.parents.push_back(parent_of(scope.get<std::string>()));
            }
        }
        for (const std::string_view key : {"createdTime", "createdTimeUtc", "created"}) {
            if (const auto time = parse_iso8601(text_of(member(entry, key)))) out.created = time->time;
        }
        const auto owner = out.device;
        const auto own_module = out.module;
        out_.identities.push_back(std::move(out));
        twin(entry, owner, own_module);
        if (const auto* const modules = member(entry, "modules"); modules && modules->is_array()) {
            for (const auto& one : *modules) {
                if (one.is_object() && member(one, "moduleId") != nullptr)
                    FIELDWATCH_TRY(identity(one, owner, {}));
            }
        }
        return {};
    }

    const model::RegistryChange& change_;
    RegistryDocuments& out_;
    bool removed_ = false;
};

std::vector<IpFilterRule> filter_rules(const Json* list) {
    std::vector<IpFilterRule> out;
    if (list == nullptr || !list->is_array()) return out;
    for (const auto& one : *list) {
        IpFilterRule rule;
        rule.name = text_of(member(one, "filterName"));
        rule.mask = text_of(member(one, "ipMask"));
        const auto action = text_of(member(one, "action"));
        rule.accepts = equal_no_case(action, "Accept") || equal_no_case(action, "Allow");
        rule.range = fieldwatch::parse_prefix(rule.mask);
        out.push_back(std::move(rule));
        if (out.size() == 1'000) break;
    }
    return out;
}

std::vector<DiagnosticSetting> diagnostic_settings(const Json* list) {
    std::vector<DiagnosticSetting> out;
    if (list == nullptr) return out;
    const auto* const values = list->is_object() ? member(*list, "value") : list;
    if (values == nullptr || !values->is_array()) return out;
    for (const auto& one : *values) {
        DiagnosticSetting read;
        read.name = text_of(member(one, "name"));
        for (const std::string_view key :
             {"workspaceId", "storageAccountId", "eventHub", "eventHubName", "eventHubAuthorizationRuleId",
              "serviceBusRuleId", "destination", "workspace"})
            read.has_destination = read.has_destination || !text_of(setting(one, key)).empty();
        if (const auto* const logs = setting(one, "logs"); logs != nullptr && logs->is_array()) {
            for (const auto& log : *logs) {
                DiagnosticSetting::Category category;
                category.name = text_of(member(log, "category"));
                category.enabled = flag_of(member(log, "enabled")).value_or(true);
                if (const auto* const policy = member(log, "retentionPolicy")) {
                    const auto* const days = member(*policy, "days");
                    if (flag_of(member(*policy, "enabled")).value_or(true) && days != nullptr &&
                        days->is_number_integer())
                        category.retention_days = days->get<std::int64_t>();
                }
                read.categories.push_back(std::move(category));
            }
        }
        out.push_back(std::move(read));
        if (out.size() == 100) break;
    }
    return out;
}

HubDocument read_hub(const Json& root) {
    HubDocument out;
    if (const auto* const own = member(root, "fieldwatch")) {
        out.security_enabled = flag_of(member(*own, "securityEnabled"));
        out.twin_data = flag_of(member(*own, "twinData"));
        if (const auto masks = flag_of(member(*own, "maskAddresses"))) out.address_collection = !*masks;
    }
    if (const auto status = flag_of(setting(root, "unmaskedIpLoggingStatus")))
        out.address_collection = status;
    out.public_network_access = text_of(setting(root, "publicNetworkAccess"));
    out.minimum_tls = text_of(setting(root, "minTlsVersion"));
    out.ip_rules = filter_rules(setting(root, "ipFilterRules"));
    if (const auto* const network = setting(root, "networkRuleSets")) {
        out.network_default = text_of(member(*network, "defaultAction"));
        out.network_rules = filter_rules(member(*network, "ipRules"));
    }
    out.diagnostics = diagnostic_settings(setting(root, "diagnosticSettings"));
    return out;
}

}  // namespace

std::string_view to_string(CredentialType type) {
    switch (type) {
        case CredentialType::SymmetricKey:
            return "SymmetricKey";
        case CredentialType::X509Thumbprint:
            return "X509Thumbprint";
        case CredentialType::ClientCertificate:
            return "ClientCertificate";
    }
    return {};
}

std::string fingerprint_of(std::string_view credential) {
    return hex(sha256(as_bytes(credential))).substr(0, kFingerprintDigits);
}

std::string text_member(const Json& object, std::string_view key) {
    return text_of(member(object, key));
}

Result<RegistryDocuments> read_registry_change(const model::RegistryChange& change) {
    auto root = std::make_shared<Json>(Json::parse(change.body, nullptr, /*allow_exceptions=*/false));
    RegistryDocuments out;
    if (!root->is_object()) return fail(Errc::Malformed, "/: an object is needed");
    Reader reader(change, out);
    switch (change.kind) {
        case model::RegistryChangeKind::Identity:
            FIELDWATCH_TRY(reader.identities(*root));
            break;
        case model::RegistryChangeKind::Twin:
            reader.twin(*root, std::string(change.device), std::string(change.module));
            break;
        case model::RegistryChangeKind::HubConfiguration:
            out.hub = read_hub(*root);
            break;
    }
    out.root = std::move(root);
    return out;
}

}  // namespace fieldwatch::detect
