// fieldwatch intel bundle: indicators that travel without a network, signed.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/cli/intel.hpp"
#include "app/cli/operations.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "detect/intel/indicator.hpp"
#include "feed/bundle.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct BundleOptions {
    std::vector<std::string> files;
    std::string name, key, out, file, as;
    std::uint64_t version = 0;
    bool accept_shrink = false, required = false, not_required = false;
};
using ChosenBundle = std::shared_ptr<BundleOptions>;

Result<std::string> file_text(const std::string& path) {
    return std::string(
        as_text(FIELDWATCH_TRY(read_file(posix_file_system(), path, feed::Bundle::kBytesMax))));
}

/// Needs no server. A file that holds nothing is refused here already.
Result<void> create_bundle(const BundleOptions& options) {
    const auto now = system_clock().now();
    feed::Bundle bundle{
        .name = options.name,
        .version = options.version > 0 ? options.version : static_cast<std::uint64_t>(now.unix_seconds()),
        .created = now,
        .files = {},
        .signature = {},
        .signed_text = {}};
    std::size_t indicators = 0;
    for (const auto& path : options.files) {
        auto text = FIELDWATCH_TRY(file_text(path));
        const auto file = FIELDWATCH_TRY(detect::parse_indicators(path, text));
        if (file.indicators.empty() && file.warnings.empty())
            return fail(Errc::InvalidArgument, path + ": no indicators that can be matched");
        for (const auto& bad : file.bad)
            std::fprintf(stderr, "  %s, line %zu: %s\n", printable(path).c_str(), bad.line,
                         printable(bad.why).c_str());
        indicators += file.indicators.size();
        bundle.files.emplace_back(std::filesystem::path(path).filename().string(), std::move(text));
    }
    const auto key = options.key.empty() ? std::string() : FIELDWATCH_TRY(file_text(options.key));
    const auto packed = FIELDWATCH_TRY(feed::pack_bundle(bundle, key));
    FIELDWATCH_TRY(replace_file(posix_file_system(), options.out, as_bytes(packed)));
    std::printf(
        "%s: version %llu, %zu files, %zu indicators, %s\n", printable(options.out).c_str(),
        static_cast<unsigned long long>(bundle.version), bundle.files.size(), indicators,
        key.empty() ? "not signed" : ("signed by " + FIELDWATCH_TRY(public_key_of(key)).id()).c_str());
    return {};
}

void print_bundles(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    TextTable table({"NAME", "VERSION", "CREATED", "SIGNED BY", "FILES", "IN FORCE"});
    const auto list = answer.contains("value") ? answer["value"] : Json::array({answer});
    for (const auto& bundle : list) {
        for (const auto& one : bundle["versions"])
            table.add({text_of(bundle, "name"), one["version"].dump(), short_time(one, "created"),
                       one["signedBy"].is_null() ? "-" : text_of(one, "signedBy"), one["files"].dump(),
                       one["version"] == bundle["current"] ? "yes" : ""});
    }
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> list_bundles(const Session& session, const BundleOptions&) {
    print_bundles(session, FIELDWATCH_TRY(call(session, "GET", "/api/v1/intel/bundles")));
    return {};
}

void print_applied(const Session& session, const Json& answer) {
    if (session.format != "json")
        std::printf("%s: version %s is in force, %s indicators, %s left out\n",
                    text_of(answer, "name").c_str(), answer["current"].dump().c_str(),
                    answer["indicators"].dump().c_str(), answer["skipped"].dump().c_str());
    if (session.format == "json") std::puts(answer.dump(2).c_str());
    for (const auto& bad : answer["bad"])
        std::fprintf(stderr, "  line %s: %s\n", bad["line"].dump().c_str(),
                     printable(bad.value("why", "")).c_str());
}

Result<void> apply_bundle(const Session& session, const BundleOptions& options) {
    const auto bytes = FIELDWATCH_TRY(file_text(options.file));
    const std::string target = "/api/v1/intel/bundles";
    print_applied(session,
                  FIELDWATCH_TRY(call_text(
                      session, "POST", target + (options.accept_shrink ? "?acceptShrink=true" : ""), bytes)));
    return {};
}

Result<void> roll_bundle_back(const Session& session, const BundleOptions& options) {
    const auto to = options.version > 0 ? fmt::format("?to={}", options.version) : std::string();
    print_applied(session, FIELDWATCH_TRY(call(session, "POST",
                                               fmt::format("/api/v1/intel/bundles/{}/rollback{}",
                                                           percent_encode(options.name), to))));
    return {};
}

Result<void> remove_bundle(const Session& session, const BundleOptions& options) {
    static_cast<void>(
        FIELDWATCH_TRY(call(session, "DELETE", "/api/v1/intel/bundles/" + percent_encode(options.name))));
    return {};
}

void print_trust(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return;
    }
    std::printf("signatures are %s\n", answer.value("required", false) ? "required" : "not required");
    TextTable table({"NAME", "KEY"});
    for (const auto& key : answer["keys"])
        table.add({text_of(key, "name"), text_of(key, "id")});
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> trust(const Session& session, const BundleOptions& options) {
    if (options.required && options.not_required)
        return fail(Errc::InvalidArgument, "--require and --no-require exclude each other");
    Json body = Json::object();
    if (!options.key.empty()) {
        if (options.as.empty()) return fail(Errc::InvalidArgument, "a key needs a name: --as NAME");
        body["add"][options.as] = FIELDWATCH_TRY(file_text(options.key));
    }
    if (options.required || options.not_required) body["required"] = options.required;
    print_trust(session, body.empty() ? FIELDWATCH_TRY(call(session, "GET", "/api/v1/intel/trust"))
                                      : FIELDWATCH_TRY(call(session, "PATCH", "/api/v1/intel/trust", &body)));
    return {};
}

Result<void> distrust(const Session& session, const BundleOptions& options) {
    const Json body{{"remove", {options.name}}};
    print_trust(session, FIELDWATCH_TRY(call(session, "PATCH", "/api/v1/intel/trust", &body)));
    return {};
}

template <class Work>
CLI::App* bundle_verb(CLI::App& parent, const char* name, const char* help, const ChosenBundle& options,
                      Session& session, Work work) {
    auto* const command = parent.add_subcommand(name, help);
    add_session_options(*command, session);
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
    return command;
}

void add_create(CLI::App& bundle, const ChosenBundle& options, Session& session) {
    auto* const create =
        bundle.add_subcommand("create", "Pack files of indicators and sign them; needs no server");
    create->add_option("FILE", options->files, "Files in any form that `intel import` takes")->required();
    create->add_option("--name", options->name, "Of the series: small letters, digits, dashes")->required();
    create->add_option("--version", options->version, "Above all before; seconds since 1970 if not given");
    create->add_option("--key", options->key,
                       "The private key that signs, Ed25519 in PEM; without it nobody does");
    create->add_option("--out", options->out, "The file to write")->required();
    create->callback([options, &session] {
        const auto done = create_bundle(*options);
        session.exit_status = done ? kDone : report(done.error());
    });
    create->footer(
        "  openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout -out key.pub\n"
        "  fieldwatch intel bundle create c2.csv hashes.txt --name lab --key key.pem --out lab.bundle\n"
        "On the server: fieldwatch intel bundle trust key.pub --as lab --require, then apply lab.bundle.");
}

}  // namespace

void add_intel_bundles(CLI::App& intel, Session& session) {
    auto* const bundle = intel.add_subcommand(
        "bundle", "Signed bundles of indicators, for servers without a way to the feeds");
    bundle->require_subcommand(1);
    const auto options = std::make_shared<BundleOptions>();
    add_create(*bundle, options, session);
    auto* const apply =
        bundle_verb(*bundle, "apply", "Put a bundle in force", options, session, apply_bundle);
    apply->add_option("FILE", options->file, "As `create` wrote it")->required();
    apply->add_flag("--accept-shrink", options->accept_shrink,
                    "Take it though it lost more than half of its indicators");
    auto* const back =
        bundle_verb(*bundle, "rollback", "Back to an earlier version", options, session, roll_bundle_back);
    back->add_option("NAME", options->name, "As `list` shows it")->required();
    back->add_option("--to", options->version, "The version; the one before the current if not given");
    bundle_verb(*bundle, "list", "Bundles and their versions", options, session, list_bundles);
    auto* const remove =
        bundle_verb(*bundle, "remove", "A bundle goes, with its indicators", options, session, remove_bundle);
    remove->add_option("NAME", options->name, "As `list` shows it")->required();
    auto* const trusted =
        bundle_verb(*bundle, "trust", "Whose signatures count; with a key, trust it from now on", options,
                    session, trust);
    trusted->add_option("KEY", options->key, "A public key, Ed25519 in PEM");
    trusted->add_option("--as", options->as, "The name to know it by");
    trusted->add_flag("--require", options->required,
                      "From now on take signed bundles only: no import, no unsigned feed");
    trusted->add_flag("--no-require", options->not_required, "Take unsigned ones, too");
    auto* const no_more =
        bundle_verb(*bundle, "distrust", "Trust a key no longer", options, session, distrust);
    no_more->add_option("NAME", options->name, "As `trust` shows it")->required();
}

}  // namespace fieldwatch::app
