// A finding in the words of other systems. Pure: the same finding gives the same bytes, so a repeat is known
// as one. Every text in a finding is a stranger's: no renderer lets it end a field, a line or an object.
#pragma once

#include <string>
#include <string_view>

#include "export/destination.hpp"
#include "export/finding.hpp"

namespace fieldwatch::exports {

/// Who says it.
struct Teller {
    std::string version;   ///< of the product
    std::string page_url;  ///< begins links to alerts; "" = no links
};

/// One finding in a format; JSON forms without line ends, syslog and CEF as one line without its end,
/// text as lines.
std::string render(Format format, const Finding& finding, const Teller& teller);

/// The finding as its members are named in our own tables: docs/exports.md.
std::string render_json(const Finding& finding, const Teller& teller);
/// OCSF 1.4.0, Detection Finding (class 2004).
std::string render_ocsf(const Finding& finding, const Teller& teller);
/// A STIX 2.1 bundle: an alert as observed data, an indicator that names our rule, and its sighting at the
/// device; a recommendation as a note about the device. Ids are name-based.
std::string render_stix(const Finding& finding, const Teller& teller);
/// CEF 0 without the syslog header around it.
std::string render_cef(const Finding& finding, const Teller& teller);
/// RFC 5424, facility local0; `message` "" = what there is to say in a sentence, and the rest as structured
/// data.
std::string render_syslog(const Finding& finding, std::string_view message);

/// For a person: what happened, where, what was seen, what to do; lines end with \n. No text of a stranger
/// ends a line, becomes a link or turns the direction of writing.
std::string render_text(const Finding& finding, const Teller& teller);
/// A stranger's text in one line for people, at most `bytes_max` bytes.
std::string plain_line(std::string_view text, std::size_t bytes_max);

/// Where the page shows the finding; "" without a page or for what it has no view of.
std::string link_to(const Finding& finding, const Teller& teller);
/// At most `bytes_max` bytes of UTF-8 text, never part of a character.
std::string_view shortened(std::string_view text, std::size_t bytes_max);

}  // namespace fieldwatch::exports
