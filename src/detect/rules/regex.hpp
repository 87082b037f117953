// One regular expression of a rule: Vectorscan, or RE2 for what that cannot express.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "detect/rules/sigma.hpp"

struct hs_database;
struct hs_scratch;
namespace re2 {
class RE2;
}

namespace fieldwatch::detect {

/// Immutable; shared by all shards.
class Regex {
  public:
    /// Errors: Malformed for an expression that nobody can compile.
    static Result<Regex> create(const Pattern& pattern);
    ~Regex();
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;

    /// Whether it occurs in `value`, of which the first 256 KiB are read. `scratch` fits database().
    bool occurs_in(std::string_view value, hs_scratch* scratch) const;
    const hs_database* database() const { return database_; }  ///< none where RE2 does the work

  private:
    Regex();
    hs_database* database_ = nullptr;
    std::unique_ptr<re2::RE2> other_;
};

}  // namespace fieldwatch::detect
