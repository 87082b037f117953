#include "detect/behaviour/device_model.hpp"

#include <algorithm>
#include <cmath>

#include "detect/state.hpp"

namespace fieldwatch::detect {
namespace {

constexpr double kFloor =
    0.35;  ///< of a usual deviation, in log units: what changes by less than half is usual
constexpr double kClip = 4;
constexpr double kRate = 0.1, kDeviationRate = 0.02;
constexpr double kGroupRate = 0.005;
constexpr double kCommonBits = 5;                         ///< less surprising tokens say nothing
constexpr std::uint16_t kKnownFrom = 8, kKnownMost = 64;  ///< windows with a token
constexpr double kKindBitsMax = 30;                       ///< many new names of one kind are one story
constexpr double kDevicePrior = 30;  ///< tokens a device must have shown before its own past counts half
constexpr double kGroupTailWindows = 2'000;  ///< windows until a device's own tail stands alone
constexpr std::uint32_t kHalvedEvery = 14 * DeviceModel::kDayWindows;
constexpr std::array<double, kAspects> kWeights{1, 0.5, 1, 0.5,
                                                0.5};  ///< they overlap: a correlation discount

float amount_of(double value) {
    return static_cast<float>(std::min(value, 1e15));
}

}  // namespace

std::string_view to_string(Aspect aspect) {
    constexpr std::string_view kNames[] = {"window", "hour", "novelty", "chain", "peers"};
    return kNames[static_cast<std::size_t>(aspect)];
}

double FeatureLevels::base(std::size_t feature, std::size_t slot) const {
    const auto& level = levels_[feature];
    return static_cast<double>((slots_seen_ >> slot & 1) != 0 ? level.by_slot[slot] : level.mean);
}

double FeatureLevels::scale(std::size_t feature) const {
    return std::max(static_cast<double>(levels_[feature].deviation), kFloor);
}

double FeatureLevels::distance(std::size_t feature, std::size_t slot, double amount) const {
    if (learned_ == 0) return 0;
    return std::max(0.0, (std::log1p(amount) - base(feature, slot)) / scale(feature));
}

double FeatureLevels::high(std::size_t feature, std::size_t slot) const {
    return std::expm1(base(feature, slot) + kClip * scale(feature));
}

void FeatureLevels::learn(std::size_t slot, const std::array<float, kFeatures>& amounts, double rate) {
    const bool first = learned_ == 0;
    const bool first_in_slot = (slots_seen_ >> slot & 1) == 0;
    for (std::size_t i = 0; i < kFeatures; ++i) {
        auto& level = levels_[i];
        const double value = std::log1p(static_cast<double>(amounts[i]));
        const double at = first ? value : base(i, slot);
        const double limit = kClip * scale(i);
        const double off = std::clamp(value - at, -limit, limit);
        level.by_slot[slot] = static_cast<float>(at + (first_in_slot ? off : rate * off));
        level.mean = static_cast<float>(first ? value : static_cast<double>(level.mean) + rate * off);
        level.deviation += static_cast<float>(rate / kRate * kDeviationRate *
                                              (std::abs(off) - static_cast<double>(level.deviation)));
    }
    slots_seen_ |= static_cast<std::uint16_t>(1U << slot);
    if (learned_ < 0xFFFF'FFFF) ++learned_;
}

void FeatureLevels::save(ByteWriter& out) const {
    for (const auto& level : levels_) {
        for (const float value : level.by_slot)
            out.f64(static_cast<double>(value));
        out.f64(static_cast<double>(level.mean));
        out.f64(static_cast<double>(level.deviation));
    }
    out.u16(slots_seen_);
    out.u32(learned_);
}

Result<void> FeatureLevels::restore(ByteReader& in) {
    const auto read = [&](float& value) -> Result<void> {
        const double saved = FIELDWATCH_TRY(in.f64());
        if (!(saved >= -1e3 && saved <= 1e3)) return fail(Errc::Corrupt, "a level is out of range");
        value = static_cast<float>(saved);
        return {};
    };
    for (auto& level : levels_) {
        for (auto& value : level.by_slot)
            FIELDWATCH_TRY(read(value));
        FIELDWATCH_TRY(read(level.mean));
        FIELDWATCH_TRY(read(level.deviation));
    }
    slots_seen_ = FIELDWATCH_TRY(in.u16());
    learned_ = FIELDWATCH_TRY(in.u32());
    return {};
}

int WindowScore::unusual_aspects() const {
    const auto unusual = [&](Aspect aspect) {
        return probabilities[static_cast<std::size_t>(aspect)] < 1e-3;
    };
    // The hour holds the window, the chain its tokens: those are no second witnesses.
    return (unusual(Aspect::Window) || unusual(Aspect::Hour)) +
           (unusual(Aspect::Novelty) || unusual(Aspect::Chain)) + unusual(Aspect::Peers);
}

void DeviceModel::observe(const std::vector<Count>& counts, const std::vector<Token>& tokens,
                          model::LogPosition at) {
    last_ = at;
    const auto count = [&](Feature feature, double amount) {
        auto& sum = counts_[static_cast<std::size_t>(feature)];
        sum = amount_of(static_cast<double>(sum) + amount);
    };
    for (const auto& [feature, amount] : counts)
        count(feature, amount);
    for (const auto& token : tokens) {
        if (std::ranges::any_of(fresh_, [&](const Fresh& known) { return known.token.hash == token.hash; }))
            continue;
        // What the device has long been known for needs no place among the window's news.
        kinds_shown_ |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(token.kind));
        if (const auto windows = tokens_.count(token.hash); windows >= kKnownFrom) {
            if (windows < kKnownMost) tokens_.add(token.hash);  // and stays known for some halvings
            continue;
        }
        if (tokens_.count(token.hash) == 0) count(Feature::NewTokens, 1);
        if (fresh_.size() < kTokensMax)
            fresh_.push_back({token, at});
        else
            ++fresh_more_;
    }
}

double DeviceModel::bits(const Token& token, const PeerGroup& group) const {
    const double shown = static_cast<double>(token_windows_[static_cast<std::size_t>(token.kind)]);
    const double weight = shown / (shown + kDevicePrior);
    const double own = (tokens_.count(token.hash) + 0.5) / (shown + 1);
    const double peers = (group.devices_by_token.count(token.hash) + 0.5) / (group.devices + 1.0);
    return -std::log2(std::min(1.0, (1 - weight) * std::min(peers, 1.0) + weight * own));
}

void DeviceModel::contribute_levels(WindowScore& out, const FeatureLevels& levels,
                                    const std::array<float, kFeatures>& counts, std::size_t slot,
                                    std::string_view suffix) const {
    for (std::size_t i = 0; i < kFeatures; ++i) {
        const double amount = static_cast<double>(counts[i]);
        const double distance = levels.distance(i, slot, amount);
        if (distance < kClip) continue;
        out.contributions.push_back(
            {.feature = std::string(to_string(static_cast<Feature>(i))) + std::string(suffix),
             .observed = {},
             .amount = amount,
             .expected_most = levels.high(i, slot),
             .weight = distance,
             .counted = static_cast<Feature>(i),
             .of_hour = &levels == &hour_levels_,
             .evidence = last_});
    }
}

void DeviceModel::contribute_tokens(WindowScore& out, const PeerGroup& group) const {
    std::array<double, kTokenKinds> by_kind{};
    double chain = 0;
    for (const auto& [token, at] : fresh_) {
        const double surprise = bits(token, group);
        if (token.kind == TokenKind::Chain || token.kind == TokenKind::ParentChild)
            chain = std::max(chain, surprise);
        if (surprise < kCommonBits) continue;
        auto& sum = by_kind[static_cast<std::size_t>(token.kind)];
        sum = std::min(sum + surprise, kKindBitsMax);
        out.contributions.push_back(
            {.feature = std::string(to_string(token.kind)),
             .observed = token.text,
             .amount = surprise,
             .expected_most = kCommonBits,
             .weight = surprise,
             .peers = std::min<std::uint32_t>(group.devices_by_token.count(token.hash), group.devices),
             .peers_of = group.devices,
             .is_token = true,
             .kind = token.kind,
             .evidence = at});
    }
    for (const double sum : by_kind)
        out.novelty_bits += sum;
    out.distances[static_cast<std::size_t>(Aspect::Novelty)] = out.novelty_bits;
    out.distances[static_cast<std::size_t>(Aspect::Chain)] = chain;
}

WindowScore DeviceModel::judge(std::size_t slot, bool hour_ends, const PeerGroup& group) const {
    WindowScore out;
    auto hour = hour_counts_;
    for (std::size_t i = 0; i < kFeatures; ++i)
        hour[i] += counts_[i];
    for (std::size_t i = 0; i < kFeatures; ++i) {
        const auto raise = [&](Aspect aspect, double distance) {
            auto& highest = out.distances[static_cast<std::size_t>(aspect)];
            highest = std::max(highest, distance);
        };
        raise(Aspect::Window, levels_.distance(i, slot, static_cast<double>(counts_[i])));
        raise(Aspect::Peers, group.levels.distance(i, slot, static_cast<double>(counts_[i])));
        if (hour_ends) raise(Aspect::Hour, hour_levels_.distance(i, slot, static_cast<double>(hour[i])));
    }
    contribute_levels(out, levels_, counts_, slot, " in five minutes");
    if (hour_ends) contribute_levels(out, hour_levels_, hour, slot, " in an hour");
    contribute_tokens(out, group);
    for (std::size_t i = 0; i < kAspects; ++i) {
        if (out.distances[i] <= 0) continue;
        out.probabilities[i] = tails_[i].probability(out.distances[i]);
        out.score -= kWeights[i] * std::log10(out.probabilities[i]);
    }
    const double own = std::min(1.0, windows_ / kGroupTailWindows);
    out.probability = own * scores_.probability(out.score) + (1 - own) * group.scores.probability(out.score);
    std::ranges::stable_sort(out.contributions, std::greater{}, &Contribution::weight);
    if (out.contributions.size() > 3) out.contributions.resize(3);
    return out;
}

void DeviceModel::close(std::size_t slot, bool hour_ends, const WindowScore& score, bool frozen,
                        PeerGroup& group) {
    for (std::size_t i = 0; i < kFeatures; ++i)
        hour_counts_[i] += counts_[i];
    if (!frozen) {
        for (std::size_t i = 0; i < kAspects; ++i)
            if (hour_ends || i != static_cast<std::size_t>(Aspect::Hour)) tails_[i].add(score.distances[i]);
        scores_.add(score.score);
        group.scores.add(score.score);
        group.levels.learn(slot, counts_, kGroupRate);
        levels_.learn(slot, counts_, kRate);
        if (hour_ends) hour_levels_.learn(slot, hour_counts_, kRate);
        for (const auto& [token, at] : fresh_) {
            if (tokens_.count(token.hash) == 0) group.devices_by_token.add(token.hash);
            tokens_.add(token.hash);
        }
        for (std::size_t kind = 0; kind < kTokenKinds; ++kind)
            token_windows_[kind] += static_cast<float>(kinds_shown_ >> kind & 1);
        if (++windows_ % kHalvedEvery == 0) {
            tokens_.halve();
            for (auto& count : token_windows_)
                count *= 0.5F;
        }
    }
    counts_ = {};
    fresh_.clear();
    fresh_more_ = 0;
    kinds_shown_ = 0;
    if (hour_ends) hour_counts_ = {};
}

std::size_t DeviceModel::bytes() const {
    std::size_t out = sizeof *this + fresh_.capacity() * sizeof(Fresh);
    for (const auto& fresh : fresh_)
        out += fresh.token.text.capacity();
    return out;
}

void DeviceModel::save(ByteWriter& out) const {
    for (const auto* const counts : {&counts_, &hour_counts_})
        for (const float count : *counts)
            out.f64(static_cast<double>(count));
    out.u32(static_cast<std::uint32_t>(fresh_.size()));
    for (const auto& [token, at] : fresh_) {
        out.u8(static_cast<std::uint8_t>(token.kind));
        out.text(token.text);
        out.u64(token.hash);
        write(out, at);
    }
    out.u32(fresh_more_);
    out.u8(kinds_shown_);
    write(out, last_);
    levels_.save(out);
    hour_levels_.save(out);
    tokens_.save(out);
    for (const float count : token_windows_)
        out.f64(static_cast<double>(count));
    for (const auto& tail : tails_)
        tail.save(out);
    scores_.save(out);
    out.u32(windows_);
}

Result<void> DeviceModel::restore(ByteReader& in) {
    const auto read = [&](float& value) -> Result<void> {
        const double saved = FIELDWATCH_TRY(in.f64());
        if (!(saved >= 0 && saved <= 1e16)) return fail(Errc::Corrupt, "a count is out of range");
        value = static_cast<float>(saved);
        return {};
    };
    for (auto* const counts : {&counts_, &hour_counts_})
        for (auto& count : *counts)
            FIELDWATCH_TRY(read(count));
    const auto fresh = FIELDWATCH_TRY(read_count(in, kTokensMax));
    for (std::uint32_t i = 0; i < fresh; ++i) {
        Fresh one;
        const auto kind = FIELDWATCH_TRY(in.u8());
        if (kind >= kTokenKinds) return fail(Errc::Corrupt, "no such kind of token");
        one.token.kind = static_cast<TokenKind>(kind);
        one.token.text = FIELDWATCH_TRY(read_text(in));
        one.token.hash = FIELDWATCH_TRY(in.u64());
        one.at = FIELDWATCH_TRY(read_position(in));
        fresh_.push_back(std::move(one));
    }
    fresh_more_ = FIELDWATCH_TRY(in.u32());
    kinds_shown_ = FIELDWATCH_TRY(in.u8());
    last_ = FIELDWATCH_TRY(read_position(in));
    FIELDWATCH_TRY(levels_.restore(in));
    FIELDWATCH_TRY(hour_levels_.restore(in));
    FIELDWATCH_TRY(tokens_.restore(in));
    for (auto& count : token_windows_)
        FIELDWATCH_TRY(read(count));
    for (auto& tail : tails_)
        FIELDWATCH_TRY(tail.restore(in));
    FIELDWATCH_TRY(scores_.restore(in));
    windows_ = FIELDWATCH_TRY(in.u32());
    return {};
}

}  // namespace fieldwatch::detect
