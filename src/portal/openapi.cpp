#include "portal/openapi.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "portal/reply.hpp"

namespace fieldwatch::portal {
namespace {

/// What texts in openapi/*.json say of shapes, as JSON Schema (2020-12): a name of another shape, a word
/// below,
/// `'a'` for the text a, `X[]` for a list, `X|Y` for either. An object's member whose name ends with `?` may
/// be absent; the member `*` stands for any other name.
class Shapes {
  public:
    explicit Shapes(const Json& named) : named_(named) {}

    /// Closed = a member that is not named is refused, as bodies are; answers may gain members.
    enum class Object : std::uint8_t { Open, Closed };

    Result<Json> schema(const Json& shape, Object object) {
        if (shape.is_string()) return of_text(shape.get<std::string>());
        if (!shape.is_object())
            return fail(Errc::Internal, "a shape is a text or an object: " + shape.dump());
        return of_object(shape, object);
    }
    const std::set<std::string>& used() const { return used_; }

  private:
    Result<Json> of_text(std::string_view text) {
        if (text.find('|') == std::string_view::npos) return of_word(text);
        Json literals = Json::array(), others = Json::array();
        while (!text.empty()) {
            const auto word = text.substr(0, text.find('|'));
            text.remove_prefix(std::min(text.size(), word.size() + 1));
            const bool is_literal = word.starts_with('\'');
            if (is_literal) literals.push_back(word.substr(1, word.size() - 2));
            if (!is_literal) others.push_back(FIELDWATCH_TRY(of_word(word)));
        }
        if (literals.empty()) return Json{{"anyOf", std::move(others)}};
        Json either{{"type", "string"}, {"enum", std::move(literals)}};
        if (others.empty()) return either;
        others.push_back(std::move(either));
        return Json{{"anyOf", std::move(others)}};
    }

    Result<Json> of_word(std::string_view word) {
        if (word.ends_with("[]"))
            return Json{{"type", "array"},
                        {"items", FIELDWATCH_TRY(of_word(word.substr(0, word.size() - 2)))}};
        if (word.starts_with('\'')) return Json{{"const", word.substr(1, word.size() - 2)}};
        if (word == "text") return Json{{"type", "string"}};
        if (word == "time") return Json{{"type", "string"}, {"format", "date-time"}};
        if (word == "any") return Json::object();
        for (const std::string_view plain : {"integer", "number", "boolean", "object", "null"}) {
            if (word == plain) return Json{{"type", plain}};
        }
        if (!named_.contains(word))
            return fail(Errc::Internal, fmt::format("no schema is named \"{}\"", word));
        used_.emplace(word);
        return Json{{"$ref", fmt::format("#/components/schemas/{}", word)}};
    }

    Result<Json> of_object(const Json& shape, Object object) {
        Json properties = Json::object(), required = Json::array();
        Json others = object == Object::Open;
        for (const auto& [name, value] : shape.items()) {
            auto member = FIELDWATCH_TRY(schema(value, object));
            if (name == "*") {
                others = std::move(member);
            } else if (name.ends_with('?')) {
                properties[name.substr(0, name.size() - 1)] = std::move(member);
            } else {
                properties[name] = std::move(member);
                required.push_back(name);
            }
        }
        Json out{{"type", "object"}, {"properties", std::move(properties)}};
        if (!required.empty()) out["required"] = std::move(required);
        if (others != Json(true)) out["additionalProperties"] = std::move(others);
        return out;
    }

    const Json& named_;
    std::set<std::string> used_;
};

/// The words of a path that are not `{…}` nor the version's, and those that are.
struct PathWords {
    std::vector<std::string> fixed, names;
    std::string id;  ///< HubsByHubDevices of /api/v1/hubs/{hub}/devices
};

std::string capitalised(std::string_view word) {
    std::string out;
    bool begin = true;
    for (const char c : word) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (letter) out += begin && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        begin = !letter;
    }
    return out;
}

PathWords words_of(std::string_view pattern) {
    PathWords out;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);
        const auto segment = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(segment.size());
        if (segment.starts_with('{')) {
            out.names.emplace_back(segment.substr(1, segment.size() - 2));
            out.id += "By" + capitalised(out.names.back());
        } else if (segment != "api" && segment != "v1") {
            out.fixed.emplace_back(segment);
            out.id += capitalised(segment);
        }
    }
    return out;
}

std::string tag_of(std::string_view pattern, const PathWords& words) {
    if (pattern.starts_with("/subscriptions/") || pattern.starts_with("/providers/"))
        return "microsoft.security";
    if (pattern.starts_with("/v1/")) return "query";
    return pattern.starts_with("/api/") ? words.fixed.front() : "server";
}

Json refusal(std::string_view name) {
    return {{"$ref", fmt::format("#/components/responses/{}", name)}};
}

class Document {
  public:
    Document(const Json& operations, const Json& schemas)
        : operations_(operations.at("operations")),
          said_(operations.at("parameters")),
          schemas_(schemas),
          shapes_(schemas) {}

    Result<void> add(const Route& route) {
        const auto key = fmt::format("{} {}", route.method, route.pattern);
        const auto found = operations_.find(key);
        if (found == operations_.end()) return fail(Errc::Internal, "no description of the route " + key);
        described_.insert(key);
        auto method = std::string(route.method);
        std::ranges::transform(method, method.begin(), [](char c) { return static_cast<char>(c + 32); });
        auto described = operation(route, method, *found);
        if (!described) return fail(Errc::Internal, key + ": " + described.error().message);
        paths_[std::string(route.pattern)][method] = std::move(*described);
        return {};
    }

    Result<std::string> finish(std::string_view version) {
        for (const auto& [key, value] : operations_.items()) {
            if (!described_.contains(key)) return fail(Errc::Internal, "there is no route " + key);
        }
        Json components{{"schemas", FIELDWATCH_TRY(named_schemas())},
                        {"responses", responses()},
                        {"securitySchemes", security_schemes()}};
        const Json out{{"openapi", "3.1.0"},
                       {"info",
                        {{"title", "Fieldwatch"},
                         {"version", version},
                         {"summary", "Security of a fleet: hubs, devices, findings, rules, queries"},
                         {"description", kDescription}}},
                       {"servers", {{{"url", "/"}}}},
                       {"paths", std::move(paths_)},
                       {"components", std::move(components)}};
        return out.dump();
    }

  private:
    static constexpr std::string_view kDescription =
        "Each operation names the role that it asks for in x-fieldwatch-role; each role may what the ones "
        "before "
        "may: reader, analyst, operator, administrator; a forwarder, a role of tokens, may what names it. "
        "Bodies are JSON objects, and a member that is not "
        "known "
        "is refused; answers may gain members. Times are ISO 8601 in UTC.";

    Result<Json> operation(const Route& route, const std::string& method, const Json& said) {
        const auto words = words_of(route.pattern);
        Json out{{"operationId", method + words.id},
                 {"summary", said.at("says")},
                 {"tags", {tag_of(route.pattern, words)}},
                 {"x-fieldwatch-role", to_string(route.role)}};
        auto parameters = FIELDWATCH_TRY(parameters_of(words, said));
        if (!parameters.empty()) out["parameters"] = std::move(parameters);
        for (const auto* const member : {"body", "body?"}) {
            const auto body = said.find(member);
            if (body == said.end()) continue;
            if (body->is_string()) bodies_.insert(body->get<std::string>());
            out["requestBody"] = {{"required", std::string_view(member) == "body"},
                                  {"content", FIELDWATCH_TRY(content(*body))}};
        }
        out["responses"] = FIELDWATCH_TRY(answers_of(route, said));
        out["security"] = security_of(route);
        return out;
    }

    Result<Json> parameters_of(const PathWords& words, const Json& said) {
        Json out = Json::array();
        for (const auto& name : words.names)
            out.push_back(
                {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
        for (const auto& [in, member] : {std::pair{"query", "query"}, std::pair{"header", "headers"}}) {
            const auto named = said.find(member);
            if (named == said.end()) continue;
            for (const auto& [name, shape] : named->items()) {
                const bool optional = name.ends_with('?');
                const auto plain = optional ? name.substr(0, name.size() - 1) : name;
                Json parameter{{"name", plain},
                               {"in", in},
                               {"required", !optional},
                               {"schema", FIELDWATCH_TRY(shapes_.schema(shape, Shapes::Object::Open))}};
                if (said_.contains(plain)) parameter["description"] = said_.at(plain);
                out.push_back(std::move(parameter));
            }
        }
        return out;
    }

    /// A shape is JSON; a media type is bytes of that type.
    Result<Json> content(const Json& what) {
        const auto text = what.is_string() ? what.get<std::string>() : std::string();
        if (text.find('/') != std::string::npos && !text.starts_with('\''))
            return Json{{text, {{"schema", {{"type", "string"}}}}}};
        return Json{
            {"application/json", {{"schema", FIELDWATCH_TRY(shapes_.schema(what, Shapes::Object::Open))}}}};
    }

    Result<Json> answers_of(const Route& route, const Json& said) {
        Json out = Json::object();
        for (const auto& [status, what] : said.at("answers").items()) {
            Json answer{{"description", status == "204" ? "Done" : said.at("says").get<std::string>()}};
            if (!what.is_null()) answer["content"] = FIELDWATCH_TRY(content(what));
            out[status] = std::move(answer);
        }
        out["400"] = refusal("BadArgument");
        out["default"] = refusal("Refused");
        if (route.role != Role::Public) {
            out["401"] = refusal("Unauthorized");
            out["403"] = refusal("Forbidden");
        }
        if (route.pattern.find('{') != std::string_view::npos) out["404"] = refusal("NotFound");
        return out;
    }

    static Json security_of(const Route& route) {
        if (route.role == Role::Public) return Json::array();
        Json session{{"session", Json::array()}};
        if (route.method != "GET") session["csrf"] = Json::array();
        return Json::array({Json{{"token", Json::array()}}, std::move(session)});
    }

    static Json responses() {
        Json out = Json::object();
        for (const auto& [name, meaning] :
             {std::pair{"BadArgument",
                        "What was asked is not understood; the message names member, value, what is allowed"},
              std::pair{"Unauthorized", "No token or session, or one that is not known or has ended"},
              std::pair{"Forbidden", "The role or the token's hubs do not suffice"},
              std::pair{"NotFound", "What the path names is not there"},
              std::pair{"Refused",
                        "Any other refusal: 405, 409 exists, 412 changed meanwhile, 413 too large, 429 "
                        "and 503 try again after Retry-After, 504 over its time"}}) {
            out[name] = {
                {"description", meaning},
                {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}};
        }
        return out;
    }

    static Json security_schemes() {
        return {{"token", {{"type", "http"}, {"scheme", "bearer"}}},
                {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", kSessionCookie}}},
                {"csrf", {{"type", "apiKey"}, {"in", "header"}, {"name", kCsrfHeader}}}};
    }

    Result<Json> named_schemas() {
        Json out = Json::object();
        for (const auto& [name, shape] : schemas_.items()) {
            const auto object = bodies_.contains(name) ? Shapes::Object::Closed : Shapes::Object::Open;
            auto schema = shapes_.schema(shape, object);
            if (!schema) return fail(Errc::Internal, name + ": " + schema.error().message);
            out[name] = std::move(*schema);
        }
        for (const auto& [name, shape] : schemas_.items()) {
            if (name != "Error" && !shapes_.used().contains(name))
                return fail(Errc::Internal, "nothing uses the schema " + name);
        }
        return out;
    }

    const Json& operations_;
    const Json& said_;
    const Json& schemas_;
    Shapes shapes_;
    std::set<std::string> described_, bodies_;
    Json paths_ = Json::object();
};

}  // namespace

Result<std::string> openapi_json(const std::vector<Route>& routes, const ApiTexts& texts,
                                 std::string_view version) {
    const auto operations = Json::parse(texts.operations, nullptr, false);
    const auto schemas = Json::parse(texts.schemas, nullptr, false);
    if (!operations.is_object() || !schemas.is_object())
        return fail(Errc::Internal, "the description of the API is not JSON");
    Document document(operations, schemas);
    for (const auto& route : routes)
        FIELDWATCH_TRY(document.add(route));
    return document.finish(version);
}

}  // namespace fieldwatch::portal
