// The device's local accounts: names for numbers, the LocalUsers snapshot, and whom the sender becomes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/aggregation/observation.hpp"

namespace fieldwatch::agent {

struct AccountIds {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
};
/// The account `name` in the text of a passwd file.
std::optional<AccountIds> find_account(std::string_view passwd, std::string_view name);

/// /etc/passwd and /etc/group, read again when they change. No name service: the local files are what the
/// device has.
class Accounts {
  public:
    Accounts(std::string passwd_path, std::string group_path)
        : passwd_path_(std::move(passwd_path)), group_path_(std::move(group_path)) {}

    std::string name_of(std::uint32_t uid);  ///< "" if unknown
    /// One LocalUsers observation per account.
    std::vector<Observation> snapshot();
    /// Whether either file changed since the last call.
    bool changed();

  private:
    void refresh();
    std::string passwd_path_, group_path_;
    std::string stamp_, seen_stamp_;
    std::unordered_map<std::uint32_t, std::string> names_;
};

}  // namespace fieldwatch::agent
