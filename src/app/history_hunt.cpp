#include "app/history_hunt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/json_text.hpp"
#include "base/kql_text.hpp"
#include "detect/intel/command_source.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::app {

namespace {

using detect::IntelSnapshot;
using Hit = IntelSnapshot::Hit;

constexpr Ticks kSlice = std::chrono::hours(24);
constexpr Ticks kSliceMin = std::chrono::minutes(15);
constexpr std::chrono::milliseconds kQueryTime{60'000};
constexpr std::size_t kAskedTogether = 50;         ///< hits whose rows one query looks for
constexpr std::size_t kDetailRowsMax = 400'000;    ///< devices of those
constexpr std::size_t kValueBytesMax = 16u << 10;  ///< longer command lines are not asked about again

enum class Seen : std::uint8_t { Address, Name, Command, Hash };

/// Rows that may have a value, and the value of one.
struct Question {
    Seen kind;
    std::string_view rows, value;
};
// What live detection reads of these events, and the addresses of logins besides.
constexpr std::array kQuestions = std::to_array<Question>({
    {Seen::Address, R"kql(RawEventName in ("ConnectionCreate", "NetworkActivity", "Login"))kql",
     "tostring(parse_json(EventDetails).RemoteAddress)"},
    {Seen::Name,
     R"kql(RawEventName in ("ConnectionCreate", "NetworkActivity") and (EventDetails contains "hostname" or EventDetails contains "dnsname"))kql",
     R"kql(extract(@'"(?:HostName|DnsName|hostname)\\?":\\?"([^"\\]+)', 1, EventDetails))kql"},
    {Seen::Command, R"kql(RawEventName in ("ProcessCreate", "Process"))kql",
     R"kql(iff(isempty(tostring(parse_json(EventDetails).CommandLine)), tostring(parse_json(EventDetails).Commandline), tostring(parse_json(EventDetails).CommandLine)))kql"},
    {Seen::Hash, R"kql(EventDetails matches regex @'[0-9A-Fa-f]{32}')kql",
     R"kql(extract(@'"[^"]*(?:[Hh]ash(?:es)?|MD5|[Mm]d5|SHA1|[Ss]ha1|SHA256|[Ss]ha256)\\?":\\?"(?:[A-Za-z0-9-]+[:=])?([0-9A-Fa-f]{32,64})', 1, EventDetails))kql"},
});

class Look {
  public:
    std::optional<Hit> find(const IntelSnapshot& intel, Seen kind, const std::string& value, Timestamp at) {
        switch (kind) {
            case Seen::Address:
                return intel.find_address(value, at);
            case Seen::Name:
                return intel.find_domain(value, at);
            case Seen::Hash:
                return intel.find_hash(value, at);
            case Seen::Command:
                command_.parse(value);
                return detect::known_source(intel, command_, at, scratch_);
        }
        return std::nullopt;
    }

  private:
    detect::CommandLine command_;
    std::vector<std::string_view> scratch_;
};

std::string rows_of(const Question& question) {
    return fmt::format("SecurityIoTRawEvent | where {} | extend Seen = {}", question.rows, question.value);
}

bool is_asked(const IntelSnapshot& intel, Seen kind) {
    const auto& types = intel.by_type();
    const auto count = [&](detect::IndicatorType type) { return types[static_cast<std::size_t>(type)]; };
    const auto addresses = count(detect::IndicatorType::Ipv4) + count(detect::IndicatorType::Ipv6) +
                           count(detect::IndicatorType::Cidr);
    switch (kind) {
        case Seen::Address:
            return addresses > 0;
        case Seen::Name:
            return count(detect::IndicatorType::Domain) > 0;
        case Seen::Hash:
            return intel.has_hashes();
        case Seen::Command:
            return addresses > 0 || intel.has_names();
    }
    return false;
}

/// The hub of a resource id: its last part, as the registry writes it.
const registry::Hub* hub_of(const std::vector<registry::Hub>& hubs, std::string_view resource) {
    const auto lower = [](std::string_view text) {
        std::string out(text);
        std::ranges::transform(out, out.begin(),
                               [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
        return out;
    };
    const auto name = lower(resource.substr(resource.rfind('/') + 1));
    const auto found =
        std::ranges::find_if(hubs, [&](const registry::Hub& hub) { return lower(hub.name.value) == name; });
    return found == hubs.end() ? nullptr : &*found;
}

Timestamp time_in(const portal::Row& row, std::string_view column) {
    const auto time = parse_iso8601(row.text(column));
    return time ? time->time : Timestamp{};
}

/// What one indicator met on one hub.
struct Met {
    Hit hit;
    Seen kind = Seen::Address;
    std::string seen;
    struct OfDevice {
        std::int64_t rows = 0;
        Timestamp first, last;
    };
    std::map<std::string, OfDevice> devices;
    std::vector<std::string> values;  ///< as the rows have them, the first few
};
using MetByHub = std::map<std::pair<std::string, std::string>, Met>;  // hub, indicator

class Hunt {
  public:
    explicit Hunt(const HistoryHunt& parts) : parts_(parts) {}

    Result<HistoryHunt::Outcome> run() {
        for (const auto& question : kQuestions) {
            if (!is_asked(parts_.now, question.kind)) continue;
            hits_.clear();
            for (auto from = parts_.from; from < parts_.to; from = from + kSlice)
                FIELDWATCH_TRY(look(question, from, std::min(from + kSlice, parts_.to)));
            FIELDWATCH_TRY(meet(question));
        }
        tell();
        return std::move(out_);
    }

  private:
    Result<workspace::ResultTable> ask(std::string text, Timestamp from, Timestamp to, std::size_t rows_max,
                                       bool& truncated) {
        if (parts_.stopped()) return fail(Errc::Cancelled, "the hunt was ended");
        const auto answer = parts_.workspace.query({.text = std::move(text),
                                                    .from = from,
                                                    .to = to,
                                                    .now = to,
                                                    .timeout = kQueryTime,
                                                    .rows_max = rows_max,
                                                    .bytes_max = 256u << 20});
        if (!answer) return fail(Errc::Internal, "history does not answer: " + answer.error().message);
        truncated = answer->truncated;
        return answer->tables.empty() ? workspace::ResultTable{} : answer->tables.front();
    }

    /// Collects the values of a slice that only the new indicators know.
    Result<void> look(const Question& question, Timestamp from, Timestamp to) {
        bool truncated = false;
        const auto table = FIELDWATCH_TRY(ask(rows_of(question) + " | where isnotempty(Seen) | distinct Seen",
                                              from, to, HistoryHunt::kValuesMax, truncated));
        if (truncated && to - from > kSliceMin) {
            const auto middle = from + Ticks((to - from).count() / 2);
            FIELDWATCH_TRY(look(question, from, middle));
            return look(question, middle, to);
        }
        if (truncated) ++out_.left_out;
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            auto value = portal::Row(table, i).text("Seen");
            ++out_.values;
            if (value.size() > kValueBytesMax || hits_.contains(value)) continue;
            auto hit = look_.find(parts_.now, question.kind, value, parts_.to);
            if (!hit) continue;
            if (parts_.before != nullptr &&
                look_.find(*parts_.before, question.kind, value, parts_.before_at))
                continue;
            if (hits_.size() >= HistoryHunt::kHitsMax) {
                ++out_.left_out;
                continue;
            }
            hits_.emplace(std::move(value), std::move(*hit));
        }
        return {};
    }

    /// Finds the devices of the values that were collected.
    Result<void> meet(const Question& question) {
        for (auto next = hits_.begin(); next != hits_.end();) {
            std::string list;
            for (std::size_t i = 0; i < kAskedTogether && next != hits_.end(); ++i, ++next)
                list += (list.empty() ? "" : ", ") + kql_string(next->first);
            bool truncated = false;
            const auto table = FIELDWATCH_TRY(ask(
                fmt::format(
                    "{} | where Seen in ({}) | summarize First = min(TimeStamp), Last = max(TimeStamp), "
                    "Rows = count() by Seen, DeviceId, AssociatedResourceId | sort by Seen asc, DeviceId asc",
                    rows_of(question), list),
                parts_.from, parts_.to, kDetailRowsMax, truncated));
            if (truncated) ++out_.left_out;
            for (std::size_t i = 0; i < table.rows.size(); ++i)
                add(question.kind, portal::Row(table, i));
        }
        return {};
    }

    void add(Seen kind, const portal::Row& row) {
        const auto seen = row.text("Seen"), device = row.text("DeviceId");
        const auto* const hub = hub_of(parts_.hubs, row.text("AssociatedResourceId"));
        const auto hit = hits_.find(seen);
        if (hub == nullptr || hit == hits_.end() || !model::parse_device_id(device)) return;
        auto& met = met_[{hub->name.value, hit->second.value}];
        if (met.devices.empty()) {
            met.hit = hit->second;
            met.kind = kind;
            met.seen = seen;
        }
        if (met.values.size() < kAskedTogether && std::ranges::find(met.values, seen) == met.values.end())
            met.values.push_back(seen);
        auto& of_device = met.devices[device];
        const auto first = time_in(row, "First"), last = time_in(row, "Last");
        of_device.first = of_device.rows == 0 ? first : std::min(of_device.first, first);
        of_device.last = std::max(of_device.last, last);
        of_device.rows += row.number("Rows");
    }

    /// One finding a device; of more devices than a person reads through, one for the hub.
    void tell() {
        for (const auto& [key, met] : met_) {
            detect::HuntFinding all{.value = met.hit.value,
                                    .seen = clean(met.seen),
                                    .type = met.hit.type,
                                    .category = std::string(met.hit.category),
                                    .source = std::string(met.hit.source),
                                    .confidence = met.hit.confidence,
                                    .tlp = met.hit.tlp,
                                    .device = {},
                                    .devices = {},
                                    .device_count = static_cast<std::int64_t>(met.devices.size()),
                                    .rows = 0,
                                    .first_seen = met.devices.begin()->second.first,
                                    .last_seen = {},
                                    .query = {}};
            for (const auto& [device, rows] : met.devices) {
                if (all.devices.size() < detect::HuntFinding::kDevicesMax) all.devices.push_back(device);
                all.rows += rows.rows;
                all.first_seen = std::min(all.first_seen, rows.first);
                all.last_seen = std::max(all.last_seen, rows.last);
            }
            if (met.devices.size() > detect::HuntFinding::kDevicesMax) {
                all.query = evidence(met, key.first, "");
                out_.found.push_back({key.first, std::move(all)});
                continue;
            }
            for (const auto& [device, rows] : met.devices) {
                auto one = all;
                one.device = device;
                one.rows = rows.rows;
                one.first_seen = rows.first;
                one.last_seen = rows.last;
                one.query = evidence(met, key.first, device);
                out_.found.push_back({key.first, std::move(one)});
            }
        }
    }

    std::string evidence(const Met& met, const std::string& hub, const std::string& device) const {
        const auto question = std::ranges::find(kQuestions, met.kind, &Question::kind);
        std::string values;
        for (const auto& value : met.values) {
            if (values.size() + value.size() > 4'000) break;
            values += (values.empty() ? "" : ", ") + kql_string(value);
        }
        const auto of = device.empty() ? "AssociatedResourceId endswith " + kql_string("/iothubs/" + hub)
                                       : "DeviceId == " + kql_string(device);
        return fmt::format(
            "SecurityIoTRawEvent | where TimeGenerated between ({} .. {}) | where {} | where {} | extend "
            "Seen = {} | where Seen in ({}) | sort by TimeStamp asc",
            portal::kql_datetime(parts_.from), portal::kql_datetime(parts_.to), of, question->rows,
            question->value, values);
    }

    static std::string clean(std::string text) {
        constexpr std::size_t kSeenMax = 1'000;
        auto bytes = std::min(text.size(), kSeenMax);
        while (bytes < text.size() && bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80)
            --bytes;  // not within a character
        text.resize(bytes);
        return text;
    }

    const HistoryHunt& parts_;
    Look look_;
    std::map<std::string, Hit> hits_;
    MetByHub met_;
    HistoryHunt::Outcome out_;
};

}  // namespace

Result<HistoryHunt::Outcome> HistoryHunt::run() const {
    return Hunt(*this).run();
}

}  // namespace fieldwatch::app
