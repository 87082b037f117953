#include "kql/series_math.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <vector>

#include <nlohmann/json.hpp>

namespace fieldwatch::kql {
namespace {

using Complex = std::complex<double>;
using Series = std::vector<double>;

constexpr std::size_t kElementsMax = 100'000;  // as many as make-series gives
constexpr int kDegreeMax = 20;                 // beyond, powers of what is no small number say nothing

/// What is null is 0, as for the other fits; nullopt where something is neither.
std::optional<Series> numbers_of(const nlohmann::json& array) {
    if (!array.is_array() || array.size() > kElementsMax) return std::nullopt;
    Series out;
    for (const auto& one : array) {
        if (!one.is_number() && !one.is_null()) return std::nullopt;
        out.push_back(one.is_null() ? 0.0 : one.get<double>());
    }
    return out;
}

struct Pair {
    Series first;
    std::optional<Series> second;
};
/// Two series of one length, or one.
std::optional<Pair> pair_of(std::string_view text) {
    constexpr std::size_t kBytesMax = kElementsMax * 2 * 32;
    if (text.size() > kBytesMax || !text.starts_with("[[")) return std::nullopt;
    const auto both = nlohmann::json::parse(text, nullptr, false);
    if (!both.is_array() || both.size() != 2) return std::nullopt;
    auto first = numbers_of(both[0]);
    if (!first) return std::nullopt;
    Pair out{std::move(*first), std::nullopt};
    if (both[1].is_null()) return out;
    out.second = numbers_of(both[1]);
    if (!out.second || out.second->size() != out.first.size()) return std::nullopt;
    return out;
}

/// JSON, or nullopt where something is no finite number.
std::optional<std::string> text_of(const nlohmann::json& bag) {
    for (const auto& [name, value] : bag.items()) {
        for (const auto& one : value.is_array() ? value : nlohmann::json::array({value})) {
            if (!std::isfinite(one.get<double>())) return std::nullopt;
        }
    }
    return bag.dump();
}

/// e to the power of -2 pi i `part` / `whole`; exact where it lies on an axis.
Complex unit(std::size_t part, std::size_t whole) {
    part %= whole;
    if (part == 0) return {1, 0};
    if (part * 4 == whole) return {0, -1};
    if (part * 2 == whole) return {-1, 0};
    if (part * 4 == whole * 3) return {0, 1};
    return std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(part) / static_cast<double>(whole));
}

/// Cooley and Tukey, in place; the length is a power of two.
void transform_power_of_two(std::vector<Complex>& values) {
    const auto n = values.size();
    for (std::size_t i = 1, j = 0; i < n; ++i) {
        auto bit = n >> 1;
        for (; (j & bit) != 0; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i < j) std::swap(values[i], values[j]);
    }
    std::vector<Complex> units;
    for (std::size_t i = 0; i < n / 2; ++i)
        units.push_back(unit(i, n));
    for (std::size_t length = 2; length <= n; length *= 2) {
        for (std::size_t begin = 0; begin < n; begin += length) {
            for (std::size_t i = 0; i < length / 2; ++i) {
                const auto even = values[begin + i];
                const auto odd = values[begin + i + length / 2] * units[i * (n / length)];
                values[begin + i] = even + odd;
                values[begin + i + length / 2] = even - odd;
            }
        }
    }
}

void invert(std::vector<Complex>& values, void (*transform)(std::vector<Complex>&)) {
    for (auto& value : values)
        value = std::conj(value);
    transform(values);
    for (auto& value : values)
        value = std::conj(value) / static_cast<double>(values.size());
}

/// Of any length: Bluestein's way, a convolution that is a product of transforms whose length is a power of
/// two.
void transform(std::vector<Complex>& values) {
    const auto n = values.size();
    if (n < 2) return;
    if (std::has_single_bit(n)) return transform_power_of_two(values);
    const auto size = std::bit_ceil(2 * n - 1);
    std::vector<Complex> chirp(n), left(size), right(size);
    for (std::size_t i = 0; i < n; ++i) {
        chirp[i] = unit(i * i % (2 * n), 2 * n);
        left[i] = values[i] * chirp[i];
        right[i] = right[(size - i) % size] = std::conj(chirp[i]);
    }
    transform_power_of_two(left);
    transform_power_of_two(right);
    for (std::size_t i = 0; i < size; ++i)
        left[i] *= right[i];
    invert(left, transform_power_of_two);
    for (std::size_t i = 0; i < n; ++i)
        values[i] = left[i] * chirp[i];
}

double dot(const Series& a, const Series& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        sum += a[i] * b[i];
    return sum;
}

/// Coefficients of least squares over powers of `u`, which lies about 0, the lowest first: each power is made
/// perpendicular to those before (twice, for what rounding left), so that the system is triangular.
std::optional<Series> least_squares(const Series& u, const Series& y, std::size_t degree) {
    std::vector<Series> base;
    std::vector<Series> triangle(degree + 1, Series(degree + 1));
    Series power(u.size(), 1.0);
    for (std::size_t k = 0; k <= degree; ++k) {
        auto column = power;
        const auto before = std::sqrt(dot(column, column));
        for (const int pass : {0, 1}) {
            static_cast<void>(pass);
            for (std::size_t j = 0; j < k; ++j) {
                const auto part = dot(base[j], column);
                triangle[j][k] += part;
                for (std::size_t i = 0; i < u.size(); ++i)
                    column[i] -= part * base[j][i];
            }
        }
        const auto length = std::sqrt(dot(column, column));
        if (!(length > before * 1e-10)) return std::nullopt;
        triangle[k][k] = length;
        for (auto& one : column)
            one /= length;
        base.push_back(std::move(column));
        for (std::size_t i = 0; i < u.size(); ++i)
            power[i] *= u[i];
    }
    Series out(degree + 1);
    for (auto k = degree + 1; k-- > 0;) {
        auto rest = dot(base[k], y);
        for (auto j = k + 1; j <= degree; ++j)
            rest -= triangle[k][j] * out[j];
        out[k] = rest / triangle[k][k];
    }
    return out;
}

/// The same polynomial over x where `coefficients` go over (x - middle) / width.
Series over_x(const Series& coefficients, double middle, double width) {
    Series out;  // Horner's scheme over polynomials
    for (auto at = coefficients.rbegin(); at != coefficients.rend(); ++at) {
        Series next(out.size() + 1);
        for (std::size_t i = 0; i < out.size(); ++i) {
            next[i + 1] += out[i] / width;
            next[i] -= out[i] * middle / width;
        }
        next[0] += *at;
        out = std::move(next);
    }
    return out;
}

}  // namespace

std::optional<std::string> fourier_transform(std::string_view argument) {
    if (argument.empty() || (argument[0] != 'f' && argument[0] != 'i')) return std::nullopt;
    const auto pair = pair_of(argument.substr(1));
    if (!pair) return std::nullopt;
    std::vector<Complex> values;
    for (std::size_t i = 0; i < pair->first.size(); ++i)
        values.emplace_back(pair->first[i], pair->second ? (*pair->second)[i] : 0.0);
    if (argument[0] == 'i')
        invert(values, transform);
    else
        transform(values);
    auto real = nlohmann::json::array(), imaginary = nlohmann::json::array();
    for (const auto& value : values) {
        real.push_back(value.real() + 0.0);  // no -0
        imaginary.push_back(value.imag() + 0.0);
    }
    return text_of({{"real", std::move(real)}, {"imag", std::move(imaginary)}});
}

std::optional<std::string> fitted_polynomial(std::string_view argument) {
    const auto blank = argument.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    int degree = 0;
    const auto end = std::from_chars(argument.data(), argument.data() + blank, degree);
    if (end.ec != std::errc{} || end.ptr != argument.data() + blank || degree < 1 || degree > kDegreeMax)
        return std::nullopt;
    const auto pair = pair_of(argument.substr(blank + 1));
    if (!pair || pair->first.size() <= static_cast<std::size_t>(degree)) return std::nullopt;
    const auto& y = pair->first;
    const auto count = static_cast<double>(y.size());
    Series x = pair->second.value_or(Series{});
    for (std::size_t i = x.size(); i < y.size(); ++i)
        x.push_back(static_cast<double>(i + 1));
    const auto [low, high] = std::ranges::minmax(x);
    const auto middle = low / 2 + high / 2, width = high / 2 - low / 2;
    if (!(width > 0)) return std::nullopt;
    Series u;
    for (const auto one : x)
        u.push_back((one - middle) / width);
    const auto fit = least_squares(u, y, static_cast<std::size_t>(degree));
    if (!fit) return std::nullopt;
    const auto mean = dot(y, Series(y.size(), 1.0)) / count;
    double all = 0, rest = 0;
    auto values = nlohmann::json::array();
    for (std::size_t i = 0; i < y.size(); ++i) {
        double value = 0;
        for (auto at = fit->rbegin(); at != fit->rend(); ++at)
            value = value * u[i] + *at;
        values.push_back(value);
        all += (y[i] - mean) * (y[i] - mean);
        rest += (y[i] - value) * (y[i] - value);
    }
    auto coefficients = over_x(*fit, middle, width);
    std::ranges::reverse(coefficients);
    return text_of({{"rsquare", all > 0 ? std::max(1 - rest / all, 0.0) : 0.0},
                    {"coefficients", coefficients},
                    {"variance", all / count},
                    {"rvariance", rest / count},
                    {"poly_fit", std::move(values)}});
}

}  // namespace fieldwatch::kql
