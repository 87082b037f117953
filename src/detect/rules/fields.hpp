// Which fields rules may name, and where their values come from: events of the agent and the hub under
// Sigma's names, the derived cmd.*, line.*, net.* and hub.* fields, and whatever a recorded sigma-event
// brings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detect/command/command.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

using FieldValue = std::pair<std::string_view, std::string_view>;  ///< Sigma name, value

struct LogSource {
    std::string_view product, category, service;
    friend bool operator==(const LogSource&, const LogSource&) = default;

    /// Of a rule: whether it is for events of `source`, which has each part that the rule names.
    bool is_for(const LogSource& source) const;
};

/// Storage for values that an event holds as numbers.
class NumberText {
  public:
    NumberText() { bytes_.reserve(kBytes); }
    std::string_view operator()(std::int64_t value);
    void clear() { bytes_.clear(); }

  private:
    static constexpr std::size_t kBytes = 256;  // ten numbers; reserved, so that views stay
    std::string bytes_;
};

LogSource log_source_of(const model::Event& event, const model::Item& item);

/// Appends the fields of an item under their Sigma names; empty values are left out, as if absent.
void event_fields(const model::Event& event, const model::Item& item, const AddressSettings& addresses,
                  NumberText& numbers, std::vector<FieldValue>& out);

/// Where a process's command line and working directory lie; nullopt when the item is no process event.
struct ProcessText {
    std::string_view command_line, working_directory;
};
std::optional<ProcessText> process_text(const model::Event& event, const model::Item& item);

/// A derived field of one segment (cmd.*) or of the whole line (line.*: the union over its segments).
enum class CommandScalar : std::uint8_t { Name, Path, Line, Raw, Script, Interpreter, Operand1, Operand2 };
struct CommandField {
    bool is_scalar = false;
    CommandScalar scalar = CommandScalar::Name;
    CommandList list = CommandList::Args;
};
std::optional<CommandField> command_field(std::string_view suffix);  ///< what follows `cmd.` or `line.`
std::span<const std::string_view> command_field_names();
void command_values(CommandLine& line, const Segment& segment, CommandField field,
                    std::vector<std::string_view>& out);

/// What of ours brings the events that a rule looks at; each also brings what those before it do.
enum class Feed : std::uint8_t { Agent, Auditd, Logs };
/// The first that carries every field of a rule of this log source; none for sources that we do not read. The
/// agent's and the hub's own events are Agent.
std::optional<Feed> fed_by(const LogSource& source, std::span<const std::string> fields);

/// Whether what a service logs stands in a log as well: sshd's lines are in auth's log, and those in
/// syslog's.
bool is_part_of(std::string_view service, std::string_view log);

}  // namespace fieldwatch::detect
