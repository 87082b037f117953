// How the server itself is doing: spec/portal.md "System health". Counters are at /metrics.
#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kDeadLettersShown = 100;

Answer get_system(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto progress = context.parts.progress();
    Json partitions = Json::array();
    for (const auto& one : progress.partitions) {
        partitions.push_back({{"partition", one.partition},
                              {"journalEnd", one.journal_end},
                              {"committed", one.committed},
                              {"checkpoint", one.checkpoint},
                              {"healthy", one.healthy}});
    }
    Json letters = Json::array();
    for (const auto& letter : context.parts.dead_letters(scope.hub.name.value, kDeadLettersShown)) {
        letters.push_back({{"received", to_iso8601(letter.received)},
                           {"device", letter.device},
                           {"module", letter.module},
                           {"reason", letter.reason}});
    }
    return json_reply(200, {{"version", context.parts.version},
                            {"started", to_iso8601(context.parts.started)},
                            {"ready", progress.ready},
                            {"partitions", std::move(partitions)},
                            {"workspace", scope.hub.workspace},
                            {"workspaceBytes", context.parts.workspace_bytes(scope.hub.workspace)},
                            {"deadLetters", std::move(letters)}});
}

}  // namespace

std::vector<Route> system_routes() {
    return {{"GET", "/api/v1/system", Role::Reader, get_system}};
}

}  // namespace fieldwatch::portal
