#include "hub/metric_path.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace fieldwatch::hub {
namespace {

bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}
bool continues_name(char c) {
    return starts_name(c) || (c >= '0' && c <= '9');
}

/// Takes a path's text apart from its front.
class PathReader {
  public:
    explicit PathReader(std::string_view text) : text_(text) {}

    bool at_end() const { return at_ == text_.size(); }
    bool take(char wanted) {
        if (at_end() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    std::unexpected<Error> wrong(std::string_view expected) const {
        return fail(Errc::InvalidArgument,
                    fmt::format("the path of a metric, at byte {}: expected {}", at_, expected));
    }

    Result<std::string> name() {
        const auto begin = at_;
        if (at_end() || !starts_name(text_[at_])) return wrong("a name, which begins with a letter or _");
        while (!at_end() && continues_name(text_[at_]))
            ++at_;
        return std::string(text_.substr(begin, at_ - begin));
    }
    Result<std::string> quoted(char quote) {
        std::string out;
        while (!at_end() && text_[at_] != quote) {
            if (static_cast<unsigned char>(text_[at_]) < ' ') return wrong("no control character");
            if (take('\\') &&
                (at_end() || std::string_view("'\"\\/").find(text_[at_]) == std::string_view::npos))
                return wrong("a quote, \\ or / behind \\");
            out.push_back(text_[at_++]);
        }
        if (!take(quote)) return wrong("the quote that ends the name");
        return out;
    }
    Result<std::size_t> index() {
        const auto begin = at_;
        while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9' && at_ - begin < 5)
            ++at_;
        std::size_t out = 0;
        const auto digits = text_.substr(begin, at_ - begin);
        static_cast<void>(std::from_chars(digits.data(), digits.data() + digits.size(), out));
        if (digits.empty() || (digits.size() > 1 && digits[0] == '0') || out > MetricPath::kIndexMax) {
            at_ = begin;
            return wrong(fmt::format("a name in quotes, or an index from 0 to {}", MetricPath::kIndexMax));
        }
        return out;
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Result<MetricPath> MetricPath::parse(std::string_view text) {
    if (text.size() > kBytesMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("the path of a metric has at most {} bytes", kBytesMax));
    PathReader reader(text);
    if (!reader.take('$')) return reader.wrong("$, the body");
    MetricPath out;
    while (!reader.at_end()) {
        if (out.segments_.size() >= kSegmentsMax)
            return reader.wrong(fmt::format("the end: a path has at most {} steps", kSegmentsMax));
        if (reader.take('.')) {
            out.segments_.emplace_back(FIELDWATCH_TRY(reader.name()));
            continue;
        }
        if (!reader.take('[')) return reader.wrong(". or [");
        if (reader.take('\'')) {
            out.segments_.emplace_back(FIELDWATCH_TRY(reader.quoted('\'')));
        } else if (reader.take('"')) {
            out.segments_.emplace_back(FIELDWATCH_TRY(reader.quoted('"')));
        } else {
            out.segments_.emplace_back(FIELDWATCH_TRY(reader.index()));
        }
        if (!reader.take(']')) return reader.wrong("]");
    }
    return out;
}

const json::Value* MetricPath::value_in(const json::Value& body) const {
    const auto* at = &body;
    for (const auto& segment : segments_) {
        if (const auto* const name = std::get_if<std::string>(&segment)) {
            at = at->find(*name);
            if (at == nullptr) return nullptr;
        } else {
            const auto index = std::get<std::size_t>(segment);
            if (!at->is(json::Type::Array) || index >= at->elements.size()) return nullptr;
            at = &at->elements[index];
        }
    }
    return at;
}

std::optional<double> MetricPath::number_in(const json::Value& body) const {
    const auto* const value = value_in(body);
    if (value == nullptr) return std::nullopt;
    if (value->is(json::Type::Integer)) return static_cast<double>(value->integer);
    if (value->is(json::Type::Real)) return value->real;
    return std::nullopt;
}

std::string MetricPath::text() const {
    std::string out = "$";
    for (const auto& segment : segments_) {
        if (const auto* const name = std::get_if<std::string>(&segment)) {
            out += "['";
            for (const char c : *name) {
                if (c == '\'' || c == '\\') out.push_back('\\');
                out.push_back(c);
            }
            out += "']";
        } else {
            out += fmt::format("[{}]", std::get<std::size_t>(segment));
        }
    }
    return out;
}

}  // namespace fieldwatch::hub
