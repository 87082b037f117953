// What an agent says of its configuration: A21 it cannot be parsed, R07 it is not optimal, R08 it contradicts
// itself. spec/alerts.md section 7.2, spec/recommendations.md section 3.
#pragma once

#include <map>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand.
class AgentConfiguration final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 65'536;
    static constexpr std::size_t kErrorsMax = 64;  ///< of one device; the twin has some thirty properties
    static constexpr std::size_t kPropertiesMax = 256;

    std::string_view section() const override { return "agent-configuration"; }
    void observe(const model::Event& event, Context& context) override;
    void twin(const TwinDocument& twin, const model::RegistryChange& change, Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Error {
        std::string name, type, used, message;
        Timestamp time;
        model::LogPosition position;
    };
    struct Errors {
        std::string hub, device;
        std::vector<Error> list;  ///< one a (name, type), by name
    };
    /// Hashes of the configuration object's properties, by hash of the name.
    struct Twin {
        std::map<std::uint64_t, std::uint64_t> desired, reported;
        bool agrees() const;
    };
    void assess(Errors& errors, Timestamp time, const std::vector<model::LogPosition>& evidence,
                Context& context);
    void clear(const std::string& key, Timestamp time, const model::LogPosition& evidence, Context& context);

    BoundedTable<Errors> errors_{kDevicesMax};
    BoundedTable<Twin> twins_{kDevicesMax};
};

}  // namespace fieldwatch::detect
