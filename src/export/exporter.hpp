// All destinations: kept in the registry, each with a worker; and the outbox emptied of what all have passed.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/periodic.hpp"
#include "export/worker.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::exports {

inline constexpr std::size_t kDestinationsMax = 16;  ///< each has a thread and reads every finding

/// Any thread. Everything in Parts outlives it.
class Exporter {
  public:
    struct Parts {
        registry::Registry& registry;
        FileSystem& files;
        const Clock& clock;
        Random& random;
        Metrics& metrics;
        std::string directory;                         ///< of progress
        std::string files_directory;                   ///< below it lie the folders of file destinations
        std::function<std::vector<Source>()> sources;  ///< the workspaces that are open
    };
    struct Shown {
        Destination destination;
        Status status;
    };
    struct Put {
        Shown shown;
        bool created = false;
        std::string new_secret;  ///< made here because none was given: to be shown this once
    };

    /// Errors: Io. A destination that cannot be read is left out, and told of in the log.
    static Result<std::unique_ptr<Exporter>> create(Parts parts);
    ~Exporter();  ///< stop()

    void start(Teller teller);
    void stop();
    void wake();  ///< findings were committed

    std::vector<Shown> list() const;                   ///< by name
    Result<Shown> get(const std::string& name) const;  ///< Errors: NotFound
    /// Makes or replaces one. Without "secret", "authorization" and "password" it keeps those it has, the
    /// latter two for the same receiver and user only; a new webhook is given a secret. A new destination
    /// begins with what is found from now on. Errors: InvalidArgument, Exhausted.
    Result<Put> put(const std::string& name, std::string_view json);
    Result<void> remove(const std::string& name);  ///< Errors: NotFound
    /// Sends a test finding now and waits for what the receiver says. Errors: that, NotFound.
    Result<void> test(const std::string& name);

  private:
    explicit Exporter(Parts parts) : parts_(std::move(parts)) {}
    Result<void> load();
    Result<void> add_worker(Destination destination, Progress progress);
    Result<void> check_hubs(const Destination& destination) const;
    std::shared_ptr<Worker> worker(const std::string& name) const;
    std::shared_ptr<Worker> take_out(const std::string& name);
    std::string progress_path(std::string_view name) const;
    Progress from_now_on() const;
    void trim();

    Parts parts_;
    Teller teller_;
    std::mutex change_mutex_;  ///< one change of the destinations after the other
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Worker>> workers_;
    bool running_ = false;
    std::map<std::string, std::uint64_t, std::less<>> trimmed_;  ///< of the thread alone
    Periodic trimming_;
};

}  // namespace fieldwatch::exports
