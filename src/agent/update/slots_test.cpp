#include "agent/update/slots.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/update/signed_test.hpp"
#include "base/simulated_file_system.hpp"

namespace fieldwatch::agent {
namespace {

const Version kPackage{{0, 1, 0}};

Slots slots_on(FileSystem& disk, std::string_view pem = kOwnersKey, const Version& package = kPackage) {
    return {disk, "slots", *public_key_of(pem), package};
}

Slots::Staged stage(const Update& update) {
    return {update.manifest, [image = update.image](std::uint64_t offset, std::span<std::byte> out) {
                const auto rest = as_bytes(image).subspan(std::min<std::size_t>(offset, image.size()));
                const auto size = std::min(rest.size(), out.size());
                std::copy_n(rest.begin(), size, out.begin());
                return Result<std::size_t>(size);
            }};
}

std::string id_of(const Update& update) {
    return parse_manifest(update.manifest)->id();
}

std::string program_of(FileSystem& disk, const Slots& slots, Slot slot) {
    const auto content = read_file(disk, slots.path(slot, kUpdatePrograms[0]), 1'000);
    return content ? std::string(as_text(*content)) : "";
}

/// The agent of that update runs from now on.
void install(FileSystem& disk, const Update& update) {
    auto slots = slots_on(disk);
    ASSERT_TRUE(slots.begin(stage(update), {}).is_trial);
    ASSERT_TRUE(slots.confirm());
}

TEST(AgentSlots, AnUpdateThatConnectsStays) {
    SimulatedFileSystem disk(1);
    auto slots = slots_on(disk);
    EXPECT_EQ(slots.begin({}, {}).slot, Slot::Package);
    const auto update = make_update("0.2.0");
    const auto trial = slots.begin(stage(update), {});
    EXPECT_TRUE(trial.is_trial);
    EXPECT_EQ(program_of(disk, slots, trial.slot), "the agent 0.2.0");
    EXPECT_EQ(slots.state().outcome, "trial");
    ASSERT_TRUE(slots.confirm());
    EXPECT_EQ(slots.state().version.text(), "0.2.0");
    const auto next = slots.begin(stage(update), {});
    EXPECT_EQ(next.slot, trial.slot);
    EXPECT_FALSE(next.is_trial) << "the same update is not tried twice";

    const auto later = slots.begin(stage(make_update("0.3.0")), {});
    EXPECT_TRUE(later.is_trial);
    EXPECT_NE(later.slot, trial.slot);
    EXPECT_EQ(program_of(disk, slots, trial.slot), "the agent 0.2.0") << "what is in force is not touched";
}

TEST(AgentSlots, ATrialThatEndsBeforeItIsConnectedIsRolledBack) {
    SimulatedFileSystem disk(1);
    install(disk, make_update("0.2.0"));
    auto slots = slots_on(disk);
    const auto before = slots.begin({}, {}).slot;
    const auto update = make_update("0.3.0");
    ASSERT_TRUE(slots.begin(stage(update), {}).is_trial);
    const auto after = slots.begin(stage(update), {.connected = "the id of another"});
    EXPECT_EQ(after.slot, before);
    EXPECT_FALSE(after.is_trial);
    EXPECT_EQ(slots.state().outcome, "rolledBack");
    EXPECT_EQ(slots.state().reason, "it ended before it was connected");
    EXPECT_EQ(slots.state().version.text(), "0.2.0");
}

TEST(AgentSlots, ATrialThatWasStoppedBeginsAnewAFewTimes) {
    SimulatedFileSystem disk(1);
    const auto update = make_update("0.2.0");
    const auto slot = slots_on(disk).begin(stage(update), {}).slot;
    const Slots::Said stopped{.connected = "", .stopped = id_of(update)};
    for (unsigned stops = 1; stops <= 5; ++stops) {
        const auto start = slots_on(disk).begin(stage(update), stopped);
        EXPECT_TRUE(start.is_trial);
        EXPECT_EQ(start.slot, slot);
        EXPECT_EQ(slots_on(disk).state().stops, stops);
        EXPECT_EQ(slots_on(disk).state().outcome, "trial");
    }
    EXPECT_EQ(slots_on(disk).begin(stage(update), stopped).slot, Slot::Package);
    EXPECT_EQ(slots_on(disk).state().outcome, "rolledBack");
    EXPECT_EQ(slots_on(disk).state().reason, "it was stopped too often before it was connected");

    // It counts for the trial that was stopped only, and what was connected before it was stopped stays.
    const auto next = make_update("0.3.0");
    ASSERT_TRUE(slots_on(disk).begin(stage(next), {}).is_trial);
    EXPECT_EQ(slots_on(disk).state().stops, 0U);
    ASSERT_TRUE(slots_on(disk).begin({}, {.connected = "", .stopped = id_of(next)}).is_trial);
    EXPECT_FALSE(slots_on(disk).begin({}, {.connected = id_of(next), .stopped = id_of(next)}).is_trial);
    EXPECT_EQ(slots_on(disk).state().outcome, "confirmed");
    const auto later = make_update("0.4.0");
    ASSERT_TRUE(slots_on(disk).begin(stage(later), {}).is_trial);
    EXPECT_FALSE(slots_on(disk).begin({}, stopped).is_trial);
    EXPECT_EQ(slots_on(disk).state().version.text(), "0.3.0");
}

TEST(AgentSlots, ATrialThatWasConnectedWhenThePowerWentStays) {
    SimulatedFileSystem disk(1);
    auto slots = slots_on(disk);
    const auto update = make_update("0.2.0");
    const auto trial = slots.begin(stage(update), {});
    EXPECT_EQ(slots.begin({}, {.connected = id_of(update)}).slot, trial.slot);
    EXPECT_EQ(slots.state().outcome, "confirmed");
}

TEST(AgentSlots, RollingBackSaysWhyAndEndsTheTrialOnce) {
    SimulatedFileSystem disk(1);
    auto slots = slots_on(disk);
    ASSERT_TRUE(slots.begin(stage(make_update("0.2.0")), {}).is_trial);
    ASSERT_TRUE(slots.roll_back("it was not connected within 300 s"));
    ASSERT_TRUE(slots.confirm()) << "too late, and no error";
    EXPECT_EQ(slots.begin({}, {}).slot, Slot::Package);
    EXPECT_EQ(slots.state().outcome, "rolledBack");
    EXPECT_EQ(slots.state().reason, "it was not connected within 300 s");
}

TEST(AgentSlots, RefuseWhatIsNotTheOwnersOrNotWhole) {
    const auto refused = [](Update update) {
        SimulatedFileSystem disk(1);
        auto slots = slots_on(disk);
        const auto start = slots.begin(stage(update), {});
        EXPECT_EQ(start.slot, Slot::Package);
        EXPECT_FALSE(start.is_trial);
        EXPECT_EQ(slots.state().outcome, "refused");
        EXPECT_EQ(slots.begin(stage(update), {}).slot, Slot::Package);
        return slots.state().reason;
    };
    auto update = make_update("0.2.0");
    EXPECT_EQ(refused(make_update("0.2.0", kStrangersKey)),
              "the update is not signed by this device's update key");
    EXPECT_EQ(refused({update.image, "anything"}), "the update's manifest is none");
    EXPECT_EQ(refused(make_update("0.0.9")), "the update would go back from 0.1.0 to 0.0.9");
    EXPECT_EQ(refused(make_update("0.1.0")), "version 0.1.0 is here already");
    EXPECT_EQ(refused({update.image.substr(1), update.manifest}),
              "the update's image is shorter than its manifest says");
    update.image.back() ^= 1;
    EXPECT_EQ(refused(update), "fieldwatch-collector is not what the update's manifest says");
    update = make_update("0.2.0");
    update.image.front() ^= 1;
    EXPECT_EQ(refused(update), "fieldwatch-agent is not what the update's manifest says");
    EXPECT_EQ(refused(make_update("0.2.0", kOwnersKey, {}, "riscv64")), "the update is for riscv64");
}

TEST(AgentSlots, WhatIsDamagedOrOfAnotherKeyDoesNotRun) {
    for (const auto* name : {"fieldwatch-agent", "fieldwatch-collector", "manifest"}) {
        SimulatedFileSystem disk(1);
        install(disk, make_update("0.2.0"));
        auto slots = slots_on(disk);
        const auto slot = slots.begin({}, {}).slot;
        ASSERT_NE(slot, Slot::Package);
        auto file = *disk.open(slots.path(slot, name), OpenMode::ReadWrite);
        ASSERT_TRUE(file->write_at(3, as_bytes("!")));
        EXPECT_EQ(slots.begin({}, {}).slot, Slot::Package) << name;
        EXPECT_EQ(slots.state().outcome, "rolledBack");
    }
    SimulatedFileSystem disk(1);
    install(disk, make_update("0.2.0"));
    EXPECT_EQ(slots_on(disk, kStrangersKey).begin({}, {}).slot, Slot::Package);
}

TEST(AgentSlots, APackageThatIsInstalledTakesTheirPlace) {
    SimulatedFileSystem disk(1);
    install(disk, make_update("0.2.0"));
    auto slots = slots_on(disk, kOwnersKey, {{0, 1, 5}});
    EXPECT_EQ(slots.begin({}, {}).slot, Slot::Package);
    EXPECT_EQ(slots.state().version.text(), "0.1.5");
    EXPECT_TRUE(slots.begin(stage(make_update("0.3.0")), {}).is_trial);
}

TEST(AgentSlots, AStateThatCannotBeReadIsAsNew) {
    SimulatedFileSystem disk(1);
    install(disk, make_update("0.2.0"));
    const auto whole = format_slot_state(slots_on(disk).state());
    EXPECT_EQ(*parse_slot_state(whole), slots_on(disk).state());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        ASSERT_TRUE(replace_file(disk, "slots/state", as_bytes(whole.substr(0, size))));
        EXPECT_EQ(slots_on(disk).begin({}, {}).slot, Slot::Package) << size;
    }
    SlotState long_one{.package = kPackage, .version = kPackage, .outcome = "refused"};
    long_one.reason = std::string(5'000, '\x01');
    EXPECT_TRUE(parse_slot_state(format_slot_state(long_one)));
}

/// Three starts of a device whose agent is at 0.2.0, as the update to 0.3.0 comes; `connects` by its second.
void three_starts(FileSystem& disk, const Update& update, bool connects) {
    (void)slots_on(disk).begin({}, {});
    (void)slots_on(disk).begin(stage(update), {});
    if (connects) (void)slots_on(disk).confirm();
    (void)slots_on(disk).begin(stage(update), {.connected = connects ? id_of(update) : ""});
}

TEST(AgentSlots, PowerLostAtAnyStepLeavesOneOfTheTwoWhole) {
    const auto old_update = make_update("0.2.0");
    const auto update = make_update("0.3.0");
    for (const bool connects : {true, false}) {
        SimulatedFileSystem whole(1);
        install(whole, old_update);
        const auto first = whole.steps();
        three_starts(whole, update, connects);
        ASSERT_GT(whole.steps(), first + 10);
        for (std::uint64_t step = first + 1; step <= whole.steps(); ++step) {
            for (std::uint64_t seed = 1; seed <= 10; ++seed) {
                SimulatedFileSystem disk(seed);
                install(disk, old_update);
                disk.cut_power_at(step);
                three_starts(disk, update, connects);
                disk.cut_power();
                disk.restart();
                auto slots = slots_on(disk);
                // The unprivileged half's note is on the disk or not; here it is not.
                const auto start = slots.begin({}, {});
                EXPECT_FALSE(start.is_trial);
                const auto program = program_of(disk, slots, start.slot);
                EXPECT_TRUE(program == "the agent 0.2.0" || (connects && program == "the agent 0.3.0"))
                    << "step " << step << ", seed " << seed << ": " << program;
                EXPECT_EQ("the agent " + slots.state().version.text(), program);
            }
        }
    }
}

}  // namespace
}  // namespace fieldwatch::agent
