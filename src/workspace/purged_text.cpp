#include "workspace/purged_text.hpp"

#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "base/words.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::workspace {
namespace {

using PurgedJson = nlohmann::json;
constexpr int kPurgeDepthMax = 16;  ///< JSON in strings in JSON; each escapes what is below once more

bool is_container(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[') &&
           PurgedJson::accept(text);
}

/// The name as the inside of a JSON string: as it must be, or with nothing but ASCII.
std::string escaped(std::string_view name, bool ascii) {
    const auto quoted = PurgedJson(name).dump(-1, ' ', ascii, PurgedJson::error_handler_t::replace);
    return quoted.substr(1, quoted.size() - 2);
}

/// Where the string that begins at `begin` ends, behind its quote; the text is JSON.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
    auto at = begin + 1;
    while (text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at + 1;
}

class NameRemover {
  public:
    explicit NameRemover(std::string_view name) : name_(name), spellings_{std::string(name)} {
        for (const bool ascii : {false, true}) {
            if (auto spelling = escaped(name, ascii); spelling != spellings_.back())
                spellings_.push_back(std::move(spelling));
        }
    }

    std::optional<std::string> of_text(std::string_view text, int depth) const {
        if (text.find(name_) == std::string_view::npos && text.find('\\') == std::string_view::npos)
            return std::nullopt;
        return depth < kPurgeDepthMax && is_container(text) ? of_json(text, depth) : of_plain(text);
    }

  private:
    std::optional<std::string> of_plain(std::string_view text) const {
        std::optional<std::string> out;
        for (const auto& spelling : spellings_) {
            auto done = replace_words(out ? *out : text, spelling, kPurged);
            if (done.count > 0) out = std::move(done.text);
        }
        return out;
    }

    std::optional<std::string> of_json(std::string_view text, int depth) const {
        std::string out;
        std::size_t kept = 0;  // up to here the text is in `out`, once anything changed
        for (auto at = text.find('"'); at != std::string_view::npos; at = text.find('"', at)) {
            const auto end = end_of_string(text, at);
            const auto next = text.find_first_not_of(" \t\r\n", end);
            if (text[next] != ':') {  // else the name of a member; a container ends behind its strings
                if (const auto without = of_string(text.substr(at, end - at), depth)) {
                    out += text.substr(kept, at - kept);
                    append_json_string(out, *without);
                    kept = end;
                }
            }
            at = end;
        }
        if (kept == 0) return std::nullopt;
        out += text.substr(kept);
        return out;
    }

    std::optional<std::string> of_string(std::string_view quoted, int depth) const {
        const auto inside = quoted.substr(1, quoted.size() - 2);
        if (inside.find('\\') == std::string_view::npos) return of_text(inside, depth + 1);
        return of_text(PurgedJson::parse(quoted).get_ref<const std::string&>(), depth + 1);
    }

    std::string_view name_;
    std::vector<std::string> spellings_;
};

}  // namespace

std::optional<std::string> without_name(std::string_view text, std::string_view name) {
    return name.empty() ? std::nullopt : NameRemover(name).of_text(text, 0);
}

}  // namespace fieldwatch::workspace
