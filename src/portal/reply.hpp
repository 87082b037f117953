// JSON in and out of the portal's handlers; refusals that say which field, what was wrong, what is allowed.
// Internal to portal.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"

namespace fieldwatch::portal {

using Json = nlohmann::json;

net::HttpResponse json_reply(int status, const Json& body);
/// The refusal an error's code asks for: {"error":{"code","message"}}.
net::HttpResponse problem(const Error& error);

/// The request's body as an object, which may hold only the members of `allowed`. Errors: Malformed,
/// InvalidArgument.
Result<Json> body_object(const net::HttpRequest& request, std::initializer_list<std::string_view> allowed);

/// `text` where HTML has text or a quoted attribute.
std::string html_text(std::string_view text);

/// Members by type; absent ones leave `into` as it is. Errors: InvalidArgument, naming the member.
Result<void> read_member(const Json& object, std::string_view name, bool& into);
Result<void> read_member(const Json& object, std::string_view name, std::string& into);

/// InvalidArgument: `"name" must be one of a, b, c; it is "x"`.
std::unexpected<Error> not_among(std::string_view name, std::string_view value,
                                 std::initializer_list<std::string_view> allowed);

/// An unsigned number within [low, high]; `fallback` when the parameter is absent. Errors: InvalidArgument.
Result<std::uint64_t> number_parameter(const net::HttpRequest& request, std::string_view name,
                                       std::uint64_t fallback, std::uint64_t low, std::uint64_t high);

/// The etag or version that a change is made from; nullopt: any. Errors: InvalidArgument.
Result<std::optional<std::uint64_t>> if_match(const net::HttpRequest& request);

/// Reads, changes and writes what others may write meanwhile: `attempt` does all three, the write on the
/// condition that nobody did, and is tried again when somebody had. Conflict remains when that never ends.
template <class Attempt>
auto settled(const Attempt& attempt) {
    constexpr int kAttemptsMax = 64;  // each one that fails is one that succeeded for somebody else
    auto done = attempt();
    for (int i = 1; i < kAttemptsMax && !done && done.error().code == Errc::Conflict; ++i)
        done = attempt();
    return done;
}

}  // namespace fieldwatch::portal
