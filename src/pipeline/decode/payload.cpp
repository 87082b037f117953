#include "pipeline/decode/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "base/limits.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr std::int64_t kHitCountMax =
    1'000'000'000;  ///< more is a lie; sums of such counts stay within 64 bits

bool equal_no_case(std::string_view left, std::string_view right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
        return lower(a) == lower(b);
    });
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// RFC 3339, or the C# agent's `MM/dd/yyyy HH:mm:ss` in UTC: spec/security-messages.md section 4.
std::optional<Timestamp> parse_window_time(std::string_view text) {
    if (text.size() == 19 && text[2] == '/' && text[5] == '/') {
        std::string iso(text.substr(6, 4));
        iso.append("-").append(text, 0, 2).append("-").append(text, 3, 2).append("T").append(text, 11);
        const auto parsed = parse_iso8601(iso);
        return parsed ? std::optional(parsed->time) : std::nullopt;
    }
    const auto parsed = parse_iso8601(text);
    return parsed ? std::optional(parsed->time) : std::nullopt;
}

std::string join(std::span<const std::string_view> words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

bool contains(std::span<const std::string_view> words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string PayloadPlace::pointer(std::string_view field) const {
    auto out = fmt::format("/Events/{}/Payload/{}", event, payload);
    if (!field.empty()) json::append_pointer(out, field.substr(0, 100));
    return out;
}

void PayloadDecoder::problem(ProblemClass problem_class, std::string_view field, std::string reason) {
    problems_.add(problem_class, place_.pointer(field), std::move(reason));
}

Repeats PayloadDecoder::decode(const PayloadSchema& schema, const json::Value& payload, PayloadPlace place,
                               std::string_view details_tail, model::Item& item) {
    place_ = place;
    slots_.fill(nullptr);
    is_replaced_ = is_dropped_ = 0;
    extra_ = {};
    if (!payload.is(json::Type::Object)) {
        problem(ProblemClass::Fatal, {},
                fmt::format("is {}; an object is needed", json::to_string(payload.type)));
        return {};
    }
    const auto fatal_before = problems_.fatal();
    read_slots(schema, payload);
    check_kind(schema);
    if (problems_.fatal() != fatal_before) return {};
    const auto repeats = read_repeats(schema);
    item.payload = make(schema);
    item.extra_details = extra_;
    item.details_json = write_details(schema, payload, details_tail);
    return repeats;
}

void PayloadDecoder::read_slots(const PayloadSchema& schema, const json::Value& payload) {
    std::size_t guess = 0;  // members mostly come in the table's order
    for (const auto& [key, value] : payload.members) {
        std::size_t slot = guess;
        while (slot < schema.fields.size() && schema.fields[slot].name != key)
            ++slot;
        if (slot == schema.fields.size()) {
            for (slot = 0; slot < guess && schema.fields[slot].name != key; ++slot) {
            }
            if (slot == guess) slot = schema.fields.size();
        }
        if (slot == schema.fields.size()) {
            problem(ProblemClass::Fatal, key, fmt::format("{} has no such property", schema.name));
            continue;
        }
        guess = slot + 1;
        slots_[slot] = &value;
        check_field(slot, schema.fields[slot], value);
    }
    for (std::size_t slot = 0; slot < schema.fields.size(); ++slot) {
        if (schema.fields[slot].required && slots_[slot] == nullptr)
            problem(ProblemClass::Fatal, schema.fields[slot].name, "is required");
    }
}

void PayloadDecoder::check_field(std::size_t slot, const Field& field, const json::Value& value) {
    const auto wrong_type = [&](std::string_view wanted) {
        problem(ProblemClass::Fatal, field.name,
                fmt::format("is {}; {} is needed", json::to_string(value.type), wanted));
    };
    switch (field.type) {
        case FieldType::Text:
            if (!value.is(json::Type::String)) wrong_type("a string");
            return;
        case FieldType::Integer:
            if (!value.is(json::Type::Integer)) wrong_type("an integer of 64 bits");
            return;
        case FieldType::Boolean:
            if (!value.is(json::Type::Boolean)) wrong_type("a boolean");
            return;
        case FieldType::IpOrUnknown:
            if (value.is(json::Type::String) && value.text == kUnknownAddress)
                return problem(ProblemClass::Compat, field.name,
                               "is no address; it is taken for an unknown one");
            [[fallthrough]];
        case FieldType::Ip:
            if (!value.is(json::Type::String)) return wrong_type("an address in a string");
            if (!parse_ip(value.text))
                problem(ProblemClass::Fatal, field.name, "is not exactly one IPv4 or IPv6 address");
            return;
        case FieldType::Port:
            return check_port(slot, field, value);
        case FieldType::TextOrNumber:
            if (value.is(json::Type::Integer)) {
                replaced_[slot] = decimal(value.integer);
                is_replaced_ |= 1u << slot;
            } else if (!value.is(json::Type::String)) {
                wrong_type("a string or an integer");
            }
            return;
        case FieldType::Choice:
        case FieldType::ChoiceNoCase:
            return check_choice(slot, field, value);
        case FieldType::TextMap:
            return check_map(field, value);
        case FieldType::Rows:
            if (!value.is(json::Type::Array)) wrong_type("an array");
            return;
    }
}

void PayloadDecoder::check_choice(std::size_t slot, const Field& field, const json::Value& value) {
    if (!value.is(json::Type::String)) {
        problem(ProblemClass::Fatal, field.name,
                fmt::format("is {}; one of {} is needed", json::to_string(value.type), join(field.choices)));
        return;
    }
    if (contains(field.choices, value.text)) return;
    if (contains(field.compat_choices, value.text)) {
        problem(ProblemClass::Compat, field.name, "is a value that only some field agents send");
        return;
    }
    if (field.type == FieldType::ChoiceNoCase) {
        const auto same = std::find_if(field.choices.begin(), field.choices.end(),
                                       [&](auto choice) { return equal_no_case(choice, value.text); });
        if (same != field.choices.end()) {
            problem(ProblemClass::Compat, field.name, "has another letter case than the schema");
            replaced_[slot] = *same;
            is_replaced_ |= 1u << slot;
            return;
        }
    }
    problem(ProblemClass::Fatal, field.name, fmt::format("must be one of {}", join(field.choices)));
}

// What aggregation leaves of the ephemeral port: C# "", C the integer 0 (spec/security-messages.md section
// 6).
void PayloadDecoder::check_port(std::size_t slot, const Field& field, const json::Value& value) {
    const bool is_zero = value.is(json::Type::Integer) && value.integer == 0;
    const bool is_blank = value.is(json::Type::String) && value.text.empty();
    if (value.is(json::Type::String) && !is_blank) return;
    if (!is_zero && !is_blank) {
        problem(ProblemClass::Fatal, field.name,
                fmt::format("is {}; a string is needed", json::to_string(value.type)));
        return;
    }
    if (is_zero) problem(ProblemClass::Compat, field.name, "is the integer 0; a string is needed");
    if (field.required) {
        replaced_[slot] = "0";
        is_replaced_ |= 1u << slot;
    } else {
        is_dropped_ |= 1u << slot;
    }
}

void PayloadDecoder::check_map(const Field& field, const json::Value& value) {
    if (!value.is(json::Type::Object)) {
        problem(ProblemClass::Fatal, field.name,
                fmt::format("is {}; an object of strings is needed", json::to_string(value.type)));
        return;
    }
    const auto map = arena_.allocate<std::pair<std::string_view, std::string_view>>(value.members.size());
    for (std::size_t i = 0; i < map.size(); ++i) {
        const auto& member = value.members[i];
        map[i].first = member.key;
        if (member.value.is(json::Type::String)) {
            map[i].second = member.value.text;
            continue;
        }
        std::string where(field.name);
        const bool is_count = member.key == "HitCount" && member.value.is(json::Type::Integer);
        if (is_count) map[i].second = decimal(member.value.integer);
        auto pointer = place_.pointer(field.name);
        json::append_pointer(pointer, member.key.substr(0, 100));
        problems_.add(is_count ? ProblemClass::Compat : ProblemClass::Fatal, std::move(pointer),
                      fmt::format("is {}; a string is needed", json::to_string(member.value.type)));
    }
    if (field.name == "ExtraDetails") extra_ = map;
}

// What no table can say: fields that may stand for each other.
void PayloadDecoder::check_kind(const PayloadSchema& schema) {
    using model::EventKind;
    if (schema.version_2) return;
    if (schema.kind == EventKind::ProcessCreate && slots_[slot::process_create::UserId] == nullptr) {
        const bool named = slots_[slot::process_create::UserName] != nullptr;
        problem(named ? ProblemClass::Compat : ProblemClass::Fatal, "UserId",
                named ? "is required; UserName stands for it" : "is required");
    }
    if (schema.kind == EventKind::Login && slots_[slot::login::UserId] == nullptr &&
        slots_[slot::login::UserName] == nullptr) {
        problem(ProblemClass::Fatal, {}, "needs UserId or UserName");
    }
    if (schema.kind == EventKind::ConnectionCreate &&
        slots_[slot::connection_create::RemoteAddress] == nullptr) {
        const bool other_family = !extra("familyName").empty();
        problem(other_family ? ProblemClass::Compat : ProblemClass::Fatal, "RemoteAddress",
                other_family ? "is required; the connection is of another address family" : "is required");
    }
    if (schema.kind == EventKind::ConnectedHardware) {
        if (slots_[slot::hardware::ConnectedHardware] != nullptr) {
            problem(ProblemClass::Compat, "ConnectedHardware", "stands for HardwareName");
            return;
        }
        for (const auto field :
             {slot::hardware::Category, slot::hardware::SubCategory, slot::hardware::Name}) {
            if (slots_[field] == nullptr)
                problem(ProblemClass::Fatal, schema.fields[field].name, "is required");
        }
    }
    if (schema.kind == EventKind::Diagnostic && slots_[4] != nullptr && slots_[4]->text.size() != 36)
        problem(ProblemClass::Fatal, "CorrelationId", "must have 36 characters");
}

Repeats PayloadDecoder::read_repeats(const PayloadSchema& schema) {
    Repeats out;
    std::optional<std::int64_t> count;
    if (schema.version_2) {
        for (std::size_t i = 0; i < schema.fields.size(); ++i) {
            if (slots_[i] == nullptr) continue;
            if (schema.fields[i].name == "HitCount") count = slots_[i]->integer;
            if (schema.fields[i].name == "Timestamp") {
                out.start = parse_window_time(slots_[i]->text);
                if (!out.start) problem(ProblemClass::Fatal, "Timestamp", "is not a time that can be read");
            }
        }
    }
    if (const auto text = extra("HitCount"); !count && !text.empty()) count = parse_integer(text);
    if (!count || *count < 1) return out;
    out.count = std::min(*count, kHitCountMax);
    for (auto& [key, value] : extra_) {
        const bool is_window =
            key == "StartTimeUtc" || key == "EndTimeUtc" || key == "StartTimeLocal" || key == "EndTimeLocal";
        if (!is_window) continue;
        const auto time = parse_window_time(value);
        if (!time) {
            problem(ProblemClass::Note, "ExtraDetails",
                    fmt::format("{} is not a time that can be read", key));
            continue;
        }
        if (key == "StartTimeUtc") out.start = time;
        if (key == "EndTimeUtc") out.end = time;
        if (value.size() == 19 && value[2] == '/')  // the C# agent's form, to RFC 3339
            value = arena_.copy(to_iso8601(*time, 0).substr(0, key.ends_with("Utc") ? 20 : 19));
    }
    return out;
}

std::string_view PayloadDecoder::text(std::size_t slot) {
    if (is_replaced_ >> slot & 1) return replaced_[slot];
    if (slots_[slot] == nullptr || (is_dropped_ >> slot & 1)) return {};
    const auto& value = *slots_[slot];
    return value.is(json::Type::Integer) ? decimal(value.integer) : value.text;
}

std::int64_t PayloadDecoder::integer(std::size_t slot) const {
    return slots_[slot] == nullptr ? 0 : slots_[slot]->integer;
}

std::string_view PayloadDecoder::decimal(std::int64_t value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    return arena_.copy({digits, static_cast<std::size_t>(end - digits)});
}

std::string_view PayloadDecoder::write_details(const PayloadSchema& schema, const json::Value& payload,
                                               std::string_view tail) {
    scratch_.clear();
    JsonWriter out(scratch_);
    out.begin_object();
    if (schema.kind == model::EventKind::ConnectedHardware &&
        slots_[slot::hardware::ConnectedHardware] != nullptr) {
        out.member("HardwareCategory", "Unknown").member("HardwareSubCategory", "Unknown");
        out.member("HardwareName", text(slot::hardware::ConnectedHardware));
        is_dropped_ |= 1u << slot::hardware::ConnectedHardware;
    }
    for (const auto& member : payload.members) {
        std::size_t slot = 0;
        while (slots_[slot] != &member.value)
            ++slot;
        if (is_dropped_ >> slot & 1) continue;
        out.key(member.key);
        if (is_replaced_ >> slot & 1) {
            out.string(replaced_[slot]);
        } else if (schema.fields[slot].name == "ExtraDetails") {
            out.begin_object();
            for (const auto& [key, value] : extra_)
                out.member(key, value);
            out.end_object();
        } else if (member.value.is(json::Type::String)) {
            out.string(member.value.text);
        } else if (member.value.is(json::Type::Integer)) {
            out.integer(member.value.integer);
        } else {
            std::string nested;
            json::append(nested, member.value);
            out.raw(nested);
        }
    }
    if (scratch_.size() > 1) scratch_ += ',';
    scratch_ += tail;
    scratch_ += '}';
    return arena_.copy(scratch_);
}

}  // namespace fieldwatch::pipeline
