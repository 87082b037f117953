#include "feed/bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "feed/members.hpp"

namespace fieldwatch::feed {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "fieldwatch-intel-bundle 1\n";
constexpr std::string_view kMagicOfAny = "fieldwatch-intel-bundle ";
constexpr std::string_view kUnsigned = "unsigned";
constexpr std::string_view kScheme = "ed25519 ";
constexpr std::size_t kSignatureBytesMax = 1'024;  ///< of its line, which has 120

bool is_file_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && name.front() != '.' && !name.ends_with(".new") &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.';
           });
}

std::unexpected<Error> malformed(std::string why) {
    return fail(Errc::Malformed, "the bundle " + std::move(why));
}

/// Takes a line off the front. Errors: Malformed.
Result<std::string_view> take_line(std::string_view& bytes, std::size_t bytes_max) {
    const auto end = bytes.substr(0, bytes_max).find('\n');
    if (end == bytes.npos) return malformed("ends within its header");
    const auto line = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    return line;
}

Result<std::optional<Bundle::Signature>> read_signature(std::string_view line) {
    if (line == kUnsigned) return std::optional<Bundle::Signature>();
    if (!line.starts_with(kScheme)) return malformed("has no signature line");
    line.remove_prefix(kScheme.size());
    const auto blank = line.find(' ');
    const auto text = line.substr(blank == line.npos ? line.size() : blank + 1);
    const auto bytes = from_base64(text);
    // One spelling only: what may be written in two ways is not what was signed.
    if (blank != 16 || !bytes || bytes->size() != 64 || base64(*bytes) != text)
        return malformed("has a signature that cannot be read");
    return std::optional(Bundle::Signature{std::string(line.substr(0, blank)), *bytes});
}

/// The files that the header names, cut out of the payload and compared with their hashes.
Result<void> read_files(const Json& header, std::string_view payload, Bundle& out) {
    const auto files = header.find("files");
    if (files == header.end() || !files->is_array() || files->empty() || files->size() > Bundle::kFilesMax)
        return malformed(fmt::format("must hold 1 to {} files", Bundle::kFilesMax));
    for (const auto& file : *files) {
        const auto name = text_in(file, "name");
        const auto size = file.is_object() ? file.find("bytes") : file.end();
        if (!is_file_name(name) || size == file.end() || !size->is_number_unsigned())
            return malformed("names a file without a name or size");
        const auto bytes = size->get<std::uint64_t>();
        if (bytes > payload.size()) return malformed("is shorter than its files");
        const auto text = payload.substr(0, bytes);
        payload.remove_prefix(bytes);
        if (hex(sha256(as_bytes(text))) != text_in(file, "sha256"))
            return malformed(fmt::format("has another {} than was packed", name));
        if (!out.files.empty() && out.files.back().first >= name)
            return malformed("must name its files in their order");
        out.files.emplace_back(name, std::string(text));
    }
    return payload.empty() ? Result<void>() : malformed("is longer than its files");
}

}  // namespace

Result<void> check_bundle_name(std::string_view name) {
    const bool fits =
        !name.empty() && name.size() <= 48 && name.front() != '-' && std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        });
    if (fits) return {};
    return fail(Errc::InvalidArgument, "a bundle's name is 1 to 48 small letters, digits and dashes");
}

bool Bundle::is_signed_by(const PublicKey& key) const {
    return signature && fieldwatch::is_signed_by(key, as_bytes(signed_text), signature->bytes);
}

Result<Bundle> parse_bundle(std::string_view bytes) {
    if (bytes.size() > Bundle::kBytesMax) return fail(Errc::TooLarge, "a bundle of more than 256 MiB");
    if (!bytes.starts_with(kMagic)) {
        if (bytes.starts_with(kMagicOfAny))
            return fail(Errc::Unsupported, "the bundle is of a later version of its format");
        return fail(Errc::Malformed,
                    "this is no bundle of indicators; `fieldwatch intel bundle create` makes one");
    }
    auto rest = bytes.substr(kMagic.size());
    const auto header_line = FIELDWATCH_TRY(take_line(rest, Bundle::kHeaderBytesMax));
    Bundle out;
    out.signed_text = std::string(kMagic) + std::string(header_line) + "\n";
    const auto signature_line = FIELDWATCH_TRY(take_line(rest, kSignatureBytesMax));
    out.signature = FIELDWATCH_TRY(read_signature(signature_line));
    if (nests_deeper_than(kDepthMax, header_line)) return malformed("has a header that nests too deep");
    const auto header = Json::parse(header_line, nullptr, /*allow_exceptions=*/false);
    if (!header.is_object()) return malformed("has no header");
    out.name = text_in(header, "name");
    FIELDWATCH_TRY(check_bundle_name(out.name));
    const auto version = header.find("version");
    if (version == header.end() || !version->is_number_unsigned() || *version < 1u ||
        *version > Bundle::kVersionMax)
        return malformed("has no version");
    out.version = version->get<std::uint64_t>();
    const auto created = parse_iso8601(text_in(header, "created"));
    if (!created) return malformed("does not say when it was made");
    out.created = created->time;
    FIELDWATCH_TRY(read_files(header, rest, out));
    return out;
}

Result<std::string> pack_bundle(const Bundle& bundle, std::string_view private_pem) {
    FIELDWATCH_TRY(check_bundle_name(bundle.name));
    if (bundle.version < 1 || bundle.version > Bundle::kVersionMax)
        return fail(Errc::InvalidArgument, "a bundle's version is a number from 1 on");
    auto files = bundle.files;
    std::ranges::sort(files);
    Json named = Json::array();
    for (std::size_t i = 0; i < files.size(); ++i) {
        const auto& [name, text] = files[i];
        if (!is_file_name(name) || (i > 0 && files[i - 1].first == name))
            return fail(
                Errc::InvalidArgument,
                fmt::format(
                    "\"{}\" cannot be a file of a bundle: 1 to 64 letters, digits, - _ and ., each once",
                    name));
        named.push_back({{"name", name}, {"bytes", text.size()}, {"sha256", hex(sha256(as_bytes(text)))}});
    }
    const Json header{{"name", bundle.name},
                      {"version", bundle.version},
                      {"created", to_iso8601(bundle.created, 0)},
                      {"files", std::move(named)}};
    auto out = std::string(kMagic) + header.dump() + "\n";
    if (private_pem.empty()) {
        out += std::string(kUnsigned) + "\n";
    } else {
        const auto signature = FIELDWATCH_TRY(sign(private_pem, as_bytes(out)));
        out += fmt::format("{}{} {}\n", kScheme, FIELDWATCH_TRY(public_key_of(private_pem)).id(),
                           base64(signature));
    }
    for (const auto& [name, text] : files)
        out += text;
    FIELDWATCH_TRY(parse_bundle(out));  // what is handed out can be read
    return out;
}

}  // namespace fieldwatch::feed
