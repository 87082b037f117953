// Writing JSON text: compact, UTF-8, members in the order they are given. For what we emit by hand where a
// tree would cost too much; input is checked UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwatch {

/// Appends `text` as a JSON string with its quotes. RFC 8259 section 7; only what must be escaped is.
void append_json_string(std::string& out, std::string_view text);

/// Appends one JSON value to a string. The caller keeps the nesting right; commas are put by themselves.
class JsonWriter {
  public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view value);
    JsonWriter& integer(std::int64_t value);
    JsonWriter& real(double value);  ///< shortest text that reads back the same; finite values only
    JsonWriter& boolean(bool value);
    JsonWriter& null();
    JsonWriter& raw(std::string_view json);  ///< a value that is JSON text already

    JsonWriter& member(std::string_view name, std::string_view value) { return key(name).string(value); }
    JsonWriter& member(std::string_view name, std::int64_t value) { return key(name).integer(value); }
    /// Leaves the member out when the value is empty.
    JsonWriter& member_if(std::string_view name, std::string_view value) {
        return value.empty() ? *this : member(name, value);
    }

  private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void separate();

    std::string& out_;
    bool needs_comma_ = false;
};

}  // namespace fieldwatch
