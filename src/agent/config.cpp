#include "agent/config.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "agent/response/request.hpp"
#include "base/file_system.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::agent {

using nlohmann::json;

namespace {

constexpr std::size_t kFileBytesMax = 64 * 1'024;

struct ModeName {
    const char* text;
    fw_mode mode;
};
constexpr ModeName kModes[] = {{"auto", FW_MODE_NONE},
                               {"bpf", FW_MODE_BPF},
                               {"proc-connector", FW_MODE_PROC_CONNECTOR},
                               {"polling", FW_MODE_POLL},
                               {"off", FW_MODE_OFF}};

Result<void> text_into(const json& object, const char* key, std::string& out) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    if (!found->is_string()) return fail(Errc::InvalidArgument, std::string(key) + " must be a text");
    out = found->get<std::string>();
    return {};
}

Result<void> boolean_into(const json& object, const char* key, bool& out) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    if (!found->is_boolean()) return fail(Errc::InvalidArgument, std::string(key) + " must be true or false");
    out = found->get<bool>();
    return {};
}

Result<void> paths_into(const json& object, const char* key, std::vector<std::string>& out) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    const auto is_path = [](const json& one) {
        return one.is_string() && one.get_ref<const std::string&>().starts_with('/');
    };
    if (!found->is_array() || found->size() > 64 || !std::ranges::all_of(*found, is_path))
        return fail(Errc::InvalidArgument, std::string(key) + " must be at most 64 absolute paths");
    out = found->get<std::vector<std::string>>();
    return {};
}

Result<void> allowed_into(const json& object, std::uint32_t& out) {
    const auto found = object.find("Allow");
    if (found == object.end()) return {};
    const Error wrong{Errc::InvalidArgument,
                      "Response.Allow must be a list of snapshot, processes, kill, block, isolate"};
    if (!found->is_array()) return std::unexpected(wrong);
    for (const auto& word : *found) {
        const auto allowed =
            word.is_string() ? allowed_from(word.get_ref<const std::string&>()) : std::nullopt;
        if (!allowed) return std::unexpected(wrong);
        out |= *allowed;
    }
    return {};
}

Result<void> mode_into(const json& object, const char* key, fw_mode& out) {
    std::string text = "auto";
    FIELDWATCH_TRY(text_into(object, key, text));
    for (const auto& mode : kModes) {
        if (text == mode.text) {
            out = mode.mode;
            return {};
        }
    }
    return fail(Errc::InvalidArgument,
                std::string("Collectors.") + key + " is none of auto, bpf, proc-connector, polling, off");
}

void warn_of_unknown(const json& object, const std::string& where,
                     std::initializer_list<std::string_view> known, std::vector<std::string>& warnings) {
    for (const auto& [key, value] : object.items()) {
        if (std::ranges::find(known, key) == known.end() && warnings.size() < 64) {
            warnings.push_back("unknown key " + where + key.substr(0, 64));
        }
    }
}

Result<void> port_into(const json& object, const char* key, std::uint16_t& out) {
    const auto port = object.find(key);
    if (port == object.end()) return {};
    if (!port->is_number_unsigned() || port->get<std::uint64_t>() < 1 || port->get<std::uint64_t>() > 65'535)
        return fail(Errc::InvalidArgument, std::string(key) + " must be a number from 1 to 65535");
    out = port->get<std::uint16_t>();
    return {};
}

Result<void> read_provisioning(const json& authentication, AgentConfig& config) {
    const auto found = authentication.find("DPS");
    if (found == authentication.end() || !found->is_object())
        return fail(Errc::InvalidArgument, "Authentication.DPS must be an object: Identity is DPS");
    warn_of_unknown(*found, "Authentication.DPS.", {"Host", "Port", "IDScope", "RegistrationId"},
                    config.warnings);
    auto& out = config.provisioning;
    out.host = "global.azure-devices-provisioning.net";
    FIELDWATCH_TRY(text_into(*found, "Host", out.host));
    FIELDWATCH_TRY(port_into(*found, "Port", out.port));
    FIELDWATCH_TRY(text_into(*found, "IDScope", out.id_scope));
    FIELDWATCH_TRY(text_into(*found, "RegistrationId", out.registration_id));
    if (out.host.empty() || out.id_scope.empty() || out.registration_id.empty())
        return fail(Errc::InvalidArgument, "Authentication.DPS must name IDScope and RegistrationId");
    return {};
}

Result<void> read_authentication(const json& object, AgentConfig& config) {
    warn_of_unknown(object, "Authentication.",
                    {"Identity", "AuthenticationMethod", "FilePath", "DeviceId", "ModuleId", "HostName",
                     "DPS", "KeyUri", "KeyProvider", "KeyEngine", "KeyModule", "KeyPinFile"},
                    config.warnings);
    std::string identity = "SecurityModule";
    std::string method = "SasToken";
    FIELDWATCH_TRY(text_into(object, "Identity", identity));
    FIELDWATCH_TRY(text_into(object, "AuthenticationMethod", method));
    if (identity == "DPS") {
        FIELDWATCH_TRY(read_provisioning(object, config));
        config.module_id.clear();  // a device is assigned; a module of it only if it is named
    } else if (identity != "SecurityModule" && identity != "Module") {
        return fail(Errc::Unsupported,
                    "Authentication.Identity: this version knows SecurityModule and DPS, not " + identity);
    }
    config.by_certificate = method == "SelfSignedCertificate" || method == "Certificate";
    if (!config.by_certificate && method != "SasToken" && method != "SymmetricKey") {
        return fail(Errc::InvalidArgument,
                    "Authentication.AuthenticationMethod is none of SasToken, SymmetricKey, "
                    "SelfSignedCertificate, Certificate");
    }
    FIELDWATCH_TRY(text_into(object, "FilePath", config.key_file));
    auto& key = config.key_source;
    FIELDWATCH_TRY(text_into(object, "KeyUri", key.uri));
    FIELDWATCH_TRY(text_into(object, "KeyProvider", key.provider));
    FIELDWATCH_TRY(text_into(object, "KeyEngine", key.engine));
    FIELDWATCH_TRY(text_into(object, "KeyModule", key.module));
    FIELDWATCH_TRY(text_into(object, "KeyPinFile", config.pin_file));
    if (key.uri.empty() &&
        (!key.provider.empty() || !key.engine.empty() || !key.module.empty() || !config.pin_file.empty()))
        return fail(Errc::InvalidArgument, "Authentication.KeyUri must name the key");
    if (!key.uri.empty() && !config.by_certificate)
        return fail(Errc::InvalidArgument,
                    "Authentication.KeyUri goes with AuthenticationMethod Certificate");
    if (!key.provider.empty() && !key.engine.empty())
        return fail(Errc::InvalidArgument, "Authentication: KeyProvider and KeyEngine exclude each other");
    if (!key.module.empty() && key.engine.empty())
        return fail(Errc::InvalidArgument, "Authentication.KeyModule goes with KeyEngine");
    FIELDWATCH_TRY(text_into(object, "DeviceId", config.device_id));
    FIELDWATCH_TRY(text_into(object, "ModuleId", config.module_id));
    return text_into(object, "HostName", config.host_name);
}

Result<void> read_update(const json& object, AgentConfig& config) {
    if (!object.is_object()) return fail(Errc::InvalidArgument, "Update must be an object");
    warn_of_unknown(object, "Update.", {"KeyFile", "CaFile", "SlotsDirectory", "TrialSeconds"},
                    config.warnings);
    auto& update = config.update;
    FIELDWATCH_TRY(text_into(object, "KeyFile", update.key_file));
    FIELDWATCH_TRY(text_into(object, "CaFile", update.ca_file));
    FIELDWATCH_TRY(text_into(object, "SlotsDirectory", update.slots_directory));
    if (!update.slots_directory.starts_with('/') || update.slots_directory.ends_with('/'))
        return fail(Errc::InvalidArgument, "Update.SlotsDirectory must be an absolute path");
    // The sender may write to its own folder: what root runs must not lie there.
    if ((update.slots_directory + "/").starts_with(config.state_directory + "/"))
        return fail(Errc::InvalidArgument, "Update.SlotsDirectory must not lie in StateDirectory");
    const auto seconds = object.find("TrialSeconds");
    if (seconds == object.end()) return {};
    if (!seconds->is_number_unsigned() || seconds->get<std::uint64_t>() < 10 ||
        seconds->get<std::uint64_t>() > 86'400)
        return fail(Errc::InvalidArgument, "Update.TrialSeconds must be a number from 10 to 86400");
    update.trial_seconds = seconds->get<int>();
    return {};
}

Result<void> read_spool(const json& object, AgentConfig& config) {
    if (!object.is_object()) return fail(Errc::InvalidArgument, "Spool must be an object");
    warn_of_unknown(object, "Spool.", {"FlashMegabytesPerDay"}, config.warnings);
    const auto found = object.find("FlashMegabytesPerDay");
    if (found == object.end()) return {};
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() < 1 ||
        found->get<std::uint64_t>() > 1'000'000)
        return fail(Errc::InvalidArgument, "Spool.FlashMegabytesPerDay must be a number from 1 to 1000000");
    config.flash_bytes_per_day = found->get<std::uint64_t>() << 20;
    return {};
}

Result<void> check_permissions(const std::string& path, mode_t forbidden, const char* what) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail(Errc::NotFound, path + " does not exist");
    if (status.st_mode & forbidden)
        return fail(Errc::Forbidden, path + " may be " + what + "; change its mode");
    return {};
}

constexpr std::size_t kSecretBytesMax = 32 * 1'024;  // a chain of certificates and a key

}  // namespace

Result<std::string> read_secret(const std::string& path) {
    FIELDWATCH_TRY(check_permissions(path, S_IROTH | S_IWOTH, "read by others"));
    const auto content = FIELDWATCH_TRY(read_file(posix_file_system(), path, kSecretBytesMax));
    auto text = as_text(content);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.remove_suffix(1);
    return std::string(text);
}

Result<AgentConfig> parse_config(std::string_view text) {
    const auto root = json::parse(text, nullptr, false);
    if (root.is_discarded() || !root.is_object())
        return fail(Errc::Malformed, "the configuration is no JSON object");
    const auto found = root.find("Configuration");
    const auto& object = found == root.end() ? root : *found;
    if (!object.is_object()) return fail(Errc::InvalidArgument, "Configuration must be an object");
    AgentConfig config;
    warn_of_unknown(
        object, "",
        {"AgentId", "TriggerdEventsInterval", "TriggeredEventsInterval", "ConnectionTimeout",
         "RemoteConfigurationObjectName", "Authentication", "Logging", "ConnectionStringFile", "CaFile",
         "ConnectHost", "Port", "StateDirectory", "User", "Collectors", "Response", "Update", "Spool"},
        config.warnings);
    FIELDWATCH_TRY(text_into(object, "AgentId", config.agent_id));
    if (!config.agent_id.empty() && !Uuid::parse(config.agent_id)) {
        return fail(Errc::InvalidArgument, "AgentId must be a GUID");
    }
    FIELDWATCH_TRY(text_into(object, "RemoteConfigurationObjectName", config.object_name));
    FIELDWATCH_TRY(text_into(object, "ConnectionStringFile", config.connection_string_file));
    FIELDWATCH_TRY(text_into(object, "CaFile", config.ca_file));
    FIELDWATCH_TRY(text_into(object, "ConnectHost", config.connect_host));
    FIELDWATCH_TRY(text_into(object, "StateDirectory", config.state_directory));
    FIELDWATCH_TRY(text_into(object, "User", config.user));
    FIELDWATCH_TRY(port_into(object, "Port", config.port));
    if (const auto collectors = object.find("Collectors"); collectors != object.end()) {
        if (!collectors->is_object()) return fail(Errc::InvalidArgument, "Collectors must be an object");
        warn_of_unknown(*collectors, "Collectors.",
                        {"Process", "ProcessExit", "Connection", "ConnectionUdp", "Logins", "Loopback",
                         "WatchedPaths", "WatchRecursive"},
                        config.warnings);
        FIELDWATCH_TRY(mode_into(*collectors, "Process", config.mode[FW_CLASS_EXEC]));
        config.mode[FW_CLASS_EXIT] = config.mode[FW_CLASS_EXEC];
        if (collectors->contains("ProcessExit")) {
            FIELDWATCH_TRY(mode_into(*collectors, "ProcessExit", config.mode[FW_CLASS_EXIT]));
        }
        FIELDWATCH_TRY(mode_into(*collectors, "Connection", config.mode[FW_CLASS_TCP]));
        config.mode[FW_CLASS_UDP] = config.mode[FW_CLASS_TCP];
        if (collectors->contains("ConnectionUdp")) {
            FIELDWATCH_TRY(mode_into(*collectors, "ConnectionUdp", config.mode[FW_CLASS_UDP]));
        }
        FIELDWATCH_TRY(boolean_into(*collectors, "Logins", config.logins));
        FIELDWATCH_TRY(boolean_into(*collectors, "Loopback", config.loopback));
        FIELDWATCH_TRY(boolean_into(*collectors, "WatchRecursive", config.watch_recursive));
        FIELDWATCH_TRY(paths_into(*collectors, "WatchedPaths", config.watched_paths));
        config.watched_paths_chosen = collectors->contains("WatchedPaths");
    }
    if (const auto response = object.find("Response"); response != object.end()) {
        if (!response->is_object()) return fail(Errc::InvalidArgument, "Response must be an object");
        warn_of_unknown(*response, "Response.", {"Allow"}, config.warnings);
        FIELDWATCH_TRY(allowed_into(*response, config.response_allowed));
    }
    if (const auto update = object.find("Update"); update != object.end())
        FIELDWATCH_TRY(read_update(*update, config));
    if (const auto spool = object.find("Spool"); spool != object.end())
        FIELDWATCH_TRY(read_spool(*spool, config));
    if (const auto authentication = object.find("Authentication"); authentication != object.end()) {
        if (!authentication->is_object())
            return fail(Errc::InvalidArgument, "Authentication must be an object");
        FIELDWATCH_TRY(read_authentication(*authentication, config));
    }
    if (config.connection_string_file.empty() && config.key_file.empty()) {
        return fail(Errc::InvalidArgument, "ConnectionStringFile or Authentication.FilePath must be given");
    }
    return config;
}

Result<AgentConfig> load_config(const std::string& path) {
    FIELDWATCH_TRY(check_permissions(path, S_IWOTH, "written by anyone"));
    const auto content = FIELDWATCH_TRY(read_file(posix_file_system(), path, kFileBytesMax));
    auto config = parse_config(as_text(content));
    if (!config) return in_context(path, config.error());
    return config;
}

Result<PublicKey> read_update_key(const std::string& path) {
    FIELDWATCH_TRY(check_permissions(path, S_IWGRP | S_IWOTH, "written by others"));
    const auto content = FIELDWATCH_TRY(read_file(posix_file_system(), path, kSecretBytesMax));
    if (as_text(content).find("PRIVATE") != std::string_view::npos)
        return fail(Errc::InvalidArgument,
                    path +
                        " holds the private key, which no device may have; give the public one, of `openssl "
                        "pkey -pubout`");
    return public_key_of(as_text(content));
}

Result<AgentIdentity> load_identity(const AgentConfig& config) {
    const bool by_string = !config.connection_string_file.empty();
    AgentIdentity identity;
    auto& names = identity.names;
    names.host_name = config.host_name;
    names.device_id = config.device_id;
    names.module_id = config.module_id;
    const auto& path = by_string ? config.connection_string_file : config.key_file;
    if (by_string) {
        auto parsed = sas::parse_connection_string(FIELDWATCH_TRY(read_secret(path)));
        if (!parsed) return in_context(path, parsed.error());
        names = std::move(*parsed);
    } else if (!config.by_certificate) {
        names.shared_access_key = FIELDWATCH_TRY(read_secret(path));
    }
    if (config.provisioning.registration_id.empty() && (names.host_name.empty() || names.device_id.empty()))
        return fail(Errc::InvalidArgument, path + ": HostName and DeviceId must be given");
    if (config.by_certificate || names.x509) {
        if (config.key_file.empty())
            return fail(Errc::InvalidArgument, "Authentication.FilePath must name the certificate");
        if (config.key_source.uri.empty()) {
            identity.certificate = FIELDWATCH_TRY(read_secret(config.key_file));
            return identity;
        }
        const auto certificate =
            FIELDWATCH_TRY(read_file(posix_file_system(), config.key_file, kSecretBytesMax));
        identity.certificate = as_text(certificate);  // nothing in it is secret
        auto source = config.key_source;
        if (!config.pin_file.empty()) source.pin = FIELDWATCH_TRY(read_secret(config.pin_file));
        identity.private_key = FIELDWATCH_TRY(net::PrivateKey::load(source));
        return identity;
    }
    if (names.shared_access_key.empty() || !from_base64(names.shared_access_key))
        return fail(Errc::InvalidArgument, path + ": the key is not base64");
    return identity;
}

std::string format_config(const AgentConfig& config) {
    json object = {{"ConnectionStringFile", config.connection_string_file},
                   {"CaFile", config.ca_file},
                   {"StateDirectory", config.state_directory},
                   {"User", config.user}};
    if (!config.agent_id.empty()) object["AgentId"] = config.agent_id;
    if (config.port != 0) object["Port"] = config.port;
    if (!config.connect_host.empty()) object["ConnectHost"] = config.connect_host;
    json authentication = json::object();
    if (config.by_certificate)
        authentication = {{"AuthenticationMethod", "Certificate"}, {"FilePath", config.key_file}};
    if (const auto& asked = config.provisioning; !asked.registration_id.empty()) {
        authentication["Identity"] = "DPS";
        auto& service = authentication["DPS"];
        service["Host"] = asked.host;
        service["IDScope"] = asked.id_scope;
        service["RegistrationId"] = asked.registration_id;
        if (asked.port != 0) service["Port"] = asked.port;
    }
    if (!authentication.empty()) object["Authentication"] = std::move(authentication);
    json collectors = {{"Logins", config.logins}, {"Loopback", config.loopback}};
    const std::pair<const char*, fw_mode> modes[] = {{"Process", config.mode[FW_CLASS_EXEC]},
                                                     {"ProcessExit", config.mode[FW_CLASS_EXIT]},
                                                     {"Connection", config.mode[FW_CLASS_TCP]},
                                                     {"ConnectionUdp", config.mode[FW_CLASS_UDP]}};
    for (const auto& [name, mode] : modes) {
        for (const auto& known : kModes) {
            if (known.mode == mode) collectors[name] = known.text;
        }
    }
    object["Collectors"] = std::move(collectors);
    return json{{"Configuration", std::move(object)}}.dump(2) + "\n";
}

}  // namespace fieldwatch::agent
