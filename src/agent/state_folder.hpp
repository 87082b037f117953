// The agent's own folders, which root makes and the unprivileged half writes to.
#pragma once

#include <string>

#include "agent/accounts.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// Gives a folder, and the files and folders in it, to an account. As root, of a folder whose owner may have
/// been taken over: by no link that lies in it, and not what has a second name elsewhere. A service manager
/// gives the same folder to root at each start. Errors: Io where the folder itself cannot be opened.
Result<void> hand_over(const std::string& directory, const AccountIds& owner);

}  // namespace fieldwatch::agent
