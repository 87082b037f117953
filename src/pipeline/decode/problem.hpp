// What a decoder found wrong, and how wrong: spec/security-messages.md section 7 asks for all errors with
// their places.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwatch::pipeline {

enum class ProblemClass : std::uint8_t {
    Note,    ///< conforms, but only by accident of the published schema; counted
    Compat,  ///< what real field agents send; refused with `strict`
    Fatal,   ///< voids its event, or its message when it is in the envelope
};
std::string_view to_string(ProblemClass problem_class);

struct Problem {
    ProblemClass problem_class = ProblemClass::Fatal;
    std::string pointer;  ///< RFC 6901, from the root of the body
    std::string reason;
};

/// The first `kMax` problems of one record; the rest are counted.
class Problems {
  public:
    static constexpr std::size_t kMax =
        64;  ///< a screen or two for a human; a hostile message could have thousands

    void add(ProblemClass problem_class, std::string pointer, std::string reason);
    void clear() { *this = {}; }

    const std::vector<Problem>& list() const { return list_; }
    std::uint64_t count() const { return count_; }
    std::uint64_t fatal() const { return fatal_; }
    std::uint64_t compat() const { return compat_; }

    /// `/Events/0/Name: reason (and 2 more)` about the fatal ones from `first` on; in strict mode the compat
    /// ones too.
    std::string sentence(std::size_t first = 0, bool strict = false) const;

  private:
    std::vector<Problem> list_;
    std::uint64_t count_ = 0, fatal_ = 0, compat_ = 0;
};

}  // namespace fieldwatch::pipeline
