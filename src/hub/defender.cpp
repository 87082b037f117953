#include "hub/defender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/hash.hpp"
#include "base/json_text.hpp"
#include "base/limits.hpp"
#include "base/uuid.hpp"
#include "hub/identity_key.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kAgentVersion = "awsdd 1.0";
constexpr std::size_t kListTextMax = 1'024;  // of a custom list, in a row; its length is always told

std::uint64_t mark_of(const defender::Connection& connection) {
    return hash64(as_bytes(fmt::format("{} {} {}", connection.remote_address, connection.remote_port,
                                       connection.local_port ? int{*connection.local_port} : -1)));
}

/// The envelope and the common part of events.
class MessageWriter {
  public:
    MessageWriter(const model::Identity& device, std::int64_t report_id, Timestamp received)
        : agent_(Uuid::named(Uuid{}, fmt::format("awsdd/{}/{}", device.hub.value, device.device.value))),
          report_id_(report_id),
          time_(to_iso8601(received, 3)),
          json_(text_) {
        json_.begin_object()
            .member("AgentVersion", kAgentVersion)
            .member("AgentId", agent_.text())
            .member("MessageSchemaVersion", "1.0")
            .key("Events")
            .begin_array();
    }

    struct Kind {
        std::string_view name, category, version;
    };
    /// Opens the event's payload; `end_event` closes it. One event a kind.
    JsonWriter& begin_event(const Kind& kind, bool is_empty) {
        ++events_;  // not a part of the id: what else is told depends on the report before
        const auto id = Uuid::named(agent_, fmt::format("{}/{}/0", report_id_, kind.name));
        return json_.begin_object()
            .member("Id", id.text())
            .member("Name", kind.name)
            .member("Category", kind.category)
            .member("EventType", "Security")
            .member("PayloadSchemaVersion", kind.version)
            .key("IsEmpty")
            .boolean(is_empty)
            .member("TimestampLocal", time_)
            .member("TimestampUTC", time_)
            .key("Payload")
            .begin_array();
    }
    void end_event() { json_.end_array().end_object(); }

    /// "" when there was no event.
    std::string finish() {
        json_.end_array().end_object();
        return events_ == 0 ? std::string() : std::move(text_);
    }

  private:
    Uuid agent_;
    std::int64_t report_id_;
    std::string time_, text_;
    JsonWriter json_;
    std::size_t events_ = 0;
};

void write_ports(JsonWriter& json, std::string_view protocol,
                 const std::optional<defender::ListeningPorts>& block) {
    if (!block) return;
    for (const auto& port : block->ports) {
        json.begin_object()
            .member("Protocol", protocol)
            .member("LocalPort", std::to_string(port.port))
            .key("ExtraDetails")
            .begin_object()
            .member_if("Interface", port.interface)
            .member_if("Truncated", block->is_truncated() ? "true" : "")
            .end_object()
            .end_object();
    }
}

void write_connection(JsonWriter& json, const defender::Connection& connection, bool listens) {
    json.begin_object()
        .member("RemoteAddress", connection.remote_address)
        .member("RemotePort", std::to_string(connection.remote_port));
    if (connection.local_port) json.member("LocalPort", std::to_string(*connection.local_port));
    json.member("Direction", listens ? "In" : "Out")
        .member("Protocol", "tcp")
        .member("ProcessId", std::int64_t{0})
        .member("Executable", "")
        .key("ExtraDetails")
        .begin_object()
        .member("Source", "awsdd-snapshot")
        .member_if("Interface", connection.local_interface)
        .end_object()
        .end_object();
}

std::string text_of(const std::vector<double>& numbers) {
    return fmt::format("{}", fmt::join(numbers, ","));
}
std::string text_of(const std::vector<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, ","));
}

/// Name and value of every number; lists as text, cut to its bound.
std::vector<std::pair<std::string, std::string>> numbers_of(const defender::Report& report) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto add = [&](std::string_view name, const std::optional<std::int64_t>& value) {
        if (value) out.emplace_back(name, std::to_string(*value));
    };
    add("awsdd.bytes_in", report.bytes_in);
    add("awsdd.bytes_out", report.bytes_out);
    add("awsdd.packets_in", report.packets_in);
    add("awsdd.packets_out", report.packets_out);
    if (report.tcp_ports) add("awsdd.listening_tcp_ports", report.tcp_ports->total);
    if (report.udp_ports) add("awsdd.listening_udp_ports", report.udp_ports->total);
    if (report.established) add("awsdd.established_tcp_connections", report.established->total);
    for (const auto& metric : report.custom) {
        const auto name = "custom." + metric.name;
        std::visit(
            [&]<class Value>(const Value& value) {
                if constexpr (std::is_same_v<Value, double>) {
                    out.emplace_back(name, fmt::format("{}", value));
                } else {
                    auto text = text_of(value);
                    if (text.size() > kListTextMax) text.resize(text.rfind(',', kListTextMax));
                    out.emplace_back(name, std::move(text));
                    out.emplace_back(name + ".count", std::to_string(value.size()));
                }
            },
            metric.value);
    }
    return out;
}

}  // namespace

ConnectionMarks marks_of(const defender::Report& report) {
    ConnectionMarks out;
    if (!report.established) return out;
    for (const auto& connection : report.established->list)
        out.push_back(mark_of(connection));
    std::sort(out.begin(), out.end());
    return out;
}

Result<std::string> to_security_message(const defender::Report& report, const model::Identity& device,
                                        Timestamp received, const ConnectionMarks* before) {
    MessageWriter writer(device, report.id, received);
    if (report.tcp_ports || report.udp_ports) {
        const bool is_empty = (!report.tcp_ports || report.tcp_ports->ports.empty()) &&
                              (!report.udp_ports || report.udp_ports->ports.empty());
        // A device that samples and names none of its ports has not closed them.
        const bool left_out = is_empty && ((report.tcp_ports && report.tcp_ports->is_truncated()) ||
                                           (report.udp_ports && report.udp_ports->is_truncated()));
        if (!left_out) {
            auto& json = writer.begin_event({"ListeningPorts", "Periodic", "1.0"}, is_empty);
            write_ports(json, "tcp", report.tcp_ports);
            write_ports(json, "udp", report.udp_ports);
            writer.end_event();
        }
    }
    const auto is_new = [&](const defender::Connection& connection) {
        return before == nullptr || !std::binary_search(before->begin(), before->end(), mark_of(connection));
    };
    const auto listens = [&](const defender::Connection& connection) {
        return connection.local_port && report.tcp_ports &&
               std::any_of(report.tcp_ports->ports.begin(), report.tcp_ports->ports.end(),
                           [&](const auto& one) { return one.port == *connection.local_port; });
    };
    if (report.established &&
        std::any_of(report.established->list.begin(), report.established->list.end(), is_new)) {
        auto& json = writer.begin_event({"ConnectionCreate", "Triggered", "1.0"}, false);
        for (const auto& connection : report.established->list) {
            if (is_new(connection)) write_connection(json, connection, listens(connection));
        }
        writer.end_event();
    }
    if (const auto numbers = numbers_of(report); !numbers.empty()) {
        auto& json = writer.begin_event({"Custom", "Triggered", "2.0"}, false);
        json.begin_object().member("Name", "DefenderMetrics").key("ExtraDetails").begin_object();
        for (const auto& [name, value] : numbers)
            json.member(name, value);
        json.end_object().end_object();
        writer.end_event();
    }
    auto text = writer.finish();
    if (text.size() > limits::message_bytes)
        return fail(Errc::TooLarge, "a metrics report that is above 262144 bytes as events");
    return text;
}

DefenderTable::Last& DefenderTable::State::of(const model::Identity& device) {
    return devices.get(key_of(device), [this](const auto& gone) { marks -= gone.second.marks.size(); });
}

DefenderTable::Standing DefenderTable::standing(const model::Identity& device, std::int64_t report_id,
                                                std::chrono::nanoseconds now) {
    return state_.with([&](State& state) {
        Standing out;
        const auto* const last = state.devices.find(key_of(device));
        if (last == nullptr) return out;
        out.has_before = last->kept_id != 0;
        out.before = last->marks;
        if (last->kept_id == report_id)
            out.verdict = Verdict::Repeated;
        else if (last->taken_id != 0 && last->taken_id != report_id && now < last->taken + interval_min_)
            out.verdict = Verdict::Throttled;
        return out;
    });
}

void DefenderTable::taken(const model::Identity& device, std::int64_t report_id,
                          std::chrono::nanoseconds now) {
    state_.with([&](State& state) {
        auto& last = state.of(device);
        if (std::exchange(last.taken_id, report_id) != report_id) last.taken = now;
    });
}

bool DefenderTable::kept(const model::Identity& device, std::int64_t report_id, ConnectionMarks marks) {
    marks.shrink_to_fit();
    return state_.with([&](State& state) {
        auto& last = state.of(device);
        if (std::exchange(last.kept_id, report_id) == report_id) return false;
        state.marks += marks.size();
        state.marks -= last.marks.size();
        last.marks = std::move(marks);
        while (state.marks > state.bounds.marks_max && state.devices.size() > 1) {
            state.marks -= state.devices.begin()->second.marks.size();
            state.devices.erase(state.devices.begin());
        }
        return true;
    });
}

}  // namespace fieldwatch::hub
