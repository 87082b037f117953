// The values of an allow-list or deny-list rule, ready to be asked: spec/custom-alerts.md section 2.2.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace fieldwatch::detect {

/// Immutable once made.
class ValueList {
  public:
    static constexpr std::size_t kValuesMax = 10'000;  ///< a rule; past it a list is a mistake
    static constexpr std::size_t kValueBytesMax = 1'024;

    /// Errors: InvalidArgument naming the value that is no address or range.
    static Result<ValueList> ranges(const std::vector<std::string>& values);
    static ValueList texts(const std::vector<std::string>& values);

    /// An IPv4-mapped IPv6 address is asked as the IPv4 address that it is.
    bool has_address(IpAddress address) const;
    bool has_name(std::string_view name) const;           ///< exact
    bool has_name_any_case(std::string_view name) const;  ///< as Windows compares names
    /// An item without `/` is the last part of the path, one with `/` all of it; `*` stands for anything. In
    /// a path of Windows (`C:\`, `\\host\`) a `\` does as `/` does, and letters have no case.
    bool has_process(std::string_view path) const;

  private:
    std::vector<IpPrefix> ranges_;
    std::set<std::string, std::less<>> texts_, lower_;
    std::vector<std::string> patterns_, lower_patterns_;  ///< items with a `*`
};

}  // namespace fieldwatch::detect
