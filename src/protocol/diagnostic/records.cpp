#include "protocol/diagnostic/records.hpp"

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

namespace fieldwatch::diagnostic {

namespace {

constexpr std::size_t kDepthMax = 24;  // of an activity's claims, inside of a batch

char lower_letter(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_word(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) { return lower_letter(a) == lower_letter(b); });
}

std::string_view text_under(const json::Value* object, std::string_view key) {
    return object == nullptr ? std::string_view() : object->text_of(key);
}

/// Behind `…/iothubs/` of a resource, in lower case.
std::string hub_of_resource(std::string_view resource) {
    std::string text(resource);
    std::ranges::transform(text, text.begin(), lower_letter);
    constexpr std::string_view kBefore = "/iothubs/";
    const auto at = text.find(kBefore);
    if (at == std::string::npos) return {};
    text.erase(0, at + kBefore.size());
    text.resize(std::min(text.find('/'), text.size()));
    return text;
}

bool is_administrative(const json::Value& record) {
    if (same_word(record.text_of("category"), "Administrative")) return true;
    constexpr std::string_view kProvider = "microsoft.";
    return same_word(record.text_of("operationName").substr(0, kProvider.size()), kProvider);
}

/// Who changed something: said outright, or by the claims of the token that was used.
std::string_view caller_of(const json::Value& record) {
    if (const auto caller = record.text_of("caller"); !caller.empty()) return caller;
    const auto* const identity = record.find("identity");
    const auto* const claims = identity == nullptr ? nullptr : identity->find("claims");
    for (const auto* const claim : {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
                                    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "appid"}) {
        if (const auto caller = text_under(claims, claim); !caller.empty()) return caller;
    }
    return {};
}

/// The six-digit code of the records of before 2018, which have their properties beside the envelope.
bool is_earlier_form(const json::Value& record) {
    return record.find("properties") == nullptr &&
           (record.find("statusType") != nullptr || record.find("deviceId") != nullptr);
}

/// What of an earlier record is envelope; the rest are properties.
constexpr std::array<std::string_view, 5> kEarlierEnvelope{"time", "category", "level", "resourceId",
                                                           "durationMs"};

std::string_view name_today(std::string_view category, std::string_view name) {
    if (!same_word(category, "Connections")) return name;
    if (same_word(name, "connect")) return "deviceConnect";
    if (same_word(name, "disconnect")) return "deviceDisconnect";
    return name;
}

void append_value(JsonWriter& json, std::string_view key, const json::Value& value, std::string& scratch) {
    scratch.clear();
    json::append(scratch, value);
    json.key(key).raw(scratch);
}

/// A text, or a number as text.
std::string text_or_number(const json::Value* value) {
    if (value == nullptr || value->is(json::Type::Null)) return {};
    if (value->is(json::Type::String)) return std::string(value->text);
    std::string out;
    json::append(out, *value);
    return out;
}

}  // namespace

Result<void> RecordReader::read(std::string_view document, const Take& take) {
    const auto* const root =
        FIELDWATCH_TRY(reader_.parse(document, {.bytes_max = kDocumentBytesMax, .depth_max = kDepthMax}));
    const auto* const records = root->find("records");
    std::span<const json::Value> all;
    if (root->is(json::Type::Array))
        all = root->elements;
    else if (records != nullptr && records->is(json::Type::Array))
        all = records->elements;
    else if (root->is(json::Type::Object) && records == nullptr)
        all = std::span(root, 1);
    else
        return fail(Errc::Malformed,
                    R"(this is neither {"records":[…]} nor an array of records, nor one record)");
    if (all.size() > kRecordsMax)
        return fail(Errc::TooLarge, "a document has at most " + std::to_string(kRecordsMax) + " records");
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (const auto done = read_one(all[i], i + 1, take); !done)
            take.refused({"record " + std::to_string(i + 1), done.error().message});
    }
    return {};
}

Result<void> RecordReader::read_one(const json::Value& value, std::size_t number, const Take& take) {
    if (!value.is(json::Type::Object)) return fail(Errc::Malformed, "an object is needed");
    if (value.text_of("operationName").empty())
        return fail(Errc::Malformed, "/operationName: a text is required");
    const auto said = trimmed(value.text_of("time"));
    if (said.empty()) return fail(Errc::Malformed, "/time: is required, in UTC and ISO 8601");
    const auto time = parse_iso8601(said);
    if (!time) return fail(Errc::Malformed, "/time: " + time.error().message);
    const json::Value* properties = value.find("properties");
    if (properties != nullptr && properties->is(json::Type::String)) {
        const auto parsed = properties_reader_.parse(
            properties->text, {.bytes_max = limits::message_bytes, .depth_max = kDepthMax});
        if (!parsed && !trimmed(properties->text).empty()) return in_context("/properties", parsed.error());
        properties = parsed ? *parsed : nullptr;
    }
    if (properties != nullptr && !properties->is(json::Type::Object)) properties = nullptr;

    Record record{.number = number};
    record.administrative = is_administrative(value);
    record.time = time->time;
    hub_ = hub_of_resource(value.text_of("resourceId"));
    record.hub = hub_;
    const auto* const names = is_earlier_form(value) ? &value : properties;
    if (!record.administrative) {
        record.device = text_under(names, "deviceId");
        record.module = text_under(names, "moduleId");
    }
    body_.clear();
    if (names == &value)
        write_earlier(value, take);
    else
        write(value, properties, take);
    if (body_.size() > limits::message_bytes)
        return fail(Errc::TooLarge,
                    "a record has at most " + std::to_string(limits::message_bytes) + " bytes");
    const auto name = value.text_of("operationName");
    record.connected = !record.device.empty() && same_word(value.text_of("category"), "Connections") &&
                       same_word(name_today("Connections", name), "deviceConnect") &&
                       !same_word(value.text_of("level"), "Error");
    record.body = body_;
    take.record(record);
    return {};
}

void RecordReader::write(const json::Value& value, const json::Value* properties, const Take& take) {
    std::string scratch;
    JsonWriter json(body_);
    json.begin_object();
    for (const auto& member : value.members) {
        if (member.key == "time")
            json.member("time", trimmed(member.value.text));
        else if (member.key != "properties" || properties == nullptr)
            append_value(json, member.key, member.value, scratch);
    }
    if (value.find("caller") == nullptr) json.member_if("caller", caller_of(value));
    if (properties != nullptr) {
        json.key("properties").begin_object();
        const auto full = properties->text_of("ipAddress");
        for (const auto& member : properties->members) {
            if (take.mask == nullptr || member.key != "ipAddress")
                append_value(json, member.key, member.value, scratch);
        }
        const bool has_masked =
            properties->find("maskedIpAddress") != nullptr || properties->find("maskedIpAddresss") != nullptr;
        if (take.mask != nullptr && !full.empty() && !has_masked)
            json.member("maskedIpAddress", take.mask(full));
        json.end_object();
    }
    json.end_object();
}

void RecordReader::write_earlier(const json::Value& value, const Take& take) {
    std::string scratch;
    JsonWriter json(body_);
    json.begin_object();
    for (const auto key : kEarlierEnvelope) {
        if (const auto* const found = value.find(key)) append_value(json, key, *found, scratch);
    }
    auto code = text_or_number(value.find("statusType"));
    if (code.size() != 6 || code.find_first_not_of("0123456789") != std::string::npos)
        code = text_or_number(value.find("statusCode"));
    const bool failed = same_word(value.text_of("level"), "Error");
    json.member("operationName", name_today(value.text_of("category"), value.text_of("operationName")))
        .member("resultType", failed ? code : std::string())
        .member("resultDescription", value.text_of("statusDescription"))
        .key("properties")
        .begin_object();
    for (const auto& [key, member] : value.members) {
        const bool envelope = std::ranges::find(kEarlierEnvelope, key) != kEarlierEnvelope.end();
        if (envelope || key == "operationName" || key == "statusDescription" || key == "statusCode" ||
            key == "statusType" || key == "userAgent" || (take.mask != nullptr && key == "ipAddress"))
            continue;
        append_value(json, key, member, scratch);
    }
    json.member_if("sdkVersion", value.text_of("userAgent"));
    if (failed) json.member("statusCode", code);
    json.end_object().end_object();
}

Result<void> DocumentSplitter::add(std::string_view line, std::uint64_t number, const Each& each) {
    if (text_.size() + line.size() > kDocumentBytesMax) {
        drop();
        return fail(Errc::TooLarge,
                    "a document has at most " + std::to_string(kDocumentBytesMax >> 20) + " MiB");
    }
    std::size_t begin = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool within = nesting_.open();
        if (!within && (c == ' ' || c == '\t' || c == '\r' || c == ',')) continue;
        if (!within && c != '{' && c != '[') return fail(Errc::Malformed, "a document begins with { or [");
        nesting_.add(c);
        if (!within) {
            begin = i;
            first_line_ = number;
        } else if (!nesting_.open()) {
            if (text_.empty()) {
                each(line.substr(begin, i + 1 - begin), first_line_);
            } else {
                text_.append(line.substr(0, i + 1));
                each(text_, first_line_);
                text_.clear();
            }
            begin = i + 1;
        }
    }
    if (nesting_.open()) text_.append(line.substr(begin)).append(1, '\n');
    return {};
}

void DocumentSplitter::drop() {
    text_.clear();
    text_.shrink_to_fit();
    nesting_ = {};
}

}  // namespace fieldwatch::diagnostic
