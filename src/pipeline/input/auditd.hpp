// Linux audit records: `type=X msg=audit(seconds.millis:serial): key=value …` as auditd writes them, raw or
// enriched, as `ausearch -i` reads them out, as the kernel's log and the journal have them, behind whatever a
// relay put before. spec/linux-collection.md; audit-userspace's record fields.
#pragma once

#include <deque>
#include <unordered_map>

#include "pipeline/input/record_maker.hpp"

namespace fieldwatch::pipeline {

class AuditdReader final : public InputReader {
  public:
    static constexpr std::size_t kGroupsMax = 32;  ///< events that are open at a time; the oldest is closed
    static constexpr std::size_t kProcessesMax = 65'536;  ///< processes remembered as parents

    explicit AuditdReader(InputOptions options) : options_(std::move(options)), maker_(options_.hub) {}

    Result<void> read(std::string_view line, std::uint64_t number, const RecordSink& sink) override;
    void finish(const RecordSink& sink) override;

  private:
    /// One record.
    struct Line {
        std::string device, type;
        Timestamp time;
        std::uint64_t serial = 0;  ///< 0 where the journal kept it to itself
        TextFields fields;
    };
    /// The records of one event: one serial of one node.
    struct Group {
        std::string device;
        std::uint64_t serial = 0;
        Timestamp time;
        std::uint64_t line = 0;  ///< of the record that says most
        bool is_exec = false;
        bool reversed = false;  ///< its records come last to first
        TextFields syscall, arguments, socket;
        std::string title, directory;
    };
    struct Program {
        std::string executable, command_line;
    };

    std::optional<Line> take_apart(std::string_view text) const;
    void gather(const Line& line, std::uint64_t number, const RecordSink& sink);
    void add(Group& group, std::string_view type, const TextFields& fields, std::uint64_t number);
    void close(Group& group, const RecordSink& sink);
    void exec(const Group& group, const RecordSink& sink);
    void connect(const Group& group, const RecordSink& sink);
    void login(const Origin& origin, std::string_view type, const TextFields& fields, const RecordSink& sink);
    void command(const Origin& origin, const TextFields& fields, const RecordSink& sink);
    void remember(const std::string& device, std::int64_t process, Program program);

    InputOptions options_;
    RecordMaker maker_;
    std::deque<Group> groups_;
    bool audits_execs_ = false;  ///< once an exec was told, sudo's word for it says nothing new
    std::unordered_map<std::string, Program>
        programs_;  ///< by device and process id; looked up, never walked
    std::deque<std::string> program_order_;
};

}  // namespace fieldwatch::pipeline
