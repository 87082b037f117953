#include "feed/taxii.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "feed/members.hpp"

namespace fieldwatch::feed {

namespace {

/// What intelligence reads of STIX: indicators, and what they refer to.
bool is_kept(std::string_view type) {
    constexpr std::array<std::string_view, 9> kKept{"indicator",     "identity",           "malware",
                                                    "tool",          "campaign",           "relationship",
                                                    "intrusion-set", "marking-definition", "sighting"};
    return std::ranges::find(kKept, type) != kKept.end();
}

std::optional<Timestamp> time_of(const nlohmann::json& object, const char* name) {
    const auto time = parse_iso8601(text_in(object, name));
    return time ? std::optional(time->time) : std::nullopt;
}

std::optional<Timestamp> version_of(const nlohmann::json& object) {
    const auto modified = time_of(object, "modified");
    return modified ? modified : time_of(object, "created");
}

}  // namespace

std::string objects_url(std::string_view collection, std::string_view added_after, std::string_view next) {
    while (collection.ends_with('/'))
        collection.remove_suffix(1);
    auto out = std::string(collection);
    if (!out.ends_with("/objects")) out += "/objects";
    out += '/';
    char mark = '?';
    for (const auto& [name, value] : {std::pair{"added_after", added_after}, std::pair{"next", next}}) {
        if (value.empty()) continue;
        out += fmt::format("{}{}={}", mark, name, percent_encode(value));
        mark = '&';
    }
    return out;
}

Result<StixObjects::Page> StixObjects::take(std::string_view text) {
    if (nests_deeper_than(kDepthMax, text)) return fail(Errc::Malformed, "a page that nests too deep");
    auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object())
        return fail(Errc::Malformed,
                    "what the collection answers is no JSON object; is it a TAXII 2.1 collection?");
    Page page;
    const auto more = document.find("more");
    page.more = more != document.end() && more->is_boolean() && more->get<bool>();
    page.next = text_in(document, "next");
    const auto objects = document.find("objects");
    if (objects == document.end()) return page;  // an empty envelope
    if (!objects->is_array()) return fail(Errc::Malformed, "\"objects\" of a page must be an array");
    page.objects = objects->size();
    bytes_ += text.size();
    if (bytes_ > 4 * kBytesMax) return fail(Errc::TooLarge, "the collection is too large");
    for (auto& object : *objects)
        take_object(std::move(object));
    if (objects_.size() > kObjectsMax)
        return fail(Errc::TooLarge, "the collection has more than 2,000,000 objects");
    return page;
}

void StixObjects::take_object(nlohmann::json object) {
    const auto id = text_in(object, "id");
    if (id.empty() || id.size() > 256 || !is_kept(text_in(object, "type"))) return;
    object.erase("description");
    object.erase("external_references");
    object.erase("extensions");
    const auto [entry, is_new] = objects_.try_emplace(id);
    if (!is_new && version_of(object) < version_of(entry->second)) return;
    entry->second = std::move(object);
}

Result<std::string> StixObjects::bundle(Timestamp now) const {
    std::string out = R"({"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000000","objects":[)";
    bool any = false;
    for (const auto& [id, object] : objects_) {
        const auto revoked = object.find("revoked");
        if (revoked != object.end() && revoked->is_boolean() && revoked->get<bool>()) continue;
        if (const auto until = time_of(object, "valid_until"); until && *until < now) continue;
        out += any ? ",\n" : "\n";
        out += object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        any = true;
        if (out.size() > kBytesMax)
            return fail(Errc::TooLarge, "what is kept of the collection is more than 120 MiB");
    }
    return out + "\n]}\n";
}

}  // namespace fieldwatch::feed
