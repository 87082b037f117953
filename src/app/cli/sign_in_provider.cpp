// fieldwatch user provider: where people may sign in instead of here.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/operations.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr const char* kTarget = "/api/v1/identity-provider";

struct ProviderOptions {
    std::string file, secret_file;
};

Result<void> print_provider(const Session& session, const Json& answer) {
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : answer.items())
        table.add({key, printable(value.is_string() ? value.get<std::string>() : value.dump())});
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> set_provider(const Session& session, const ProviderOptions& options) {
    auto body = Json::parse(FIELDWATCH_TRY(text_in(options.file)), nullptr, false);
    if (!body.is_object())
        return fail(Errc::Malformed, fmt::format("{} holds no JSON object; see --help", options.file));
    if (!options.secret_file.empty()) {
        body["clientSecret"] = FIELDWATCH_TRY(text_in(options.secret_file));
    }
    return print_provider(session, FIELDWATCH_TRY(call(session, "PUT", kTarget, &body)));
}

Result<void> show_provider(const Session& session, const ProviderOptions&) {
    return print_provider(session, FIELDWATCH_TRY(call(session, "GET", kTarget)));
}

Result<void> test_provider(const Session& session, const ProviderOptions&) {
    const auto answer = FIELDWATCH_TRY(call(session, "POST", "/api/v1/identity-provider/test"));
    if (session.format == "json") std::puts(answer.dump(2).c_str());
    if (!answer.value("works", false))
        return fail(Errc::Unavailable, printable(answer.value("problem", "it does not answer")));
    if (session.format != "json")
        std::printf("it works: the provider publishes %s keys\n", answer["keys"].dump().c_str());
    return {};
}

Result<void> remove_provider(const Session& session, const ProviderOptions&) {
    static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", kTarget)));
    return {};
}

template <class Work>
CLI::App* provider_verb(CLI::App& parent, const char* name, const char* help,
                        const std::shared_ptr<ProviderOptions>& options, Session& session, Work work) {
    auto* const command = parent.add_subcommand(name, help);
    add_session_options(*command, session);
    command->callback([options, &session, work] { run(session, [&] { return work(session, *options); }); });
    return command;
}

}  // namespace

void add_sign_in_provider(CLI::App& user, Session& session) {
    auto* const parent = user.add_subcommand("provider", "Where people may sign in instead: OpenID Connect");
    parent->require_subcommand(1);
    const auto options = std::make_shared<ProviderOptions>();
    auto* const set = provider_verb(*parent, "set", "Name the provider, or change what is said of it",
                                    options, session, set_provider);
    set->add_option("FILE", options->file, "JSON as below; - for standard input")->required();
    set->add_option("--secret-file", options->secret_file,
                    "File with the client's secret; without it the one that is there stays");
    set->footer(
        "  {\"issuer\": \"https://login.example/realm\", \"clientId\": \"fieldwatch\",\n"
        "   \"page\": \"https://fieldwatch.example:7780\", \"name\": \"Company login\",\n"
        "   \"nameClaim\": \"preferred_username\", \"groupsClaim\": \"groups\",\n"
        "   \"roles\": {\"soc\": \"operator\", \"staff\": \"reader\"}, \"otherwise\": null}\n\n"
        "`page` is how people reach this server. Register what `show` calls `redirect` at the provider. Who "
        "is in\n"
        "several groups has the highest of their roles; who is in none has `otherwise`, or does not come "
        "in.");
    provider_verb(*parent, "show", "What is set; never the secret", options, session, show_provider);
    provider_verb(*parent, "test", "Ask it for its configuration and keys; exit status 1 when that fails",
                  options, session, test_provider);
    provider_verb(*parent, "remove", "Nobody signs in elsewhere any more", options, session, remove_provider);
}

}  // namespace fieldwatch::app
