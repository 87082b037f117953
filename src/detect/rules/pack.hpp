// The library side of `fieldwatch rules`: reads a rule directory, says what of it compiles, is feedable and
// tested, runs the samples, and matches recorded events.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "detect/rules/correlator.hpp"
#include "detect/rules/fields.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {

struct RulePack {
    std::vector<SourceFile> rules;  ///< every .yml and .yaml below the directory, by path
    std::vector<SourceFile> words;  ///< every .txt below its folder `words`
};
/// Bounds: 20,000 files of 1 MiB, eight folders deep. Errors: NotFound, Io, TooLarge.
Result<RulePack> load_rule_pack(FileSystem& files, const std::string& directory);
/// `over` laid over `base`: a file of the same name takes its place, an empty one takes it out, others come
/// behind, so that of two rules with one id the newcomer is refused.
RulePack laid_over(RulePack base, const RulePack& over);

struct SampleFailure {
    std::string file;
    int line = 0;  ///< of the rule
    std::string rule, why;
};
/// What is known of one rule that compiles.
struct CheckedRule {
    std::string id, title, alert_type, file;
    int line = 0;
    model::Severity severity = model::Severity::Low;
    std::optional<Feed> feed;                        ///< none: nothing that we read carries all of its fields
    std::size_t fires = 0, silent = 0, failing = 0;  ///< samples
};
struct PackReport {
    std::size_t total = 0;  ///< rules found, broken ones included
    std::size_t compiles = 0;
    std::size_t feedable = 0;  ///< something that we read carries every field: fed_by()
    std::size_t from_agent = 0,
                with_auditd = 0;  ///< of these, from agents and the hub alone; and with auditd's
    std::size_t tested = 0;       ///< at least one positive and one negative sample
    std::vector<RuleError> errors;
    std::vector<SampleFailure> failures;
    std::vector<CheckedRule> rules;  ///< by id
    /// `{"total","compiles","feedable","feedable_from":{"agent","auditd","logs"},"tested",
    /// "failures":[{"file","line","rule","why"}]}`
    std::string json() const;
};

/// Compiles in the spec's test mode (documentation addresses are external), for samples may name no real
/// address.
RuleOptions sample_options();
/// Compiles, and runs every sample: `rules check`, `rules test`. Reports on the files that are wanted, all of
/// them without a word; rules of the others are there to be correlated and absorbed.
PackReport check_rules(const RulePack& pack,
                       const std::function<bool(const std::string& file)>& is_wanted = {});

/// One line a rule: `{"id","title","alert_type","severity","file",…}`, by id: `rules list --format json`.
std::string list_rules_json(const RuleSet& rules);

/// Matches recorded sigma-events one after another, correlations included: `rules match`.
class RecordedMatches {
  public:
    explicit RecordedMatches(RuleSetPtr rules) : matcher_(rules), correlator_(std::move(rules)) {}

    /// Appends `{"rule":id,"event":number}` lines. A correlation's event is the last of the group that
    /// satisfies it. Errors: Malformed.
    Result<void> match(std::string_view json, std::size_t number, std::string& out);
    /// The input is over: appends what correlations decide at the end of their windows.
    void finish(std::string& out);

  private:
    void print(std::string& out);
    void line(std::uint32_t rule, std::size_t number, std::string& out) const;

    Matcher matcher_;
    Correlator correlator_;
    std::vector<RuleHit> hits_;
    std::vector<Correlator::Found> found_;
};

}  // namespace fieldwatch::detect
