#include "detect/risk/risk.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace fieldwatch::detect {
namespace {

constexpr double kMost = 100;
constexpr std::array<double, 4> kAlertPoints{1, 6, 20, 45};   ///< by severity, Informational first
constexpr std::array<double, 4> kStatePoints{0.5, 2, 5, 10};  ///< of a recommendation
/// Of a vulnerable component: High is one that is exploited, or grave and in reach.
constexpr std::array<double, 4> kVulnerabilityPoints{0.5, 1, 5, 15};
constexpr double kHalfLifeDays = 7;          ///< of an alert that nobody looked at
constexpr double kResolvedHalfLifeDays = 1;  ///< of one that is resolved: it happened, after all
constexpr double kRepeated = 0.5;            ///< the second alert of a type says half as much, and so on
constexpr std::int64_t kDaySeconds = 24 * 3600;
constexpr double kDayTicks = static_cast<double>(kDaySeconds) * 10'000'000;

double weight_of(const RiskRow& row, Timestamp now) {
    const auto severity = static_cast<std::size_t>(row.severity);
    if (row.kind == RiskKind::Vulnerability) return row.resolved ? 0 : kVulnerabilityPoints[severity];
    if (row.kind != RiskKind::Alert) return row.resolved ? 0 : kStatePoints[severity];
    const double days = std::max(0.0, static_cast<double>((now - row.at).count()) / kDayTicks);
    return kAlertPoints[severity] * std::exp2(-days / (row.resolved ? kResolvedHalfLifeDays : kHalfLifeDays));
}

/// Points of one device's rows; what exceeds 100 shrinks all alike.
std::vector<RiskPoint> points_of(const std::vector<const RiskRow*>& rows, Timestamp now) {
    std::vector<RiskPoint> out;
    for (const auto* const row : rows)
        if (row->at <= now) out.push_back({*row, weight_of(*row, now), 0});
    std::ranges::stable_sort(out, [](const RiskPoint& a, const RiskPoint& b) {
        return a.points != b.points ? a.points > b.points : a.row.id < b.row.id;
    });
    std::map<std::string, double> repeats;
    double sum = 0;
    for (auto& point : out) {
        auto& factor = repeats.try_emplace(point.row.type, 1.0).first->second;
        point.points *= factor;
        factor *= kRepeated;
        sum += point.points;
    }
    if (sum > kMost)
        for (auto& point : out)
            point.points *= kMost / sum;
    std::erase_if(out, [](const RiskPoint& point) { return point.points < 0.05; });
    std::ranges::stable_sort(out, std::greater{}, &RiskPoint::points);
    return out;
}

double total(const std::vector<RiskPoint>& points) {
    double out = 0;
    for (const auto& point : points)
        out += point.points;
    return out;
}

}  // namespace

std::string_view to_string(RiskKind kind) {
    constexpr std::string_view kNames[] = {"alert", "exposure", "vulnerability", "posture"};
    return kNames[static_cast<std::size_t>(kind)];
}

RiskKind risk_kind_of_recommendation(std::string_view name) {
    for (const std::string_view part :
         {"OpenPorts", "Firewall", "IpFilter", "IPFilter", "TLS", "Tls", "Acl", "ACL"})
        if (name.find(part) != name.npos) return RiskKind::Exposure;
    return name.find("VulnerablePackage") != name.npos ? RiskKind::Vulnerability : RiskKind::Posture;
}

std::vector<DeviceRisk> assess_risk(const std::vector<RiskRow>& rows, Timestamp now,
                                    const std::vector<std::string>& fixed) {
    std::map<std::string, std::vector<const RiskRow*>> by_device;
    for (const auto& row : rows)
        if (std::ranges::find(fixed, row.id) == fixed.end()) by_device[row.device].push_back(&row);
    std::vector<DeviceRisk> out;
    for (const auto& [device, own] : by_device) {
        DeviceRisk risk{.device = device, .points = points_of(own, now)};
        risk.risk = total(risk.points);
        risk.day_before = total(points_of(own, now - std::chrono::hours(24)));
        for (auto& point : risk.points) {
            auto others = own;
            std::erase_if(others, [&](const RiskRow* row) { return row->id == point.row.id; });
            point.without = total(points_of(others, now));
        }
        out.push_back(std::move(risk));
    }
    std::ranges::stable_sort(out, std::greater{}, &DeviceRisk::risk);
    return out;
}

std::vector<RiskAt> risk_history(std::vector<RiskVersion> versions, Timestamp now, int days) {
    std::ranges::stable_sort(versions, {}, &RiskVersion::written);
    std::vector<RiskAt> out;
    std::map<std::string_view, const RiskVersion*> newest;
    auto next = versions.cbegin();
    const std::int64_t today = now.unix_seconds() / kDaySeconds;
    for (auto day = today - days; day <= today; ++day) {
        const auto at = day == today ? now : Timestamp::from_unix_seconds((day + 1) * kDaySeconds);
        for (; next != versions.cend() && next->written <= at; ++next)
            newest[next->row.id] = &*next;
        std::vector<const RiskRow*> rows;
        for (const auto& [id, version] : newest)
            if (!version->gone) rows.push_back(&version->row);
        out.push_back({at, total(points_of(rows, at))});
    }
    return out;
}

double fleet_risk(const std::vector<DeviceRisk>& devices) {
    double sum = 0;
    double squares = 0;
    for (const auto& device : devices) {
        sum += device.risk;
        squares += device.risk * device.risk;
    }
    return sum > 0 ? squares / sum : 0;
}

}  // namespace fieldwatch::detect
