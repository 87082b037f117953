// R09, shared credentials: which identities of a hub authenticate with the same key or certificate.
// spec/recommendations.md section 4. Judged by the hub's home shard, which alone sees all identities.
#pragma once

#include <map>
#include <set>

#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. Past kIdentitiesMax further identities are not compared, and counted: forgetting old ones
/// would resolve what still holds.
class SharedCredentials final : public Detector {
  public:
    static constexpr std::size_t kIdentitiesMax = 200'000;
    static constexpr std::size_t kMembersShown = 100;  ///< devices named in the evidence

    std::string_view section() const override { return "shared-credentials"; }
    void observe(const model::Event& event, Context& context) override;
    void identity(const IdentityDocument& identity, const model::RegistryChange& change,
                  Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Key {
        std::string hub, device, module;
        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Identity {
        std::set<Credential> credentials;
        model::LogPosition evidence;
    };
    using Group = std::pair<std::string, Credential>;  // hub, what its members share

    void set(const Key& key, std::set<Credential> credentials, const model::LogPosition& evidence,
             Timestamp time, Context& context);
    void drop(const Key& key, std::set<Group>& touched);
    void assess(std::string_view hub, const std::string& device, const model::LogPosition& evidence,
                Timestamp time, Context& context) const;

    std::map<Key, Identity> identities_;
    std::map<Group, std::set<Key>> groups_;
    std::uint64_t refused_ = 0;
};

}  // namespace fieldwatch::detect
