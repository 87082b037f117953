// fieldwatch enrollment: which devices may provision themselves, and to which hub.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/bytes.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kCertificateBytesMax = 64u << 10;

struct EnrollmentOptions {
    std::string id, device_id, primary_key, secondary_key, certificate, second_certificate;
    std::string allocation = "hashed", reprovision = "migrate", twin_file, status = "enabled";
    std::vector<std::string> hubs;
    bool group = false, edge = false;
};

std::string target(const EnrollmentOptions& options, std::string_view suffix = {}) {
    return fmt::format("/api/v1/provisioning/{}{}", options.group ? "enrollmentGroups" : "enrollments",
                       suffix);
}
std::string target_of_one(const EnrollmentOptions& options) {
    return target(options, "/" + percent_encode(options.id));
}

Result<std::string> text_of_file(const std::string& path) {
    return std::string(as_text(FIELDWATCH_TRY(read_file(posix_file_system(), path, kCertificateBytesMax))));
}

Result<Json> document(const EnrollmentOptions& options) {
    Json out{{options.group ? "enrollmentGroupId" : "registrationId", options.id},
             {"allocationPolicy", options.allocation},
             {"provisioningStatus", options.status},
             {"capabilities", {{"iotEdge", options.edge}}},
             {"reprovisionPolicy",
              {{"updateHubAssignment", options.reprovision != "never"},
               {"migrateDeviceData", options.reprovision != "reset"}}}};
    if (!options.device_id.empty()) out["deviceId"] = options.device_id;
    if (!options.hubs.empty()) out["iotHubs"] = options.hubs;
    if (options.certificate.empty()) {
        out["attestation"] = {
            {"type", "symmetricKey"},
            {"symmetricKey", {{"primaryKey", options.primary_key}, {"secondaryKey", options.secondary_key}}}};
    } else {
        Json certificates{{"primary", {{"certificate", FIELDWATCH_TRY(text_of_file(options.certificate))}}}};
        if (!options.second_certificate.empty()) {
            certificates["secondary"] = {
                {"certificate", FIELDWATCH_TRY(text_of_file(options.second_certificate))}};
        }
        const char* const place = options.group ? "signingCertificates" : "clientCertificates";
        out["attestation"] = {{"type", "x509"}, {"x509", {{place, std::move(certificates)}}}};
    }
    if (!options.twin_file.empty()) {
        auto twin = Json::parse(FIELDWATCH_TRY(text_of_file(options.twin_file)), nullptr, false);
        if (!twin.is_object()) return fail(Errc::Malformed, options.twin_file + ": not a JSON object");
        out["initialTwin"] = std::move(twin);
    }
    return out;
}

std::string id_of(const Json& one) {
    return one.contains("enrollmentGroupId") ? one.value("enrollmentGroupId", "")
                                             : one.value("registrationId", "");
}

void print_enrollments(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    TextTable table({"ENROLLMENT", "STATUS", "ATTESTATION", "ALLOCATION", "HUBS"});
    const auto add = [&](const Json& one) {
        std::string hubs;
        for (const auto& hub : one.value("iotHubs", Json::array()))
            hubs += (hubs.empty() ? "" : ", ") + printable(hub.get<std::string>());
        table.add({printable(id_of(one)), one.value("provisioningStatus", ""),
                   one["attestation"].value("type", ""), one.value("allocationPolicy", ""),
                   hubs.empty() ? "all" : hubs});
    };
    if (answer.is_array()) {
        for (const auto& one : answer)
            add(one);
    } else {
        add(answer);
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

void add_target_options(CLI::App& command, EnrollmentOptions& options, Session& session, bool needs_id) {
    if (needs_id)
        command.add_option("ID", options.id, "The registration id, or the group's name")->required();
    command.add_flag("--group", options.group, "A group of devices instead of one");
    add_session_options(command, session);
}

void add_create(CLI::App& enrollments, Session& session, const std::shared_ptr<EnrollmentOptions>& options) {
    auto* const create = enrollments.add_subcommand(
        "create", "Let a device, or a group, provision itself; replaces what is there");
    add_target_options(*create, *options, session, true);
    create->add_option("--device-id", options->device_id, "The device's id at its hub, when it is another");
    create->add_option("--primary-key", options->primary_key, "Base64; both keys are made when left out");
    create->add_option("--secondary-key", options->secondary_key, "Base64");
    create->add_option("--certificate", options->certificate,
                       "PEM file: the device's own, or with --group the authority that signs the devices'");
    create->add_option("--second-certificate", options->second_certificate,
                       "PEM file, to change certificates by");
    create->add_option("--to", options->hubs, "Hubs to choose from; all when left out");
    create->add_option("--allocation", options->allocation, "hashed: spread by id; static: the first of --to")
        ->check(CLI::IsMember({"hashed", "static"}));
    create
        ->add_option("--reprovision", options->reprovision,
                     "A device that registers again: migrate its twin, reset it, or never move it")
        ->check(CLI::IsMember({"migrate", "reset", "never"}));
    create->add_option("--twin", options->twin_file,
                       "JSON file {\"tags\":{},\"properties\":{\"desired\":{}}}");
    create->add_option("--status", options->status, "enabled or disabled")
        ->check(CLI::IsMember({"enabled", "disabled"}));
    create->add_flag("--edge", options->edge, "An edge device");
    create->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const auto body = FIELDWATCH_TRY(document(*options));
            print_enrollments(session, FIELDWATCH_TRY(call(session, "PUT", target_of_one(*options), &body)));
            return {};
        });
    });
}

}  // namespace

void add_enrollment(CLI::App& app, Session& session) {
    auto* const enrollments = app.add_subcommand(
        "enrollment", "Provisioning: devices that find their hub and identity by themselves");
    enrollments->require_subcommand(1);
    const auto options = std::make_shared<EnrollmentOptions>();
    add_create(*enrollments, session, options);

    auto* const list =
        enrollments->add_subcommand("list", "Enrollments of devices, or with --group of groups");
    add_target_options(*list, *options, session, false);
    list->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            const Json body{{"query", "SELECT * FROM enrollments"}};
            print_enrollments(session,
                              FIELDWATCH_TRY(call_pages(session, "POST", target(*options, "/query"), body)));
            return {};
        });
    });

    auto* const show = enrollments->add_subcommand("show", "One enrollment, with its keys in --format json");
    add_target_options(*show, *options, session, true);
    show->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            print_enrollments(session, FIELDWATCH_TRY(call(session, "GET", target_of_one(*options))));
            return {};
        });
    });

    auto* const remove =
        enrollments->add_subcommand("delete", "Take an enrollment back; devices keep their hub");
    add_target_options(*remove, *options, session, true);
    remove->callback([options, &session] {
        run(session, [&]() -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", target_of_one(*options))));
            return {};
        });
    });

    auto* const scope = enrollments->add_subcommand(
        "scope", "The id scope that devices name, and the service policy's keys in --format json");
    add_session_options(*scope, session);
    scope->callback([&session] {
        run(session, [&]() -> Result<void> {
            const auto answer = FIELDWATCH_TRY(call(session, "GET", "/api/v1/provisioning"));
            std::puts(session.format == "json" ? answer.dump(2).c_str()
                                               : answer.value("idScope", "").c_str());
            return {};
        });
    });
}

}  // namespace fieldwatch::app
