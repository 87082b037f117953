// Diagnostic records of a hub elsewhere, into the log of one of ours: operations and activities in the same
// pipeline as what our own hub logs. docs/connectors.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hub/connector/feed.hpp"
#include "protocol/diagnostic/records.hpp"

namespace fieldwatch::hub {

struct ImportTarget {
    model::HubName hub;
    bool mask_addresses = false;  ///< of the hub
};

struct ImportReport {
    std::uint64_t accepted = 0, refused = 0;
    std::vector<diagnostic::Refusal> refusals;  ///< the first kListedMax of them
    static constexpr std::size_t kListedMax = 100;
};

/// One thread.
class RecordImport {
  public:
    RecordImport(Feed& feed, const Clock& clock) : feed_(feed), clock_(clock) {}

    /// Takes every document of `text`, one after the other; what cannot be used is listed. Appended, not yet
    /// settled. Errors: of Feed; Malformed when nothing in it is a document.
    Result<ImportReport> take(const ImportTarget& target, std::string_view text);
    /// One document.
    Result<void> take_document(const ImportTarget& target, std::string_view document, ImportReport& report);

  private:
    Result<void> append(const ImportTarget& target, const diagnostic::Record& record);

    Feed& feed_;
    const Clock& clock_;
    diagnostic::RecordReader reader_;
};

}  // namespace fieldwatch::hub
