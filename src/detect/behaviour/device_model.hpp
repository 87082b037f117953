// Standard behaviour of one device: levels of what it does by time of day, the names it showed before, and
// how unusual its windows have been. spec/detection.md section 4, 5c; docs/decisions/0033.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "detect/behaviour/device_features.hpp"
#include "detect/behaviour/tail_model.hpp"
#include "detect/behaviour/token_sketch.hpp"
#include "model/ids.hpp"

namespace fieldwatch::detect {

/// Levels of all features by time of day, in log(1 + amount).
class FeatureLevels {
  public:
    static constexpr std::size_t kSlots = 12;  ///< of a day

    /// How far above its level an amount lies, in usual deviations; 0 when it is not above.
    double distance(std::size_t feature, std::size_t slot, double amount) const;
    /// What is expected at most.
    double high(std::size_t feature, std::size_t slot) const;
    /// What lies beyond four usual deviations teaches no more than that.
    void learn(std::size_t slot, const std::array<float, kFeatures>& amounts, double rate);
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Level {
        std::array<float, kSlots> by_slot{};
        float mean = 0, deviation = 0;
    };
    double base(std::size_t feature, std::size_t slot) const;
    double scale(std::size_t feature) const;

    std::array<Level, kFeatures> levels_{};
    std::uint16_t slots_seen_ = 0;
    std::uint32_t learned_ = 0;
};

/// The devices of a hub in this shard, as one: what is new to a device may be old to its peers.
struct PeerGroup {
    FeatureLevels levels;
    TokenSketch<4096> devices_by_token;
    TailModel scores;
    std::uint32_t devices = 0;  ///< of the window that is being closed
};

/// In what way a window deviates.
enum class Aspect : std::uint8_t { Window, Hour, Novelty, Chain, Peers };
inline constexpr std::size_t kAspects = 5;
std::string_view to_string(Aspect aspect);

struct Contribution {
    std::string feature, observed;
    double amount = 0, expected_most = 0;
    double weight = 0;                      ///< in bits or usual deviations: what it is ordered by
    std::uint32_t peers = 0, peers_of = 0;  ///< how many of the group do this; 0 of 0 where nobody counts
    bool is_token = false;
    TokenKind kind = TokenKind::Image;  ///< of a token
    Feature counted = Feature::Events;  ///< of what is no token
    bool of_hour = false;               ///< of the hour that ends, not of the five minutes
    model::LogPosition evidence;
};

struct WindowScore {
    std::array<double, kAspects> probabilities{1, 1, 1, 1, 1};
    std::array<double, kAspects> distances{};
    double score = 0;
    double probability = 1;
    double novelty_bits = 0;
    std::vector<Contribution> contributions;  ///< heaviest first, at most three

    int unusual_aspects() const;  ///< independent ones that alone lie below 1e-3
};

/// One strand. At most 14 KiB with its tokens.
class DeviceModel {
  public:
    static constexpr std::size_t kTokensMax = 12;  ///< new ones kept of a window; more are counted only
    static constexpr std::uint32_t kDayWindows = 288;

    void observe(const std::vector<Count>& counts, const std::vector<Token>& tokens, model::LogPosition at);
    /// What the window that ends comes to. `slot` is its time of day, `hour_ends` closes the hour as well.
    WindowScore judge(std::size_t slot, bool hour_ends, const PeerGroup& group) const;
    /// Takes the window into the standard, unless `frozen`, and begins the next.
    void close(std::size_t slot, bool hour_ends, const WindowScore& score, bool frozen, PeerGroup& group);

    std::uint32_t windows() const { return windows_; }
    bool is_idle() const { return counts_[static_cast<std::size_t>(Feature::Events)] == 0; }
    model::LogPosition last_position() const { return last_; }
    std::size_t bytes() const;
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Fresh {
        Token token;
        model::LogPosition at;
    };
    double bits(const Token& token, const PeerGroup& group) const;
    void contribute_levels(WindowScore& out, const FeatureLevels& levels,
                           const std::array<float, kFeatures>& counts, std::size_t slot,
                           std::string_view suffix) const;
    void contribute_tokens(WindowScore& out, const PeerGroup& group) const;

    std::array<float, kFeatures> counts_{}, hour_counts_{};
    std::vector<Fresh> fresh_;
    std::uint32_t fresh_more_ = 0;
    std::uint8_t kinds_shown_ = 0;  ///< in the running window, a bit each
    model::LogPosition last_;
    FeatureLevels levels_, hour_levels_;
    TokenSketch<384> tokens_;
    std::array<float, kTokenKinds> token_windows_{};  ///< in which the kind was shown at all
    std::array<TailModel, kAspects> tails_;
    TailModel scores_;
    std::uint32_t windows_ = 0;
};

}  // namespace fieldwatch::detect
