#include "hub/provisioning/provisioning.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/metrics.hpp"
#include "hub/provisioning/documents.hpp"
#include "hub/provisioning/http_api.hpp"
#include "net/certificate_authority.hpp"
#include "net/certificate_chain.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {
namespace {

using Json = nlohmann::json;

TEST(Enrollment, SaysWhatIsWrong) {
    const auto error = [](std::string_view text, bool is_group = false) {
        SeededRandom random(1);
        const auto enrollment = parse_enrollment(text, is_group, random);
        return enrollment ? std::string() : enrollment.error().message;
    };
    EXPECT_NE(error("[]"), "");
    EXPECT_NE(error(R"({"registrationId":"a b","attestation":{"type":"symmetricKey"}})"), "");
    EXPECT_NE(error(R"({"registrationId":"a"})"), "");
    EXPECT_EQ(error(R"({"registrationId":"a","attestation":{"type":"symmetricKey"}})"), "");
    EXPECT_NE(error(R"({"registrationId":"a","attestation":{"type":"symmetricKey"}})", true), "");
    EXPECT_NE(error(R"({"registrationId":"a","attestation":{"type":"tpm"}})"), "");
    // All devices of a group would be one, each locking out the one before.
    EXPECT_NE(
        error(R"({"enrollmentGroupId":"a","deviceId":"same","attestation":{"type":"symmetricKey"}})", true),
        "");
    EXPECT_NE(
        error(
            R"({"registrationId":"a","attestation":{"type":"symmetricKey","symmetricKey":{"primaryKey":"eA=="}}})"),
        "");
    EXPECT_NE(
        error(
            R"({"registrationId":"a","attestation":{"type":"x509","x509":{"clientCertificates":{"primary":{"certificate":"AAAA"}}}}})"),
        "");
    EXPECT_NE(
        error(
            R"({"registrationId":"a","attestation":{"type":"symmetricKey"},"allocationPolicy":"geoLatency"})"),
        "");
}

TEST(Enrollment, DerivesADevicesKeyAsThePublicServiceDoes) {
    // HMAC-SHA256 of "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6" under the key of the service's own documentation.
    const auto key = derive_device_key(
        "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==",
        "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6");
    ASSERT_TRUE(key);
    EXPECT_EQ(*key, "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=");
    EXPECT_FALSE(derive_device_key("not base64!", "a"));
}

RC_GTEST_PROP(Allocation, AHubMoreMovesDevicesToThatHubOnly, (const std::string& id)) {
    const std::vector<std::string> three{"east", "north", "west"};
    const std::vector<std::string> four{"east", "north", "south", "west"};
    const auto before = allocate(Enrollment::Allocation::Hashed, id, three);
    const auto after = allocate(Enrollment::Allocation::Hashed, id, four);
    RC_ASSERT(after == before || after == "south");
    const std::vector<std::string> turned{"west", "east", "north"};
    RC_ASSERT(allocate(Enrollment::Allocation::Hashed, id, turned) == before);
    RC_ASSERT(allocate(Enrollment::Allocation::Static, id, turned) == "west");
}

class ProvisioningTest : public ::testing::Test {
  protected:
    ProvisioningTest()
        : directory_(std::filesystem::temp_directory_path() /
                     ("provisioning_test." + std::to_string(system_random().next()))) {
        std::filesystem::create_directories(directory_);
        registry_ = *registry::open((directory_ / "registry.db").string(), clock_, system_random());
        EXPECT_TRUE(registry_->create_hub({.name = {"home"}}));
        provisioning_ = std::make_unique<Provisioning>(ProvisioningParts{
            .registry = *registry_,
            .clock = clock_,
            .random = system_random(),
            .metrics = metrics_,
            .host_of = [](const registry::Hub& hub) { return hub.name.value + ".example"; },
            .log =
                [this](const Operation& operation, const Speaker& by) {
                    logged_.push_back(std::string(operation.category) + "/" + std::string(operation.name) +
                                      " " + by.identity.hub.value + "/" + by.identity.device.value +
                                      (operation.result == 0 ? "" : " " + std::to_string(operation.result)) +
                                      (by.mask_address ? " masked" : ""));
                },
            .refused =
                [this](const Refusal& refusal, const Applicant& applicant) {
                    logged_.push_back("refused " + refusal.hub.value + "/" + applicant.registration_id +
                                      (refusal.mask_addresses ? " masked" : ""));
                }});
    }
    ~ProvisioningTest() override {
        provisioning_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }

    Enrollment enroll(const std::string& json, bool is_group = false) {
        auto enrollment = parse_enrollment(json, is_group, system_random());
        EXPECT_TRUE(enrollment) << enrollment.error().message;
        return *provisioning_->put_enrollment(*enrollment, std::nullopt);
    }
    Applicant applicant(const std::string& id, const std::string& key, std::int64_t lifetime = 3'600) {
        const auto scope = *provisioning_->id_scope();
        return {.scope = scope,
                .registration_id = id,
                .token = *sas::make_token({.resource = scope + "/registrations/" + id,
                                           .key_base64 = key,
                                           .expiry = clock_.now() + std::chrono::seconds(lifetime)})};
    }
    Json state_of(const Applicant& applicant) {
        const auto begun = provisioning_->register_device(applicant, "{}");
        EXPECT_EQ(begun.status, 202) << begun.body;
        EXPECT_GT(begun.retry_after, 0);
        const auto operation = Json::parse(begun.body)["operationId"].get<std::string>();
        const auto done = provisioning_->operation_status(applicant, operation);
        EXPECT_EQ(done.status, 200) << done.body;
        return Json::parse(done.body);
    }
    net::HttpResponse ask(std::string method, const std::string& target, std::string body = {},
                          const std::string& token = {}) {
        net::HttpRequest request{.method = std::move(method), .target = target, .body = std::move(body)};
        EXPECT_TRUE(net::read_target(request));
        if (!token.empty()) request.headers.emplace_back("authorization", token);
        return answer_provisioning(*provisioning_, request, std::nullopt, {});
    }
    std::string service_token() {
        return *sas::make_token({.resource = "anyhost",
                                 .key_base64 = provisioning_->service_keys()->primary,
                                 .expiry = clock_.now() + std::chrono::seconds(60),
                                 .policy = Provisioning::kPolicy});
    }

    ManualClock clock_{Timestamp::from_unix_seconds(1'800'000'000)};
    Metrics metrics_;
    std::filesystem::path directory_;
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<Provisioning> provisioning_;
    std::vector<std::string> logged_;
};

constexpr auto kPress = R"({"registrationId":"press-1","attestation":{"type":"symmetricKey"}})";

TEST_F(ProvisioningTest, GivesADeviceItsHubAndTheSameKeyThere) {
    const auto enrollment = enroll(kPress);
    const auto state = state_of(applicant("press-1", enrollment.keys.secondary));
    EXPECT_EQ(state["status"], "assigned");
    EXPECT_EQ(state["registrationState"]["assignedHub"], "home.example");
    EXPECT_EQ(state["registrationState"]["deviceId"], "press-1");
    EXPECT_TRUE(state["registrationState"]["payload"].is_null());
    const auto entry = registry_->get({{"home"}, {"press-1"}, {}});
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->keys.primary, enrollment.keys.primary);
}

TEST_F(ProvisioningTest, RefusesWhoProvesNothing) {
    const auto enrollment = enroll(kPress);
    EXPECT_EQ(provisioning_->admit(applicant("press-1", enrollment.keys.primary)), 0);
    EXPECT_EQ(provisioning_->admit(applicant("press-1", base64(as_bytes(std::string(32, 'x'))))), 401);
    EXPECT_EQ(provisioning_->admit(applicant("press-1", enrollment.keys.primary, -3'600)), 401);
    EXPECT_EQ(provisioning_->admit(applicant("other", enrollment.keys.primary)), 401);
    auto elsewhere = applicant("press-1", enrollment.keys.primary);
    elsewhere.scope = "0ne00000000";
    EXPECT_EQ(provisioning_->admit(elsewhere), 404);
    auto renamed = applicant("press-1", enrollment.keys.primary);
    renamed.registration_id = "press-2";  // the token is for another
    EXPECT_EQ(provisioning_->admit(renamed), 401);
    EXPECT_EQ(provisioning_->operation_status(applicant("press-1", enrollment.keys.primary), "5.x").status,
              404);
}

TEST_F(ProvisioningTest, EveryRegistrationIsInTheLogOfTheHubThatIsGiven) {
    const auto enrollment = enroll(kPress);
    state_of(applicant("press-1", enrollment.keys.primary));
    state_of(applicant("press-1", enrollment.keys.primary));
    provisioning_->admit(applicant("other", enrollment.keys.primary));
    const auto own = enroll(
        R"({"registrationId":"off","provisioningStatus":"disabled","attestation":{"type":"symmetricKey"}})");
    state_of(applicant("off", own.keys.primary));
    EXPECT_EQ(logged_, (std::vector<std::string>{
                           "DeviceIdentityOperations/create home/press-1",
                           "DeviceOperations/register home/press-1", "DeviceOperations/register home/press-1",
                           "refused home/other", "DeviceOperations/register home/off 403012"}));
}

TEST_F(ProvisioningTest, AHubThatMasksAddressesDoesSoForWhoIsProvisionedToo) {
    auto hub = *registry_->hub({"home"});
    hub.mask_addresses = true;
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    const auto enrollment = enroll(R"({"registrationId":"cam1","attestation":{"type":"symmetricKey"}})");
    state_of(applicant("cam1", enrollment.keys.primary));
    EXPECT_NE(provisioning_->admit(applicant("cam1", "b3RoZXI=")), 0);
    EXPECT_EQ(logged_, (std::vector<std::string>{"DeviceIdentityOperations/create home/cam1 masked",
                                                 "DeviceOperations/register home/cam1 masked",
                                                 "refused home/cam1 masked"}));
}

TEST_F(ProvisioningTest, TheGroupsAuthoritySufficesAtTheHubForWhoProvisioningLetIn) {
    const auto made =
        net::open_certificates({.directory = directory_.string()}, posix_file_system(), system_clock());
    ASSERT_TRUE(made) << made.error().message;
    clock_.set(system_clock().now());
    const Json group{{"enrollmentGroupId", "plant"},
                     {"attestation",
                      {{"type", "x509"},
                       {"x509", {{"signingCertificates", {{"primary", {{"certificate", made->ca_pem}}}}}}}}}};
    enroll(group.dump(), true);
    const auto leaf = *net::read_certificate(made->chain_pem);
    const net::PeerCertificate certificate{.der = leaf.der,
                                           .not_before = leaf.not_before,
                                           .not_after = leaf.not_after,
                                           .common_name = leaf.common_name,
                                           .chain = {}};
    const Applicant device{
        .scope = *provisioning_->id_scope(), .registration_id = leaf.common_name, .certificate = certificate};
    const auto state = state_of(device);
    ASSERT_EQ(state["status"], "assigned") << state;
    const auto id = state["registrationState"]["deviceId"].get<std::string>();
    EXPECT_EQ(registry_->get({{"home"}, {id}, {}})->auth, registry::AuthType::X509Ca);

    HubCache hubs(*registry_);
    const auto connect = [&](const std::string& name) {
        auto peer = certificate;
        peer.common_name = name;
        const auto admission = authenticate({.host = "home.example", .device = name, .certificate = peer},
                                            hubs, *registry_, clock_, {});
        return admission ? std::string() : std::string(admission.error().description);
    };
    EXPECT_EQ(connect(id), "");
    // The same authority lets in nobody whom provisioning did not register.
    ASSERT_TRUE(
        registry_->create({.identity = {{"home"}, {"by-hand"}, {}}, .auth = registry::AuthType::X509Ca}));
    EXPECT_NE(connect("by-hand"), "");
    state_of(device);
    EXPECT_EQ(registry_->get({{"home"}, {id}, {}})->etag, 1u) << "nothing changed: nothing was written";
}

TEST_F(ProvisioningTest, AnIndividualEnrollmentBeatsItsGroupAndADisabledOneBlocks) {
    const auto group = enroll(R"({"enrollmentGroupId":"line","attestation":{"type":"symmetricKey"}})", true);
    const auto derived = applicant("valve-1", *derive_device_key(group.keys.primary, "valve-1"));
    EXPECT_EQ(state_of(derived)["registrationState"]["symmetricKey"]["enrollmentGroupId"], "line");
    const auto own = enroll(
        R"({"registrationId":"valve-1","provisioningStatus":"disabled","attestation":{"type":"symmetricKey"}})");
    EXPECT_EQ(provisioning_->admit(derived), 401);
    EXPECT_EQ(state_of(applicant("valve-1", own.keys.primary))["status"], "disabled");
}

TEST_F(ProvisioningTest, SaysWhenNoneOfTheHubsIsThere) {
    const auto enrollment =
        enroll(R"({"registrationId":"a","attestation":{"type":"symmetricKey"},"iotHubs":["nowhere"]})");
    const auto state = state_of(applicant("a", enrollment.keys.primary));
    EXPECT_EQ(state["status"], "failed");
    EXPECT_NE(state["registrationState"]["errorCode"], 0);
}

TEST_F(ProvisioningTest, TheServiceApiNeedsItsPolicysTokenAndHonoursEtags) {
    constexpr auto kVersion = "?api-version=2021-10-01";
    const std::string target = std::string("/enrollments/press-1") + kVersion;
    EXPECT_EQ(ask("PUT", target, kPress).status, 401);
    EXPECT_EQ(ask("GET", "/enrollments/press-1", {}, service_token()).status, 400);  // no api-version
    const auto made = ask("PUT", target, kPress, service_token());
    ASSERT_EQ(made.status, 200) << made.body;
    const auto key = Json::parse(made.body)["attestation"]["symmetricKey"]["primaryKey"];
    // An update that names no keys keeps them.
    const auto again = ask("PUT", target, kPress, service_token());
    EXPECT_EQ(Json::parse(again.body)["attestation"]["symmetricKey"]["primaryKey"], key);
    net::HttpRequest stale{.method = "PUT", .target = target, .body = kPress};
    ASSERT_TRUE(net::read_target(stale));
    stale.headers = {{"authorization", service_token()}, {"if-match", "\"1\""}};
    EXPECT_EQ(answer_provisioning(*provisioning_, stale, std::nullopt, {}).status, 412);
    const auto page = ask("POST", std::string("/enrollments/query") + kVersion, "{}", service_token());
    EXPECT_EQ(Json::parse(page.body).size(), 1u);
    EXPECT_EQ(ask("DELETE", target, {}, service_token()).status, 204);
    EXPECT_EQ(ask("GET", target, {}, service_token()).status, 404);
}

TEST_F(ProvisioningTest, BulkAppliesWhatItCanAndNamesTheRest) {
    const auto answer = ask("POST", "/enrollments?api-version=2021-10-01",
                            R"({"mode":"create","enrollments":[
        {"registrationId":"a","attestation":{"type":"symmetricKey"}},{"registrationId":"b"}]})",
                            service_token());
    ASSERT_EQ(answer.status, 200);
    const auto json = Json::parse(answer.body);
    EXPECT_EQ(json["isSuccessful"], false);
    ASSERT_EQ(json["errors"].size(), 1u);
    EXPECT_EQ(json["errors"][0]["registrationId"], "b");
    EXPECT_TRUE(provisioning_->enrollment(false, "a"));
}

}  // namespace
}  // namespace fieldwatch::hub
