// Passwords of people: argon2id (RFC 9106), made slow on purpose, and one at a time. Internal to portal.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.hpp"
#include "base/result.hpp"

namespace fieldwatch::portal {

inline constexpr std::size_t kPasswordBytesMin = 12;
inline constexpr std::size_t kPasswordBytesMax = 256;

/// Who may hash, now or next. Strangers may ask for it: however many do, 64 MiB, one core and kAtOnce workers
/// of the page's server are all they get; the others are told to come again.
class HashingQueue {
  public:
    static constexpr int kAtOnce = 2;  ///< one hashes and one waits; the server has four workers

    class Place {
      public:
        explicit Place(HashingQueue& queue) : queue_(&queue) {}
        Place(Place&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)) {}
        Place& operator=(Place&&) = delete;
        ~Place() {
            if (queue_ != nullptr) --queue_->places_;
        }
        /// Waits until nobody else hashes.
        std::unique_lock<std::mutex> turn() { return std::unique_lock(queue_->one_at_a_time_); }

      private:
        HashingQueue* queue_;
    };
    /// Errors: Exhausted when kAtOnce are here already.
    Result<Place> enter();

  private:
    std::atomic<int> places_{0};
    std::mutex one_at_a_time_;
};

/// The text form, with parameters and salt: $argon2id$v=19$m=…. About 0.1 s and 64 MiB. Errors:
/// InvalidArgument for a password too short or too long; Exhausted without that memory, or while others hash.
Result<std::string> hash_password(std::string_view password, Random& random);

/// In the same time whether it fits or not. Errors: Exhausted while others hash; nothing was looked at then.
Result<bool> password_fits(std::string_view password, const std::string& hash);

/// A hash that no password has: who does not exist is checked against it, so that nobody learns who does.
const std::string& hash_of_nobody();

}  // namespace fieldwatch::portal
