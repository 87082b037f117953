// The bundles of a server: whom it trusts, which version of each is in force, and the way back to an earlier
// one. docs/intelligence.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "detect/intel/indicator.hpp"
#include "feed/bundle.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::feed {

/// Whom an administrator trusts with what detection looks for.
struct Trust {
    static constexpr std::size_t kKeysMax = 32;

    bool required = false;  ///< nothing that is unsigned is taken: no import, no feed, no bundle
    std::map<std::string, PublicKey> keys;
};

/// Any thread.
class Bundles {
  public:
    static constexpr std::size_t kBundlesMax = 32, kVersionsKept = 5;

    struct Parts {
        registry::Registry& registry;
        FileSystem& files;
        std::string directory;        ///< of bundles as they came
        std::string intel_directory;  ///< of the files that detection reads
        std::function<void()> changed;
    };
    struct Kept {
        std::uint64_t version = 0;
        Timestamp created;
        std::string signed_by;  ///< name of the trusted key; "" = nobody that is trusted
        std::size_t files = 0;
    };
    struct Shown {
        std::string name;
        std::uint64_t current = 0, highest = 0;
        std::vector<Kept> versions;  ///< newest first
    };
    struct Applied {
        Shown shown;
        std::size_t indicators = 0, warnings = 0;
        std::uint64_t skipped = 0;
        std::vector<detect::BadLine> bad;
    };

    /// Puts the files of the current versions where they belong, if a crash kept them from it. Errors: Io,
    /// Corrupt.
    static Result<std::unique_ptr<Bundles>> open(Parts parts);

    /// Puts a bundle in force. Errors: Malformed; Unauthorized when it is not signed as required; Conflict
    /// for a version that is not above all before, or when it lost more than half of the indicators.
    Result<Applied> apply(std::string_view bytes, bool may_shrink);
    /// Back to a version that was kept; 0 = the one before the current. What is applied next must still be
    /// above the highest. Errors: NotFound.
    Result<Applied> roll_back(const std::string& name, std::uint64_t version);
    /// Its files go, and all its versions. Errors: NotFound.
    Result<void> remove(const std::string& name);
    Result<std::vector<Shown>> list();

    Result<Trust> trust();
    Result<void> set_trust(const Trust& trust);
    /// Errors: Forbidden where signatures are required: for what has none.
    Result<void> check_unsigned_allowed();

  private:
    struct State {
        std::uint64_t current = 0, highest = 0;
    };
    explicit Bundles(Parts parts) : parts_(std::move(parts)) {}

    Result<std::string> signer_of(const Bundle& bundle, const Trust& trust) const;
    Result<Applied> put_in_force(const Bundle& bundle);
    Result<void> write_files(const Bundle& bundle);
    Result<Bundle> read(const std::string& name, std::uint64_t version) const;
    Result<std::vector<std::uint64_t>> versions(const std::string& name) const;  ///< newest first
    Result<Shown> shown(const std::string& name);
    std::string path(const std::string& name, std::uint64_t version) const;
    Result<void> load();
    Result<void> save() const;

    Parts parts_;
    std::mutex mutex_;  ///< of everything below, and one change after the other
    std::map<std::string, State> states_;
};

}  // namespace fieldwatch::feed
