// The typed columns of EventDetails: the text that tostring(parse_json(EventDetails).PATH) gives, per path.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workspace/table.hpp"

namespace fieldwatch::workspace {

/// Reads the declared top-level fields of a JSON object in one pass. One thread.
class DetailReader {
  public:
    explicit DetailReader(std::span<const DetailPath> paths);
    ~DetailReader();

    /// One entry per path, valid until the next call: strings as they are, numbers, objects and arrays as
    /// their JSON text, true and false by name; nothing where the field is absent or null, or the text is no
    /// object. Of two fields with one name the first counts.
    std::span<const std::optional<std::string_view>> read(std::string_view json);

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
    std::span<const DetailPath> paths_;
    std::vector<std::optional<std::string_view>> values_;
};

}  // namespace fieldwatch::workspace
