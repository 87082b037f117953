// The rules of this server: the pack with the applied set over it, and the sets that were applied before.
// DATA/rules/NNNNNNNN.json, one immutable file a version (docs/formats/rule-sets.md); the newest is in force.
// What detection runs on goes through content versions, as groups and indicators do (ADR 0050, 0051).
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "app/backtests.hpp"
#include "base/file_system.hpp"
#include "portal/rules.hpp"

namespace fieldwatch::app {

/// Any thread.
class RuleLibrary final : public portal::Rules {
  public:
    static constexpr std::size_t kVersionsKept = 200;
    static constexpr std::uint64_t kFileBytesMax = 64u << 20;  ///< a set of 32 MiB, escaped

    struct Parts {
        FileSystem& files;
        std::string directory;        ///< DATA/rules
        std::string rules_directory;  ///< of the pack; "" = the binary's own
        const Clock& clock;
        journal::Journal& journal;
        pipeline::ContentStore& contents;
        /// A content of these rules with the indicators and settings of now.
        std::function<Result<detect::ContentSources>(detect::RulePack)> sources;
        /// Puts pack() in force: the content's hash. Not called before open() has returned.
        std::function<Result<std::string>()> renew;
        std::function<std::string()> content_hash;  ///< in force
        std::function<pipeline::RuleCounts()> counts;
    };
    /// Reads what is there. Errors: Corrupt naming the file; Io.
    static Result<std::unique_ptr<RuleLibrary>> open(Parts parts);

    /// The pack with the newest set over it.
    Result<detect::RulePack> pack();

    Result<portal::RunningRules> running() override;
    Result<detect::RulePack> composed(const portal::RuleSetText& set) override;
    pipeline::RuleCounts counts() override { return parts_.counts(); }
    Timestamp counted_since() override { return opened_; }
    Result<portal::Applied> apply(portal::ApplyRequest request) override;
    std::vector<portal::RuleVersion> versions() override;
    Result<portal::RuleSetText> version(std::uint64_t version) override;
    Result<portal::BacktestJob> start_backtest(portal::BacktestStart start) override;
    std::vector<portal::BacktestJob> backtests() override { return backtests_.list(); }
    Result<portal::BacktestJob> backtest(const std::string& id) override { return backtests_.get(id); }
    Result<void> stop_backtest(const std::string& id) override { return backtests_.stop(id); }
    Result<pipeline::Why> why(pipeline::WhyRequest request) override;

  private:
    explicit RuleLibrary(Parts parts)
        : parts_(std::move(parts)),
          opened_(parts_.clock.now()),
          backtests_({.journal = parts_.journal, .clock = parts_.clock}) {}

    struct Stored {
        portal::RuleVersion about;
        portal::RuleSetText set;
    };
    std::string path(std::uint64_t version) const;
    Result<Stored> read(std::uint64_t version) const;
    Result<std::vector<detect::SampleFailure>> refusals(const portal::ApplyRequest& request,
                                                        const detect::RulePack& pack);
    Result<void> keep(const Stored& stored);
    portal::RuleSetText current();
    std::uint64_t newest();

    Parts parts_;
    Timestamp opened_;
    std::mutex applying_;  ///< one set after the other; never taken under mutex_
    std::mutex mutex_;
    std::vector<portal::RuleVersion> versions_;  // by version; guarded by mutex_
    portal::RuleSetText current_;                // guarded by mutex_
    Backtests backtests_;
};

}  // namespace fieldwatch::app
