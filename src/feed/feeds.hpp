// All feeds: kept in the registry, pulled on hub time by one thread, handed on as files of indicators.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "detect/intel/indicator.hpp"
#include "feed/feed.hpp"
#include "net/outbound_stream.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::feed {

/// How a feed fares.
struct Status {
    std::optional<Timestamp> last_run, last_success;
    std::optional<Timestamp> last_change;  ///< when what it gives was last taken over
    std::uint64_t runs = 0, failures = 0;
    std::size_t indicators = 0, warnings = 0;  ///< in force, of the last change
    std::uint64_t skipped = 0;
    std::vector<detect::BadLine> bad;  ///< the first of the last change
    std::string problem;               ///< why the last run failed, or what it left out; "" = well
};

/// What is needed to ask only for what is new.
struct Cursor {
    std::string etag, last_modified;
    std::string added_after;  ///< TAXII's
};

/// Any thread. Everything in Parts outlives it.
class Feeds {
  public:
    static constexpr std::size_t kFeedsMax = 64;  ///< pulled one after the other

    struct Import {
        std::string name, text;
        bool may_shrink = false;
        bool is_bundle = false;  ///< signed and versioned, and of no file name of the feed's own
    };
    struct Parts {
        registry::Registry& registry;
        FileSystem& files;
        const Clock& clock;
        Metrics& metrics;
        std::string directory;   ///< of the files that detection reads
        std::string state_file;  ///< how each fares; losing it costs a full pull
        /// Takes a file over, as a person's import does.
        std::function<Result<detect::IndicatorFile>(Import import)> import;
        std::function<Result<void>(const std::string& name)> remove;
    };
    struct Shown {
        Feed feed;
        Status status;
    };

    /// Errors: what keeps the state from being read.
    static Result<std::unique_ptr<Feeds>> open(Parts parts);
    ~Feeds();  ///< stop()

    void start();
    void stop();  ///< ends a pull that is under way

    Result<std::vector<Shown>> list();
    Result<Shown> get(const std::string& name);  ///< Errors: NotFound
    /// Makes or replaces one, which is pulled soon. Without "authorization" it keeps the one it has, for the
    /// same server only. Errors: InvalidArgument, Exhausted.
    Result<Shown> put(const std::string& name, std::string_view json);
    /// The feed and its file go. Errors: NotFound.
    Result<void> remove(const std::string& name);
    /// Pulls now; what came of it is in the status. Errors: NotFound, Conflict while another is pulled.
    Result<Shown> run(const std::string& name, bool may_shrink);

  private:
    struct State {
        Status status;
        Cursor cursor;
        Timestamp next{0};  ///< hub time of the next pull
        std::string of;     ///< the feed that this is the state of: another address begins anew
    };

    explicit Feeds(Parts parts);
    void loop();
    Result<std::vector<Feed>> feeds();
    void pull(const Feed& feed, bool may_shrink);
    State state_of(const std::string& name);
    void keep(const std::string& name, State state);
    Result<void> load();
    Result<void> read_states(std::string_view text);
    void save();

    Parts parts_;
    Counter& runs_;
    Counter& failures_;
    Gauge& failing_;
    std::unique_ptr<net::Interrupt> interrupt_;
    std::thread thread_;
    std::mutex pulling_;  ///< one pull at a time; never taken under mutex_
    std::mutex mutex_;    ///< of everything below; never held while a feed is pulled
    std::condition_variable wake_;
    bool stopping_ = false;
    std::map<std::string, State> states_;
};

}  // namespace fieldwatch::feed
