// The detectors that ours is held against, small and by the book, on the same features: static three sigma,
// moving average, isolation forest (256 samples, 100 trees), half-space trees (25 of depth 10, window 250).
// Series on standard input as `# NAME` and then `unix_seconds value` lines; for every value a line with the
// four scores. What is trained once is trained on a series' first 15 %.
#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"

namespace {

constexpr std::size_t kFeatures = 5;
using Row = std::array<double, kFeatures>;

double unit(fieldwatch::Random& random) {
    return static_cast<double>(random.next() >> 11) * 0x1p-53;
}

/// Value, distance from the usual at its time of day, change, mean and spread of the last 24.
std::vector<Row> features(const std::vector<std::pair<long, double>>& series) {
    std::vector<Row> out;
    std::array<double, 96> mean{};
    std::array<int, 96> seen{};
    double average = 0;
    for (std::size_t i = 0; i < series.size(); ++i) {
        const auto [time, value] = series[i];
        const auto slot = static_cast<std::size_t>(time % 86'400 * 96 / 86'400);
        const double usual = seen[slot] > 0 ? mean[slot] : average;
        double sum = 0;
        double squares = 0;
        const auto from = i >= 23 ? i - 23 : 0;
        for (auto j = from; j <= i; ++j) {
            sum += series[j].second;
            squares += series[j].second * series[j].second;
        }
        const auto count = static_cast<double>(i - from + 1);
        const double spread = std::sqrt(std::max(squares / count - sum * sum / count / count, 0.0));
        out.push_back(
            {value, value - usual, i > 0 ? value - series[i - 1].second : 0, sum / count - average, spread});
        mean[slot] += (value - usual) * std::max(0.2, 1.0 / ++seen[slot]);
        if (seen[slot] == 1) mean[slot] = value;
        average += (value - average) * std::max(0.002, 1.0 / static_cast<double>(i + 1));
    }
    return out;
}

std::vector<double> static_sigma(const std::vector<Row>& rows, std::size_t trained) {
    Row mean{};
    Row square{};
    for (std::size_t i = 0; i < trained; ++i) {
        for (std::size_t f = 0; f < kFeatures; ++f) {
            mean[f] += rows[i][f] / static_cast<double>(trained);
            square[f] += rows[i][f] * rows[i][f] / static_cast<double>(trained);
        }
    }
    std::vector<double> out;
    for (const auto& row : rows) {
        double highest = 0;
        for (std::size_t f = 0; f < kFeatures; ++f) {
            const double sigma = std::sqrt(std::max(square[f] - mean[f] * mean[f], 0.0));
            highest =
                std::max(highest, std::abs(row[f] - mean[f]) / (sigma + 1e-3 * std::abs(mean[f]) + 1e-9));
        }
        out.push_back(highest);
    }
    return out;
}

std::vector<double> moving_average(const std::vector<Row>& rows) {
    Row mean = rows[0];
    Row variance{};
    std::vector<double> out;
    for (const auto& row : rows) {
        double highest = 0;
        for (std::size_t f = 0; f < kFeatures; ++f) {
            const double off = row[f] - mean[f];
            if (out.size() > 20)
                highest = std::max(
                    highest, std::abs(off) / (std::sqrt(variance[f]) + 1e-3 * std::abs(mean[f]) + 1e-9));
            mean[f] += 0.05 * off;
            variance[f] += 0.01 * (off * off - variance[f]);
        }
        out.push_back(highest);
    }
    return out;
}

class IsolationTree {
  public:
    IsolationTree(std::vector<Row> sample, fieldwatch::Random& random) { grow(std::move(sample), 0, random); }

    double depth(const Row& row) const {
        std::size_t at = 0;
        while (nodes_[at].left != 0)
            at = row[nodes_[at].feature] < nodes_[at].split ? nodes_[at].left : nodes_[at].right;
        return nodes_[at].depth;
    }
    static double usual_depth(double count) {
        return count < 2 ? 0 : 2 * (std::log(count - 1) + 0.5772) - 2 * (count - 1) / count;
    }

  private:
    struct Node {
        std::size_t feature = 0, left = 0, right = 0;
        double split = 0, depth = 0;
    };
    std::size_t grow(std::vector<Row> sample, int depth, fieldwatch::Random& random) {
        const auto at = nodes_.size();
        nodes_.emplace_back();
        const auto leaf = [&] {
            nodes_[at].depth = depth + usual_depth(static_cast<double>(sample.size()));
            return at;
        };
        if (sample.size() <= 1 || depth >= 8) return leaf();
        const auto feature = random.below(kFeatures);
        const auto [low, high] =
            std::ranges::minmax(sample, {}, [&](const Row& row) { return row[feature]; });
        if (!(low[feature] < high[feature])) return leaf();
        const double split = low[feature] + (high[feature] - low[feature]) * unit(random);
        std::vector<Row> left;
        std::vector<Row> right;
        for (const auto& row : sample)
            (row[feature] < split ? left : right).push_back(row);
        nodes_[at].feature = feature;
        nodes_[at].split = split;
        const auto left_at = grow(std::move(left), depth + 1, random);
        const auto right_at = grow(std::move(right), depth + 1, random);
        nodes_[at].left = left_at;
        nodes_[at].right = right_at;
        return at;
    }
    std::vector<Node> nodes_;
};

std::vector<double> isolation_forest(const std::vector<Row>& rows, std::size_t trained) {
    fieldwatch::SeededRandom random(1);
    std::vector<IsolationTree> trees;
    for (int i = 0; i < 100; ++i) {
        std::vector<Row> sample;
        for (std::size_t j = 0; j < std::min<std::size_t>(256, trained); ++j)
            sample.push_back(rows[random.below(trained)]);
        trees.emplace_back(std::move(sample), random);
    }
    const double usual = IsolationTree::usual_depth(static_cast<double>(std::min<std::size_t>(256, trained)));
    std::vector<double> out;
    for (const auto& row : rows) {
        double depth = 0;
        for (const auto& tree : trees)
            depth += tree.depth(row) / 100;
        out.push_back(std::exp2(-depth / usual));
    }
    return out;
}

/// Tan, Ting and Liu: Fast anomaly detection for streaming data, IJCAI 2011.
std::vector<double> half_space_trees(const std::vector<Row>& rows, std::size_t trained) {
    constexpr std::size_t kTrees = 25;
    constexpr int kDepth = 10;
    constexpr int kWindow = 250;
    constexpr int kSizeLimit = kWindow / 10;
    fieldwatch::SeededRandom random(1);
    Row low = rows[0];
    Row high = rows[0];
    for (std::size_t i = 0; i < trained; ++i) {
        for (std::size_t f = 0; f < kFeatures; ++f) {
            low[f] = std::min(low[f], rows[i][f]);
            high[f] = std::max(high[f], rows[i][f]);
        }
    }
    struct Node {
        std::size_t feature = 0;
        double split = 0;
        int mass = 0, latest = 0;
    };
    std::array<std::vector<Node>, kTrees> trees;
    for (auto& tree : trees) {
        tree.resize(2u << kDepth);
        Row from;
        Row to;
        for (std::size_t f = 0; f < kFeatures; ++f) {
            const double middle = unit(random);
            const double reach = 2 * std::max(middle, 1 - middle);
            from[f] = middle - reach;
            to[f] = middle + reach;
        }
        const auto grow = [&](auto&& self, std::size_t at, int depth, Row low_end, Row high_end) -> void {
            if (depth > kDepth) return;
            const auto f = random.below(kFeatures);
            const double split = (low_end[f] + high_end[f]) / 2;
            tree[at] = {.feature = f, .split = split};
            auto left_end = high_end;
            left_end[f] = split;
            self(self, 2 * at, depth + 1, low_end, left_end);
            low_end[f] = split;
            self(self, 2 * at + 1, depth + 1, low_end, high_end);
        };
        grow(grow, 1, 0, from, to);
    }
    std::vector<double> out;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        Row scaled;
        for (std::size_t f = 0; f < kFeatures; ++f)
            scaled[f] = high[f] > low[f] ? (rows[i][f] - low[f]) / (high[f] - low[f]) : rows[i][f] - low[f];
        double mass = 0;
        for (auto& tree : trees) {
            std::size_t at = 1;
            bool told = false;
            for (int depth = 0; depth <= kDepth; ++depth) {
                ++tree[at].latest;
                if (!told && (tree[at].mass < kSizeLimit || depth == kDepth)) {
                    mass += tree[at].mass * std::exp2(depth);
                    told = true;
                }
                at = 2 * at + (scaled[tree[at].feature] >= tree[at].split ? 1 : 0);
            }
        }
        out.push_back(i < kWindow ? 0 : -mass);
        if ((i + 1) % kWindow != 0) continue;
        for (auto& tree : trees) {
            for (auto& node : tree)
                node.mass = std::exchange(node.latest, 0);
        }
    }
    const double lowest = *std::ranges::min_element(out);
    for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = i < kWindow ? lowest : out[i];
    return out;
}

void score(const std::vector<std::pair<long, double>>& series) {
    if (series.empty()) return;
    const auto rows = features(series);
    const auto trained = std::max<std::size_t>(rows.size() * 15 / 100, 1);
    const auto sigma = static_sigma(rows, trained);
    const auto moving = moving_average(rows);
    const auto forest = isolation_forest(rows, trained);
    const auto spaces = half_space_trees(rows, trained);
    for (std::size_t i = 0; i < rows.size(); ++i)
        std::cout << sigma[i] << ' ' << moving[i] << ' ' << forest[i] << ' ' << spaces[i] << '\n';
}

}  // namespace

int main() {
    std::cin.tie(nullptr);
    std::vector<std::pair<long, double>> series;
    std::string line;
    while (std::getline(std::cin, line)) {
        if (line.starts_with('#')) {
            score(series);
            series.clear();
            continue;
        }
        std::size_t used = 0;
        const long time = std::stol(line, &used);
        series.emplace_back(time, std::stod(line.substr(used)));
    }
    score(series);
    return 0;
}
