// Diagnostic records of an IoT hub as its owner exports them, `{"records":[…]}`: pushed, in files, or in an
// event hub. Each one that can be used comes out alone, in the envelope of our own operation log.
// Source: spec/hub-signals.md sections 1 to 3.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/json_nesting.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "protocol/json/json.hpp"

namespace fieldwatch::diagnostic {

inline constexpr std::size_t kDocumentBytesMax = 30u << 20;  ///< of one document; exports rotate far below
inline constexpr std::size_t kRecordsMax = 100'000;          ///< of one document: 300 bytes each

/// One record. Views live during the call that hands it over.
struct Record {
    std::size_t number = 0;       ///< counted from 1 in its document
    bool administrative = false;  ///< of the control plane, section 3
    Timestamp time;               ///< when it happened, as the record says
    std::string_view hub;         ///< that its resource names, in lower case; "" = none
    std::string_view device, module;
    bool connected = false;  ///< a device's successful connect
    std::string_view body;   ///< JSON of the envelope; properties as an object
};

/// Why a record, or a document, was left out.
struct Refusal {
    std::string where;  ///< "record 17"; counted from 1 in its document
    std::string why;
};

struct Take {
    std::function<void(const Record&)> record;
    std::function<void(const Refusal&)> refused;
    /// Hides the last part of an address. With it full addresses do not come out; null = they do.
    std::string (*mask)(std::string_view) = nullptr;
};

/// Reused from document to document. One strand.
class RecordReader {
  public:
    /// `{"records":[…]}`, an array of records, or one record. What cannot be used is told and left out.
    /// Errors, of the document as a whole: Malformed, TooLarge.
    Result<void> read(std::string_view document, const Take& take);

  private:
    Result<void> read_one(const json::Value& value, std::size_t number, const Take& take);
    void write(const json::Value& value, const json::Value* properties, const Take& take);
    void write_earlier(const json::Value& value, const Take& take);

    json::Reader reader_, properties_reader_;
    std::string hub_, body_;
};

/// Cuts a text that comes line by line into whole JSON documents, whether there are several in a line or one
/// over many lines. One strand. Bound: kDocumentBytesMax.
class DocumentSplitter {
  public:
    using Each = std::function<void(std::string_view document, std::uint64_t first_line)>;
    /// Errors: Malformed when the line begins no document and goes on with none; TooLarge. What was begun
    /// is dropped then.
    Result<void> add(std::string_view line, std::uint64_t number, const Each& each);
    /// Whether a document was begun and not ended.
    bool waiting() const { return nesting_.open(); }
    std::uint64_t first_line() const { return first_line_; }

  private:
    void drop();
    std::string text_;
    std::uint64_t first_line_ = 0;
    JsonNesting nesting_;
};

}  // namespace fieldwatch::diagnostic
