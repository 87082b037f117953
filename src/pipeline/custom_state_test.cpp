// Custom alerts across checkpoints: same log, same alerts.
#include "pipeline/custom_log_test.hpp"

namespace fieldwatch::pipeline {
namespace {

/// Everything that the other tests feed, under rules that all may fire.
CustomLog mixed_customs() {
    CustomLog log;
    log.identity(-20, "create").tag(-10, "a");
    std::int64_t at = 0;
    for (const auto& entry : kCases)
        entry.repeat(log, at += 40, 5);
    const auto after = [&](std::int64_t seconds) { return at += seconds; };
    log.tag(after(60), "b");
    log.event(after(10), "ConnectionCreate", connection("203.0.113.9", "Out"));
    log.event(after(10), "Login", login("root", "Success", 2));
    log.time(after(2'000));
    log.identity(after(10), "update", "disabled");
    log.identity(after(600), "update");
    log.time(after(20'000));
    return log;
}

std::string mixed_settings() {
    std::vector<Json> a, b;
    for (const auto& entry : kCases) {
        a.push_back(count_rule(entry.type, 1, 3));
        b.push_back(count_rule(entry.type, 1, 3, "PT5M"));
    }
    b.push_back(list_rule(RuleType::ConnectionToIpNotAllowed, {}));
    b.push_back(list_rule(RuleType::LocalUserNotAllowed, {}));
    return settings({{"a", a}, {"b", b}});
}

std::vector<std::string> run_customs(const CustomLog& log, bool restore_each_time,
                                     Bytes* final_state = nullptr) {
    const auto content = compiled(mixed_settings());
    const auto make = [&] {
        return std::make_unique<ShardCore>(
            content, "c", [&](std::string_view) -> Result<detect::ContentPtr> { return content; },
            ShardCore::Options{});
    };
    auto core = make();
    std::vector<std::string> out;
    std::uint64_t offset = 0;
    for (const auto& line : log.lines()) {
        const model::RecordView record{.kind = line.kind,
                                       .received = Timestamp::from_unix_seconds(kStart + line.at),
                                       .hub = "h",
                                       .device = "d",
                                       .module = line.module,
                                       .properties = {},
                                       .body = line.body};
        Outcome outcome;
        EXPECT_TRUE(core->process(record, {.offset = offset++}, outcome).has_value());
        for (const auto& finding : outcome.findings)
            out.push_back(finding_json(finding));
        if (!restore_each_time) continue;
        Bytes state;
        core->save(state);
        core = make();
        EXPECT_TRUE(core->restore(state).has_value());
    }
    if (final_state != nullptr) core->save(*final_state);
    return out;
}

TEST(CustomAlerts, SameLogSameAlertsHoweverOftenTheShardIsRestored) {
    const auto log = mixed_customs();
    Bytes whole, cut;
    const auto expected = run_customs(log, false, &whole);
    EXPECT_GT(std::count_if(expected.begin(), expected.end(),
                            [](const auto& f) { return f.find("IoT_CA_") != f.npos; }),
              50);
    EXPECT_EQ(run_customs(log, true, &cut), expected);
    EXPECT_EQ(whole, cut);
}

TEST(CustomAlerts, AStateThatIsCutShortIsAnError) {
    Bytes state;
    run_customs(mixed_customs(), false, &state);
    const auto content = compiled(mixed_settings());
    for (std::size_t size = 0; size < state.size(); size += 97) {
        ShardCore core(content, "c", [&](std::string_view) -> Result<detect::ContentPtr> { return content; },
                       {});
        EXPECT_FALSE(core.restore(ByteView(state).first(size)).has_value());
    }
}

TEST(CustomAlerts, ALogThatStoodStillWhileTheServerWasDownIsNoSilence) {
    const auto content = compiled(settings({{"default", {count_rule(RuleType::MqttD2CMessages, 1, 100)}}}));
    ShardCore core(content, "c", [&](std::string_view) -> Result<detect::ContentPtr> { return content; }, {});
    const auto process = [&](model::RecordKind kind, std::int64_t at, std::string_view body) {
        Outcome outcome;
        EXPECT_TRUE(core.process({.kind = kind,
                                  .received = Timestamp::from_unix_seconds(kStart + at),
                                  .hub = "h",
                                  .device = "d",
                                  .module = "",
                                  .properties = {},
                                  .body = body},
                                 {}, outcome)
                        .has_value());
        return std::ranges::count_if(outcome.findings, [](const model::Finding& finding) {
            return std::holds_alternative<model::Alert>(finding);
        });
    };
    process(model::RecordKind::IdentityChange, -60, R"({"change":"create","identity":{"deviceId":"d"}})");
    std::ptrdiff_t found = 0;
    for (std::int64_t at = -50; at < kQuarter + 300; at += 5)
        found += process(model::RecordKind::Tick, at, "");
    EXPECT_EQ(found, 1);
    found = 0;
    for (std::int64_t at = 4 * kQuarter + 10; at < 5 * kQuarter + 300; at += 5)
        found += process(model::RecordKind::Tick, at, "");
    EXPECT_EQ(found, 0u);  // no window from the second to the fifth was listened to from end to end
}

}  // namespace
}  // namespace fieldwatch::pipeline
