// Saved queries: a document of the hub each. One's own, and what others share; a private one of somebody else
// is not there for anybody, administrators included.
#include "portal/saved_queries.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "portal/reply.hpp"
#include "portal/timespan.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kSavedKind = "saved-query";
constexpr std::size_t kSavedMax = 2'000;     ///< of a hub
constexpr std::size_t kSavedOfOneMax = 200;  ///< of a person or a program
constexpr std::size_t kSavedIdBytes = 64, kSavedNameBytes = 200, kSavedNoteBytes = 2'000;
constexpr std::size_t kSavedTextBytes = 64u << 10;  ///< the longest published investigations have 4 KiB

struct SavedQuery {
    std::string name, query, timespan, description, owner;
    bool shared = false;
};

/// People and programs may have one name: a user's has no blank before it.
std::string saved_owner(const Principal& who) {
    return who.token_hash.empty() ? who.name : "token " + who.name;
}

Result<registry::Hub> hub_of_query(const Context& context, const Call& call) {
    return context.parts.registry.hub(FIELDWATCH_TRY(model::parse_hub_name(call.names[0])));
}

/// The members that people write; what is not there stays as it is.
Result<void> read_saved(const Json& json, SavedQuery& into) {
    FIELDWATCH_TRY(read_member(json, "name", into.name));
    FIELDWATCH_TRY(read_member(json, "query", into.query));
    FIELDWATCH_TRY(read_member(json, "timespan", into.timespan));
    FIELDWATCH_TRY(read_member(json, "description", into.description));
    FIELDWATCH_TRY(read_member(json, "shared", into.shared));
    return {};
}

Result<SavedQuery> stored_query(const registry::Document& document) {
    const auto json = Json::parse(document.json, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object())
        return fail(Errc::Corrupt, "the saved query " + document.id + " is no JSON object");
    SavedQuery out;
    FIELDWATCH_TRY(read_saved(json, out));
    FIELDWATCH_TRY(read_member(json, "owner", out.owner));
    return out;
}

Json saved_document(const SavedQuery& query) {
    return {{"name", query.name},         {"query", query.query},
            {"timespan", query.timespan}, {"description", query.description},
            {"owner", query.owner},       {"shared", query.shared}};
}

Json saved_json(const SavedQuery& query, const registry::Document& document, const Principal& who) {
    auto out = saved_document(query);
    out["id"] = document.id;
    out["mine"] = query.owner == saved_owner(who);
    out["version"] = document.etag;
    out["updated"] = to_iso8601(document.updated);
    return out;
}

bool is_seen_by(const SavedQuery& query, const Principal& who) {
    return query.shared || query.owner == saved_owner(who);
}

Result<void> check_saved_id(std::string_view id) {
    const bool good = !id.empty() && id.size() <= kSavedIdBytes && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
    if (good) return {};
    return fail(Errc::InvalidArgument, "a saved query's id has 1 to 64 letters, digits, - and _");
}

Result<SavedQuery> query_in(const Context& context, const Call& call) {
    const auto body =
        FIELDWATCH_TRY(body_object(call.request, {"name", "query", "timespan", "description", "shared"}));
    SavedQuery out;
    FIELDWATCH_TRY(read_saved(body, out));
    if (out.name.empty() || out.query.empty())
        return fail(Errc::InvalidArgument, "\"name\" and \"query\" are required, and say something");
    struct Bound {
        std::string_view member;
        std::size_t bytes, bytes_max;
    };
    for (const auto& [member, bytes, bytes_max] :
         {Bound{"name", out.name.size(), kSavedNameBytes},
          Bound{"description", out.description.size(), kSavedNoteBytes},
          Bound{"query", out.query.size(), kSavedTextBytes}}) {
        if (bytes > bytes_max)
            return fail(Errc::TooLarge,
                        fmt::format("\"{}\" may have {} bytes; it has {}", member, bytes_max, bytes));
    }
    // A query that does not run may be kept: people keep what they have not finished.
    if (!out.timespan.empty())
        static_cast<void>(FIELDWATCH_TRY(parse_timespan(out.timespan, context.parts.clock.now())));
    return out;
}

Answer list_saved(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_query(context, call));
    std::vector<std::pair<std::string, Json>> found;
    for (const auto& document :
         FIELDWATCH_TRY(context.parts.registry.documents(hub.name, kSavedKind, {.count_max = kSavedMax}))) {
        const auto query = FIELDWATCH_TRY(stored_query(document));
        if (is_seen_by(query, call.who))
            found.emplace_back(query.name, saved_json(query, document, call.who));
    }
    std::ranges::stable_sort(found, {}, &std::pair<std::string, Json>::first);
    Json value = Json::array();
    for (auto& [name, json] : found)
        value.push_back(std::move(json));
    return json_reply(200, {{"value", std::move(value)}});
}

/// The document of the call's id, when it is there for who asks. Errors: NotFound.
Result<std::pair<registry::Document, SavedQuery>> seen_query(const Context& context, const Call& call,
                                                             const model::HubName& hub) {
    const auto nothing = [&] { return fail(Errc::NotFound, "there is no saved query " + call.names[1]); };
    auto document = context.parts.registry.document({hub, std::string(kSavedKind), call.names[1]});
    if (!document && document.error().code == Errc::NotFound) return nothing();
    if (!document) return std::unexpected(document.error());
    auto query = FIELDWATCH_TRY(stored_query(*document));
    if (!is_seen_by(query, call.who)) return nothing();
    return std::pair{std::move(*document), std::move(query)};
}

Result<void> check_may_change_saved(const SavedQuery& query, const Principal& who) {
    if (query.owner == saved_owner(who) || who.role == Role::Administrator) return {};
    return fail(Errc::Forbidden,
                fmt::format("\"{}\" is {}'s: save it under a name of your own", query.name, query.owner));
}

Answer get_saved(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_query(context, call));
    const auto [document, query] = FIELDWATCH_TRY(seen_query(context, call, hub.name));
    return json_reply(200, saved_json(query, document, call.who));
}

Result<void> check_room_for_saved(const Context& context, const Call& call, const model::HubName& hub) {
    const auto all =
        FIELDWATCH_TRY(context.parts.registry.documents(hub, kSavedKind, {.count_max = kSavedMax}));
    if (all.size() >= kSavedMax)
        return fail(Errc::Exhausted, fmt::format("a hub keeps at most {} saved queries", kSavedMax));
    std::size_t mine = 0;
    for (const auto& document : all) {
        const auto query = stored_query(document);
        mine += query && query->owner == saved_owner(call.who) ? 1 : 0;
    }
    if (mine >= kSavedOfOneMax)
        return fail(Errc::Exhausted, fmt::format("one keeps at most {} saved queries a hub", kSavedOfOneMax));
    return {};
}

Answer put_saved(const Context& context, const Call& call) {
    FIELDWATCH_TRY(check_saved_id(call.names[1]));
    auto query = FIELDWATCH_TRY(query_in(context, call));
    const auto match = FIELDWATCH_TRY(if_match(call.request));
    const auto hub = FIELDWATCH_TRY(hub_of_query(context, call));
    const registry::DocumentKey key{hub.name, std::string(kSavedKind), call.names[1]};
    registry::DocumentCondition condition{.must_be_new = true};
    if (const auto before = context.parts.registry.document(key); before) {
        const auto old = FIELDWATCH_TRY(stored_query(*before));
        // Somebody's private one: that there is one is all that is said.
        if (!is_seen_by(old, call.who)) return fail(Errc::Forbidden, "this id is taken: choose another one");
        FIELDWATCH_TRY(check_may_change_saved(old, call.who));
        query.owner = old.owner;
        condition = {.must_exist = true, .if_match = match.value_or(before->etag)};
    } else if (before.error().code != Errc::NotFound) {
        return std::unexpected(before.error());
    } else {
        if (match) return fail(Errc::Conflict, "this saved query is not there any more");
        FIELDWATCH_TRY(check_room_for_saved(context, call, hub.name));
        query.owner = saved_owner(call.who);
    }
    const auto document =
        FIELDWATCH_TRY(context.parts.registry.put_document(key, saved_document(query).dump(), condition));
    return json_reply(document.etag == 1 ? 201 : 200, saved_json(query, document, call.who));
}

Answer delete_saved(const Context& context, const Call& call) {
    const auto hub = FIELDWATCH_TRY(hub_of_query(context, call));
    const auto [document, query] = FIELDWATCH_TRY(seen_query(context, call, hub.name));
    FIELDWATCH_TRY(check_may_change_saved(query, call.who));
    FIELDWATCH_TRY(context.parts.registry.remove_document({hub.name, std::string(kSavedKind), document.id},
                                                          document.etag));
    return net::HttpResponse{.status = 204};
}

}  // namespace

std::vector<Route> saved_query_routes() {
    constexpr std::string_view kAll = "/api/v1/hubs/{hub}/queries", kOne = "/api/v1/hubs/{hub}/queries/{id}";
    return {{"GET", kAll, Role::Analyst, list_saved},
            {"GET", kOne, Role::Analyst, get_saved},
            {"PUT", kOne, Role::Analyst, put_saved},
            {"DELETE", kOne, Role::Analyst, delete_saved}};
}

}  // namespace fieldwatch::portal
