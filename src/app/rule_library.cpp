#include "app/rule_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/detection_content.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"

namespace fieldwatch::app {

namespace {
using Json = nlohmann::json;
using portal::RuleSetText;
using portal::RuleVersion;

constexpr int kFormat = 1;
constexpr std::string_view kSuffix = ".json";

std::string hash_of(const RuleSetText& set) {
    Bytes all;
    ByteWriter out(all);
    out.u32(set.only ? 1 : 0);
    for (const auto* files : {&set.pack.rules, &set.pack.words}) {
        out.u32(static_cast<std::uint32_t>(files->size()));
        for (const auto& file : *files) {
            out.text(file.name);
            out.text(file.text);
        }
    }
    return hex(sha256(all));
}

Json files_json(const std::vector<detect::SourceFile>& files) {
    Json out = Json::array();
    for (const auto& file : files)
        out.push_back({file.name, file.text});
    return out;
}

std::vector<detect::SourceFile> files_of(const Json& list) {
    std::vector<detect::SourceFile> out;
    for (const auto& entry : list)
        out.push_back({entry.at(0).get<std::string>(), entry.at(1).get<std::string>()});
    return out;
}

bool is_among(const detect::RuleError& error, const std::vector<detect::RuleError>& known) {
    return std::ranges::any_of(known, [&](const auto& other) {
        return other.file == error.file && other.rule == error.rule && other.why == error.why;
    });
}

}  // namespace

std::string RuleLibrary::path(std::uint64_t version) const {
    return fmt::format("{}/{:08}{}", parts_.directory, version, kSuffix);
}

Result<std::unique_ptr<RuleLibrary>> RuleLibrary::open(Parts parts) {
    std::unique_ptr<RuleLibrary> library(new RuleLibrary(std::move(parts)));
    auto& files = library->parts_.files;
    FIELDWATCH_TRY(files.make_directories(library->parts_.directory));
    for (const auto& name : FIELDWATCH_TRY(files.list(library->parts_.directory))) {
        std::uint64_t version = 0;
        const auto digits = name.substr(0, name.size() - std::min(name.size(), kSuffix.size()));
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), version);
        if (!name.ends_with(kSuffix) || read.ec != std::errc{} || read.ptr != digits.data() + digits.size())
            continue;
        auto stored = FIELDWATCH_TRY(library->read(version));
        library->versions_.push_back(stored.about);
        library->current_ = std::move(stored.set);  // names are sorted: the last is the newest
    }
    return library;
}

Result<RuleLibrary::Stored> RuleLibrary::read(std::uint64_t version) const {
    const auto bytes = FIELDWATCH_TRY(read_file(parts_.files, path(version), kFileBytesMax));
    const auto damaged = [&](std::string_view why) {
        return fail(Errc::Corrupt,
                    fmt::format("{} is no rule set: {}; without the file the version before is in force",
                                path(version), why));
    };
    const auto json = Json::parse(as_text(bytes), nullptr, false);
    if (!json.is_object()) return damaged("it is no JSON object");
    if (json.value("format", 0) != kFormat) return damaged("it has another format");
    try {  // what the library throws ends here
        Stored out;
        out.set = {.pack = {.rules = files_of(json.at("files")), .words = files_of(json.at("words"))},
                   .only = json.at("only").get<bool>()};
        const auto applied = FIELDWATCH_TRY(parse_iso8601(json.at("applied").get<std::string>()));
        out.about = {.version = version,
                     .applied = applied.time,
                     .by = json.at("by").get<std::string>(),
                     .note = json.at("note").get<std::string>(),
                     .only = out.set.only,
                     .files = out.set.pack.rules.size(),
                     .hash = json.at("hash").get<std::string>(),
                     .rolled_back_to = std::nullopt};
        if (json.contains("rolledBackTo"))
            out.about.rolled_back_to = json["rolledBackTo"].get<std::uint64_t>();
        if (hash_of(out.set) != out.about.hash) return damaged("its hash is another");
        return out;
    } catch (const Json::exception& error) {
        return damaged(error.what());
    }
}

Result<void> RuleLibrary::keep(const Stored& stored) {
    Json json{{"format", kFormat},
              {"applied", to_iso8601(stored.about.applied)},
              {"by", stored.about.by},
              {"note", stored.about.note},
              {"only", stored.set.only},
              {"hash", stored.about.hash},
              {"files", files_json(stored.set.pack.rules)},
              {"words", files_json(stored.set.pack.words)}};
    if (stored.about.rolled_back_to) json["rolledBackTo"] = *stored.about.rolled_back_to;
    return replace_file(parts_.files, path(stored.about.version),
                        as_bytes(json.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

RuleSetText RuleLibrary::current() {
    const std::lock_guard lock(mutex_);
    return current_;
}
std::uint64_t RuleLibrary::newest() {
    const std::lock_guard lock(mutex_);
    return versions_.empty() ? 0 : versions_.back().version;
}

Result<detect::RulePack> RuleLibrary::composed(const RuleSetText& set) {
    auto base = FIELDWATCH_TRY(base_rules(parts_.rules_directory));
    if (set.only) base.rules.clear();
    return detect::laid_over(std::move(base), set.pack);
}

Result<detect::RulePack> RuleLibrary::pack() {
    return composed(current());
}

Result<portal::RunningRules> RuleLibrary::running() {
    portal::RunningRules out;
    out.content_hash = parts_.content_hash();
    out.content = FIELDWATCH_TRY(parts_.contents.get(out.content_hash));
    out.version = newest();
    out.set = current();
    out.pack = FIELDWATCH_TRY(composed(out.set));
    return out;
}

/// What keeps a set from being applied: rules that would be left out, also those of the pack that read one of
/// the set's; and samples of the set's rules.
Result<std::vector<detect::SampleFailure>> RuleLibrary::refusals(const portal::ApplyRequest& request,
                                                                 const detect::RulePack& pack) {
    const auto is_own = [&](const std::string& file) {
        return std::ranges::find(request.set.pack.rules, file, &detect::SourceFile::name) !=
               request.set.pack.rules.end();
    };
    const auto content = FIELDWATCH_TRY(parts_.contents.get(parts_.content_hash()));
    std::vector<detect::SampleFailure> out;
    for (const auto& error :
         detect::RuleSet::compile(pack.rules, pack.words, detect::sample_options()).errors) {
        if (is_own(error.file) || !is_among(error, content->rule_errors))
            out.push_back({error.file, error.line, error.rule, error.why});
    }
    if (request.force) return out;
    // Samples of the pack's rules say nothing of the set, and running them compiles all their expressions.
    auto failures = detect::check_rules(pack, is_own).failures;
    std::ranges::move(failures, std::back_inserter(out));
    return out;
}

Result<portal::Applied> RuleLibrary::apply(portal::ApplyRequest request) {
    const std::lock_guard applying(applying_);
    portal::Applied out;
    if (request.from && *request.from != newest())
        return fail(Errc::Conflict, fmt::format("version {} of the rules is in force; this was made from {}",
                                                newest(), *request.from));
    const auto before = current();
    const auto pack_before = FIELDWATCH_TRY(composed(before));
    const auto pack = FIELDWATCH_TRY(composed(request.set));
    if (pack.rules.empty()) return fail(Errc::InvalidArgument, "no rule would be left");
    out.refused = FIELDWATCH_TRY(refusals(request, pack));
    if (!out.refused.empty()) return out;

    Stored stored{.about = {.version = newest() + 1,
                            .applied = parts_.clock.now(),
                            .by = std::move(request.by),
                            .note = std::move(request.note),
                            .only = request.set.only,
                            .files = request.set.pack.rules.size(),
                            .hash = hash_of(request.set),
                            .rolled_back_to = request.rolled_back_to},
                  .set = std::move(request.set)};
    out.unchanged = stored.about.hash == hash_of(before);
    out.version = stored.about.version - (out.unchanged ? 1 : 0);
    if (!out.unchanged) {
        FIELDWATCH_TRY(keep(stored));
        const std::lock_guard lock(mutex_);
        versions_.push_back(stored.about);
        current_ = std::move(stored.set);
    }
    auto hash = parts_.renew();
    if (!hash) {
        if (!out.unchanged) {
            static_cast<void>(parts_.files.remove(path(out.version)));
            const std::lock_guard lock(mutex_);
            versions_.pop_back();
            current_ = before;
        }
        return std::unexpected(hash.error());
    }
    out.content_hash = std::move(*hash);
    out.rules = FIELDWATCH_TRY(parts_.contents.get(out.content_hash))->rules->rules().size();
    out.diff = detect::diff_rules(detect::rule_texts(pack_before), detect::rule_texts(pack));
    log::info("rules", fmt::format("version {} is in force: {} added, {} changed, {} removed", out.version,
                                   out.diff.added.size(), out.diff.changed.size(), out.diff.removed.size()));
    const std::lock_guard lock(mutex_);
    for (; versions_.size() > kVersionsKept; versions_.erase(versions_.begin()))
        static_cast<void>(parts_.files.remove(path(versions_.front().version)));
    return out;
}

std::vector<RuleVersion> RuleLibrary::versions() {
    const std::lock_guard lock(mutex_);
    std::vector<RuleVersion> out(versions_.rbegin(), versions_.rend());
    out.push_back({.by = {}, .note = "the pack", .hash = {}, .rolled_back_to = std::nullopt});
    return out;
}

Result<RuleSetText> RuleLibrary::version(std::uint64_t version) {
    if (version == 0) return RuleSetText{};
    auto stored = read(version);
    if (!stored && stored.error().code == Errc::NotFound)
        return fail(Errc::NotFound, fmt::format("there is no version {} of the rules; the last {} are kept",
                                                version, kVersionsKept));
    if (!stored) return std::unexpected(stored.error());
    return std::move(stored->set);
}

Result<portal::BacktestJob> RuleLibrary::start_backtest(portal::BacktestStart start) {
    const auto version_against = start.against.value_or(newest());
    auto candidate = FIELDWATCH_TRY(composed(start.set));
    const auto set_against = FIELDWATCH_TRY(version(version_against));
    auto against = FIELDWATCH_TRY(composed(set_against));
    auto diff = detect::diff_rules(detect::rule_texts(against), detect::rule_texts(candidate));
    const auto compile = [this](detect::RulePack pack) -> Backtests::Compile {
        return [this, pack = std::move(pack)]() -> Result<detect::ContentPtr> {
            return detect::compile(FIELDWATCH_TRY(parts_.sources(pack)));
        };
    };
    return backtests_.start({.from = start.from,
                             .to = start.to,
                             .hub = std::move(start.hub),
                             .against_version = version_against,
                             .diff = std::move(diff),
                             .candidate = compile(std::move(candidate)),
                             .against = compile(std::move(against))});
}

Result<pipeline::Why> RuleLibrary::why(pipeline::WhyRequest request) {
    request.content_in_force = parts_.content_hash();
    return pipeline::why(parts_.journal.reader(), parts_.journal.partition_count(), parts_.contents, request);
}

}  // namespace fieldwatch::app
