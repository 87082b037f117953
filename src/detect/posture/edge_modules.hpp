// R10, R11, R16, R18: what the twin of a gateway's $edgeAgent says of its modules. spec/recommendations.md
// section 4.
#pragma once

#include <array>
#include <map>
#include <set>

#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One module of a gateway as its deployment wants it.
struct EdgeModule {
    static constexpr std::array<std::string_view, 5> kSettings = {"image", "createOptions", "env",
                                                                  "restartPolicy", "status"};
    std::string name;
    bool is_system = false;
    std::vector<std::string> privileges;         ///< R10: `Privileged`, `CapAdd:SYS_ADMIN`, …
    bool logs_nothing = false;                   ///< R18
    std::array<std::uint64_t, 5> settings = {};  ///< hashes of the canonical settings, in kSettings' order
};
struct EdgeRegistry {
    std::string name, address, user_name;
};
struct EdgeDeployment {
    std::vector<EdgeModule> modules;
    std::vector<EdgeRegistry> registries;
    std::map<std::string, bool> protocol_heads;  ///< of edgeHub: Amqp, Mqtt, Http; absent = no edgeHub
};
/// At most 200 modules; what is no deployment has none.
EdgeDeployment read_deployment(const nlohmann::json& desired);

/// One strand.
class EdgeModules final : public Detector {
  public:
    static constexpr std::size_t kGatewaysMax = 100'000;  ///< past it new ones are not compared, and counted

    std::string_view section() const override { return "edge-modules"; }
    void twin(const TwinDocument& twin, const model::RegistryChange& change, Context& context) override;
    void identity(const IdentityDocument& identity, const model::RegistryChange& change,
                  Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    using Settings = std::array<std::uint64_t, 5>;
    using Key = std::pair<std::string, std::string>;  // hub, device
    struct Gateway {
        std::string group;  ///< empty: no tag
        std::map<std::string, Settings> modules;
        model::LogPosition evidence;
        Timestamp time;
    };
    static void assess_device(const EdgeDeployment& deployment, std::string_view device,
                              const model::RegistryChange& change, Context& context);
    void compare(const std::string& hub, const std::string& group, Context& context);
    void regroup(const Key& key, Gateway& gateway, std::string group);
    Gateway* gateway_of(const Key& key);

    std::map<Key, Gateway> gateways_;
    std::map<Key, std::set<std::string>> groups_;  // (hub, group) to devices
    std::set<Key> dirty_;                          // (hub, group) that must be compared again
    std::uint64_t refused_ = 0;
};

}  // namespace fieldwatch::detect
