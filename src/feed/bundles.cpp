#include "feed/bundles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "feed/members.hpp"

namespace fieldwatch::feed {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kTrustSetting = "intel.trust";
constexpr std::string_view kEnding = ".bundle";
constexpr std::uint64_t kBundleStateBytesMax = 1u << 20, kBundleFileBytesMax = 256u << 20;
constexpr std::size_t kSmallBundle = 20;  ///< one of fewer entries may lose any number of them

struct Counts {
    std::size_t indicators = 0, warnings = 0;
    std::uint64_t skipped = 0;
    std::vector<detect::BadLine> bad;
    std::size_t all() const { return indicators + warnings; }
};

Result<Counts> counts_of(const Bundle& bundle) {
    Counts out;
    for (const auto& [name, text] : bundle.files) {
        const auto file = FIELDWATCH_TRY(detect::parse_indicators(name, text));
        const auto& warned = file.warnings;
        out.indicators += file.indicators.size();
        out.warnings +=
            warned.prefixes.size() + warned.exact.size() + warned.names.size() + warned.substrings.size();
        out.skipped += file.skipped;
        for (const auto& bad : file.bad) {
            if (out.bad.size() < detect::IndicatorFile::kBadMax)
                out.bad.push_back({bad.line, name + ": " + bad.why});
        }
    }
    return out;
}

std::string prefix_of(std::string_view bundle) {
    return fmt::format("bundle-{}.", bundle);
}

std::unexpected<Error> no_bundle(std::string_view name) {
    return fail(Errc::NotFound, fmt::format("there is no bundle \"{}\"", name));
}

}  // namespace

Result<std::unique_ptr<Bundles>> Bundles::open(Parts parts) {
    std::unique_ptr<Bundles> out(new Bundles(std::move(parts)));
    FIELDWATCH_TRY(out->load());
    for (const auto& [name, state] : out->states_) {
        const auto bundle = FIELDWATCH_TRY(out->read(name, state.current));
        FIELDWATCH_TRY(out->write_files(bundle));
    }
    return out;
}

std::string Bundles::path(const std::string& name, std::uint64_t version) const {
    return fmt::format("{}/{}/{}{}", parts_.directory, name, version, kEnding);
}

Result<Bundle> Bundles::read(const std::string& name, std::uint64_t version) const {
    const auto bytes = FIELDWATCH_TRY(read_file(parts_.files, path(name, version), Bundle::kBytesMax));
    auto bundle = FIELDWATCH_TRY(parse_bundle(as_text(bytes)));
    if (bundle.name != name || bundle.version != version)
        return fail(Errc::Corrupt, path(name, version) + " holds another bundle");
    return bundle;
}

Result<std::vector<std::uint64_t>> Bundles::versions(const std::string& name) const {
    std::vector<std::uint64_t> out;
    for (const std::string_view file : FIELDWATCH_TRY(parts_.files.list(parts_.directory + "/" + name))) {
        std::uint64_t version = 0;
        const auto* const end = file.data() + file.size() - std::min(file.size(), kEnding.size());
        const auto read = std::from_chars(file.data(), end, version);
        if (file.ends_with(kEnding) && read.ec == std::errc{} && read.ptr == end) out.push_back(version);
    }
    std::ranges::sort(out, std::greater<>());
    return out;
}

Result<std::string> Bundles::signer_of(const Bundle& bundle, const Trust& trust) const {
    if (!bundle.signature) {
        if (!trust.required) return std::string();
        return fail(
            Errc::Unauthorized,
            fmt::format("the bundle {} is not signed, and signatures are required here", bundle.name));
    }
    for (const auto& [name, key] : trust.keys) {
        if (bundle.is_signed_by(key)) return name;
        if (key.id() == bundle.signature->key_id)
            return fail(
                Errc::Unauthorized,
                fmt::format("the signature of the bundle {} is not that of the key \"{}\": it was changed",
                            bundle.name, name));
    }
    if (!trust.required) return std::string();
    return fail(Errc::Unauthorized,
                fmt::format("the bundle {} is signed by the key {}, which is not trusted here", bundle.name,
                            bundle.signature->key_id));
}

/// Its own files written, those of other versions of it removed; nothing where all is as it should be.
Result<void> Bundles::write_files(const Bundle& bundle) {
    FIELDWATCH_TRY(parts_.files.make_directories(parts_.intel_directory));
    const auto prefix = prefix_of(bundle.name);
    for (const auto& [name, text] : bundle.files) {
        const auto path = parts_.intel_directory + "/" + prefix + name;
        const auto before = read_file(parts_.files, path, kBundleFileBytesMax);
        if (!before || as_text(*before) != text)
            FIELDWATCH_TRY(replace_file(parts_.files, path, as_bytes(text)));
    }
    for (const auto& file : FIELDWATCH_TRY(parts_.files.list(parts_.intel_directory))) {
        if (!file.starts_with(prefix)) continue;
        const auto name = file.substr(prefix.size());
        const bool is_its =
            std::ranges::any_of(bundle.files, [&](const auto& one) { return one.first == name; });
        if (!is_its) FIELDWATCH_TRY(parts_.files.remove(parts_.intel_directory + "/" + file));
    }
    return {};
}

// The state names the version before its files lie there: what a crash leaves undone, open() does.
Result<Bundles::Applied> Bundles::put_in_force(const Bundle& bundle) {
    auto counts = FIELDWATCH_TRY(counts_of(bundle));
    if (counts.all() == 0)
        return fail(Errc::InvalidArgument,
                    fmt::format("the bundle {} holds no indicators that can be matched", bundle.name));
    auto& state = states_[bundle.name];
    const auto before = state;
    state.current = bundle.version;
    state.highest = std::max(state.highest, bundle.version);
    if (const auto saved = save(); !saved) {
        state = before;
        return std::unexpected(saved.error());
    }
    FIELDWATCH_TRY(write_files(bundle));
    parts_.changed();
    return Applied{.shown = FIELDWATCH_TRY(shown(bundle.name)),
                   .indicators = counts.indicators,
                   .warnings = counts.warnings,
                   .skipped = counts.skipped,
                   .bad = std::move(counts.bad)};
}

Result<Bundles::Applied> Bundles::apply(std::string_view bytes, bool may_shrink) {
    const auto bundle = FIELDWATCH_TRY(parse_bundle(bytes));
    const auto trusted = FIELDWATCH_TRY(trust());
    static_cast<void>(FIELDWATCH_TRY(signer_of(bundle, trusted)));
    const std::lock_guard lock(mutex_);
    const auto known = states_.find(bundle.name);
    if (known == states_.end() && states_.size() >= kBundlesMax)
        return fail(Errc::Exhausted,
                    fmt::format("there are {} bundles already, which is the most", kBundlesMax));
    if (known != states_.end()) {
        if (bundle.version <= known->second.highest)
            return fail(
                Errc::Conflict,
                fmt::format(
                    "version {} of the bundle {} is not above {}, which was applied before; `intel bundle "
                    "rollback` goes back",
                    bundle.version, bundle.name, known->second.highest));
        const auto current = FIELDWATCH_TRY(read(bundle.name, known->second.current));
        const auto old = FIELDWATCH_TRY(counts_of(current)).all();
        const auto now = FIELDWATCH_TRY(counts_of(bundle)).all();
        if (!may_shrink && old >= kSmallBundle && now < old / 2)
            return fail(
                Errc::Conflict,
                fmt::format("the bundle {} shrank from {} entries to {}: refused, version {} stays in "
                            "force (--accept-shrink takes it)",
                            bundle.name, old, now, known->second.current));
    }
    FIELDWATCH_TRY(parts_.files.make_directories(parts_.directory + "/" + bundle.name));
    FIELDWATCH_TRY(replace_file(parts_.files, path(bundle.name, bundle.version), as_bytes(bytes)));
    auto applied = put_in_force(bundle);
    const auto state = states_.find(bundle.name);
    if (!applied && (state == states_.end() || state->second.current != bundle.version))
        static_cast<void>(parts_.files.remove(path(bundle.name, bundle.version)));
    if (!applied) return applied;
    const auto kept = FIELDWATCH_TRY(versions(bundle.name));
    for (std::size_t i = kVersionsKept; i < kept.size(); ++i)
        FIELDWATCH_TRY(parts_.files.remove(path(bundle.name, kept[i])));
    return applied;
}

Result<Bundles::Applied> Bundles::roll_back(const std::string& name, std::uint64_t version) {
    const std::lock_guard lock(mutex_);
    const auto known = states_.find(name);
    if (known == states_.end()) return no_bundle(name);
    const auto kept = FIELDWATCH_TRY(versions(name));
    if (version == 0) {
        const auto before = std::ranges::find_if(kept, [&](auto one) { return one < known->second.current; });
        if (before == kept.end())
            return fail(Errc::NotFound, fmt::format("of the bundle {} no version before {} is kept", name,
                                                    known->second.current));
        version = *before;
    }
    if (std::ranges::find(kept, version) == kept.end())
        return fail(Errc::NotFound, fmt::format("version {} of the bundle {} is not kept", version, name));
    const auto bundle = FIELDWATCH_TRY(read(name, version));
    const auto trusted = FIELDWATCH_TRY(trust());
    static_cast<void>(FIELDWATCH_TRY(signer_of(bundle, trusted)));
    return put_in_force(bundle);
}

Result<void> Bundles::remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (!states_.contains(name)) return no_bundle(name);
    const auto kept = FIELDWATCH_TRY(versions(name));
    states_.erase(name);
    FIELDWATCH_TRY(save());
    for (const auto& file : FIELDWATCH_TRY(parts_.files.list(parts_.intel_directory))) {
        if (file.starts_with(prefix_of(name)))
            FIELDWATCH_TRY(parts_.files.remove(parts_.intel_directory + "/" + file));
    }
    for (const auto version : kept)
        FIELDWATCH_TRY(parts_.files.remove(path(name, version)));
    parts_.changed();
    return {};
}

/// Under mutex_.
Result<Bundles::Shown> Bundles::shown(const std::string& name) {
    const auto trusted = FIELDWATCH_TRY(trust());
    const auto state = states_.at(name);
    Shown out{.name = name, .current = state.current, .highest = state.highest, .versions = {}};
    for (const auto version : FIELDWATCH_TRY(versions(name))) {
        const auto bundle = read(name, version);
        if (!bundle) continue;
        out.versions.push_back({.version = version,
                                .created = bundle->created,
                                .signed_by = signer_of(*bundle, trusted).value_or(""),
                                .files = bundle->files.size()});
    }
    return out;
}

Result<std::vector<Bundles::Shown>> Bundles::list() {
    const std::lock_guard lock(mutex_);
    std::vector<Shown> out;
    for (const auto& [name, state] : states_)
        out.push_back(FIELDWATCH_TRY(shown(name)));
    return out;
}

Result<Trust> Bundles::trust() {
    const auto text = FIELDWATCH_TRY(parts_.registry.setting(kTrustSetting));
    Trust out;
    if (!text) return out;
    const auto document = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (!document.is_object()) return fail(Errc::Corrupt, "the setting intel.trust is no JSON object");
    out.required = document.value("required", false);
    const auto keys = document.value("keys", Json::object());
    for (const auto& [name, key] : keys.items()) {
        const auto bytes = from_base64(key.is_string() ? key.get<std::string>() : std::string());
        auto& into = out.keys[name];
        if (!bytes || bytes->size() != into.bytes.size())
            return fail(Errc::Corrupt, fmt::format("the key \"{}\" of intel.trust cannot be read", name));
        std::ranges::transform(*bytes, into.bytes.begin(),
                               [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    }
    return out;
}

Result<void> Bundles::set_trust(const Trust& trust) {
    if (trust.keys.size() > Trust::kKeysMax)
        return fail(Errc::Exhausted, fmt::format("at most {} keys are trusted", Trust::kKeysMax));
    if (trust.required && trust.keys.empty())
        return fail(Errc::InvalidArgument, "signatures can be required once a key is trusted");
    Json keys = Json::object();
    for (const auto& [name, key] : trust.keys) {
        FIELDWATCH_TRY(check_bundle_name(name));
        keys[name] = base64(std::as_bytes(std::span(key.bytes)));
    }
    return parts_.registry.set_setting(kTrustSetting,
                                       Json{{"required", trust.required}, {"keys", std::move(keys)}}.dump());
}

Result<void> Bundles::check_unsigned_allowed() {
    if (!FIELDWATCH_TRY(trust()).required) return {};
    return fail(
        Errc::Forbidden,
        "signatures are required here: only signed bundles of indicators are taken (`intel bundle create`)");
}

/// {"version":1,"bundles":{NAME:{"current","highest"}}}
Result<void> Bundles::load() {
    const auto bytes = read_file(parts_.files, parts_.directory + "/state.json", kBundleStateBytesMax);
    if (!bytes && bytes.error().code == Errc::NotFound) return {};
    if (!bytes) return std::unexpected(bytes.error());
    const auto document = Json::parse(as_text(*bytes), nullptr, /*allow_exceptions=*/false);
    try {
        if (!document.is_object() || document.value("version", 0) != 1)
            return fail(Errc::Corrupt, parts_.directory + "/state.json: not the state of bundles, version 1");
        const auto bundles = document.value("bundles", Json::object());
        for (const auto& [name, entry] : bundles.items())
            states_[name] = {.current = entry.value("current", std::uint64_t{0}),
                             .highest = entry.value("highest", std::uint64_t{0})};
    } catch (const Json::exception& error) {  // not made anew: it says which versions may no longer come
        return fail(Errc::Corrupt, fmt::format("{}/state.json: {}", parts_.directory, error.what()));
    }
    return {};
}

Result<void> Bundles::save() const {
    Json all = Json::object();
    for (const auto& [name, state] : states_)
        all[name] = {{"current", state.current}, {"highest", state.highest}};
    FIELDWATCH_TRY(parts_.files.make_directories(parts_.directory));
    return replace_file(parts_.files, parts_.directory + "/state.json",
                        as_bytes(Json{{"version", 1}, {"bundles", std::move(all)}}.dump()));
}

}  // namespace fieldwatch::feed
