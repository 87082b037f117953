// For people: the body of a mail.
#include <fmt/format.h>

#include "export/render.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::size_t kLineBytesMax = 1'000;
constexpr std::size_t kParagraphBytesMax = 4'000;
constexpr std::size_t kSeenMax = 20;  ///< of what a finding names; the workspace has the rest

unsigned char byte_at(std::string_view text, std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

/// How many bytes here are a character that people do not see but their programs obey: controls of both
/// sets, line and paragraph separators, marks and embeddings of writing direction.
std::size_t invisible_at(std::string_view text, std::size_t at) {
    const auto first = byte_at(text, at), second = byte_at(text, at + 1), third = byte_at(text, at + 2);
    if (first < 0x20 || first == 0x7f) return 1;
    if (first == 0xC2 && second >= 0x80 && second < 0xA0) return 2;
    if (first != 0xE2) return 0;
    if (second == 0x80 && ((third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE))) return 3;
    if (second == 0x81 && third >= 0xA0 && third <= 0xAF) return 3;
    return 0;
}

std::string_view word_of(Observable::What what) {
    using enum Observable::What;
    switch (what) {
        case IpAddress:
            return "address";
        case DomainName:
            return "name";
        case Url:
            return "URL";
        case FilePath:
            return "file";
        case UserName:
            return "user";
        case CommandLine:
            return "command line";
        case ImageId:
            return "image";
    }
    std::unreachable();
}

std::string plain_list(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : ", ") + plain_line(text, 64);
    return out;
}

void add_line(std::string& out, std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{}: {}\n", name, plain_line(value, kLineBytesMax));
}

std::string seen_when(const Finding& finding) {
    if (finding.first == finding.last || finding.kind != Kind::Alert) return to_iso8601(finding.first, 0);
    return fmt::format("{} to {}, {} times", to_iso8601(finding.first, 0), to_iso8601(finding.last, 0),
                       finding.hits);
}

void add_place(std::string& out, const Finding& finding) {
    add_line(out, "State", finding.state);
    add_line(out, "Device", finding.device);
    add_line(out, "Hub", finding.hub);
    add_line(out, finding.kind == Kind::Alert ? "Seen" : "Since", seen_when(finding));
}

void add_seen(std::string& out, const Finding& finding) {
    if (finding.observables.empty()) return;
    out += "\nWhat was seen\n";
    std::size_t count = 0;
    for (const auto& one : finding.observables) {
        if (++count > kSeenMax) {
            out += fmt::format("- and {} more\n", finding.observables.size() - kSeenMax);
            return;
        }
        out += fmt::format("- {}: {}\n", word_of(one.what), plain_line(one.value, kLineBytesMax));
    }
}

void add_steps(std::string& out, const Finding& finding) {
    if (finding.remediation.empty()) return;
    out += "\nWhat to do\n";
    std::size_t number = 0;
    for (const auto& step : finding.remediation)
        out += fmt::format("{}. {}\n", ++number, plain_line(step, kLineBytesMax));
}

/// Our own words and ids: the one link there is, where this server has a page.
void add_way_in(std::string& out, const Finding& finding, const Teller& teller) {
    const auto id = plain_line(finding.id, 128);
    const auto link = link_to(finding, teller);
    const bool is_id = finding.id.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
    out += "\n";
    if (!link.empty() && is_id) out += fmt::format("Look at it: {}\n", link);
    if (finding.kind == Kind::Alert)
        out += fmt::format(
            "On the command line: fieldwatch alerts show {0}\n"
            "When it is nothing: fieldwatch alerts dismiss {0}\n",
            id);
    else
        out += fmt::format("On the command line: fieldwatch recommendations show {}\n", id);
}

}  // namespace

std::string plain_line(std::string_view text, std::size_t bytes_max) {
    const auto shown = shortened(text, bytes_max);
    std::string out;
    for (std::size_t at = 0; at < shown.size();) {
        if (const auto bytes = invisible_at(shown, at); bytes > 0) {
            out += ' ';
            at += bytes;
        } else if (shown.substr(at).starts_with("://")) {
            out += "[:]//";  // what a device wrote is nothing to click on
            at += 3;
        } else {
            out += shown[at++];
        }
    }
    if (shown.size() < text.size()) out += "…";
    return out;
}

std::string render_text(const Finding& finding, const Teller& teller) {
    auto out = fmt::format("{}: {}\n", model::to_string(finding.severity),
                           plain_line(finding.title.empty() ? finding.type : finding.title, kLineBytesMax));
    add_place(out, finding);
    if (!finding.description.empty())
        out += "\n" + plain_line(finding.description, kParagraphBytesMax) + "\n";
    add_seen(out, finding);
    add_steps(out, finding);
    out += "\n";
    add_line(out, "Type", finding.type);
    add_line(out, "ATT&CK", plain_list(finding.techniques));
    add_line(
        out, "Rule",
        finding.rule_title.empty() ? finding.rule_id : finding.rule_title + " (" + finding.rule_id + ")");
    add_line(out, "Incident", finding.incident);
    add_line(out, "Id", finding.id);
    add_way_in(out, finding, teller);
    return out;
}

}  // namespace fieldwatch::exports
