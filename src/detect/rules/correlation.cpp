#include "detect/rules/correlation.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/hash.hpp"
#include "detect/rules/detection.hpp"
#include "detect/rules/metadata.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

struct TypeName {
    std::string_view name;
    CorrelationType type;
};
constexpr std::array<TypeName, 9> kTypes{{
    {"event_count", CorrelationType::EventCount},
    {"value_count", CorrelationType::ValueCount},
    {"temporal", CorrelationType::Temporal},
    {"temporal_ordered", CorrelationType::TemporalOrdered},
    {"value_sum", CorrelationType::ValueSum},
    {"value_avg", CorrelationType::ValueAverage},
    {"value_percentile", CorrelationType::ValuePercentile},
    {"value_median", CorrelationType::ValuePercentile},
    {"absence", CorrelationType::Absence},
}};

CorrelationType read_type(const YAML::Node& section) {
    const auto node = section["type"];
    if (!node || !node.IsScalar()) refuse(section, "a correlation needs a type, such as event_count");
    const auto text = node.as<std::string>();
    std::vector<std::string_view> names;
    for (const auto& known : kTypes) {
        if (known.name == text) return known.type;
        names.push_back(known.name);
    }
    refuse(node,
           "correlation type '" + text + "' is not known; the nearest is '" + nearest(text, names) + "'");
}

Ticks read_timespan(const YAML::Node& section) {
    const auto node = section["timespan"] ? section["timespan"] : section["timeframe"];
    if (!node || !node.IsScalar()) refuse(section, "a correlation needs a timespan, such as 5m");
    const auto text = node.as<std::string>();
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const auto unit = text.empty() ? '\0' : text.back();
    const std::int64_t seconds = unit == 's'   ? 1
                                 : unit == 'm' ? 60
                                 : unit == 'h' ? 3'600
                                 : unit == 'd' ? 86'400
                                 : unit == 'w' ? 7 * 86'400
                                 : unit == 'M' ? 2'629'746
                                 : unit == 'y' ? 31'556'952
                                               : 0;
    constexpr std::int64_t kDaysMax = 90;
    if (error != std::errc{} || end != text.data() + text.size() - 1 || seconds == 0 || count <= 0)
        refuse(node, "timespan '" + text +
                         "' is not understood; write a number and s, m, h, d, w or M, such as 90m");
    if (count > kDaysMax * 86'400 / seconds) refuse(node, "timespan '" + text + "' is too long: at most 90d");
    return Ticks(std::chrono::seconds(count * seconds));
}

std::vector<std::string> read_texts(const YAML::Node& node) {
    std::vector<std::string> out;
    if (!node) return out;
    if (node.IsScalar()) {
        out.push_back(node.as<std::string>());
    } else if (node.IsSequence()) {
        for (const auto& one : node)
            out.push_back(one.as<std::string>());
    } else {
        refuse(node, "a list of names is needed");
    }
    constexpr std::size_t kMax = 64;
    if (out.size() > kMax) refuse(node, "at most 64 names are allowed");
    return out;
}

constexpr std::size_t kWaysMax = 256;

/// An expression over the rules, as the sets of rules that make it hold. Refuses what no set can say.
std::vector<std::uint64_t> ways_of(const Expression& expression, const YAML::Node& node) {
    using enum Expression::Kind;
    if (expression.kind == Leaf) return {std::uint64_t{1} << expression.predicate};
    if (expression.kind != And && expression.kind != Or)
        refuse(node, "a condition of rules takes 'and', 'or', '1 of' and 'all of'");
    std::vector<std::uint64_t> out;
    if (expression.kind == And) out.push_back(0);
    for (const auto& child : expression.children) {
        const auto ways = ways_of(child, node);
        if (expression.kind == Or) {
            out.insert(out.end(), ways.begin(), ways.end());
        } else {
            std::vector<std::uint64_t> both;
            for (const auto left : out) {
                for (const auto right : ways)
                    both.push_back(left | right);
            }
            out = std::move(both);
        }
        if (out.size() > kWaysMax) refuse(node, "the condition says more than 256 sets of rules");
    }
    return out;
}

/// `rule_a and (rule_b or rule_c)`: which of its rules a temporal correlation needs.
void read_rule_condition(const YAML::Node& node, Correlation& out) {
    if (out.type != CorrelationType::Temporal && out.type != CorrelationType::TemporalOrdered)
        refuse(node, "the condition of this type of correlation is a map, such as {gte: 5}");
    if (out.names.empty()) return;  // check() says what it lacks
    std::map<std::string, Expression, std::less<>> rules;
    for (std::uint32_t i = 0; i < out.names.size(); ++i)
        rules.emplace(out.names[i],
                      Expression{.kind = Expression::Kind::Leaf, .predicate = i, .children = {}});
    const auto expression = parse_condition(node.as<std::string>(), rules);
    if (!expression) refuse(node, expression.error().message);
    auto ways = ways_of(*expression, node);
    const auto all = ~std::uint64_t{0} >> (64 - out.names.size());
    if (ways.size() == 1 && ways.front() == all) return;  // what is asked for without a condition
    if (out.type == CorrelationType::TemporalOrdered)
        refuse(node, "the condition of a temporal_ordered correlation is 'and' of all its rules");
    out.ways = std::move(ways);
    out.bounds.push_back({CorrelationBound::Kind::GreaterOrEqual, 1});
}

void read_condition(const YAML::Node& node, Correlation& out) {
    using Kind = CorrelationBound::Kind;
    static constexpr std::array<std::pair<std::string_view, Kind>, 6> kBounds{{
        {"gt", Kind::Greater},
        {"gte", Kind::GreaterOrEqual},
        {"lt", Kind::Less},
        {"lte", Kind::LessOrEqual},
        {"eq", Kind::Equal},
        {"neq", Kind::NotEqual},
    }};
    if (node.IsScalar()) return read_rule_condition(node, out);
    if (!node.IsMap()) refuse(node, "the condition of a correlation is a map, such as {gte: 5}");
    for (const auto& entry : node) {
        const auto key = entry.first.as<std::string>();
        if (key == "field") {
            out.fields = read_texts(entry.second);
            continue;
        }
        double value = 0;
        if (!entry.second.IsScalar() || !YAML::convert<double>::decode(entry.second, value) ||
            !std::isfinite(value))
            refuse(entry.second, "'" + key + "' takes a number");
        if (key == "percentile") {
            if (value < 0 || value > 100) refuse(entry.second, "a percentile lies between 0 and 100");
            out.percentile = value;
            continue;
        }
        const auto* const known = std::ranges::find(kBounds, key, &std::pair<std::string_view, Kind>::first);
        if (known == kBounds.end())
            refuse(entry.first,
                   "condition has no '" + key + "'; it takes gt, gte, lt, lte, eq, neq and field");
        out.bounds.push_back({known->second, value});
    }
}

bool counts(CorrelationType type) {
    return type == CorrelationType::EventCount || type == CorrelationType::ValueCount;
}
bool needs_field(CorrelationType type) {
    return type == CorrelationType::ValueCount || type == CorrelationType::ValueSum ||
           type == CorrelationType::ValueAverage || type == CorrelationType::ValuePercentile;
}
bool is_temporal(CorrelationType type) {
    return type == CorrelationType::Temporal || type == CorrelationType::TemporalOrdered;
}

/// What each type needs and allows.
void check(const YAML::Node& section, Correlation& rule) {
    if (rule.names.empty()) refuse(section, "a correlation needs 'rules': the ids or names that it reads");
    if (needs_field(rule.type) && rule.fields.empty())
        refuse(section, "this type of correlation needs a field: write condition: {field: User, gte: 5}");
    if (rule.bounds.empty() && !is_temporal(rule.type) && rule.type != CorrelationType::Absence)
        refuse(section, "this type of correlation needs a condition, such as {gte: 5}");
    if (rule.bounds.empty() && is_temporal(rule.type)) {
        rule.bounds.push_back(
            {CorrelationBound::Kind::GreaterOrEqual, static_cast<double>(rule.names.size())});
    }
    if (!counts(rule.type)) return;
    for (const auto& bound : rule.bounds) {
        if (bound.value >= static_cast<double>(Correlation::kEventsMax))
            refuse(section,
                   "too costly: a correlation counts up to 2,047 events of a group; raise the threshold "
                   "of the rule it reads, or group by more fields");
    }
}

}  // namespace

bool CorrelationBound::admits(double measured) const {
    switch (kind) {
        case Kind::Greater:
            return measured > value;
        case Kind::GreaterOrEqual:
            return measured >= value;
        case Kind::Less:
            return measured < value;
        case Kind::LessOrEqual:
            return measured <= value;
        case Kind::Equal:
            return measured == value;
        case Kind::NotEqual:
            return measured != value;
    }
    return false;
}

bool Correlation::admits(double measured) const {
    return std::ranges::all_of(bounds, [&](const auto& bound) { return bound.admits(measured); });
}

bool Correlation::is_eager() const {
    if (type == CorrelationType::ValueAverage || type == CorrelationType::ValuePercentile ||
        type == CorrelationType::Absence)
        return false;
    return std::ranges::all_of(bounds, &CorrelationBound::only_from_below);
}

const std::string& Correlation::field(const std::string& name, std::size_t place) const {
    const auto alias = aliases.find(name);
    if (alias == aliases.end()) return name;
    const auto meant = alias->second.find(names[place]);
    return meant == alias->second.end() ? name : meant->second;
}

std::string Correlation::state_key() const {
    Bytes all;
    ByteWriter out(all);
    out.u16(static_cast<std::uint16_t>(type));
    for (const auto* texts : {&names, &group_by, &fields}) {
        out.u32(static_cast<std::uint32_t>(texts->size()));
        for (const auto& text : *texts)
            out.text(text);
    }
    for (const auto& [alias, meanings] : aliases) {
        out.text(alias);
        for (const auto& [rule_name, meant] : meanings) {
            out.text(rule_name);
            out.text(meant);
        }
    }
    out.i64(timespan.count());
    if (meta.fleet) out.u16(1);  // others keep the key that they had before there was a scope
    return meta.origin.id + "/" + hex(sha256(all)).substr(0, 32);
}

Correlation read_correlation(const YAML::Node& document, const std::string& file) {
    static constexpr std::array<std::string_view, 9> kKeys{
        "type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate", "ordered"};
    Correlation out;
    out.meta.file = file;
    const auto section = document["correlation"];
    if (!section.IsMap()) refuse(section, "correlation must be a map");
    for (const auto& entry : section) {
        const auto key = entry.first.as<std::string>();
        if (std::ranges::find(kKeys, key) == kKeys.end())
            refuse(entry.first,
                   "correlation has no key '" + key + "'; the nearest is '" + nearest(key, kKeys) + "'");
    }
    out.type = read_type(section);
    if (section["type"].Scalar() == "value_median") out.percentile = 50;
    // A draft of the specification had order beside the type.
    if (out.type == CorrelationType::Temporal && section["ordered"] && section["ordered"].as<bool>())
        out.type = CorrelationType::TemporalOrdered;
    out.names = read_texts(section["rules"]);
    out.group_by = read_texts(section["group-by"]);
    out.timespan = read_timespan(section);
    if (section["condition"]) read_condition(section["condition"], out);
    if (const auto aliases = section["aliases"]) {
        if (!aliases.IsMap()) refuse(aliases, "aliases must be a map of names to {rule: field}");
        for (const auto& alias : aliases) {
            for (const auto& meaning : alias.second)
                out.aliases[alias.first.as<std::string>()][meaning.first.as<std::string>()] =
                    meaning.second.as<std::string>();
        }
    }
    for (const auto& generate : {section["generate"], document["generate"]}) {
        if (generate) out.generate = out.generate || generate.as<bool>();
    }
    check(section, out);
    if (auto read = read_correlation_metadata(document, out.meta); !read)
        refuse(document, read.error().message);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(out.timespan).count();
    if (!document["fieldwatch"] || !document["fieldwatch"]["suppression"])
        out.meta.suppression_s = std::max(out.meta.suppression_s, std::int64_t{seconds});
    for (const auto* texts : {&out.group_by, &out.fields})
        out.meta.fields.insert(out.meta.fields.end(), texts->begin(), texts->end());
    return out;
}

namespace {

/// Rules by id and by name; UINT32_MAX where a name is nobody's.
std::uint32_t find_rule(const std::vector<RuleMeta>& metas, const std::string& name) {
    for (std::size_t i = 0; i < metas.size(); ++i) {
        if (metas[i].origin.id == name || (!metas[i].name.empty() && metas[i].name == name))
            return static_cast<std::uint32_t>(i);
    }
    return UINT32_MAX;
}

/// What rules say of each other: ids and names, taken for places in `metas`.
class CorrelationLinks {
  public:
    explicit CorrelationLinks(const std::vector<RuleMeta>& metas) : metas_(metas) {}

    /// Why it cannot be linked; empty when it was.
    std::string link(Correlation& correlation) const {
        for (const auto& name : correlation.names) {
            const auto place = find_rule(metas_, name);
            if (place == UINT32_MAX) return "correlation reads '" + name + "', " + unknown(name);
            correlation.reads.push_back(place);
        }
        for (auto& [alias, meanings] : correlation.aliases) {
            std::map<std::string, std::string> named;  // as `rules` names them: by id where that has the id
            for (const auto& [name, field] : meanings) {
                const auto place = find_rule(metas_, name);
                if (place == UINT32_MAX)
                    return "alias '" + alias + "' is for '" + name + "', " + unknown(name);
                for (std::size_t i = 0; i < correlation.reads.size(); ++i) {
                    if (correlation.reads[i] == place) named[correlation.names[i]] = field;
                }
            }
            meanings = std::move(named);
        }
        return {};
    }

  private:
    std::string unknown(const std::string& name) const {
        std::vector<std::string_view> known;
        for (const auto& meta : metas_) {
            known.push_back(meta.origin.id);
            if (!meta.name.empty()) known.push_back(meta.name);
        }
        return "which no rule has as id or name; the nearest is '" + nearest(name, known) + "'";
    }

    const std::vector<RuleMeta>& metas_;
};

}  // namespace

void link_correlations(std::vector<Correlation>& correlations, std::vector<RuleMeta>& metas,
                       std::vector<RuleError>& errors) {
    std::vector<Correlation> ordered;
    std::vector<std::uint8_t> is_correlation(metas.size(), 0);
    std::vector<std::uint8_t> done(metas.size(), 0);
    for (const auto& correlation : correlations)
        is_correlation[correlation.rule] = 1;
    const auto drop = [&](const Correlation& correlation, std::string why) {
        const auto& meta = metas[correlation.rule];
        errors.push_back({meta.file, meta.line, meta.origin.id, std::move(why)});
    };
    const CorrelationLinks links(metas);
    std::erase_if(correlations, [&](Correlation& correlation) {
        auto why = links.link(correlation);
        if (why.empty()) return false;
        drop(correlation, std::move(why));
        return true;
    });
    // As many rounds as correlations: each round takes those whose rules are all taken.
    for (bool moved = true; moved && !correlations.empty();) {
        moved = false;
        for (auto& correlation : correlations) {
            const bool ready = std::ranges::all_of(correlation.reads, [&](auto place) {
                return is_correlation[place] == 0 || done[place] != 0;
            });
            if (!ready || done[correlation.rule] != 0) continue;
            done[correlation.rule] = 1;
            ordered.push_back(correlation);
            moved = true;
        }
        std::erase_if(correlations, [&](const auto& correlation) { return done[correlation.rule] != 0; });
    }
    for (const auto& left : correlations)
        drop(left, "correlation reads itself, or a correlation that was refused");
    std::vector<std::uint8_t> generated(metas.size(), 0);
    for (const auto& correlation : ordered) {
        for (const auto place : correlation.reads) {
            metas[place].only_correlated = true;
            generated[place] = generated[place] != 0 || correlation.generate ? 1 : 0;
        }
    }
    for (std::size_t i = 0; i < metas.size(); ++i)
        metas[i].only_correlated =
            metas[i].only_correlated && generated[i] == 0 && !metas[i].always_generated;
    correlations = std::move(ordered);
}

}  // namespace fieldwatch::detect
