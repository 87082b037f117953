// Device provisioning: a device that knows one address and one secret is given its hub and its identity
// there. Source: spec/iot-hub-protocols.md section 9.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.hpp"
#include "hub/authentication.hpp"
#include "hub/operation.hpp"
#include "hub/provisioning/documents.hpp"
#include "hub/provisioning/enrollment.hpp"
#include "net/mailbox.hpp"
#include "net/tls_context.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// Who asks, and how it shows that it may.
struct Applicant {
    std::string scope, registration_id;  ///< as it says
    std::optional<std::string> token;
    std::optional<net::PeerCertificate> certificate;
    Speaker by{};  ///< how it came, for the log; the identity is not known yet
};

/// An answer of the provisioning service, whatever carries it.
struct ProvisioningAnswer {
    int status = 200;
    int retry_after = 0;  ///< seconds; 0 = none
    std::string body;     ///< JSON
};

struct ProvisioningParts {
    registry::Registry& registry;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    /// The host name that devices of a hub connect to.
    std::function<std::string(const registry::Hub&)> host_of;
    /// The operation log of the hub that the speaker's identity names.
    std::function<void(const Operation&, const Speaker&)> log = [](const Operation&, const Speaker&) {};
    /// Who proves nothing: counted against its address, and told to the hub it would have been given.
    std::function<void(const Refusal&, const Applicant&)> refused = [](const Refusal&, const Applicant&) {};
};

/// Any thread; every call blocks on the registry, and answers when what it did is durable.
class Provisioning {
  public:
    explicit Provisioning(ProvisioningParts parts);

    /// `0ne` and eight digits; made at the first call.
    Result<std::string> id_scope();
    /// The service policy's keys, likewise. Its name is provisioningserviceowner.
    Result<registry::Keys> service_keys();
    static constexpr std::string_view kPolicy = "provisioningserviceowner";

    /// Whether the applicant may connect: 0, or 401 or 404.
    int admit(const Applicant& applicant);
    /// Assigns, and answers 202 with an operation to ask for: clients poll (section 9 step 3).
    ProvisioningAnswer register_device(const Applicant& applicant, std::string_view body);
    ProvisioningAnswer operation_status(const Applicant& applicant, std::string_view operation_id);

    // The service API's view. Errors: NotFound, Conflict (`if_match`), InvalidArgument, Unsupported.
    Result<Enrollment> enrollment(bool is_group, std::string_view id);
    Result<Enrollment> put_enrollment(Enrollment enrollment, std::optional<std::uint64_t> if_match);
    Result<void> remove_enrollment(bool is_group, std::string_view id, std::optional<std::uint64_t> if_match);
    Result<std::vector<Enrollment>> enrollments(bool is_group, const registry::ListOptions& options);
    /// The registration state as JSON.
    Result<nlohmann::json> registration(std::string_view id);
    Result<std::vector<nlohmann::json>> registrations_of(std::string_view group_id, std::size_t count_max);
    Result<void> remove_registration(std::string_view id, std::optional<std::uint64_t> if_match);

    ProvisioningAnswer error(int status, int code, std::string_view message);
    Random& random() { return parts_.random; }
    const Clock& clock() const { return parts_.clock; }

  private:
    struct Proof {
        registry::Keys device_keys;  ///< of symmetric attestation
        std::string authority_pem;   ///< of the group's certificates, the one that the chain leads to
    };
    struct Match {
        Enrollment enrollment;
        std::string registration_id;
        std::string device_id;  ///< of a group's certificate: as that spells it, and the hub compares
        Proof proof;
    };
    struct Failure {
        int status = 401, code = 401002;
        std::string_view message;
    };
    struct Assigned {
        registry::Hub hub;
        std::string device_id, substatus;
    };

    std::expected<Match, Failure> match(const Applicant& applicant);
    bool proves(const Applicant& applicant, const Enrollment& enrollment, Proof& proof) const;
    Result<Assigned> assign(const Match& match, const Speaker& by);
    /// The operation that it took: "create", "update", or "" when the identity stood as it should.
    Result<std::string_view> write_identity(const Match& match, const model::Identity& identity);
    /// Kept at the hub once, so that devices of a group need not have their authority registered there too.
    Result<std::string> keep_authority(const model::HubName& hub, const std::string& authority_pem);
    /// The hub whose log tells of an attempt: the one that the enrollment, or no enrollment, would give.
    model::HubName hub_for(const Enrollment& enrollment, std::string_view registration_id);
    /// `by` in the log of that hub, which may keep no full addresses; nor does one that cannot be read.
    Speaker speaker_at(const model::HubName& hub, const Speaker& by);
    void log_registration(const Match& match, const RegistrationRecord& record, const Speaker& by);
    Result<std::string> substatus_of_move(const Match& match, const model::Identity& from,
                                          const model::Identity& to, bool again);
    Result<std::vector<registry::Hub>> hubs_of(const Enrollment& enrollment);
    Result<void> start_twin(const Enrollment& enrollment, const model::Identity& identity);

    ProvisioningParts parts_;
    Counter& assigned_;
    Counter& refused_;
    net::Guarded<std::pair<std::uint64_t, std::vector<Enrollment>>> groups_;  ///< as of a change count
    Result<std::vector<Enrollment>> groups();
};

}  // namespace fieldwatch::hub
