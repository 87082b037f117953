// The agent's local configuration: one JSON file, a superset of the reference agent's (spec/agent.md
// section 2.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/hub_link.hpp"
#include "base/result.hpp"
#include "base/signature.hpp"
#include "net/private_key.hpp"

namespace fieldwatch::agent {

/// Who says which hub this device belongs to, and under which name.
struct ProvisioningService {
    std::string host;
    std::uint16_t port = 0;  ///< 0 = 8883
    std::string id_scope;
    std::string registration_id;  ///< "" = there is none
};

struct AgentConfig {
    std::string agent_id;  ///< "" = made at first start and kept in the state directory
    std::string object_name = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";
    std::string connection_string_file;
    std::string key_file, device_id, module_id = "azureiotsecurity",
                                     host_name;  ///< the other way to name an identity
    bool by_certificate = false;                 ///< FilePath is a certificate with its private key, PEM
    net::PrivateKeySource key_source;            ///< or the key lies elsewhere; its PIN is not in here
    std::string pin_file;                        ///< of that
    ProvisioningService provisioning;            ///< Identity is DPS: a service says which hub it is
    std::string connect_host;                    ///< "" = HostName
    std::uint16_t port = 0;                      ///< 0 = the one HostName names, else 8883
    std::string ca_file;
    std::string ca_pem;  ///< its content, read before the privileges go; not in the file
    std::string state_directory = "/var/lib/fieldwatch-agent";
    std::string user = "fieldwatch-agent";  ///< whom the sender becomes; "nobody" if there is no such account
    fw_mode mode[FW_CLASS_COUNT] = {};      ///< FW_MODE_NONE: the best that works
    bool loopback = false;
    bool logins = true;
    std::vector<std::string> watched_paths = {"/etc",           "/usr/bin",        "/usr/sbin",
                                              "/usr/local/bin", "/usr/local/sbin", "/lib/systemd/system",
                                              "/var/spool/cron"};
    bool watched_paths_chosen = false;  ///< the file names them; else they are the ones above
    bool watch_recursive = true;
    std::uint32_t response_allowed =
        0;  ///< enum Allowed: what the hub may have done here, if the twin says so too
    std::uint64_t flash_bytes_per_day = 64ULL << 20;  ///< that what is kept on disk may cost
    std::string runtime_directory;  ///< what changes often lies there, in memory; the service manager's, not
                                    ///< the file's
    struct Update {
        std::string key_file;  ///< whose signature an update needs; "" = there are none
        std::string ca_file;   ///< of the servers that have them; "" = the hub's
        std::string slots_directory = "/var/lib/fieldwatch-agent-update";  ///< root's alone
        int trial_seconds = 300;
        std::optional<PublicKey> key;  ///< read_update_key()'s, while we are root; not in the file
        std::string ca_pem;            ///< idem
    } update;
    std::vector<std::string> warnings;  ///< unknown keys and the like
};

/// Errors name the key: Malformed, InvalidArgument, NotFound; Forbidden when the file may be written by
/// anyone, or a key file read by others.
Result<AgentConfig> load_config(const std::string& path);
Result<AgentConfig> parse_config(std::string_view json);
/// The text of a file that others may not read, without the white space at its end. Errors: Forbidden,
/// NotFound, TooLarge.
Result<std::string> read_secret(const std::string& path);

/// Errors: NotFound, InvalidArgument; Forbidden when others than the owner may write it.
Result<PublicKey> read_update_key(const std::string& path);

struct AgentIdentity {
    sas::ConnectionString names;  ///< its host "" = a provisioning service has to be asked
    std::string certificate;      ///< PEM with its private key; "" = the key of `names` is the credential
    std::optional<net::PrivateKey> private_key;  ///< the certificate's, where a token holds it
};
/// Reads connection string, key or certificate; checks that they are there and whole.
Result<AgentIdentity> load_identity(const AgentConfig& config);

/// Text of a configuration file for `provision`.
std::string format_config(const AgentConfig& config);

}  // namespace fieldwatch::agent
