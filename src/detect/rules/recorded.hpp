// Recorded sigma-events (design.md section 6): one JSON object a line, held with its strings so that rules
// can read it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

/// A sigma-event that owns its text. Move-only; views of event() lead into it.
class RecordedEvent {
  public:
    /// From fields already at hand (rule samples).
    static RecordedEvent make(std::string product, std::string category, std::string service,
                              const std::vector<std::pair<std::string, std::string>>& fields);
    /// `{"logsource":{…},"fields":{…}}`, or a whole record whose `body` is that. Nested objects become dotted
    /// names, an array gives its name several values. Errors: Malformed; TooLarge above 256 KiB.
    static Result<RecordedEvent> parse(std::string_view json);

    /// Where it stands in its input.
    void set_place(std::size_t number);
    /// Whose it is and when it was.
    void set_origin(std::string hub, std::string device, Timestamp time);

    const model::Event& event() const { return *event_; }
    const model::Item& item() const { return event_->items.front(); }

  private:
    std::string_view keep(std::string text);
    void finish(std::string_view product, std::string_view category, std::string_view service);

    std::unique_ptr<std::deque<std::string>> texts_ = std::make_unique<std::deque<std::string>>();
    std::vector<std::pair<std::string_view, std::string_view>> fields_;
    std::unique_ptr<model::Event> event_ = std::make_unique<model::Event>();
};

}  // namespace fieldwatch::detect
