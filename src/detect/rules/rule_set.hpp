// All rules compiled into one matcher. Sigma text goes in once; then events go by, each paying for what it
// matches and not for how many rules there are. Used by detect's engine, by `fieldwatch rules` and by
// backtests.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "detect/command/command.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"

namespace fieldwatch::detect {

/// A file of rules or of words: its name (as errors show it) and its text.
struct SourceFile {
    std::string name;
    std::string text;
};

/// How the discriminator of an alert is made, spec/alerts.md section 5.3.
enum class Discriminator : std::uint8_t {
    Command,
    RemoteAddress,
    Login,
    Authentication,
    Correlation,
    File,
    Event
};

/// One step of a correlation's sample: so many equal events, or only time that passes.
struct SampleStep {
    std::string rule;    ///< whose log source the events have, by name or id; "" = the first that is read
    std::string device;  ///< whose they are
    std::int64_t at_s = 0, times = 1, every_s = 1;
    std::vector<std::pair<std::string, std::string>> fields;
};

struct Sample {
    bool positive = true;
    std::vector<std::pair<std::string, std::string>> fields;  ///< Sigma names and values
    std::vector<SampleStep> steps;                            ///< of a correlation, in place of fields
};

/// What is known of a rule besides when it fires.
struct RuleMeta {
    std::string file;
    int line = 0;  ///< from 1
    model::RuleOrigin origin;
    std::string name;  ///< by which correlations and filters may call it
    std::string status;
    std::string product, category, service;  ///< logsource
    std::string alert_type;                  ///< as published; `Sigma_<id>` for a rule without `fieldwatch:`
    std::string display_name, description, component, intent;
    model::Severity severity = model::Severity::Low;
    std::vector<std::string> techniques, remediation;
    std::vector<std::string> absorbs;   ///< alert types that give way when this rule fires on the same thing
    std::vector<std::string> extended;  ///< further fields of the event to carry in ExtendedProperties
    Discriminator discriminator = Discriminator::Event;
    std::int64_t suppression_s = 3'600;
    std::vector<std::string> fields;  ///< that the detection reads, sorted
    std::vector<Sample> samples;
    /// A correlation reads this rule and does not generate it: its own hits are no alerts.
    bool only_correlated = false;
    /// Its own hits are alerts, whoever reads it: `generate: true` of its `fieldwatch:` section.
    bool always_generated = false;
    /// A correlation over all devices of a hub, wherever they lie: `scope: fleet`.
    bool fleet = false;
};

struct RuleError {
    std::string file;
    int line = 0;
    std::string rule;  ///< id or title where known
    std::string why;
};

/// One rule that fired on one item.
struct RuleHit {
    std::uint32_t rule = 0;     ///< index into RuleSet::rules(), which are sorted by id
    std::int32_t segment = -1;  ///< of the command line; -1 when the event as a whole matched
    std::string segment_text;   ///< normalised segment, or the whole line
    friend bool operator==(const RuleHit&, const RuleHit&) = default;
};

struct RuleOptions {
    CommandSettings command;
};

/// Values the caller knows and the event does not carry: intel.category, intel.indicator, device.group, …
using ExtraFields = std::span<const std::pair<std::string_view, std::string_view>>;

struct RuleSetInternals;
struct Correlation;
struct SigmaDocuments;
class RuleProbe;

/// Immutable; shared by all shards.
class RuleSet {
  public:
    struct Compiled;
    /// Compiles what can be compiled. Word lists are what `|expand` placeholders (%name%) stand for: the file
    /// name without directory and `.txt`. Never fails as a whole: look at `errors`.
    static Compiled compile(std::span<const SourceFile> rules, std::span<const SourceFile> word_lists,
                            RuleOptions options = {});
    /// The same of documents that are read already.
    static Compiled compile(SigmaDocuments documents, RuleOptions options);

    std::span<const RuleMeta> rules() const;
    /// Those of rules() that correlate others, in the order in which they must be asked: a correlation comes
    /// after the rules it reads.
    std::span<const Correlation> correlations() const;
    const RuleOptions& options() const;
    const RuleSetInternals& internals() const { return *internals_; }
    ~RuleSet();

  private:
    explicit RuleSet(std::unique_ptr<RuleSetInternals> internals);
    std::unique_ptr<RuleSetInternals> internals_;
};
using RuleSetPtr = std::shared_ptr<const RuleSet>;

struct RuleSet::Compiled {
    RuleSetPtr rules;               ///< of everything that compiled; never null
    std::vector<RuleError> errors;  ///< by file, then line
};

struct MatcherState;

/// Scratch of one shard over a rule set. One strand. Keeps the set alive.
class Matcher {
  public:
    explicit Matcher(RuleSetPtr rules);
    ~Matcher();
    Matcher(Matcher&&) noexcept;
    Matcher& operator=(Matcher&&) noexcept;

    /// Appends the rules that fire on `item`, by rule id; at most one hit a rule. Rules that another hit
    /// absorbs are left out, and appended to `absorbed`. Pure: the same event gives the same hits whatever
    /// came before.
    void match(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
               ExtraFields extra = {}, std::vector<RuleHit>* absorbed = nullptr);
    /// The same, absorbed rules included.
    void match_all(const model::Event& event, const model::Item& item, std::vector<RuleHit>& hits,
                   ExtraFields extra = {});

    /// What the caller noted of the item last matched, kept as long as the verdict on it: 0 at first. Null
    /// when nothing is kept. Only for what follows from the item's command line and directory.
    std::uint8_t* note();
    /// The normalised command line of the item last matched; without segments if it has none.
    CommandLine& command();
    const RuleSet& rules() const;
    /// From here on `probe` (null: nobody) is told what deciding each rule took. Decides nothing itself.
    void measure(RuleProbe* probe);

  private:
    std::unique_ptr<MatcherState> state_;
};

/// What every alert of a rule has: type, names, severity, component, intent, techniques, remediation, origin.
model::Alert alert_of(const RuleMeta& rule);

/// The alert of a hit: type, names, severity, entities, extended properties (spec/alerts.md 2.2, 2.3),
/// discriminator, times, hit count, evidence. Identity (`id`), `processed` and suppression are the engine's.
model::Alert make_alert(const RuleMeta& rule, const RuleHit& hit, const model::Event& event,
                        const model::Item& item, ExtraFields extra = {});

}  // namespace fieldwatch::detect
