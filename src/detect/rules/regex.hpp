// One regular expression of a rule: RE2, or Vectorscan for what that cannot express (ADR 0230).
#pragma once

#include <atomic>
#include <string_view>

#include "base/result.hpp"
#include "detect/rules/sigma.hpp"

struct hs_scratch;

namespace fieldwatch::detect {

/// Understood when it is made, compiled when it is first run: most expressions of a set meet no value that
/// has a literal of theirs, and compiling all of them was nearly all of a server's start (ADR 0150). Shared
/// by all shards: whoever comes first compiles, and who comes at the same time compiles the same.
class Regex {
  public:
    /// Errors: Malformed for an expression that nobody can compile.
    static Result<Regex> create(const Pattern& pattern);
    ~Regex();
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;

    /// Compiles it, unless that is done, and lets `scratch` fit it.
    void prepare(hs_scratch*& scratch) const;
    /// Whether it occurs in `value`, of which the first 256 KiB are read. It is prepared with `scratch`.
    bool occurs_in(std::string_view value, hs_scratch* scratch) const;

  private:
    struct Machine;  ///< immutable

    explicit Regex(const Pattern& pattern) : pattern_(pattern) {}
    const Machine& machine() const;

    Pattern pattern_;
    mutable std::atomic<const Machine*> machine_ = nullptr;  ///< owned; null until it is first run
};

}  // namespace fieldwatch::detect
