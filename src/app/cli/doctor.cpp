// fieldwatch doctor: is the server well, and where is it.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::app {

namespace {

struct DoctorOptions {
    bool ready = false;
    bool page_url = false;
};

Result<void> examine(const Session& session, const DoctorOptions& options) {
    if (options.page_url) {
        std::printf("%s/#token=%s\n", session.server.c_str(), session.token.c_str());
        return {};
    }
    const auto ready = FIELDWATCH_TRY(call(session, "GET", "/readyz"));
    if (options.ready) return {};
    const auto hubs = FIELDWATCH_TRY(call(session, "GET", "/api/v1/hubs"));
    TextTable table({"CHECK", "RESULT"});
    table.add({"server", session.server});
    for (const auto& [key, value] : ready.items())
        table.add({key, value.is_string() ? value.get<std::string>() : value.dump()});
    table.add({"hubs", std::to_string(hubs["value"].size())});
    for (const auto& hub : hubs["value"]) {
        Session at = session;
        at.hub = hub.value("name", "");
        const auto overview = call(at, "GET", fmt::format("/api/v1/overview?hub={}", at.hub));
        table.add({"hub " + at.hub, overview ? "answers" : overview.error().message});
    }
    table.print();
    return {};
}

}  // namespace

void add_doctor(CLI::App& app, Session& session) {
    const auto options = std::make_shared<DoctorOptions>();
    auto* const command = app.add_subcommand("doctor", "Check the server and say what is wrong");
    command->add_flag("--ready", options->ready,
                      "Only the exit status: 0 when the server takes devices and answers queries");
    command->add_flag("--page-url", options->page_url,
                      "Print the page's address with its token, and nothing else");
    add_session_options(*command, session);
    command->callback([options, &session] { run(session, [&] { return examine(session, *options); }); });
}

}  // namespace fieldwatch::app
