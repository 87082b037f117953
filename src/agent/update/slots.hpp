// Where programs of the agent lie that came as an update: two slots beside the package's own, and a note of
// which is in force. Only root writes here, before anything else of the agent runs;
// docs/formats/agent-update.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/update/manifest.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

enum class Slot : std::uint8_t { Package, A, B };

struct SlotState {
    Version package;               ///< that these slots were filled beside
    Slot current = Slot::Package;  ///< what runs unless a trial does
    Version version;               ///< of it
    Slot trial = Slot::Package;    ///< what runs on trial; Package = nothing
    Version tried_version;         ///< of the last update that root took up
    std::string tried;             ///< id of its manifest: one gets one trial
    std::string outcome;           ///< "", trial, confirmed, rolledBack or refused
    std::string reason;            ///< in words, of the last two
    unsigned stops = 0;            ///< how often the trial was stopped from outside, and begun anew

    friend bool operator==(const SlotState&, const SlotState&) = default;
};
inline constexpr std::size_t kSlotStateBytesMax = 1'024;
std::string format_slot_state(const SlotState& state);
/// Errors: Malformed.
Result<SlotState> parse_slot_state(std::string_view text);

/// One thread, and one process at a time: the one that starts the agent, then who watches a trial.
class Slots {
  public:
    /// An update as the unprivileged half left it: nothing of it is believed.
    struct Staged {
        std::string manifest;
        std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::byte> out)> read_image;
    };
    Slots(FileSystem& files, std::string directory, const PublicKey& key, const Version& package)
        : files_(files), directory_(std::move(directory)), key_(key), package_(package) {}

    struct Start {
        Slot slot = Slot::Package;
        bool is_trial = false;
    };
    /// What the unprivileged half of a trial has said of it: ids of its manifest.
    struct Said {
        std::string connected;
        std::string stopped;  ///< it was told to end before it was connected
    };
    /// What to run now. A trial that was under way is over: it counts where it was connected, begins anew
    /// where it was stopped, at most kStopsMost times, else what was before comes back. A staged update that
    /// was not tried before is checked, copied into the slot that is not in force, checked there, and gets
    /// its trial. Whatever slot is returned has just been checked, signature and hashes.
    Start begin(const std::optional<Staged>& staged, const Said& said);

    /// What is on disk; one that is damaged or missing is as new.
    SlotState state() const;
    Result<void> confirm();                      ///< of the trial that is under way, if one is
    Result<void> roll_back(std::string reason);  ///< idem
    std::string path(Slot slot, const char* name) const;
    std::string state_path() const { return directory_ + "/state"; }

  private:
    static constexpr unsigned kStopsMost = 5;  // a version that makes its device restart is none that stays

    Result<void> save(const SlotState& state);
    std::optional<Start> settle(SlotState& state, const Said& said);
    std::optional<Start> take_up(SlotState& state, const Staged& staged);
    Result<Manifest> check_staged(const SlotState& state, const Staged& staged) const;
    Result<void> fill(Slot slot, const Manifest& manifest, const Staged& staged);
    Result<void> copy(const Staged& staged, std::uint64_t from, std::uint32_t bytes, const std::string& to);
    Result<void> check(Slot slot) const;

    FileSystem& files_;
    std::string directory_;
    PublicKey key_;
    Version package_;
};

}  // namespace fieldwatch::agent
