#include "export/exporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/log.hpp"

namespace fieldwatch::exports {

namespace {

constexpr std::string_view kDocument = "export-destination";
/// A transaction a workspace at most this often.
constexpr std::chrono::seconds kTrim{5};

registry::DocumentKey key_of(std::string_view name) {
    return {.hub = {}, .kind = std::string(kDocument), .id = std::string(name)};
}

std::unexpected<Error> unknown(const std::string& name) {
    return fail(Errc::NotFound, fmt::format("there is no destination \"{}\"", name));
}

}  // namespace

Result<std::unique_ptr<Exporter>> Exporter::create(Parts parts) {
    std::unique_ptr<Exporter> exporter(new Exporter(std::move(parts)));
    FIELDWATCH_TRY(exporter->parts_.files.make_directories(exporter->parts_.directory));
    FIELDWATCH_TRY(exporter->load());
    return exporter;
}

Exporter::~Exporter() {
    stop();
}

Result<void> Exporter::load() {
    const auto documents = FIELDWATCH_TRY(
        parts_.registry.documents({}, kDocument, {.after = {}, .count_max = kDestinationsMax}));
    for (const auto& document : documents) {
        const auto added = [&]() -> Result<void> {
            auto destination = FIELDWATCH_TRY(read_destination(document.id, document.json));
            return add_worker(std::move(destination),
                              FIELDWATCH_TRY(load_progress(parts_.files, progress_path(document.id))));
        }();
        if (!added)
            log::error("export", fmt::format("{} is left out: {}", document.id, added.error().message));
    }
    return {};
}

Result<void> Exporter::add_worker(Destination destination, Progress progress) {
    const auto name = destination.name;
    std::shared_ptr<Worker> made = FIELDWATCH_TRY(Worker::create(std::move(destination),
                                                                 {.files = parts_.files,
                                                                  .clock = parts_.clock,
                                                                  .random = parts_.random,
                                                                  .metrics = parts_.metrics,
                                                                  .progress_path = progress_path(name),
                                                                  .files_directory = parts_.files_directory,
                                                                  .teller = teller_,
                                                                  .sources = parts_.sources},
                                                                 std::move(progress)));
    const std::lock_guard lock(mutex_);
    if (running_) made->start();
    workers_[name] = std::move(made);
    return {};
}

void Exporter::start(Teller teller) {
    const std::lock_guard lock(mutex_);
    teller_ = std::move(teller);
    running_ = true;
    for (const auto& [name, one] : workers_)
        one->start();
    trimming_.start(Ticks{0}, kTrim, [this] { trim(); });
}

void Exporter::stop() {
    trimming_.stop();
    const std::lock_guard changing(change_mutex_);
    for (const auto& [name, one] : workers_)
        one->stop();
}

void Exporter::wake() {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, one] : workers_)
        one->wake();
}

/// Deletes what every destination has passed: all of it, where there is none.
void Exporter::trim() {
    for (const auto& source : parts_.sources()) {
        auto done = source.workspace->outbox_end();
        {
            const std::lock_guard lock(mutex_);
            for (const auto& [name, one] : workers_)
                done = std::min(done, one->cursor(source.id));
        }
        auto& trimmed = trimmed_[source.id];
        if (done <= trimmed) continue;
        if (const auto deleted = source.workspace->outbox_done(done); !deleted) {
            log::error("export", deleted.error().message);
            continue;
        }
        trimmed = done;
    }
}

std::vector<Exporter::Shown> Exporter::list() const {
    std::vector<std::shared_ptr<Worker>> all;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, one] : workers_)
            all.push_back(one);
    }
    std::vector<Shown> out;
    for (const auto& one : all)
        out.push_back({one->destination(), one->status()});
    return out;
}

std::shared_ptr<Worker> Exporter::worker(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = workers_.find(name);
    return found == workers_.end() ? nullptr : found->second;
}

Result<Exporter::Shown> Exporter::get(const std::string& name) const {
    const auto found = worker(name);
    if (!found) return unknown(name);
    return Shown{found->destination(), found->status()};
}

Result<void> Exporter::check_hubs(const Destination& destination) const {
    for (const auto& hub : destination.hubs) {
        if (const auto known = parts_.registry.hub(model::HubName{hub}); !known)
            return fail(Errc::InvalidArgument, "\"hubs\": " + known.error().message);
    }
    return {};
}

Progress Exporter::from_now_on() const {
    Progress out;
    for (const auto& source : parts_.sources())
        out.cursors[source.id] = source.workspace->outbox_end();
    return out;
}

std::shared_ptr<Worker> Exporter::take_out(const std::string& name) {
    auto found = worker(name);
    if (!found) return nullptr;
    // Stopped where it stands: as long as it is in the table nothing is trimmed that it has not passed.
    found->stop();
    return found;
}

Result<Exporter::Put> Exporter::put(const std::string& name, std::string_view json) {
    auto destination = FIELDWATCH_TRY(read_destination(name, json));
    FIELDWATCH_TRY(check_hubs(destination));
    const std::lock_guard changing(change_mutex_);
    Put out;
    const auto before = worker(name);
    out.created = !before;
    if (before) {
        const auto& old = before->destination();
        if (destination.is_webhook() && destination.secret.empty()) destination.secret = old.secret;
        if (destination.same_receiver(old)) {
            if (destination.authorization.empty()) destination.authorization = old.authorization;
            if (destination.password.empty()) destination.password = old.password;
        }
    }
    if (!destination.user.empty() && destination.password.empty())
        return fail(Errc::InvalidArgument, "\"user\" goes with a \"password\"");
    if (!before && list().size() >= kDestinationsMax)
        return fail(Errc::Exhausted, fmt::format("there are at most {} destinations", kDestinationsMax));
    if (destination.is_webhook() && destination.secret.empty()) {
        std::array<std::byte, 32> bytes;
        parts_.random.fill(bytes);
        destination.secret = out.new_secret = hex(bytes);
    }
    // Where it begins comes first: a destination without progress begins at the outbox's oldest row.
    auto progress = before ? take_out(name)->progress() : from_now_on();
    const auto kept = [&]() -> Result<void> {
        FIELDWATCH_TRY(save_progress(parts_.files, progress_path(name), progress));
        const auto document = to_json(destination, Secrets::Shown);
        static_cast<void>(FIELDWATCH_TRY(parts_.registry.put_document(key_of(name), document, {})));
        return {};
    }();
    if (!kept) {
        if (before) FIELDWATCH_TRY(add_worker(before->destination(), std::move(progress)));
        return std::unexpected(kept.error());
    }
    FIELDWATCH_TRY(add_worker(std::move(destination), std::move(progress)));
    out.shown = FIELDWATCH_TRY(get(name));
    return out;
}

Result<void> Exporter::remove(const std::string& name) {
    const std::lock_guard changing(change_mutex_);
    const auto before = take_out(name);
    if (!before) return unknown(name);
    if (const auto removed = parts_.registry.remove_document(key_of(name), std::nullopt); !removed) {
        FIELDWATCH_TRY(add_worker(before->destination(), before->progress()));
        return removed;
    }
    {
        const std::lock_guard lock(mutex_);
        workers_.erase(name);
    }
    return parts_.files.remove(progress_path(name));
}

Result<void> Exporter::test(const std::string& name) {
    const auto found = worker(name);
    if (!found) return unknown(name);
    return found->send_now(test_finding(parts_.clock.now(), parts_.random));
}

std::string Exporter::progress_path(std::string_view name) const {
    return fmt::format("{}/{}.json", parts_.directory, name);
}

}  // namespace fieldwatch::exports
