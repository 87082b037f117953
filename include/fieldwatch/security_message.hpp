// Fieldwatch security messages for C++20 programs: the C core behind values that clean up after themselves.
// Header only; link libfieldwatch_security. Nothing here throws but what the standard library does when
// memory ends, or where the machine has no source of random numbers.
//
//     fieldwatch::security::Message message("door 1.2", agent_id);
//     message.event(FIELDWATCH_CUSTOM).text("Name", "door-opened").extra("door", 3).end();
//     const auto body = message.finish();
//     if (!body) return report(body.status());
//     client.publish(body->data(), body->size());  // with the property of fieldwatch_mark_property()
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "fieldwatch/security_message.h"

namespace fieldwatch::security {

/// What the core says of a status, in words.
inline std::string_view describe(fieldwatch_status status) noexcept {
    switch (status) {
        case FIELDWATCH_OK:
            return "ok";
        case FIELDWATCH_INVALID_ARGUMENT:
            return "a call out of order, or an argument that is none";
        case FIELDWATCH_SCHEMA_VIOLATION:
            return "an unknown, repeated, mistyped or missing field";
        case FIELDWATCH_TOO_LARGE:
            return "the message is too large";
        default:
            return "failed";
    }
}

/// A new version 4 UUID, 36 characters: of an event, or once of an installation as its AgentId.
inline std::string make_id() {
    std::random_device device;
    std::array<std::uint8_t, 16> random;
    for (auto& byte : random)
        byte = static_cast<std::uint8_t>(device());
    std::array<char, FIELDWATCH_ID_TEXT_SIZE> text;
    fieldwatch_format_id(random.data(), text.data());
    return text.data();
}

/// The body of a message, or why there is none: the first thing that was wrong.
class Body {
  public:
    explicit Body(std::string text) : text_(std::move(text)) {}
    explicit Body(fieldwatch_status status) : status_(status) {}

    explicit operator bool() const noexcept { return text_.has_value(); }
    fieldwatch_status status() const noexcept { return status_; }
    const std::string& operator*() const noexcept { return *text_; }
    const std::string* operator->() const noexcept { return &*text_; }
    /// Blocks of 4,096 bytes that the hub bills, the mark of an MQTT topic included.
    std::uint32_t billing_units() const noexcept {
        constexpr std::size_t kMarkBytes = 64;
        return text_ ? fieldwatch_billing_units(text_->size() + kMarkBytes) : 0;
    }

  private:
    std::optional<std::string> text_;
    fieldwatch_status status_ = FIELDWATCH_OK;
};

class Message;

/// One event under way, with one payload or several. Belongs to its message, which must outlive it; ends with
/// end() or when it goes. One thread.
class Event {
  public:
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    Event(Event&& other) noexcept : encoder_(std::exchange(other.encoder_, nullptr)) {}
    Event& operator=(Event&&) = delete;
    ~Event() { end(); }

    Event& text(const char* name, std::string_view value) noexcept {
        fieldwatch_field_text(encoder_, name, value.data(), value.size());
        return *this;
    }
    Event& integer(const char* name, std::int64_t value) noexcept {
        fieldwatch_field_integer(encoder_, name, value);
        return *this;
    }
    Event& boolean(const char* name, bool value) noexcept {
        fieldwatch_field_boolean(encoder_, name, value ? 1 : 0);
        return *this;
    }
    /// Entries of ExtraDetails, after the payload's fields.
    Event& extra(const char* key, std::string_view value) noexcept {
        fieldwatch_extra_text(encoder_, key, value.data(), value.size());
        return *this;
    }
    Event& extra(const char* key, std::int64_t value) noexcept {
        fieldwatch_extra_integer(encoder_, key, value);
        return *this;
    }
    /// Begins a further payload: of a snapshot, one for each thing that was found.
    Event& next_payload() noexcept {
        fieldwatch_payload_end(encoder_);
        fieldwatch_payload_begin(encoder_);
        return *this;
    }
    void end() noexcept {
        if (encoder_ == nullptr) return;
        fieldwatch_payload_end(encoder_);
        fieldwatch_event_end(encoder_);
        encoder_ = nullptr;
    }

  private:
    friend class Message;
    explicit Event(fieldwatch_encoder* encoder) noexcept : encoder_(encoder) {}
    fieldwatch_encoder* encoder_;
};

/// One message: at least one event, at most `bytes_max` bytes. The first error sticks and is what finish()
/// tells. One thread; not copied, because the core writes into it.
class Message {
  public:
    /// `agent_version`: the program and its version. `agent_id`: 36 characters, one for each installation.
    Message(const std::string& agent_version, const std::string& agent_id,
            std::size_t bytes_max = FIELDWATCH_MESSAGE_BYTES_MAX) {
        fieldwatch_encoder_init(&encoder_, &Message::append, &text_, bytes_max);
        fieldwatch_message_begin(&encoder_, agent_version.c_str(), agent_id.c_str());
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    /// Begins an event of now, or of `when`, and its first payload. The one before must have ended.
    Event event(fieldwatch_kind kind,
                std::chrono::system_clock::time_point when = std::chrono::system_clock::now()) {
        begin(kind, when, false);
        fieldwatch_payload_begin(&encoder_);
        return Event(&encoder_);
    }
    /// A snapshot that found nothing. Periodic kinds only.
    void empty(fieldwatch_kind kind,
               std::chrono::system_clock::time_point when = std::chrono::system_clock::now()) {
        begin(kind, when, true);
        fieldwatch_event_end(&encoder_);
    }

    fieldwatch_status status() const noexcept { return fieldwatch_encoder_status(&encoder_); }
    std::size_t bytes() const noexcept { return fieldwatch_encoder_bytes(&encoder_); }
    /// Invalid UTF-8 sequences that became U+FFFD.
    std::uint32_t replaced() const noexcept { return fieldwatch_encoder_replaced(&encoder_); }

    /// Ends the message; it can be used no further.
    Body finish() {
        const auto status = fieldwatch_message_end(&encoder_);
        return status == FIELDWATCH_OK ? Body(std::move(text_)) : Body(status);
    }

  private:
    static int append(void* text, const char* data, std::size_t size) {
        static_cast<std::string*>(text)->append(data, size);
        return 0;
    }
    void begin(fieldwatch_kind kind, std::chrono::system_clock::time_point when, bool is_empty) {
        const auto id = make_id();
        const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch());
        const fieldwatch_event_header header{id.c_str(), since.count(), 0, is_empty ? 1 : 0};
        fieldwatch_event_begin(&encoder_, kind, &header);
    }

    std::string text_;
    fieldwatch_encoder encoder_;
};

}  // namespace fieldwatch::security
