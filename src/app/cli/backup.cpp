// fieldwatch backup and restore: all state of a server into a folder or file, and back into an empty one.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "app/cli/operations.hpp"
#include "backup/restore.hpp"
#include "backup/target.hpp"
#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "registry/sealing.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kPieceBytes = 8u << 20;

struct BackupOptions {
    std::string place, data;
    bool replace = false;
};

std::string size_text(std::uint64_t bytes) {
    if (bytes >= 10ull << 30) return fmt::format("{} GiB", bytes >> 30);
    if (bytes >= 10ull << 20) return fmt::format("{} MiB", bytes >> 20);
    return fmt::format("{} KiB", (bytes + 1023) >> 10);
}

/// On a terminal, twice a second from the first second on.
class ProgressLine {
  public:
    explicit ProgressLine(const char* what) : what_(what), shown_(system_clock().now() + Ticks(5'000'000)) {}
    ~ProgressLine() {
        if (any_) std::fputs("\r\033[K", stderr);
    }
    void show(std::uint64_t done, std::uint64_t total) {
        const auto now = system_clock().now();
        if (isatty(STDERR_FILENO) == 0 || now - shown_ < Ticks(5'000'000)) return;
        shown_ = now;
        any_ = true;
        const auto part = total == 0 ? std::string() : fmt::format(" of {}", size_text(total));
        std::fprintf(stderr, "\r%s %s%s\033[K", what_, size_text(done).c_str(), part.c_str());
    }

  private:
    const char* what_;
    Timestamp shown_;
    bool any_ = false;
};

Result<void> take_file(const Session& session, const std::string& id, const Json& file,
                       backup::Writer& writer, const std::function<void(std::uint64_t)>& taken) {
    const auto path = file.value("path", "");
    const auto bytes = file.value("bytes", std::uint64_t{0});
    FIELDWATCH_TRY(writer.begin(path, bytes));
    for (std::uint64_t at = 0; at < bytes;) {
        const auto piece = FIELDWATCH_TRY(
            call_bytes(session, "GET",
                       fmt::format("/api/v1/backups/{}/content?path={}&from={}&bytes={}", id,
                                   percent_encode(path), at, std::min(kPieceBytes, bytes - at)),
                       {}));
        if (piece.empty()) return fail(Errc::Corrupt, path + " is shorter than the server said");
        FIELDWATCH_TRY(writer.write(as_bytes(piece)));
        at += piece.size();
        taken(piece.size());
    }
    return writer.end();
}

Result<void> take_all(const Session& session, const Json& staged, backup::Writer& writer) {
    ProgressLine line("backing up");
    std::uint64_t done = 0;
    const auto total = staged.value("bytes", std::uint64_t{0});
    for (const auto& file : staged["files"]) {
        FIELDWATCH_TRY(take_file(session, staged.value("id", ""), file, writer, [&](std::uint64_t bytes) {
            done += bytes;
            line.show(done, total);
        }));
    }
    return writer.finish();
}

Result<void> back_up(const Session& session, const BackupOptions& options) {
    const auto place = backup::plain_path(options.place);
    auto target = FIELDWATCH_TRY(backup::create_target(place));
    const Json body{{"replace", options.replace}};
    const auto staged = FIELDWATCH_TRY(call(session, "POST", "/api/v1/backups", &body));
    const auto id = staged.value("id", "");
    backup::Writer writer(*target, {.product_version = staged.value("version", ""),
                                    .created = staged.value("created", ""),
                                    .files = {}});
    const auto taken = take_all(session, staged, writer);
    std::error_code problem;
    const auto known_as = taken ? std::filesystem::absolute(place, problem).string() : std::string();
    const auto gone =
        call(session, "DELETE", fmt::format("/api/v1/backups/{}?place={}", id, percent_encode(known_as)));
    FIELDWATCH_TRY(Result<void>(taken));
    if (!gone)
        std::fprintf(stderr, "fieldwatch: the backup is whole, but the server does not remember it: %s\n",
                     gone.error().message.c_str());
    const auto bytes = staged.value("bytes", std::uint64_t{0});
    if (session.format == "json") {
        std::puts(Json{{"id", id}, {"place", known_as}, {"files", staged["files"].size()}, {"bytes", bytes}}
                      .dump()
                      .c_str());
    } else {
        std::printf("%s: %zu files, %s, as of %s\n", place.c_str(), staged["files"].size(),
                    size_text(bytes).c_str(), staged.value("created", "").c_str());
    }
    const bool opens = std::ranges::any_of(
        staged["files"], [](const Json& file) { return file.value("path", "") == "master-key"; });
    std::fputs(
        opens
            ? "It holds the keys of every device and hub, of the certificate authority, the master key, and "
              "personal data: keep it like those.\n"
            : "It holds the keys of every device and hub, sealed, and those of the certificate authority, "
              "and "
              "personal data: keep it like those.\nIt does not hold the master key, which this server gets "
              "from elsewhere: a restored server needs that one too.\n",
        stderr);
    return {};
}

Result<void> bring_back(const BackupOptions& options) {
    ProgressLine line("restoring");
    const auto manifest = FIELDWATCH_TRY(
        backup::restore(options.place, options.data, [&](std::uint64_t bytes) { line.show(bytes, 0); }));
    const auto sealed = registry::sealing_state(options.data + "/registry.db");
    std::error_code problem;
    if (sealed && !sealed->key_id.empty() && !std::filesystem::exists(options.data + "/master-key", problem))
        std::fprintf(stderr,
                     "It needs the master key %s, which the backup does not hold: name its file by "
                     "FIELDWATCH_MASTER_KEY_FILE, or write it to %s/master-key.\n",
                     sealed->key_id.c_str(), options.data.c_str());
    std::printf(
        "%s: %zu files of %s, as of %s; every hash is right. Start it with: fieldwatch serve --data %s\n",
        options.data.c_str(), manifest.files.size(), printable(manifest.product_version).c_str(),
        printable(manifest.created).c_str(), options.data.c_str());
    return {};
}

}  // namespace

void add_backup(CLI::App& app, Session& session) {
    const auto options = std::make_shared<BackupOptions>();
    auto* const backup = app.add_subcommand("backup", "Copy all state of the running server");
    backup
        ->add_option("PLACE", options->place,
                     "A folder to make, or a file ending in .tar, .tar.gz or .tar.zst")
        ->required();
    backup->add_flag("--replace", options->replace, "Give up a backup that another command left unfinished");
    add_session_options(*backup, session);
    backup->footer(
        "Registry, log, checkpoints, workspaces, certificate authority, indicators and uploads, as they are "
        "at "
        "one moment;\nthe server goes on. What is not finished has another name (.fieldwatch-partial), and "
        "the "
        "next try replaces it.\nThe backup holds keys, and the master key unless that comes from elsewhere: "
        "whoever has it can act as every "
        "device.");
    backup->callback([options, &session] { run(session, [&] { return back_up(session, *options); }); });

    auto* const restore = app.add_subcommand("restore", "Make a data folder of a backup; no server needed");
    restore->add_option("PLACE", options->place, "What fieldwatch backup wrote")->required();
    restore->add_option("--data", options->data, "The folder to make; it may be there if it is empty")
        ->required();
    restore->footer(
        "Every file is compared with the hash that was taken when it was backed up. The folder gets its name "
        "when all\nof it is right and on disk: a restore that ends early leaves nothing under that name.");
    restore->callback([options, &session] {
        const auto done = bring_back(*options);
        session.exit_status = done ? kDone : report(done.error());
    });
}

}  // namespace fieldwatch::app
