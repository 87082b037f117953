#include "detect/behaviour/expectation.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::detect {
namespace {

constexpr Timestamp kNoon = Timestamp::from_unix_seconds(1'800'000'000);  // 2027-01-15

Behaviour of(std::string_view device, std::string_view cause) {
    return {.hub = "plant", .device = device, .type = "IoT_X_RareProcess", .cause = cause, .now = kNoon};
}

Verdict verdict_of(const Behaviour& behaviour, std::string_view lines) {
    return verdict_on(behaviour, parse_expectations(nlohmann::json::parse(lines)).value());
}

TEST(Expectation, CoversWhatItNamesAndAllThatItDoesNotName) {
    constexpr std::string_view kAll = R"([{"verdict":"expected","until":"2027-02-01T00:00:00Z"}])";
    EXPECT_EQ(verdict_of(of("camera-7", "/bin/sh"), kAll), Verdict::Expected);
    constexpr std::string_view kOne =
        R"([{"verdict":"expected","until":"2027-02-01T00:00:00Z","hub":"plant",)"
        R"("device":"camera-*","cause":"/bin/sh"}])";
    EXPECT_EQ(verdict_of(of("camera-7", "/bin/sh"), kOne), Verdict::Expected);
    EXPECT_EQ(verdict_of(of("camera-7", "/bin/su"), kOne), Verdict::Usual);
    EXPECT_EQ(verdict_of(of("lock-7", "/bin/sh"), kOne), Verdict::Usual);
    auto elsewhere = of("camera-7", "/bin/sh");
    elsewhere.hub = "office";
    EXPECT_EQ(verdict_of(elsewhere, kOne), Verdict::Usual);
}

TEST(Expectation, EndsWhenItWasSaidTo) {
    constexpr std::string_view kLine = R"([{"verdict":"unexpected","until":"2027-01-20T00:00:00+01:00"}])";
    auto behaviour = of("camera-7", "/bin/sh");
    EXPECT_EQ(verdict_of(behaviour, kLine), Verdict::Unexpected);
    behaviour.now = parse_iso8601("2027-01-19T22:59:59Z")->time;
    EXPECT_EQ(verdict_of(behaviour, kLine), Verdict::Unexpected);
    behaviour.now = parse_iso8601("2027-01-19T23:00:00Z")->time;
    EXPECT_EQ(verdict_of(behaviour, kLine), Verdict::Usual);
}

TEST(Expectation, IsTheLastOneThatWasSaid) {
    constexpr std::string_view kLines =
        R"([{"verdict":"expected","until":"2027-02-01T00:00:00Z"},)"
        R"({"verdict":"unexpected","until":"2027-02-01T00:00:00Z","device":"camera-7"}])";
    EXPECT_EQ(verdict_of(of("camera-7", "/bin/sh"), kLines), Verdict::Unexpected);
    EXPECT_EQ(verdict_of(of("camera-8", "/bin/sh"), kLines), Verdict::Expected);
}

TEST(Expectation, IsRefusedWhereItSaysNothingClear) {
    for (const std::string_view wrong :
         {"null", "{}", "[1]", R"([{"verdict":"maybe","until":"2027-02-01T00:00:00Z"}])",
          R"([{"verdict":"expected"}])", R"([{"verdict":"expected","until":"some day"}])",
          R"([{"verdict":"expected","until":"2027-02-01T00:00:00Z","device":7}])",
          R"([{"verdict":"expected","until":"2027-02-01T00:00:00Z","note":[]}])"}) {
        EXPECT_FALSE(parse_expectations(nlohmann::json::parse(wrong))) << wrong;
    }
}

}  // namespace
}  // namespace fieldwatch::detect
