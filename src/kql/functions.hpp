// The table of scalar functions: names, types, SQL, and what they do with null, empty and overflow. The
// documentation (docs/kql-support.md) is made from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kql/plan.hpp"

namespace fieldwatch::kql {

/// `args` has a letter per argument: b bool, i int, l long, r real, d decimal, s string, g guid, t datetime,
/// n timespan, j dynamic, a anything as dynamic, k a constant string, c a constant integer; what follows `?`
/// may be absent. `result` is one letter. `sql` names arguments {0}, {1} …; each absent one takes the text
/// after the last `|`, a whole number or null.
struct FunctionRow {
    std::string_view name, args;
    char result;
    std::string_view sql, note;
    CallTraits traits{};
};
const std::vector<FunctionRow>& function_rows();
std::span<const FunctionRow> dynamic_function_rows();  ///< the part of them in functions_dynamic.cpp
std::span<const FunctionRow> address_function_rows();  ///< in functions_addresses.cpp
std::span<const FunctionRow> series_function_rows();   ///< in functions_series.cpp
std::span<const FunctionRow> engine_function_rows();   ///< in functions_engine.cpp

/// Functions whose arguments or results follow rules of their own, bound in binder_functions.cpp.
struct SpecialRow {
    std::string_view name, signature, note;
};
std::span<const SpecialRow> special_rows();
std::span<const SpecialRow> aggregate_rows();
/// Functions of the language that we know of and refuse by name.
std::span<const std::string_view> refused_function_names();

/// How many groups a regular expression that compiles has.
int capture_groups(const std::string& pattern);
/// The number of its group of that name, or 0.
int capture_group(const std::string& pattern, const std::string& name);

}  // namespace fieldwatch::kql
