// Numbers of whole series that no SQL computes: transforms and fits, as functions that the engine has from us
// (engine_functions.hpp), text in and text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::kql {

/// `f` or `i` (inverse) and JSON [real, imaginary or null], arrays of numbers: their discrete Fourier
/// transform as a bag of real and imag. Null for other text, unequal lengths, more than 100,000 elements and
/// results that are no finite numbers.
std::optional<std::string> fourier_transform(std::string_view argument);

/// A degree of 1 to 20, a blank and JSON [y, x or null], arrays of numbers; without x 1, 2, 3 …: the
/// polynomial of least squares as a bag of rsquare, coefficients (the highest power first), variance,
/// rvariance and poly_fit. Null as above, and where too few different x determine no polynomial of the
/// degree.
std::optional<std::string> fitted_polynomial(std::string_view argument);

}  // namespace fieldwatch::kql
