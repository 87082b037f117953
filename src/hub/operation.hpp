// The operation log: every operation of a device is a record of its own in the device's partition, in the
// envelope of spec/hub-signals.md section 1. Detection and the workspace read it like any other source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "journal/journal.hpp"
#include "model/ids.hpp"

namespace fieldwatch::hub {

/// The category of what devices send. Source: spec/hub-signals.md.
inline constexpr std::string_view kTelemetry = "DeviceTelemetry";

struct Operation {
    std::string_view category, name;
    int result = 0;  ///< six-digit code of spec/iot-hub-protocols.md section 8; 0 = fine
    std::string_view description;
    std::int64_t duration_ms = 0;
    std::vector<std::pair<std::string_view, std::string>> properties;  ///< beyond the speaker's
    std::vector<std::pair<std::string_view, std::int64_t>> counts;
};

/// Successful ingress of one minute, as one record.
Operation ingress_operation(bool security, std::int64_t messages, std::int64_t bytes,
                            std::uint32_t partition);

/// What a device's certificate says, as the log tells it; empty where there was none.
struct ShownCertificate {
    std::string thumbprint;            ///< SHA-256
    std::string not_after;             ///< ISO 8601
    std::string key, signature, flaw;  ///< as net::CertificateStrength
};

/// Who did it, as the log tells it. One a connection.
struct Speaker {
    model::Identity identity;
    std::string protocol = "Mqtt";
    std::string auth_type;  ///< JSON text of section 2.3
    std::string sdk_version;
    std::string address;        ///< full
    bool mask_address = false;  ///< the hub keeps no full addresses
    std::string tls_version, tls_cipher, sas_expiry;
    ShownCertificate certificate;
    std::string policy;  ///< of a service
};

/// `203.0.113.XXX`; an IPv6 address without its last 64 bits.
std::string masked(std::string_view address);

/// The record's JSON body.
std::string to_json(const Operation& operation, const Speaker& speaker, Timestamp time);

/// Appends operations; any thread. What the journal refuses is counted, not waited for: a device must not be
/// able to stall others by failing.
class OperationLog {
  public:
    OperationLog(journal::Writer& journal, std::uint32_t partition_count, const Clock& clock,
                 Metrics& metrics);
    void append(const Operation& operation, const Speaker& speaker) const;

  private:
    journal::Writer& journal_;
    std::uint32_t partition_count_;
    const Clock& clock_;
    Counter& lost_;
};

}  // namespace fieldwatch::hub
