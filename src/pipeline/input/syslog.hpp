// System logs as text: RFC 3164, RFC 5424 and ISO stamps, with or without a priority, what journalctl and
// OpenWrt's logread print, and the journal's JSON. Daemons that log people in become log-ins, sudo and cron
// what they ran; every line is a sigma-event of its program's log source.
#pragma once

#include <map>
#include <unordered_map>

#include "pipeline/input/auditd.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::pipeline {

struct SyslogLine {
    Timestamp time;
    std::string host, program, message;
    std::int64_t process_id = 0;
    std::string audit_record;  ///< where the journal's JSON holds one: as auditd would have written it
};

/// Reads one line. `year` stands in where the stamp has none. Errors: Malformed.
Result<SyslogLine> parse_syslog_line(std::string_view line, int year);

/// The log-in that a daemon's message tells of, and how often; nothing for other messages. `program` decides
/// how to read it: sshd, dropbear, login, telnetd, the FTP servers, OpenWrt's page, and anything that speaks
/// PAM's words about a remote host.
struct ToldLogin {
    RecordedLogin login;
    int times = 1;
    bool from_pam = false;  ///< the daemon itself may tell of it again
};
std::optional<ToldLogin> told_login(std::string_view program, std::string_view message);

class SyslogReader final : public InputReader {
  public:
    explicit SyslogReader(InputOptions options)
        : options_(std::move(options)), maker_(options_.hub), year_(options_.first_year), audit_(options_) {}

    Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) override;
    void finish(const RecordSink& sink) override { audit_.finish(sink); }

  private:
    static constexpr std::size_t kTalksMax = 4'096;  ///< remembered sessions; beyond it all are forgotten

    Result<SyslogLine> line_of(std::string_view text);
    Result<SyslogLine> journal_entry(std::string_view text);
    void login(const Origin& origin, const SyslogLine& line, const RecordSink& sink);
    void command(const Origin& origin, const SyslogLine& line, const RecordSink& sink);

    InputOptions options_;
    RecordMaker maker_;
    int year_;
    int last_month_ = 0;
    /// Sessions (host, program, pid) whose failure PAM told of last: their daemon's line is the same attempt.
    std::map<std::string, Timestamp> told_by_pam_;
    std::map<std::string, RecordedLogin> last_told_;  ///< by host: what "last message repeated" is about
    json::Reader json_;
    AuditdReader audit_;  ///< reads the audit records that came with the rest
};

}  // namespace fieldwatch::pipeline
