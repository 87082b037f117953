// A37 to A39, changes of local accounts: consecutive snapshots of one device, compared as sets.
// spec/alerts.md section 7.3. What a command line says of accounts is the rules'.
#pragma once

#include <map>
#include <set>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand.
class LocalUsers final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 20'000;  ///< some kilobytes each
    static constexpr std::size_t kUsersMax = 1'024, kGroupsMax = 256;

    std::string_view section() const override { return "local-users"; }
    void observe(const model::Event& event, Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct User {
        std::string id;
        std::set<std::string> groups;
    };
    using Users = std::map<std::string, User>;
    struct Snapshot {
        std::string event_id;
        Users now;
    };
    static void compare(const Users& before, const Users& now, const model::Event& event, Context& context);

    BoundedTable<Snapshot> devices_{kDevicesMax};
};

}  // namespace fieldwatch::detect
