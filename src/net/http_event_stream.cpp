#include "net/http_event_stream.hpp"

#include <utility>

namespace fieldwatch::net {

std::string encode_event(std::string_view event, std::string_view data) {
    std::string out;
    out.reserve(event.size() + data.size() + 24);
    if (!event.empty()) {
        out += "event: ";
        for (const char c : event) {
            if (c != '\n' && c != '\r') out += c;
        }
        out += '\n';
    }
    out += "data: ";
    for (std::size_t i = 0; i < data.size(); ++i) {
        const char c = data[i];
        if (c == '\r') {  // CR and CRLF end a line as LF does
            if (i + 1 < data.size() && data[i + 1] == '\n') continue;
            out += "\ndata: ";
        } else if (c == '\n') {
            out += "\ndata: ";
        } else {
            out += c;
        }
    }
    out += "\n\n";
    return out;
}

bool QueuedEventStream::write(std::string_view event, std::string_view data) {
    auto bytes = encode_event(event, data);
    const std::lock_guard lock(mutex_);
    if (closed_ || cut_off_) return false;
    if (queue_.size() >= kEventsMax || bytes_ + bytes.size() > kBytesMax) {
        cut_off_ = true;
        wake_();
        return false;
    }
    bytes_ += bytes.size();
    const bool was_empty = queue_.empty();
    queue_.push_back(std::move(bytes));
    if (was_empty) wake_();
    return true;
}

bool QueuedEventStream::open() const {
    const std::lock_guard lock(mutex_);
    return !closed_ && !cut_off_;
}

void QueuedEventStream::end() {
    const std::lock_guard lock(mutex_);
    queue_.clear();
    bytes_ = 0;
    if (closed_ || std::exchange(cut_off_, true)) return;
    wake_();
}

std::string QueuedEventStream::take() {
    const std::lock_guard lock(mutex_);
    std::string out;
    out.reserve(bytes_);
    for (const auto& event : queue_)
        out += event;
    queue_.clear();
    bytes_ = 0;
    return out;
}

void QueuedEventStream::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.clear();
    bytes_ = 0;
}

bool QueuedEventStream::cut_off() const {
    const std::lock_guard lock(mutex_);
    return cut_off_;
}

}  // namespace fieldwatch::net
