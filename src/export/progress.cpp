#include "export/progress.hpp"

#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/json_text.hpp"

namespace fieldwatch::exports {

namespace {

constexpr int kProgressVersion = 1;
constexpr std::uint64_t kProgressBytesMax = 1u << 20;  ///< 10,000 workspaces

}  // namespace

Result<Progress> load_progress(FileSystem& files, const std::string& path) {
    const auto bytes = read_file(files, path, kProgressBytesMax);
    if (!bytes && bytes.error().code == Errc::NotFound) return Progress{};
    if (!bytes) return std::unexpected(bytes.error());
    const auto json = nlohmann::json::parse(as_text(*bytes), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object() || !json.contains("v") || !json["v"].is_number_integer())
        return fail(Errc::Corrupt, path + " is no progress of an export");
    if (json["v"] != kProgressVersion) return fail(Errc::Unsupported, path + " is of another version");
    const auto count = [&](const nlohmann::json& object, const std::string& name) -> std::uint64_t {
        const auto found = object.find(name);
        return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
    };
    Progress out;
    out.delivered = count(json, "delivered");
    out.dropped = count(json, "dropped");
    out.refused = count(json, "refused");
    if (const auto last = json.find("lastDelivered"); last != json.end() && last->is_string()) {
        if (const auto time = parse_iso8601(last->get<std::string>())) out.last_delivered = time->time;
    }
    if (const auto cursors = json.find("cursors"); cursors != json.end() && cursors->is_object()) {
        for (const auto& [workspace, sequence] : cursors->items())
            out.cursors[workspace] = count(*cursors, workspace);
    }
    return out;
}

Result<void> save_progress(FileSystem& files, const std::string& path, const Progress& progress) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().member("v", std::int64_t{kProgressVersion}).key("cursors").begin_object();
    for (const auto& [workspace, sequence] : progress.cursors)
        json.member(workspace, static_cast<std::int64_t>(sequence));
    json.end_object()
        .member("delivered", static_cast<std::int64_t>(progress.delivered))
        .member("dropped", static_cast<std::int64_t>(progress.dropped))
        .member("refused", static_cast<std::int64_t>(progress.refused));
    if (progress.last_delivered != Timestamp{})
        json.member("lastDelivered", to_iso8601(progress.last_delivered));
    json.end_object();
    return replace_file(files, path, as_bytes(text));
}

}  // namespace fieldwatch::exports
