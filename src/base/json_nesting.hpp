// How deep one stands in a JSON text, told by its brackets as its characters come: where a document ends, and
// whether it nests deeper than it may, before anything of it is parsed.
#pragma once

#include <cstddef>

namespace fieldwatch {

/// Counts brackets outside strings. It does not check JSON: behind `{]` one stands at 0.
class JsonNesting {
  public:
    void add(char c) {
        if (in_string_) {
            if (escaped_)
                escaped_ = false;
            else if (c == '\\')
                escaped_ = true;
            else if (c == '"')
                in_string_ = false;
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            ++depth_;
        } else if ((c == '}' || c == ']') && depth_ > 0) {
            --depth_;
        }
    }
    std::size_t depth() const { return depth_; }
    bool open() const { return depth_ > 0; }

  private:
    std::size_t depth_ = 0;
    bool in_string_ = false, escaped_ = false;
};

}  // namespace fieldwatch
