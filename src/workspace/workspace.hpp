// The columnar store of one workspace: its tables, the offsets its rows came from, its queries. Rows and
// offsets are committed in one transaction (design 3a): "accepted once, visible once" needs no other trick.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "kql/kql.hpp"
#include "model/finding.hpp"
#include "workspace/rows.hpp"
#include "workspace/texts.hpp"

namespace fieldwatch::workspace {

/// What a shard hands over after a batch: rows, and how far the partition is now done.
struct Commit {
    std::uint32_t partition = 0;
    std::uint64_t next_offset = 0;  ///< one past the last record whose rows are here
    Texts texts;                    ///< of raw_events
    std::vector<RawEventRow> raw_events;
    std::vector<AlertRow> alerts;
    std::vector<RecommendationRow> recommendations;
    std::vector<DiagnosticsRow> diagnostics;
    std::vector<ActivityRow> activities;
    std::vector<OutboxRow>
        outbox;  ///< actions and notifications that leave only from here, keyed by SystemAlertId
};

/// A cell of a result. Dynamic values are JSON text (ColumnType::Dynamic says so).
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string>;
using kql::ColumnType;
using kql::to_string;  // its wire names: bool, int, long, …

struct Column {
    std::string name;
    ColumnType type = ColumnType::String;
};
struct ResultTable {
    std::string name = "PrimaryResult";
    std::vector<Column> columns;
    std::vector<std::vector<Value>>
        rows;  ///< DateTime and TimeSpan cells are int64: 100 ns since 0001-01-01 / 100 ns
};
struct QueryRequest {
    std::string text;  ///< KQL
    std::optional<Timestamp> from,
        to;                        ///< timespan of the API, on TimeGenerated, beside the query's own filters
    std::optional<Timestamp> now;  ///< what now() says; nullopt = the clock
    std::chrono::milliseconds timeout{180'000};
    std::size_t rows_max = 500'000;
    std::size_t bytes_max = 64u << 20;
};
struct QueryAnswer {
    std::vector<ResultTable> tables;
    std::string render_json;  ///< "" without a render operator
    bool truncated = false;   ///< rows_max or bytes_max was met: PartialError
    std::chrono::microseconds duration{0};
};
/// A query's refusal: where in the text and why, with suggestions in the sentence.
struct QueryError {
    enum class Kind : std::uint8_t {
        Syntax,
        Semantic,
        Unsupported,
        Limit,
        Timeout,
        Internal
    } kind = Kind::Internal;
    std::string message;
    std::uint32_t line = 0, column = 0;  ///< from 1; 0 = no place
    std::uint32_t length = 0;
};

/// Which alerts are what now: the small keyed table beside the append-only one.
struct OpenAlert {
    Uuid id;
    std::string type, entity;
    model::AlertStatus status = model::AlertStatus::New;
};

/// Rows of the outbox behind a sequence.
struct OutboxRange {
    std::uint64_t after = 0;
    std::size_t count_max = 0;
};

class Workspace {
  public:
    virtual ~Workspace() = default;

    /// Durable when it returns. A commit at or below the partition's committed offset is refused with
    /// Conflict. Any thread; one commit of a partition at a time.
    virtual Result<void> commit(Commit commit) = 0;
    virtual Result<std::uint64_t> committed_offset(std::uint32_t partition) = 0;

    /// Runs KQL on a session of its own, which sees only this workspace. Any thread; blocking: call from a
    /// worker pool.
    virtual std::expected<QueryAnswer, QueryError> query(const QueryRequest& request) = 0;

    /// Tables and columns for editors: [(table, columns)].
    virtual std::vector<std::pair<std::string, std::vector<Column>>> schema() const = 0;

    /// Alerts that are neither Resolved nor Dismissed, newest first, at most `count_max`.
    virtual Result<std::vector<OpenAlert>> open_alerts(std::size_t count_max) = 0;

    /// Rows that have not left yet, by ascending sequence. A row committed while others are read has a higher
    /// sequence than all of them.
    virtual Result<std::vector<OutboxRow>> outbox(OutboxRange range) = 0;
    /// The highest sequence that was ever given; 0 before the first. What is committed later is above it.
    virtual std::uint64_t outbox_end() = 0;
    virtual Result<void> outbox_done(std::uint64_t up_to_sequence) = 0;

    /// Seals finished periods into Parquet, drops what retention allows, removes orphans. Called by app every
    /// minute.
    virtual Result<void> maintain() = 0;
};

struct Options {
    std::string directory;
    std::string id;  ///< workspace id, part of every RowId
    std::uint32_t partition_count = 4;
    std::chrono::hours raw_retention{24 * 31}, alert_retention{24 * 90};
    std::chrono::minutes hot_period{
        60};  ///< rows of one ingestion period lie in one hot table until it is sealed
    std::size_t memory_bytes_max = 512u << 20;  ///< the engine's own bound: cache, sorts, joins
    unsigned threads_max = 2;                   ///< of the engine, for queries and sealing

    /// Parts of resource ids: `/subscriptions/S/resourceGroups/G/providers/Microsoft.Devices/IotHubs/H`.
    std::string subscription_id;  ///< a GUID; empty = derived from `id`
    std::string resource_group = "fieldwatch";
    std::string region = "local";
    std::string portal_url;  ///< begins AlertLink and ExtendedLinks; empty = relative links
    bool historic_product_names =
        false;  ///< compatibility.product_names: the texts published queries filter on
};

/// The hub's resource id as SecurityAlert.ResourceId spells it: hub in lower case, the rest as published.
std::string hub_resource_id(const Options& options, std::string_view hub);

/// The ready-made query of one alert type on one hub, spec/alerts.md section 4: which devices have it.
std::string ready_made_query(const Options& options, std::string_view hub, std::string_view alert_name);

/// `clock` outlives the workspace. Errors: Unsupported for a file of the future or a DuckDB of another
/// version.
Result<std::unique_ptr<Workspace>> open(const Options& options, const Clock& clock, Metrics& metrics);

/// `fieldwatch query --memory`: no tables, no files; datatable, print and range work.
std::expected<QueryAnswer, QueryError> query_in_memory(const QueryRequest& request, const Clock& clock);

}  // namespace fieldwatch::workspace
