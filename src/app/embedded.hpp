// Files that are part of the binary (tools/embed): the rule pack and its word lists, so that one file is the
// whole product.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace fieldwatch::app {

struct EmbeddedFile {
    std::string_view name;  ///< relative to the folder that was embedded
    std::string_view content;
};

/// The detections of rules/: rule files (*.yml) and word lists (words/*.txt), by name.
std::vector<EmbeddedFile> embedded_rules();

}  // namespace fieldwatch::app
