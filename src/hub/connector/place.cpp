#include "hub/connector/place.hpp"

#include "base/json_text.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::uint64_t kPlaceBytesMax = 256u << 10;  // 1,024 partitions at their longest
constexpr int kPlaceVersion = 1;

}  // namespace

Result<ConnectorPlace> ConnectorPlace::load(FileSystem& files, std::string path, const Clock& clock) {
    ConnectorPlace out(files, std::move(path), clock);
    const auto bytes = read_file(files, out.path_, kPlaceBytesMax);
    if (!bytes && bytes.error().code == Errc::NotFound) return out;
    if (!bytes) return std::unexpected(bytes.error());
    json::Reader reader;
    const auto parsed = reader.parse(as_text(*bytes), {.bytes_max = kPlaceBytesMax});
    const auto* const version = parsed ? (*parsed)->find("v") : nullptr;
    const auto* const places = parsed ? (*parsed)->find("places") : nullptr;
    if (version == nullptr || version->integer != kPlaceVersion || places == nullptr ||
        !places->is(json::Type::Object))
        return fail(Errc::Corrupt,
                    out.path_ + " does not say where the connector stands; without it it begins anew");
    for (const auto& [name, value] : places->members)
        out.values_.emplace(name, value.text);
    return out;
}

std::string_view ConnectorPlace::get(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string_view() : std::string_view(found->second);
}

void ConnectorPlace::set(std::string_view name, std::string_view value) {
    auto found = values_.find(name);
    if (found == values_.end()) found = values_.emplace(std::string(name), std::string()).first;
    if (found->second == value) return;
    found->second = value;
    changed_ = true;
}

Result<void> ConnectorPlace::keep(bool now) {
    const auto time = clock_->monotonic();
    if (!changed_ || (!now && time < kept_at_ + kEvery)) return {};
    std::string text;
    JsonWriter json(text);
    json.begin_object().member("v", std::int64_t{kPlaceVersion}).key("places").begin_object();
    for (const auto& [name, value] : values_)
        json.member(name, value);
    json.end_object().end_object();
    FIELDWATCH_TRY(replace_file(*files_, path_, as_bytes(text)));
    changed_ = false;
    kept_at_ = time;
    return {};
}

}  // namespace fieldwatch::hub
