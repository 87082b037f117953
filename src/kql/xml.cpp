#include "kql/xml.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "kql/expr.hpp"

namespace fieldwatch::kql {
namespace {

constexpr std::size_t kXmlBytesMax = 1u << 20;  // as the language's documentation has it
constexpr std::size_t kXmlDepthMax = 100;

constexpr std::string_view kBlanks = " \t\r\n", kDigits = "0123456789";

bool is_in(char c, std::string_view characters) {
    return characters.contains(c);
}

/// Whether JSON would write the number so, and every reader keeps its digits.
bool is_plain_number(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const auto whole = text.substr(0, text.find('.'));
    const auto rest = text.substr(whole.size());
    if (whole.empty() || text.size() > 16 || (whole.size() > 1 && whole[0] == '0')) return false;
    if (whole.find_first_not_of(kDigits) != std::string_view::npos) return false;
    return rest.empty() || (rest.size() > 1 && rest.find_first_not_of(kDigits, 1) == std::string_view::npos);
}

/// The members of an element as JSON texts, in the order in which each name came first.
class Members {
  public:
    void add(const std::string& name, std::string json) {
        const auto [place, is_new] = places_.try_emplace(name, members_.size());
        if (is_new) members_.push_back({name, {}});
        members_[place->second].values.push_back(std::move(json));
    }
    bool has(const std::string& name) const { return places_.contains(name); }
    bool empty() const { return members_.empty(); }
    std::string json() const {
        std::string out = "{";
        for (const auto& [name, values] : members_) {
            out += (out.size() > 1 ? "," : "") + json_quote(name) + ":" + (values.size() > 1 ? "[" : "");
            for (const auto& value : values)
                out += (&value == values.data() ? "" : ",") + value;
            if (values.size() > 1) out += "]";
        }
        return out + "}";
    }

  private:
    struct Member {
        std::string name;
        std::vector<std::string> values;
    };
    std::vector<Member> members_;
    std::map<std::string, std::size_t> places_;
};

/// One document. Every step ends in nullopt or false where the text is not well-formed.
class XmlReader {
  public:
    explicit XmlReader(std::string_view text) : rest_(text) {}

    std::optional<std::string> document() {
        take("\xEF\xBB\xBF");
        if (!pass_by() || !rest_.starts_with('<')) return std::nullopt;
        Members root;
        if (!element(root, 0) || !pass_by() || !rest_.empty()) return std::nullopt;
        return root.json();
    }

  private:
    bool take(std::string_view what) {
        if (!rest_.starts_with(what)) return false;
        rest_.remove_prefix(what.size());
        return true;
    }
    void blanks() {
        while (!rest_.empty() && is_in(rest_.front(), kBlanks))
            rest_.remove_prefix(1);
    }
    /// What stands before `end`, which is taken too.
    std::optional<std::string_view> until(std::string_view end) {
        const auto at = rest_.find(end);
        if (at == std::string_view::npos) return std::nullopt;
        const auto before = rest_.substr(0, at);
        rest_.remove_prefix(at + end.size());
        return before;
    }
    /// Blanks, comments and processing instructions.
    bool pass_by() {
        for (blanks(); rest_.starts_with("<!--") || rest_.starts_with("<?"); blanks()) {
            if (!until(rest_.starts_with("<?") ? "?>" : "-->")) return false;
        }
        return true;
    }
    std::optional<std::string> name() {
        std::size_t length = 0;
        while (length < rest_.size() && !is_in(rest_[length], kBlanks) && !is_in(rest_[length], "<>/=\"'&"))
            ++length;
        if (length == 0 || is_in(rest_[0], kDigits) || rest_[0] == '-' || rest_[0] == '.')
            return std::nullopt;
        std::string taken(rest_.substr(0, length));
        rest_.remove_prefix(length);
        return taken;
    }

    /// `text` with its entities and character references put in place.
    static std::optional<std::string> decoded(std::string_view text) {
        constexpr std::pair<std::string_view, char> kEntities[] = {
            {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
        std::string out;
        for (std::size_t at = 0; at < text.size();) {
            if (text[at] != '&') {
                out.push_back(text[at++]);
                continue;
            }
            const auto end = text.find(';', at);
            if (end == std::string_view::npos) return std::nullopt;
            const auto entity = text.substr(at + 1, end - at - 1);
            at = end + 1;
            if (entity.starts_with('#')) {
                const auto point = code_point(entity.substr(1));
                if (!point) return std::nullopt;
                append_utf8(out, *point);
                continue;
            }
            const auto known =
                std::ranges::find(kEntities, entity, &std::pair<std::string_view, char>::first);
            if (known == std::end(kEntities)) return std::nullopt;
            out.push_back(known->second);
        }
        return out;
    }
    /// A character that XML allows, written in decimal, or in hexadecimal behind x.
    static std::optional<std::uint32_t> code_point(std::string_view digits) {
        const bool hexadecimal = digits.starts_with('x');
        if (hexadecimal) digits.remove_prefix(1);
        if (digits.empty() || digits.size() > 7) return std::nullopt;
        std::uint32_t point = 0;
        for (const char c : digits) {
            const char low = static_cast<char>(c | 0x20);
            if (is_in(c, kDigits))
                point = point * (hexadecimal ? 16 : 10) + static_cast<std::uint32_t>(c - '0');
            else if (hexadecimal && low >= 'a' && low <= 'f')
                point = point * 16 + static_cast<std::uint32_t>(low - 'a' + 10);
            else
                return std::nullopt;
        }
        const bool control = point < 0x20 && point != '\t' && point != '\n' && point != '\r';
        if (control || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return std::nullopt;
        return point;
    }

    bool attributes(Members& members) {
        for (blanks(); !rest_.empty() && rest_[0] != '>' && rest_[0] != '/'; blanks()) {
            const auto key = name();
            blanks();
            if (!key || !take("=")) return false;
            blanks();
            const std::string quote(rest_.substr(0, 1));
            if (quote != "\"" && quote != "'") return false;
            rest_.remove_prefix(1);
            const auto raw = until(quote);
            if (!raw || raw->contains('<') || members.has("@" + *key)) return false;
            const auto value = decoded(*raw);
            if (!value) return false;
            members.add("@" + *key, json_quote(*value));
        }
        return true;
    }

    static std::string text_json(std::string_view text) {
        return is_plain_number(text) ? std::string(text) : json_quote(text);
    }

    /// Everything up to the element's end; what is text only comes back as `only`.
    bool content(const std::string& element_name, std::size_t depth, Members& members, std::string& only) {
        std::string text;
        const auto finish = [&] {
            const auto bare = trimmed(text);
            if (!bare.empty()) members.add("#text", text_json(bare));
            text.clear();
        };
        while (!rest_.empty()) {
            if (rest_[0] != '<') {
                const auto raw = rest_.substr(0, rest_.find('<'));
                const auto plain = decoded(raw);
                if (!plain) return false;
                text += *plain;
                rest_.remove_prefix(raw.size());
            } else if (take("<![CDATA[")) {
                const auto raw = until("]]>");
                if (!raw) return false;
                text += *raw;
            } else if (rest_.starts_with("<!--") || rest_.starts_with("<?")) {
                if (!until(rest_.starts_with("<?") ? "?>" : "-->")) return false;
            } else if (take("</")) {
                const auto closed = name();
                blanks();
                if (closed != element_name || !take(">")) return false;
                if (members.empty())
                    only = text_json(trimmed(text));
                else
                    finish();
                return true;
            } else {
                finish();
                if (!element(members, depth + 1)) return false;
            }
        }
        return false;
    }

    /// Adds the element that begins here to its parent's members.
    bool element(Members& parent, std::size_t depth) {
        if (depth >= kXmlDepthMax || !take("<")) return false;
        auto tag = name();
        Members members;
        if (!tag || !attributes(members)) return false;
        std::string json = "null";
        if (!take("/>")) {
            if (!take(">") || !content(*tag, depth, members, json)) return false;
        }
        parent.add(*tag, members.empty() ? std::move(json) : members.json());
        return true;
    }

    std::string_view rest_;
};

}  // namespace

std::optional<std::string> xml_to_json(std::string_view text) {
    if (text.size() > kXmlBytesMax) return std::nullopt;
    return XmlReader(text).document();
}

}  // namespace fieldwatch::kql
