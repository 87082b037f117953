// A22, local reconnaissance: several different looks round within a minute, or chained in one line.
// spec/alerts.md section 7.2.
#pragma once

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. State is one short list a (device, user).
class Reconnaissance final : public Detector {
  public:
    static constexpr std::size_t kUsersMax = 20'000;
    static constexpr std::size_t kLooksMax = 128;  ///< more than there are commands to look with

    std::string_view section() const override { return "reconnaissance"; }
    bool concerns(CommandLine& command) const override;
    void observe_command(const model::Event& event, const model::Item& item,
                         const model::ProcessCreate& process, CommandLine& command,
                         Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Look {
        std::string what;
        Timestamp time;
        model::LogPosition position;
    };
    struct User {
        std::vector<Look> looks;  ///< the newest of each kind, by time
    };
    BoundedTable<User> users_{kUsersMax};
};

}  // namespace fieldwatch::detect
