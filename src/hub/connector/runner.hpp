// One connector at work: its source, again and again, with longer and longer waits while it fails.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "hub/connector/connectors.hpp"
#include "hub/connector/source.hpp"

namespace fieldwatch::hub {

/// A thread of its own from start() to its end.
class ConnectorRunner {
  public:
    static constexpr std::chrono::milliseconds kFirstWait{1'000}, kMostWait{60'000};

    /// Errors: Corrupt or Io of the place's file.
    static Result<std::unique_ptr<ConnectorRunner>> create(const ConnectorParts& parts,
                                                           const OperationLog& log, ImportTarget target,
                                                           ConnectorSettings settings, std::string as_text);
    ~ConnectorRunner();  ///< ends what is under way, keeps the place, joins

    const std::string& as_text() const { return as_text_; }
    ConnectorStatus status() const;

    static std::string place_path(const ConnectorParts& parts, std::string_view hub, std::string_view name);

  private:
    ConnectorRunner(const ConnectorParts& parts, const OperationLog& log, ImportTarget target,
                    ConnectorSettings settings, std::string as_text, ConnectorPlace place,
                    std::unique_ptr<net::Interrupt> interrupt);
    void run();
    std::chrono::milliseconds failed(const Error& error);
    void say(ConnectorState state);

    const ConnectorParts& parts_;
    const std::string hub_, as_text_;
    const ConnectorSettings settings_;
    Intake intake_;
    ConnectorPlace place_;
    const std::unique_ptr<net::Interrupt> interrupt_;
    std::unique_ptr<ConnectorSource> source_;
    std::chrono::milliseconds wait_ = kFirstWait;
    mutable std::mutex mutex_;
    ConnectorStatus status_;
    std::thread thread_;
};

}  // namespace fieldwatch::hub
