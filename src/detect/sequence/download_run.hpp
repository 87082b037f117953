// A24, possible backdoor: one command downloads a file, within an hour another command of the same device
// runs it. spec/alerts.md section 7.2. What one command line does alone is A32's, a rule.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bounded_table.hpp"
#include "detect/command/command.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// One strand.
class DownloadRun {
  public:
    static constexpr std::size_t kDevicesMax = 20'000;
    static constexpr std::size_t kFilesMax =
        64;  ///< downloads of one device that wait to be run; the oldest goes, counted

    /// Whether a line downloads; if not, it concerns only a device that waits().
    static bool concerns(CommandLine& command);
    /// Whether the event's device downloaded files that may yet be run.
    bool waits(const model::Event& event);
    /// `command` is the item's normalised line; `absorbed` says that a rule called the download by a better
    /// name.
    void observe(const model::Event& event, const model::Item& item, const model::ProcessCreate& process,
                 CommandLine& command, bool absorbed, Context& context);

    std::uint64_t files_evicted() const { return files_evicted_; }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct File {
        std::string path;  ///< absolute, or a bare name when the directory is not known
        std::string command;
        Timestamp time;
        model::LogPosition position;
    };
    struct Device {
        std::vector<File> files;  ///< oldest first
    };
    void remember(Device& device, std::string_view path, std::string_view line, const model::Event& event,
                  const model::Item& item);
    void run(Device& device, std::string_view path, const model::Event& event, const model::Item& item,
             const model::ProcessCreate& process, Context& context);

    BoundedTable<Device> devices_{kDevicesMax};
    std::uint64_t files_evicted_ = 0;
};

}  // namespace fieldwatch::detect
