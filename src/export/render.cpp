#include "export/render.hpp"

#include "base/json_text.hpp"

namespace fieldwatch::exports {

std::string_view shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    auto end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;
    return text.substr(0, end);
}

std::string link_to(const Finding& finding, const Teller& teller) {
    if (teller.page_url.empty() || finding.kind != Kind::Alert || finding.hub.empty()) return {};
    return teller.page_url + "/alerts/" + finding.id;
}

std::string render_json(const Finding& finding, const Teller& teller) {
    // The object is complete but for who says it: its last bracket makes place.
    std::string out(finding.json, 0, finding.json.size() - 1);
    out += R"(,"ProductName":"Fieldwatch","ProductVersion":)";
    append_json_string(out, teller.version);
    if (const auto link = link_to(finding, teller); !link.empty()) {
        out += R"(,"AlertLink":)";
        append_json_string(out, link);
    }
    return out + "}";
}

std::string render(Format format, const Finding& finding, const Teller& teller) {
    switch (format) {
        case Format::Json:
            return render_json(finding, teller);
        case Format::Ocsf:
            return render_ocsf(finding, teller);
        case Format::Stix:
            return render_stix(finding, teller);
        case Format::Syslog:
            return render_syslog(finding, {});
        case Format::Cef:
            return render_cef(finding, teller);
        case Format::Text:
            return render_text(finding, teller);
    }
    std::unreachable();
}

}  // namespace fieldwatch::exports
