// A folder that is being listed.
#pragma once

#include <dirent.h>

#include <memory>

namespace fieldwatch::agent {

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace fieldwatch::agent
