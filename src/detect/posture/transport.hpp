// R12 for devices: connections with weak transport security within the last 24 hours. spec/recommendations.md
// section 4; the hub's own minimum is hub_configuration's.
#pragma once

#include <set>
#include <utility>

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand. Holds devices that connected weakly.
class WeakTransport final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 65'536;
    static constexpr Ticks kRemembered = std::chrono::hours(24);

    std::string_view section() const override { return "transport"; }
    void observe(const model::Event& event, Context& context) override;
    void advance(Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Weak {
        std::string hub, device;
        Timestamp time;
        model::LogPosition evidence;
    };
    BoundedTable<Weak> devices_{kDevicesMax};
    std::set<std::pair<std::int64_t, std::string>> due_;  // by time of the connection, then key
};

/// Below 1.2, in any spelling (`TLSv1.1`, `1.0`, `SSLv3`); false for what is no version.
bool is_weak_tls_version(std::string_view version);
/// NULL, EXPORT, anonymous, RC4, DES or 3DES, MD5, static-RSA key exchange, CBC with SHA-1; names of the
/// registry or of OpenSSL.
bool is_weak_cipher_suite(std::string_view suite);

}  // namespace fieldwatch::detect
