// The portal's view of the rules that this server detects with: the running set, its versions, what they did,
// and what others would have done. app keeps them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "detect/content.hpp"
#include "detect/rules/pack.hpp"
#include "detect/rules/rule_diff.hpp"
#include "pipeline/backtest.hpp"
#include "pipeline/rule_counts.hpp"
#include "pipeline/why.hpp"

namespace fieldwatch::portal {

/// What somebody wrote: laid over the pack, or with `only` in its place.
struct RuleSetText {
    static constexpr std::size_t kFilesMax = 20'000;
    static constexpr std::size_t kFileBytesMax = 1u << 20;

    detect::RulePack pack;
    bool only = false;
};

/// A set that was applied. 0 is the pack alone.
struct RuleVersion {
    std::uint64_t version = 0;
    Timestamp applied{0};
    std::string by, note;
    bool only = false;
    std::size_t files = 0;
    std::string hash;  ///< of the set, hex; "" for the pack
    std::optional<std::uint64_t> rolled_back_to;
};

struct RunningRules {
    std::uint64_t version = 0;
    std::string content_hash;
    detect::ContentPtr content;
    detect::RulePack pack;  ///< the whole, as it was compiled
    RuleSetText set;        ///< what of it was applied
};

struct ApplyRequest {
    RuleSetText set;
    std::string by, note;
    bool force = false;  ///< although samples fail
    std::optional<std::uint64_t> rolled_back_to;
    std::optional<std::uint64_t> from = {};  ///< the version that it was made from; none: whichever runs
};
struct Applied {
    std::vector<detect::SampleFailure> refused;  ///< not empty: nothing changed, and why
    bool unchanged = false;                      ///< the set was the running one already
    std::uint64_t version = 0;
    std::string content_hash;
    std::size_t rules = 0;
    detect::RuleDiff diff;
};

struct BacktestStart {
    RuleSetText set;
    Timestamp from, to;
    std::optional<std::uint64_t> against;  ///< version; none: the running one
    std::string hub;
};
struct BacktestJob {
    enum class State : std::uint8_t { Running, Done, Failed, Stopped };

    std::string id;
    State state = State::Running;
    Timestamp from, to, started;
    std::uint64_t against = 0;
    std::uint64_t records = 0, of = 0;
    std::string error;
    detect::RuleDiff diff;                                   ///< from `against` to the set
    std::shared_ptr<const pipeline::BacktestReport> report;  ///< when done
};

/// Any thread.
class Rules {
  public:
    virtual ~Rules() = default;

    virtual Result<RunningRules> running() = 0;
    /// What would be compiled of a set: it over the pack, or alone.
    virtual Result<detect::RulePack> composed(const RuleSetText& set) = 0;
    virtual pipeline::RuleCounts counts() = 0;
    virtual Timestamp counted_since() = 0;

    /// In force when it returns, durably. Errors: Conflict when another version than `from` runs; Io and the
    /// like. The running set then stays.
    virtual Result<Applied> apply(ApplyRequest request) = 0;
    virtual std::vector<RuleVersion> versions() = 0;  ///< newest first, 0 last
    virtual Result<RuleSetText> version(std::uint64_t version) = 0;

    /// Errors: Exhausted while another runs; Unsupported when the set does not compile.
    virtual Result<BacktestJob> start_backtest(BacktestStart start) = 0;
    virtual std::vector<BacktestJob> backtests() = 0;  ///< newest first
    virtual Result<BacktestJob> backtest(const std::string& id) = 0;
    virtual Result<void> stop_backtest(const std::string& id) = 0;

    /// `content_in_force` is filled in here.
    virtual Result<pipeline::Why> why(pipeline::WhyRequest request) = 0;
};

}  // namespace fieldwatch::portal
