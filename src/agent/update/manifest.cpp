#include "agent/update/manifest.hpp"

#include <algorithm>
#include <charconv>

namespace fieldwatch::agent {

namespace {

constexpr std::string_view kManifestMagic = "fieldwatch-agent-update ";
constexpr std::string_view kManifestVersion = "1";
constexpr std::array<std::string_view, kUpdatePrograms.size()> kProgramWords = {"agent ", "collector "};

std::unexpected<Error> bad_manifest(const char* why) {
    return fail(Errc::Malformed, std::string("the update's manifest ") + why);
}

template <class Number>
bool whole_number(std::string_view text, Number& out) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && stop == text.data() + text.size() && std::to_string(out) == text;
}

bool is_hex_digest(std::string_view text) {
    return text.size() == 64 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_word(std::string_view text, std::size_t size_max) {
    return !text.empty() && text.size() <= size_max && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == ':' || c == '.';
    });
}

/// Lines off the front of a text, each of which begins with a word of its own.
struct ManifestLines {
    std::string_view rest;

    /// What follows `word` in the next line; nothing, and nothing taken, where that begins otherwise.
    std::optional<std::string_view> take(std::string_view word) {
        const auto end = rest.find('\n');
        if (end == std::string_view::npos || !rest.substr(0, end).starts_with(word)) return std::nullopt;
        const auto out = rest.substr(word.size(), end - word.size());
        rest.remove_prefix(end + 1);
        return out;
    }
};

Result<void> read_signature_line(std::string_view line, Manifest& out) {
    const auto blank = std::min(line.find(' '), line.size());
    out.key_id = line.substr(0, blank);
    const auto text = line.substr(std::min(blank + 1, line.size()));
    const auto bytes = from_base64(text);
    // One spelling only: what may be written in two ways is not what was signed.
    if (out.key_id.size() != 16 || !is_word(out.key_id, 16) || !bytes || bytes->size() != 64 ||
        base64(*bytes) != text)
        return bad_manifest("has a signature that cannot be read");
    out.signature = *bytes;
    return {};
}

}  // namespace

std::optional<Version> Version::parse(std::string_view text) {
    Version out;
    for (std::size_t i = 0; i < out.parts.size(); ++i) {
        const auto end = i + 1 < out.parts.size() ? text.find('.') : text.size();
        if (end == std::string_view::npos || !whole_number(text.substr(0, end), out.parts[i]))
            return std::nullopt;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string Version::text() const {
    return std::to_string(parts[0]) + "." + std::to_string(parts[1]) + "." + std::to_string(parts[2]);
}

std::string_view architecture() {
#if defined(__x86_64__)
    return "x86_64";
#elif defined(__aarch64__)
    return "aarch64";
#elif defined(__arm__)
    return "arm";
#else
    return "unknown";
#endif
}

std::uint64_t Manifest::image_bytes() const {
    std::uint64_t out = 0;
    for (const auto& program : programs)
        out += program.bytes;
    return out;
}

std::string Manifest::id() const {
    return hex(sha256(as_bytes(text)));
}

bool Manifest::is_signed_by(const PublicKey& key) const {
    return fieldwatch::is_signed_by(key, as_bytes(signed_text), signature);
}

Result<void> Manifest::check_for(const Version& current) const {
    if (architecture != agent::architecture())
        return fail(Errc::Unsupported, "the update is for " + architecture);
    if (version > current || (downgrade_from && *downgrade_from == current && version != current)) return {};
    return fail(Errc::Forbidden, version == current ? "version " + version.text() + " is here already"
                                                    : "the update would go back from " + current.text() +
                                                          " to " + version.text());
}

Result<Manifest> parse_manifest(std::string_view text) {
    if (text.size() > Manifest::kBytesMax) return fail(Errc::TooLarge, "the update's manifest");
    Manifest out;
    out.text = text;
    ManifestLines lines{text};
    const auto format = lines.take(kManifestMagic);
    if (!format) return bad_manifest("is none");
    if (*format != kManifestVersion)
        return fail(Errc::Unsupported, "the update's manifest is of a later version of its format");
    const auto version = Version::parse(lines.take("version ").value_or(""));
    if (!version) return bad_manifest("has no version");
    out.version = *version;
    out.architecture = lines.take("architecture ").value_or("");
    out.created = lines.take("created ").value_or("");
    if (!is_word(out.architecture, 32) || !is_word(out.created, 32))
        return bad_manifest("names no architecture or no time");
    if (const auto from = lines.take("downgrade-from ")) {
        out.downgrade_from = Version::parse(*from);
        if (!out.downgrade_from) return bad_manifest("names no version to go back from");
    }
    for (std::size_t i = 0; i < out.programs.size(); ++i) {
        auto& program = out.programs[i];
        const auto line = lines.take(kProgramWords[i]).value_or("");
        const auto blank = std::min(line.find(' '), line.size());
        program.sha256 = line.substr(std::min(blank + 1, line.size()));
        if (!whole_number(line.substr(0, blank), program.bytes) || program.bytes == 0 ||
            program.bytes > Manifest::kProgramBytesMax || !is_hex_digest(program.sha256))
            return bad_manifest("names a program without size or hash");
    }
    out.signed_text = text.substr(0, text.size() - lines.rest.size());
    const auto signature = lines.take("ed25519 ");
    if (!signature || !lines.rest.empty()) return bad_manifest("does not end in one signature");
    FIELDWATCH_TRY(read_signature_line(*signature, out));
    return out;
}

Result<std::string> sign_manifest(const Manifest& manifest, std::string_view private_pem) {
    std::string out = std::string(kManifestMagic).append(kManifestVersion) + "\n";
    out += "version " + manifest.version.text() + "\narchitecture " + manifest.architecture + "\ncreated " +
           manifest.created + "\n";
    if (manifest.downgrade_from) out += "downgrade-from " + manifest.downgrade_from->text() + "\n";
    for (std::size_t i = 0; i < manifest.programs.size(); ++i) {
        const auto& program = manifest.programs[i];
        out.append(kProgramWords[i]).append(std::to_string(program.bytes) + " " + program.sha256 + "\n");
    }
    const auto signature = FIELDWATCH_TRY(sign(private_pem, as_bytes(out)));
    out += "ed25519 " + FIELDWATCH_TRY(public_key_of(private_pem)).id() + " " + base64(signature) + "\n";
    FIELDWATCH_TRY(parse_manifest(out));  // what is handed out can be read
    return out;
}

}  // namespace fieldwatch::agent
