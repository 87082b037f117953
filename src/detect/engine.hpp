// Detection as a pure function: events in, findings out, state that can be saved. The server, replay,
// backtest and the offline engine run this and nothing else. No clock, no randomness, no I/O; time comes from
// events and ticks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/alert_decision.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"
#include "model/record.hpp"

namespace fieldwatch::detect {

/// Compiled rules, indicators and settings of one content version. Immutable, shared by all shards.
class Content;
using ContentPtr = std::shared_ptr<const Content>;

/// The sources that a content version is made of; its hash names it in the log.
struct ContentSources {
    std::vector<std::pair<std::string, std::string>> rule_files;  ///< (name, YAML), by name
    std::vector<std::pair<std::string, std::string>> word_lists;  ///< (name, text), by name
    std::vector<std::pair<std::string, std::string>> indicator_files;
    std::vector<std::pair<std::string, std::string>> advisory_files;  ///< of vulnerabilities, by name
    std::string settings_json = "{}";  ///< tuning keys of spec/alerts.md section 6, allowed ports, …

    std::string hash() const;  ///< SHA-256, hex, over everything above
};
/// What is as in `before` is shared with it: a table of advisories is large. Errors: Malformed or
/// InvalidArgument naming file and line.
Result<ContentPtr> compile(const ContentSources& sources, const ContentPtr& before = nullptr);

struct FleetFact;  // detect/rules/fleet_fact.hpp
struct Watch;      // detect/rule_watcher.hpp

/// All detectors of one shard. One strand.
class Engine {
  public:
    virtual ~Engine() = default;

    /// Events must come in log order. Findings are appended to `out` in a fixed order.
    virtual void observe(const model::Event& event, std::vector<model::Finding>& out) = 0;

    /// A change of the registry, or an export of it, in log order: Twin, IdentityChange or HubConfiguration.
    virtual void observe_change(const model::RecordView& record, model::LogPosition position,
                                model::ShardRole role, std::vector<model::Finding>& out) = 0;

    /// A tick of the server: between two that lie far apart it was down, and what did not come says nothing.
    virtual void observe_tick(Timestamp now, std::vector<model::Finding>& out) = 0;
    /// Recorded input is over: what does not come from here on is not absent.
    virtual void end_of_input() = 0;

    /// Log time has reached `now` for the whole partition: closes windows, resolves, expires.
    virtual void advance(Timestamp now, std::vector<model::Finding>& out) = 0;

    /// A person's decision (AlertState record), spec/alerts.md section 3: by alert id, or by aggregate
    /// `TYPE/yyyy-mm-dd`. Errors: NotFound for an alert that was never raised here, or is forgotten.
    virtual Result<void> decide(std::string_view hub, std::string_view alert_or_aggregate,
                                const model::AlertDecision& decision, std::vector<model::Finding>& out) = 0;

    /// What a scheduled query found (QueryFinding record); a finding that is in the log again says nothing.
    /// Errors: Malformed.
    virtual Result<void> observe_query(const model::RecordView& record, model::LogPosition position,
                                       std::vector<model::Finding>& out) = 0;

    /// What a shard tells of a device to the whole (FleetFact record), for this one has its group.
    virtual void observe_fact(const FleetFact& fact, Timestamp received,
                              std::vector<model::Finding>& out) = 0;
    /// What is to be told of the devices of this shard since the last call, to the shard of each group: in
    /// the order in which it was found.
    virtual std::vector<FleetFact> take_facts() = 0;

    /// From here on other rules apply; state of rules whose stateful part is unchanged stays.
    virtual void set_content(ContentPtr content) = 0;

    /// From here on `watch.watcher` is told of what rules do. Findings are the same without it.
    virtual void watch(Watch watch) = 0;

    /// Sections by detector, each with its version: docs/formats/checkpoint.md.
    virtual void save(Bytes& out) const = 0;
    virtual Result<void> restore(ByteView state) = 0;
};

std::unique_ptr<Engine> make_engine(ContentPtr content);

}  // namespace fieldwatch::detect
