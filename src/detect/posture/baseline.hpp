// R05, the system's baseline: how many checks of the latest snapshot did not pass. spec/recommendations.md
// section 2, "Baseline counting".
#pragma once

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. A snapshot may come in several events of one id: its counts add up.
class Baseline final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 65'536;

    std::string_view section() const override { return "baseline"; }
    void observe(const model::Event& event, Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Counts {
        std::string snapshot;
        std::int64_t error = 0, informational = 0, critical = 0, warning = 0, important = 0;
    };
    BoundedTable<Counts> devices_{kDevicesMax};
};

}  // namespace fieldwatch::detect
