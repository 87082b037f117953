#include "kql/xml.hpp"

#include <expat.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "kql/expr.hpp"

namespace fieldwatch::kql {
namespace {

constexpr std::size_t kXmlBytesMax = 1u << 20;  // as the language's documentation has it
constexpr std::size_t kXmlDepthMax = 100;

constexpr std::string_view kDigits = "0123456789";

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

std::string text_json(std::string_view text) {
    return is_plain_number(text) ? std::string(text) : json_quote(text);
}

/// Hears one document from expat, and stops it where it goes beyond what is read here.
class XmlReader {
  public:
    XmlReader() : parser_(XML_ParserCreate("UTF-8"), &XML_ParserFree) {
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(
            parser_.get(),
            [](void* reader, const char* name, const char** attributes) {
                of(reader).begin(name, attributes);
            },
            [](void* reader, const char*) { of(reader).end(); });
        XML_SetCharacterDataHandler(parser_.get(), [](void* reader, const char* text, int size) {
            of(reader).open_.back().text.append(text, static_cast<std::size_t>(size));
        });
        XML_SetStartDoctypeDeclHandler(parser_.get(), [](void* reader, const char*, const char*, const char*,
                                                         int) { of(reader).stop(); });
    }

    std::optional<std::string> document(std::string_view text) {
        const auto read = XML_Parse(parser_.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
        return read == XML_STATUS_OK ? std::optional(root_.json()) : std::nullopt;
    }

  private:
    struct Element {
        std::string name;
        Members members;
        std::string text;  ///< since the last element within it
    };

    static XmlReader& of(void* reader) { return *static_cast<XmlReader*>(reader); }
    void stop() { XML_StopParser(parser_.get(), XML_FALSE); }

    void begin(const char* name, const char** attributes) {
        if (open_.size() >= kXmlDepthMax) return stop();
        if (!open_.empty()) keep_text(open_.back());
        auto& element = open_.emplace_back(Element{.name = name, .members = {}, .text = {}});
        for (; *attributes != nullptr; attributes += 2)
            element.members.add("@" + std::string(attributes[0]), json_quote(attributes[1]));
    }
    void end() {
        auto element = std::move(open_.back());
        open_.pop_back();
        std::string json = "null";
        if (!element.members.empty()) {
            keep_text(element);
            json = element.members.json();
        } else if (XML_GetCurrentByteCount(parser_.get()) > 0) {  // `<e></e>`; of `<e/>` the end has no text
            json = text_json(trimmed(element.text));
        }
        (open_.empty() ? root_ : open_.back().members).add(element.name, std::move(json));
    }
    static void keep_text(Element& element) {
        const auto bare = trimmed(element.text);
        if (!bare.empty()) element.members.add("#text", text_json(bare));
        element.text.clear();
    }

    std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
    Members root_;
    std::vector<Element> open_;  ///< the innermost last
};

}  // namespace

std::optional<std::string> xml_to_json(std::string_view text) {
    if (text.size() > kXmlBytesMax) return std::nullopt;
    return XmlReader().document(text);
}

}  // namespace fieldwatch::kql
