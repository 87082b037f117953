// Advisories of this server: DATA/advisories/NAME in the compact form, read whole into each content version.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/file_system.hpp"
#include "portal/advisories.hpp"

namespace fieldwatch::app {

/// Any thread.
class AdvisoryFolder final : public portal::AdvisoryFiles {
  public:
    static constexpr std::size_t kSmall = 20;     ///< a file of fewer entries may lose any number of them
    static constexpr std::size_t kFilesMax = 64;  ///< vendors' thousands of CSAF files are imported as one

    struct Parts {
        FileSystem& files;
        std::string directory;
        std::function<Result<std::shared_ptr<const detect::AdvisoryTable>>()> in_force;
        std::function<void()> changed;
    };
    explicit AdvisoryFolder(Parts parts) : parts_(std::move(parts)) {}

    Result<Imported> import(Import import) override;
    Result<void> remove(const std::string& name) override;
    Result<std::shared_ptr<const detect::AdvisoryTable>> in_force() override { return parts_.in_force(); }

  private:
    Result<void> check_room(const Import& import, const std::string& compact, std::size_t entries);

    Parts parts_;
    std::mutex mutex_;  ///< one import after the other: each compares with what it replaces
};

/// The files of the folder, by name. Errors: Io, TooLarge.
Result<std::vector<std::pair<std::string, std::string>>> read_advisory_folder(FileSystem& files,
                                                                              const std::string& directory);

}  // namespace fieldwatch::app
