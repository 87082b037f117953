// Advisories of this server: DATA/advisories/NAME in the compact form, read whole into each content version.
#pragma once

#include <functional>
#include <string>

#include "app/content_folder.hpp"
#include "portal/advisories.hpp"

namespace fieldwatch::app {

/// Any thread.
class AdvisoryFolder final : public portal::AdvisoryFiles {
  public:
    static constexpr std::size_t kFilesMax = 64;  ///< vendors' thousands of CSAF files are imported as one

    struct Parts {
        FileSystem& files;
        std::string directory;
        std::function<Result<std::shared_ptr<const detect::AdvisoryTable>>()> in_force;
        std::function<void()> changed;
    };
    explicit AdvisoryFolder(Parts parts)
        : in_force_(std::move(parts.in_force)),
          folder_(parts.files, std::move(parts.directory), std::move(parts.changed)) {}

    Result<Imported> import(Import import) override;
    Result<void> remove(const std::string& name) override { return folder_.remove(name); }
    Result<std::shared_ptr<const detect::AdvisoryTable>> in_force() override { return in_force_(); }

  private:
    Result<void> check_room(const Import& import, const std::string& compact, std::size_t entries);

    std::function<Result<std::shared_ptr<const detect::AdvisoryTable>>()> in_force_;
    ContentFolder folder_;
};

/// The files of the folder, by name. Errors: Io, TooLarge.
Result<std::vector<std::pair<std::string, std::string>>> read_advisory_folder(FileSystem& files,
                                                                              const std::string& directory);

}  // namespace fieldwatch::app
