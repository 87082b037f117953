// The unprivileged half of an update: hears of one by the twin, brings it, looks at it, lays it down for root
// and asks for a new start; then, on trial, says that it is connected. docs/formats/agent-update.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/update/download.hpp"
#include "agent/update/slots.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"

namespace fieldwatch::agent {

/// What the reported twin says of it: state is off, none, refused, waiting, downloading, failed, staged,
/// trial, confirmed or rolledBack.
struct UpdateStatus {
    std::string state = "none", version, reason;

    friend bool operator==(const UpdateStatus&, const UpdateStatus&) = default;
};
std::string format_update_status(std::string_view object_name, const UpdateStatus& status);

/// One thread. Works in `update/` of the current directory. At most one download at a time, bounded by what
/// the signed manifest says; it is looked at before a byte is asked for.
class Updater {
  public:
    struct Options {
        std::optional<PublicKey> key;  ///< nothing: the device's own file allows no updates
        std::string slots_directory;
        Version package;            ///< of these programs
        net::TlsClientOptions tls;  ///< whom to trust; where to connect is the url's
    };
    struct Handlers {
        std::function<void(const UpdateStatus&)> changed;
        std::function<void()> restart;  ///< end, so that root looks at what was laid down
    };
    Updater(Options options, Handlers handlers, const Clock& clock, Random& random);

    void announce(const std::optional<Announcement>& announcement);
    /// The hub has answered and the collector tells: whoever watches a trial is told, once.
    void connected();
    /// The agent was told to end: a trial that is not over goes on with the next start.
    void stopped();
    void advance();
    const UpdateStatus& status() const { return status_; }

    int fd() const { return download_ ? download_->fd() : -1; }
    short wanted_events() const { return download_ ? download_->wanted_events() : short{0}; }
    std::int64_t wake_ns() const;  ///< monotonic

  private:
    std::int64_t now_ns() const { return clock_.monotonic().count(); }
    void read_slots();
    void tell(std::string state, std::string reason = {});
    Result<void> take_up();
    Result<void> begin_download();
    void step();
    Result<bool> bring();
    Result<void> stage();
    Result<void> check_image();
    void put_off(const Error& error);
    void tidy();
    bool lay_down(const char* name);

    Options options_;
    Handlers handlers_;
    const Clock& clock_;
    Random& random_;
    SlotState slots_;
    UpdateStatus status_;
    std::optional<Announcement> announced_;
    std::optional<Manifest> wanted_;  // what is being brought; nothing: there is nothing to do
    std::optional<Download> download_;
    std::unique_ptr<File> image_;
    std::uint64_t received_ = 0;  // of the download, when it last brought something
    std::int64_t quiet_since_ns_ = 0;
    std::int64_t next_attempt_ns_ = 0;
    std::int64_t begun_ns_ = 0;      // the last attempt, of whatever announcement; 0: none yet
    std::int64_t next_look_ns_ = 0;  // at the slots, while on trial
    unsigned failures_ = 0;
    bool said_connected_ = false;
    bool heard_ = false;        // of an announcement, or that there is none
    std::string not_taken_up_;  // id of what was laid down for root, which did not look
};

}  // namespace fieldwatch::agent
