#include "agent/update/updater.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "agent/agent_log.hpp"
#include "agent/update/launcher.hpp"
#include "base/sha256_stream.hpp"

namespace fieldwatch::agent {

namespace {

constexpr const char* kFolder = "update";
constexpr const char* kImage = "update/image";
constexpr const char* kWanted = "update/wanted";    // the manifest of what `image` is to become
constexpr const char* kStaged = "update/manifest";  // the same once it has; root looks for this
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kQuietNs = 60 * kSecondNs;  // a server that sends nothing for so long is gone
constexpr std::int64_t kLookNs = kSecondNs;
constexpr std::int64_t kPauseLeastNs = 5 * kSecondNs;
constexpr std::int64_t kPauseMostNs = 3'600 * kSecondNs;
// Whoever speaks for the hub may announce this and that in turn: a flash and a resolver stand so many.
constexpr std::int64_t kBeginningsNs = 60 * kSecondNs;
constexpr std::uint64_t kRoomBytes = 1u << 20;  // left for the spool beside the image

}  // namespace

std::string format_update_status(std::string_view object_name, const UpdateStatus& status) {
    nlohmann::json out;
    out[std::string(object_name)]["agentUpdateState"]["value"] = {
        {"state", status.state}, {"version", status.version}, {"reason", status.reason}};
    return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Updater::Updater(Options options, Handlers handlers, const Clock& clock, Random& random)
    : options_(std::move(options)), handlers_(std::move(handlers)), clock_(clock), random_(random) {
    if (!options_.key) return;
    slots_ = {.package = options_.package, .version = options_.package};
    read_slots();
    status_ = {slots_.outcome.empty() ? "none" : slots_.outcome, slots_.tried_version.text(), slots_.reason};
    if (slots_.outcome.empty()) status_.version.clear();
    const auto staged = read_file(posix_file_system(), kStaged, Manifest::kBytesMax);
    if (!staged || slots_.trial != Slot::Package) return;
    const auto id = hex(sha256(*staged));
    if (id != slots_.tried) not_taken_up_ = id;
    if (id == slots_.tried) handlers_.changed(status_);  // the first start since root has decided
    tidy();
}

void Updater::read_slots() {
    const auto text = read_file(posix_file_system(), options_.slots_directory + "/state", kSlotStateBytesMax);
    // Where it cannot be read just now, what was known stands.
    if (const auto read = text ? parse_slot_state(as_text(*text)) : std::unexpected(text.error()))
        slots_ = *read;
}

void Updater::tell(std::string state, std::string reason) {
    const UpdateStatus next{std::move(state), wanted_ ? wanted_->version.text() : status_.version,
                            std::move(reason)};
    if (next == status_) return;
    status_ = next;
    say(status_.reason.empty() ? Severity::Information : Severity::Warning,
        "update: " + status_.version + " " + status_.state +
            (status_.reason.empty() ? "" : ", " + status_.reason));
    handlers_.changed(status_);
}

/// What root has taken up, or nobody wants any more. `connected` stays: the next start asks for it.
void Updater::tidy() {
    for (const auto* name : {kStaged, kWanted, kImage})
        (void)posix_file_system().remove(name);
}

void Updater::announce(const std::optional<Announcement>& announcement) {
    if (heard_ && announcement == announced_) return;
    heard_ = true;
    announced_ = announcement;
    download_.reset();
    image_.reset();
    wanted_.reset();
    failures_ = 0;
    if (!announced_) {
        if (slots_.trial == Slot::Package) tidy();
        if (status_.state != slots_.outcome) tell("none");
        return;
    }
    if (const auto taken = take_up(); !taken) {
        tell("refused", taken.error().message);
        wanted_.reset();
    }
}

Result<void> Updater::take_up() {
    if (!options_.key) {
        tell("off", "the device's own configuration names no key for updates");
        return {};
    }
    wanted_ = FIELDWATCH_TRY(parse_manifest(announced_->manifest));
    if (wanted_->id() == slots_.tried) {  // root has, and said how it went
        tell(slots_.outcome, slots_.reason);
        wanted_.reset();
        return {};
    }
    // Asking for another start would bring no more than the last did.
    if (wanted_->id() == not_taken_up_)
        return fail(Errc::Unavailable, "root did not take it up; is " + options_.slots_directory +
                                           " writable, and the agent run by root?");
    if (!wanted_->is_signed_by(*options_.key))
        return fail(Errc::Unauthorized, "the update is not signed by this device's update key");
    FIELDWATCH_TRY(wanted_->check_for(slots_.version));
    FIELDWATCH_TRY(parse_https_url(announced_->url));
    next_attempt_ns_ = begun_ns_ == 0 ? now_ns() : std::max(now_ns(), begun_ns_ + kBeginningsNs);
    tell(slots_.trial == Slot::Package ? "downloading" : "waiting");
    return {};
}

void Updater::connected() {
    if (!options_.key || slots_.trial == Slot::Package || said_connected_) return;
    said_connected_ = lay_down(kUpdateConnected);
}

void Updater::stopped() {
    if (!options_.key || slots_.trial == Slot::Package || said_connected_) return;
    (void)lay_down(kUpdateStopped);
}

/// The id of what is on trial, for root to read.
bool Updater::lay_down(const char* name) {
    auto& files = posix_file_system();
    return files.make_directories(kFolder) &&
           replace_file(files, std::string(kFolder) + "/" + name, as_bytes(slots_.tried)).has_value();
}

std::int64_t Updater::wake_ns() const {
    if (!options_.key) return INT64_MAX;
    if (slots_.trial != Slot::Package) return next_look_ns_;
    if (!wanted_) return INT64_MAX;
    if (!download_) return next_attempt_ns_;
    return download_->has_more() ? 0 : quiet_since_ns_ + kQuietNs;
}

void Updater::advance() {
    if (!options_.key) return;
    if (slots_.trial != Slot::Package) {
        if (now_ns() < next_look_ns_) return;
        next_look_ns_ = now_ns() + kLookNs;
        read_slots();
        if (slots_.trial != Slot::Package) return;
        tell(slots_.outcome, slots_.reason);
        tidy();
        if (wanted_) tell("downloading");
    }
    if (wanted_) step();
}

void Updater::step() {
    if (!download_) {
        if (now_ns() < next_attempt_ns_) return;
        if (const auto begun = begin_download(); !begun) return put_off(begun.error());
        if (!download_) return;  // all of it was here
    }
    const auto done = bring();
    if (!done) return put_off(done.error());
    if (!*done) return;
    download_.reset();
    if (const auto staged = stage(); !staged) put_off(staged.error());
}

Result<void> Updater::begin_download() {
    auto& files = posix_file_system();
    begun_ns_ = now_ns();
    FIELDWATCH_TRY(files.make_directories(kFolder));
    const auto kept = read_file(files, kWanted, Manifest::kBytesMax);
    if (!kept || as_text(*kept) != wanted_->text) {
        tidy();
        if (FIELDWATCH_TRY(files.free_bytes(kFolder)) < wanted_->image_bytes() + kRoomBytes)
            return fail(Errc::Exhausted, "the state folder has no room for the update");
        FIELDWATCH_TRY(replace_file(files, kWanted, as_bytes(wanted_->text)));
    }
    auto opened = files.open(kImage, OpenMode::ReadWrite);
    if (!opened) opened = files.open(kImage, OpenMode::CreateNew);
    if (!opened) return std::unexpected(opened.error());
    image_ = std::move(*opened);
    const auto here = FIELDWATCH_TRY(image_->size());
    if (here == wanted_->image_bytes()) return stage();
    if (here > wanted_->image_bytes()) FIELDWATCH_TRY(image_->truncate(0));
    const auto url = FIELDWATCH_TRY(parse_https_url(announced_->url));
    download_ = FIELDWATCH_TRY(Download::start(
        url, options_.tls,
        {.bytes = wanted_->image_bytes(), .begin = here > wanted_->image_bytes() ? 0 : here}));
    received_ = 0;
    quiet_since_ns_ = now_ns();
    tell("downloading");
    return {};
}

Result<bool> Updater::bring() {
    const auto done = FIELDWATCH_TRY(download_->advance(
        [this](std::uint64_t offset, ByteView bytes) { return image_->write_at(offset, bytes); }));
    if (download_->received() != received_) {
        received_ = download_->received();
        quiet_since_ns_ = now_ns();
    }
    if (!done && now_ns() - quiet_since_ns_ >= kQuietNs)
        return fail(Errc::Timeout, "the update's server does not answer");
    return done;
}

/// The manifest last: where root finds it, the image is whole and durable.
Result<void> Updater::stage() {
    FIELDWATCH_TRY(image_->sync());
    if (const auto good = check_image(); !good) {
        tidy();  // what was resumed may be of two images: begun anew
        return good;
    }
    FIELDWATCH_TRY(replace_file(posix_file_system(), kStaged, as_bytes(wanted_->text)));
    image_.reset();
    tell("staged");
    wanted_.reset();
    handlers_.restart();
    return {};
}

Result<void> Updater::check_image() {
    std::uint64_t at = 0;
    std::array<std::byte, 16 * 1'024> buffer;
    for (const auto& program : wanted_->programs) {
        Sha256Stream hash;
        const auto end = at + program.bytes;
        while (at < end) {
            const auto part = std::span(buffer).first(std::min<std::size_t>(buffer.size(), end - at));
            if (FIELDWATCH_TRY(image_->read_at(at, part)) != part.size())
                return fail(Errc::Corrupt, "the update's image ends early");
            hash.add(part);
            at += part.size();
        }
        if (hex(hash.finish()) != program.sha256)
            return fail(Errc::Corrupt, "what the update's server has is not what the manifest says");
    }
    return {};
}

void Updater::put_off(const Error& error) {
    download_.reset();
    image_.reset();
    const auto pause = std::min(kPauseLeastNs << std::min(failures_++, 10U), kPauseMostNs);
    next_attempt_ns_ =
        now_ns() + pause + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(pause / 2)));
    tell("failed", error.message);
}

}  // namespace fieldwatch::agent
