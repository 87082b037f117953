#include "backup/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace fieldwatch::backup {

namespace {

using Json = nlohmann::json;

constexpr int kFormat = 1;
constexpr std::string_view kWarning =
    "holds keys of devices, hubs and of the certificate authority, tokens and personal data: keep it like "
    "those";

bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<FileEntry> entry_of(const Json& json) {
    if (!json.is_object() || !json.contains("path") || !json["path"].is_string() || !json.contains("bytes") ||
        !json["bytes"].is_number_unsigned() || !json.contains("sha256") || !json["sha256"].is_string()) {
        return fail(Errc::Malformed, "a file of the manifest needs path, bytes and sha256");
    }
    FileEntry entry{.path = json["path"].get<std::string>(),
                    .bytes = json["bytes"].get<std::uint64_t>(),
                    .sha256_hex = json["sha256"].get<std::string>()};
    FIELDWATCH_TRY(check_path(entry.path));
    if (entry.bytes > kBytesMax) return fail(Errc::TooLarge, "a file of a backup has at most 2^48 bytes");
    if (!is_sha256(entry.sha256_hex)) return fail(Errc::Malformed, "a sha256 has 64 small hex digits");
    return entry;
}

}  // namespace

Result<void> check_path(std::string_view path) {
    if (path.size() > kPathBytesMax)
        return fail(Errc::TooLarge, fmt::format("a path of a backup has at most {} bytes", kPathBytesMax));
    for (std::string_view rest = path;;) {
        const auto slash = rest.find('/');
        const auto segment = rest.substr(0, slash);
        const bool named = !segment.empty() && segment != "." && segment != ".." &&
                           std::ranges::none_of(segment, [](char c) {
                               return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\';
                           });
        if (!named)
            return fail(Errc::InvalidArgument, "a path of a backup leads outside, or is none: it is refused");
        if (slash == std::string_view::npos) return {};
        rest.remove_prefix(slash + 1);
    }
}

std::string to_json(const Manifest& manifest) {
    Json files = Json::array();
    for (const auto& file : manifest.files)
        files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.sha256_hex}});
    return Json{{"format", kFormat},
                {"product", "fieldwatch " + manifest.product_version},
                {"created", manifest.created},
                {"warning", kWarning},
                {"files", std::move(files)}}
               .dump(1, ' ', false, Json::error_handler_t::replace) +
           "\n";
}

Result<Manifest> parse_manifest(std::string_view text) {
    if (text.size() > kManifestBytesMax) return fail(Errc::TooLarge, "the manifest of a backup");
    // The deepest place of a manifest: {"files":[{"path":…
    const auto json =
        Json::parse(text, [](int depth, Json::parse_event_t, Json&) { return depth <= 3; }, false);
    if (!json.is_object()) return fail(Errc::Malformed, "the manifest is not a JSON object");
    const auto format = json.find("format");
    if (format == json.end() || !format->is_number_integer())
        return fail(Errc::Malformed, "the manifest names no format");
    if (*format != kFormat)
        return fail(Errc::Unsupported,
                    fmt::format("the backup has format {}; this release reads {}", format->dump(), kFormat));
    const auto files = json.find("files");
    if (files == json.end() || !files->is_array())
        return fail(Errc::Malformed, "the manifest lists no files");
    if (files->size() > kFilesMax)
        return fail(Errc::TooLarge, fmt::format("a backup has at most {} files", kFilesMax));
    const auto text_of = [&](const char* name) {
        const auto found = json.find(name);
        return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    Manifest out{.product_version = text_of("product"), .created = text_of("created"), .files = {}};
    std::set<std::string> seen;
    std::uint64_t bytes = 0;
    for (const auto& file : *files) {
        out.files.push_back(FIELDWATCH_TRY(entry_of(file)));
        bytes += out.files.back().bytes;
        if (bytes > kBytesMax) return fail(Errc::TooLarge, "a backup has at most 2^48 bytes");
        if (!seen.insert(out.files.back().path).second)
            return fail(Errc::Malformed, "the manifest names " + out.files.back().path + " twice");
    }
    return out;
}

}  // namespace fieldwatch::backup
