#include "detect/rules/pack.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "detect/rules/fields.hpp"
#include "detect/rules/recorded.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kFilesMax = 20'000;
constexpr std::uint64_t kFileBytesMax = 1 << 20;
constexpr int kFoldersDeep = 8;

using Json = nlohmann::ordered_json;

Result<void> collect(FileSystem& files, const std::string& path, const std::string& shown, int depth,
                     RulePack& pack) {
    for (const auto& name : FIELDWATCH_TRY(files.list(path))) {
        if (name.empty() || name.front() == '.') continue;
        const auto below = path + "/" + name;
        const auto below_shown = shown.empty() ? name : shown + "/" + name;
        const bool rule = name.ends_with(".yml") || name.ends_with(".yaml");
        const bool words = name.ends_with(".txt") && below_shown.starts_with("words/");
        if (rule || words) {
            const auto bytes = FIELDWATCH_TRY(read_file(files, below, kFileBytesMax));
            (rule ? pack.rules : pack.words).push_back({below_shown, std::string(as_text(bytes))});
            if (pack.rules.size() + pack.words.size() > kFilesMax)
                return fail(Errc::TooLarge, "more than 20,000 rule files in " + path);
        } else if (depth < kFoldersDeep && name.find('.') == std::string::npos) {
            // Not every entry without a dot is a folder: LICENSE is not.
            if (auto inside = collect(files, below, below_shown, depth + 1, pack);
                !inside && inside.error().code == Errc::TooLarge)
                return inside;
        }
    }
    return {};
}

std::string describe(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        if (!out.empty()) out += ", ";
        out += name + "=" + value;
    }
    return out;
}

std::string describe(const Sample& sample) {
    std::string out = describe(sample.fields);
    for (const auto& step : sample.steps) {
        if (!out.empty()) out += "; ";
        out += "at " + std::to_string(step.at_s) + " s ";
        out += step.fields.empty()
                   ? "nothing"
                   : step.device + " " + std::to_string(step.times) + " times " + describe(step.fields);
    }
    return out;
}

/// A correlation is fed by what feeds all the rules that it reads.
std::optional<Feed> feed_of(const RuleSet& rules, std::uint32_t place) {
    const auto correlations = rules.correlations();
    const auto correlation = std::ranges::find(correlations, place, &Correlation::rule);
    if (correlation == correlations.end()) {
        const auto& rule = rules.rules()[place];
        return fed_by({rule.product, rule.category, rule.service}, rule.fields);
    }
    auto worst = Feed::Agent;
    for (const auto read : correlation->reads) {
        const auto feed = feed_of(rules, read);
        if (!feed) return std::nullopt;
        worst = std::max(worst, *feed);
    }
    return worst;
}

}  // namespace

Result<RulePack> load_rule_pack(FileSystem& files, const std::string& directory) {
    RulePack pack;
    FIELDWATCH_TRY(collect(files, directory, {}, 0, pack));
    const auto by_name = [](const SourceFile& file) -> const std::string& { return file.name; };
    std::ranges::sort(pack.rules, {}, by_name);
    std::ranges::sort(pack.words, {}, by_name);
    return pack;
}

RuleOptions sample_options() {
    RuleOptions options;
    options.command.addresses.documentation_is_external = true;
    return options;
}

RulePack laid_over(RulePack base, const RulePack& over) {
    const auto lay = [](std::vector<SourceFile>& into, const std::vector<SourceFile>& files) {
        for (const auto& file : files) {
            const auto place = std::ranges::find(into, file.name, &SourceFile::name);
            if (place == into.end()) {
                if (!file.text.empty()) into.push_back(file);
            } else if (file.text.empty()) {
                into.erase(place);
            } else {
                place->text = file.text;
            }
        }
    };
    lay(base.rules, over.rules);
    lay(base.words, over.words);
    return base;
}

namespace {

/// Runs the samples of correlations: real events through the rules that they read.
class CorrelationSamples {
  public:
    CorrelationSamples(const RuleSetPtr& rules, Matcher& matcher) : rules_(rules), matcher_(matcher) {}

    /// Whether the correlation at `place` says something of the sample. Errors: NotFound for a rule that a
    /// step names.
    Result<bool> fires(std::uint32_t place, const Sample& sample) {
        Correlator correlator(rules_, true);
        std::vector<Correlator::Found> found;
        std::size_t number = 0;
        for (const auto& [second, step] : in_order(sample)) {
            const auto time = Timestamp::from_unix_seconds(kStart + second);
            correlator.observe_tick(time);
            correlator.advance(time, found);
            if (!step->fields.empty()) {
                const auto& source = *FIELDWATCH_TRY(source_of(place, step->rule));
                auto event =
                    RecordedEvent::make(source.product, source.category, source.service, step->fields);
                event.set_place(++number);
                event.set_origin("h", step->device, time);
                hits_.clear();
                matcher_.match_all(event.event(), event.item(), hits_);
                correlator.observe(event.event(), event.item(), hits_, {}, found);
            }
            correlator.meet(found);
        }
        correlator.finish(found);
        correlator.meet(found);
        return std::ranges::any_of(found, [&](const auto& one) { return one.rule == place; });
    }

  private:
    static constexpr std::int64_t kStart = 1'800'000'000;

    static std::vector<std::pair<std::int64_t, const SampleStep*>> in_order(const Sample& sample) {
        std::vector<std::pair<std::int64_t, const SampleStep*>> out;
        for (const auto& step : sample.steps) {
            for (std::int64_t i = 0; i < step.times; ++i)
                out.emplace_back(step.at_s + i * step.every_s, &step);
        }
        std::ranges::stable_sort(out, {}, &std::pair<std::int64_t, const SampleStep*>::first);
        return out;
    }
    Result<const RuleMeta*> source_of(std::uint32_t place, const std::string& name) const {
        const auto rules = rules_->rules();
        if (name.empty()) {
            const auto correlations = rules_->correlations();
            auto read = place;
            for (auto at = std::ranges::find(correlations, read, &Correlation::rule);
                 at != correlations.end(); at = std::ranges::find(correlations, read, &Correlation::rule))
                read = at->reads.front();
            return &rules[read];
        }
        const auto found = std::ranges::find_if(
            rules, [&](const auto& rule) { return rule.name == name || rule.origin.id == name; });
        if (found == rules.end())
            return fail(Errc::NotFound, "samples name '" + name + "', which no rule is");
        return &*found;
    }

    const RuleSetPtr& rules_;
    Matcher& matcher_;
    std::vector<RuleHit> hits_;
};

/// Runs a rule's samples; whether another rule absorbs it is not the question here.
void run_samples(const RuleMeta& rule, std::size_t place, Matcher& matcher, CorrelationSamples& correlations,
                 CheckedRule& checked, std::vector<SampleFailure>& failures) {
    std::vector<RuleHit> hits;
    for (const auto& sample : rule.samples) {
        ++(sample.positive ? checked.fires : checked.silent);
        if (!sample.steps.empty()) {
            const auto fired = correlations.fires(static_cast<std::uint32_t>(place), sample);
            if (fired && *fired == sample.positive) continue;
            ++checked.failing;
            failures.push_back({rule.file, rule.line, rule.origin.id,
                                !fired ? fired.error().message
                                       : (*fired ? "fires on: " : "stays silent on: ") + describe(sample)});
            continue;
        }
        const auto recorded = RecordedEvent::make(rule.product, rule.category, rule.service, sample.fields);
        hits.clear();
        matcher.match_all(recorded.event(), recorded.item(), hits);
        const bool fired = std::ranges::any_of(hits, [&](const auto& hit) { return hit.rule == place; });
        if (fired == sample.positive) continue;
        ++checked.failing;
        failures.push_back({rule.file, rule.line, rule.origin.id,
                            (fired ? "fires on: " : "stays silent on: ") + describe(sample)});
    }
}

}  // namespace

PackReport check_rules(const RulePack& pack, const std::function<bool(const std::string&)>& is_wanted) {
    PackReport report;
    const auto wanted = [&](const std::string& file) { return !is_wanted || is_wanted(file); };
    const auto compiled = RuleSet::compile(pack.rules, pack.words, sample_options());
    const auto rules = compiled.rules->rules();
    for (const auto& error : compiled.errors) {
        if (wanted(error.file)) report.errors.push_back(error);
    }
    const auto is_refused = [&](const RuleMeta& rule) {  // a correlation that reads nothing known
        return std::ranges::any_of(compiled.errors, [&](const auto& error) {
            return error.rule == rule.origin.id && error.file == rule.file && error.line == rule.line;
        });
    };
    Matcher matcher(compiled.rules);
    CorrelationSamples correlations(compiled.rules, matcher);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i];
        if (!wanted(rule.file) || is_refused(rule)) continue;
        CheckedRule checked{.id = rule.origin.id,
                            .title = rule.origin.title,
                            .alert_type = rule.alert_type,
                            .file = rule.file,
                            .line = rule.line,
                            .severity = rule.severity,
                            .feed = feed_of(*compiled.rules, static_cast<std::uint32_t>(i))};
        run_samples(rule, i, matcher, correlations, checked, report.failures);
        ++report.compiles;
        report.feedable += checked.feed.has_value();
        report.from_agent += checked.feed == Feed::Agent;
        report.with_auditd += checked.feed.has_value() && *checked.feed <= Feed::Auditd;
        report.tested += checked.fires > 0 && checked.silent > 0;
        report.rules.push_back(std::move(checked));
    }
    report.total = report.compiles + report.errors.size();
    return report;
}

std::string PackReport::json() const {
    Json failed = Json::array();
    for (const auto& error : errors)
        failed.push_back(
            {{"file", error.file}, {"line", error.line}, {"rule", error.rule}, {"why", error.why}});
    for (const auto& failure : failures)
        failed.push_back(
            {{"file", failure.file}, {"line", failure.line}, {"rule", failure.rule}, {"why", failure.why}});
    return Json{{"total", total},
                {"compiles", compiles},
                {"feedable", feedable},
                {"feedable_from", {{"agent", from_agent}, {"auditd", with_auditd}, {"logs", feedable}}},
                {"tested", tested},
                {"failures", failed}}
        .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string list_rules_json(const RuleSet& rules) {
    std::string out;
    for (const auto& rule : rules.rules()) {
        const Json line{{"id", rule.origin.id},           {"title", rule.origin.title},
                        {"alert_type", rule.alert_type},  {"severity", model::to_string(rule.severity)},
                        {"status", rule.status},          {"author", rule.origin.author},
                        {"license", rule.origin.license}, {"product", rule.product},
                        {"category", rule.category},      {"service", rule.service},
                        {"techniques", rule.techniques},  {"file", rule.file}};
        out += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    }
    return out;
}

void RecordedMatches::line(std::uint32_t rule, std::size_t number, std::string& out) const {
    out += Json{{"rule", matcher_.rules().rules()[rule].origin.id}, {"event", number}}.dump() + "\n";
}

void RecordedMatches::print(std::string& out) {
    for (const auto& found : found_)
        line(found.rule, found.evidence.back().offset, out);
    found_.clear();
}

Result<void> RecordedMatches::match(std::string_view json, std::size_t number, std::string& out) {
    auto recorded = FIELDWATCH_TRY(RecordedEvent::parse(json));
    recorded.set_place(number);
    hits_.clear();
    matcher_.match_all(recorded.event(), recorded.item(), hits_);
    for (const auto& hit : hits_) {
        if (!matcher_.rules().rules()[hit.rule].only_correlated) line(hit.rule, number, out);
    }
    correlator_.observe(recorded.event(), recorded.item(), hits_, {}, found_);
    if (recorded.event().received.ticks > 0) correlator_.advance(recorded.event().received, found_);
    correlator_.meet(found_);  // one input is the whole fleet
    print(out);
    return {};
}

void RecordedMatches::finish(std::string& out) {
    correlator_.finish(found_);
    correlator_.meet(found_);
    print(out);
}

}  // namespace fieldwatch::detect
