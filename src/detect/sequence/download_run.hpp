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

    /// Runs of programs in TMPDIRS that a device's late downloads may explain; the oldest goes.
    static constexpr std::size_t kRunsMax = 8;

    /// Whether a line downloads, or runs what may have been; if not, it matters only when waits() says so.
    static bool concerns(CommandLine& command);
    /// Whether the event's device downloaded files that may yet be run, or its program may be one.
    bool waits(const model::Event& event, const model::ProcessCreate& process);
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
    struct Run {
        std::string path, command, executable, user_name, user_id;
        std::int64_t process_id = 0, parent_process_id = 0, hit_count = 1;
        Timestamp time;
        model::LogPosition position;
    };
    struct Device {
        std::vector<File> files;  ///< oldest first
        std::vector<Run> runs;    ///< in the order they came
    };
    void remember(Device& device, std::string_view path, std::string_view line, const model::Event& event,
                  const model::Item& item, Context& context);
    void run(Device& device, std::string_view path, const model::Event& event, const model::Item& item,
             const model::ProcessCreate& process, Context& context);
    static Run run_of(std::string_view path, const model::Event& event, const model::Item& item,
                      const model::ProcessCreate& process);
    static model::Alert alert_of(const model::Event& event, const File& file, const Run& run);
    /// Events may come out of order: a download finds the run that it led to.
    bool ran_already(const Device& device, const File& file, const model::Event& event, Context& context);
    void note_run(std::string_view key, std::string_view path, const model::Event& event,
                  const model::Item& item, const model::ProcessCreate& process);

    BoundedTable<Device> devices_{kDevicesMax};
    std::uint64_t files_evicted_ = 0;
};

}  // namespace fieldwatch::detect
