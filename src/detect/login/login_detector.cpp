#include "detect/login/login_detector.hpp"

#include <algorithm>
#include <tuple>

#include "base/hash.hpp"
#include "base/ip_address.hpp"
#include "base/json_text.hpp"
#include "detect/command/address.hpp"

namespace fieldwatch::detect {

namespace {

constexpr Ticks kOneLogin =
    std::chrono::seconds(5);  ///< several records of one login, spec/alerts.md section 6
constexpr std::size_t kSeenMax = 16;
/// The source that stands for all those for whom there is no place.
constexpr std::string_view kManyAddresses = "many addresses";

constexpr AlertType kBruteForceSuccess{"fieldwatch-a06",
                                       "IoT_Bruteforce_Success",
                                       "Successful Bruteforce attempt",
                                       "Many failed log-ins from one address were followed by a successful "
                                       "one: passwords were tried until one fitted.",
                                       "InitialAccess,CredentialAccess",
                                       model::Severity::High,
                                       "T1110",
                                       "Review the brute-force alerts and the device's activity; if "
                                       "malicious reset passwords of the accounts and look for malware"};
constexpr AlertType kLocalSuccess{"fieldwatch-a07",
                                  "IoT_SucessfulLocalLogin",
                                  "Successful local login",
                                  "Someone logged in at the device itself.",
                                  "InitialAccess",
                                  model::Severity::High,
                                  "T1078.003",
                                  "Make sure that the person is authorised"};
constexpr AlertType kLocalFail{
    "fieldwatch-a17",     "IoT_FailedLocalLogin",
    "Failed local login", "Someone tried to log in at the device itself and failed.",
    "CredentialAccess",   model::Severity::Medium,
    "T1078.003",          "Check that nobody unauthorised has physical access"};
constexpr AlertType kBruteForceFail{
    "fieldwatch-a36",
    "IoT_Bruteforce_Fail",
    "Failed Bruteforce attempt",
    "Many failed log-ins from one address within a short time; none succeeded.",
    "CredentialAccess",
    model::Severity::Low,
    "T1110",
    "Review; nothing further"};

void add_name(std::vector<std::string>& names, std::string_view name) {
    if (name.empty() || names.size() >= LoginDetector::kNamesMax) return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

std::string entities(std::string_view hub, std::string_view device, std::string_view user,
                     std::string_view address) {
    std::string out;
    EntityWriter writer(out, hub, device);
    if (!user.empty()) writer.add("account", {{"Name", user}});
    if (!address.empty()) writer.add("ip", {{"Address", address}});
    writer.end();
    return out;
}

/// Published shape: spec/alerts.md section 2.3.
std::string burst_properties(std::string_view device, const std::vector<std::string>& endpoints,
                             const std::vector<std::string>& users, std::string_view correlation) {
    std::string out;
    JsonWriter json(out);
    json.begin_object()
        .member("Full Source Address", json_list(endpoints))
        .member("User Names", json_list(users))
        .member("DeviceId", device)
        .member_if("CorrelationKey", correlation)
        .end_object();
    return out;
}

/// One spelling of an address, that the same source is counted once: `::ffff:192.0.2.7` is 192.0.2.7.
std::string one_spelling(std::string_view text) {
    const auto address = parse_ip(text);
    return address ? address->unmapped().text() : std::string(text);
}

}  // namespace

bool LoginDetector::observe(const model::Event& event, const model::Item& item, const model::Login& login,
                            Context& context) {
    if (login.result == model::LoginResult::Logout) return true;
    auto& device = devices_.get(device_key(event.hub, event.device));
    if (device.name.empty()) {
        device.hub = event.hub;
        device.name = event.device;
    }
    if (is_repeat(device, event, login)) return false;
    if (is_local_login(login.remote_address)) {
        local(event, item, login, context);
    } else if (login.result == model::LoginResult::Fail) {
        fail(device, event, item, login, context);
    } else {
        succeed(device, event, item, login, context);
    }
    return true;
}

bool LoginDetector::is_repeat(Device& device, const model::Event& event, const model::Login& login) {
    if (login.process_id == 0 || event.hit_count > 1) return false;  // no process to know it by
    const auto user = hash64(as_bytes(login.user_name.empty() ? login.user_id : login.user_name));
    const auto result = std::to_underlying(login.result);
    for (const auto& seen : device.seen) {
        const auto apart = event.time >= seen.time ? event.time - seen.time : seen.time - event.time;
        if (seen.process_id == login.process_id && seen.user == user && seen.result == result &&
            apart <= kOneLogin)
            return true;
    }
    if (device.seen.size() == kSeenMax) device.seen.erase(device.seen.begin());
    device.seen.push_back({login.process_id, user, result, event.time});
    return false;
}

void LoginDetector::local(const model::Event& event, const model::Item& item, const model::Login& login,
                          Context& context) {
    auto alert = device_alert(login.result == model::LoginResult::Fail ? kLocalFail : kLocalSuccess, event,
                              item.position);
    const std::string_view user = login.user_name.empty() ? login.user_id : login.user_name;
    const std::string_view remote = login.remote_address.empty() ? "?" : login.remote_address;
    alert.discriminator = std::string(user) + "|" + std::string(remote);
    alert.entities_json = entities(event.hub, event.device, user, {});
    JsonWriter json(alert.extended_json);
    json.begin_object()
        .member("Remote Address", remote)
        .member("Remote Port", login.remote_port)
        .member("Local Port", login.local_port)
        .member("Login Shell", login.executable)
        .member("Login Process Id", std::to_string(login.process_id))
        .member("User Name", user)
        .member("DeviceId", event.device)
        .end_object();
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

LoginDetector::Source& LoginDetector::source_of(Device& device, std::string_view address, Context& context) {
    auto& sources = device.sources;
    const auto found =
        std::find_if(sources.begin(), sources.end(), [&](const Source& s) { return s.address == address; });
    if (found != sources.end()) {
        std::rotate(found, found + 1, sources.end());
        return sources.back();
    }
    while (sources.size() >= kSourcesMax)
        evict_one(device, context);
    sources.emplace_back().address = address;
    return sources.back();
}

/// Makes room: whoever failed least goes first, the oldest of them, so that no number of others hides one who
/// tries many passwords. What those who go have failed counts together.
void LoginDetector::evict_one(Device& device, Context& context) {
    const auto rank = [](const Source& source) {
        const int told = !source.burst ? 0 : source.reported ? 1 : 2;
        return std::tuple(source.address == kManyAddresses, told, source.recent.size());
    };
    const auto victim = std::ranges::min_element(device.sources, {}, rank);
    auto gone = std::move(*victim);
    device.sources.erase(victim);
    open_.erase({device_key(device.hub, device.name), gone.address});
    ++sources_evicted_;
    if (gone.burst) {
        if (!gone.reported) report_failed(device, gone, context);
    } else if (!gone.recent.empty()) {
        count_among_many(device, gone, context);
    }
}

void LoginDetector::count_among_many(Device& device, const Source& gone, Context& context) {
    auto& many = source_of(device, kManyAddresses, context);
    const auto window = context.settings.bruteforce_window;
    const Timestamp newest{gone.recent.back()};
    if (many.burst && newest > many.last + window) {
        if (!many.reported) report_failed(device, many, context);
        open_.erase({device_key(device.hub, device.name), many.address});
        many = Source{};
        many.address = kManyAddresses;
    }
    const auto needed = static_cast<std::size_t>(context.settings.bruteforce_failures);
    for (const auto at : gone.recent) {
        many.recent.insert(std::ranges::upper_bound(many.recent, at), at);
        if (many.recent.size() > needed) many.recent.erase(many.recent.begin());
    }
    for (const auto& user : gone.users)
        add_name(many.users, user);
    for (const auto& endpoint : gone.endpoints)
        add_name(many.endpoints, endpoint);
    for (const auto& position : gone.evidence)
        add_evidence(many.evidence, position);
    if (many.burst) {
        many.failures += static_cast<std::int64_t>(gone.recent.size());
        many.last = std::max(many.last, newest);
    } else if (many.recent.size() >= needed && many.recent.back() - many.recent.front() <= window.count()) {
        many.burst = true;
        many.start = Timestamp{many.recent.front()};
        many.last = Timestamp{many.recent.back()};
        many.failures = static_cast<std::int64_t>(many.recent.size());
    }
    many.last_received = context.now;
    if (many.burst && !many.reported) open_.emplace(device_key(device.hub, device.name), many.address);
}

void LoginDetector::Source::forget_success() {
    won = false;
    if (!recent.empty()) return;
    users.clear();
    endpoints.clear();
    evidence.clear();
}

void LoginDetector::fail(Device& device, const model::Event& event, const model::Item& item,
                         const model::Login& login, Context& context) {
    auto& source = source_of(device, one_spelling(login.remote_address), context);
    const auto window = context.settings.bruteforce_window;
    if (source.burst &&
        event.time > source.last + window) {  // another attempt: what the old one left is out by now
        if (!source.reported) report_failed(device, source, context);
        auto address = std::move(source.address);
        open_.erase({device_key(device.hub, device.name), address});
        source = Source{};
        source.address = std::move(address);
    }
    if (source.won && !source.burst && event.time >= source.last) source.forget_success();
    const auto needed = static_cast<std::size_t>(context.settings.bruteforce_failures);
    const auto points = std::min<std::int64_t>(event.hit_count, context.settings.bruteforce_failures);
    const auto from = event.hit_count > 1 ? event.window_start.ticks : event.time.ticks;
    const auto to = event.hit_count > 1 ? event.window_end.ticks : event.time.ticks;
    for (std::int64_t i = 0; i < points; ++i) {
        // The middle of the i-th of equal parts, so that neither end of the interval is favoured.
        const auto at =
            event.hit_count > 1 ? from + (to - from) / points * i + (to - from) / points / 2 : from;
        source.recent.insert(std::upper_bound(source.recent.begin(), source.recent.end(), at), at);
        if (source.recent.size() > needed) source.recent.erase(source.recent.begin());
    }
    add_name(source.users, login.user_name.empty() ? login.user_id : login.user_name);
    add_name(source.endpoints, std::string(login.remote_address) + ":" + std::string(login.remote_port));
    add_evidence(source.evidence, item.position);
    if (source.burst) {
        source.failures += event.hit_count;
        source.last = std::max(source.last, Timestamp{to});
    } else if (source.recent.size() >= needed &&
               source.recent.back() - source.recent.front() <= window.count()) {
        const auto success = source.last;
        source.burst = true;
        source.start = Timestamp{source.recent.front()};
        source.last = Timestamp{source.recent.back()};
        source.failures =
            std::max<std::int64_t>(static_cast<std::int64_t>(source.recent.size()), event.hit_count);
        if (source.won && success > source.last && success <= source.last + window)
            return report_won(device, source, event, {}, success, context);
    }
    source.last_received = context.now;
    if (source.burst && !source.reported) open_.emplace(device_key(device.hub, device.name), source.address);
}

void LoginDetector::succeed(Device& device, const model::Event& event, const model::Item& item,
                            const model::Login& login, Context& context) {
    const auto address = one_spelling(login.remote_address);
    const auto found = std::find_if(device.sources.begin(), device.sources.end(),
                                    [&](const Source& s) { return s.address == address; });
    if (found == device.sources.end() || !found->burst) {
        if (found != device.sources.end() || device.sources.size() < kSourcesMax / 2)
            remember(device, event, item, login, address, context);
        return;
    }
    if (event.time < found->start || event.time > found->last + context.settings.bruteforce_window) return;
    auto& source = *found;
    add_name(source.users, login.user_name.empty() ? login.user_id : login.user_name);
    add_name(source.endpoints, source.address + ":" + std::string(login.remote_port));
    add_evidence(source.evidence, item.position);
    report_won(device, source, event, login.user_name, event.time, context);
}

/// Events may come out of order: failures that are late find the log-in that they led to.
void LoginDetector::remember(Device& device, const model::Event& event, const model::Item& item,
                             const model::Login& login, std::string_view address, Context& context) {
    auto& source = source_of(device, address, context);
    if (source.won && source.last >= event.time) return;
    if (source.won) source.forget_success();
    source.won = true;
    source.last = event.time;
    add_name(source.users, login.user_name.empty() ? login.user_id : login.user_name);
    add_name(source.endpoints, source.address + ":" + std::string(login.remote_port));
    add_evidence(source.evidence, item.position);
}

void LoginDetector::report_won(Device& device, Source& source, const model::Event& event,
                               std::string_view user, Timestamp at, Context& context) {
    auto alert = device_alert(kBruteForceSuccess, event, source.evidence.front());
    alert.evidence = source.evidence;
    alert.start = source.start;
    alert.end = std::max(alert.end, at);
    alert.hit_count = source.failures;
    alert.discriminator = source.address;
    const auto failed = context.book.open_id(event.hub, kBruteForceFail.type, event.device, source.address);
    const auto correlation = failed ? failed->text() : std::string();
    alert.extended_json = burst_properties(event.device, source.endpoints, source.users, correlation);
    alert.entities_json = entities(event.hub, event.device, user, source.address);
    if (failed)
        context.book.absorb(event.hub, kBruteForceFail.type, event.device, source.address, correlation,
                            context.now, context.out);
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
    open_.erase({device_key(device.hub, device.name), source.address});
    device.sources.erase(device.sources.begin() + (&source - device.sources.data()));
}

void LoginDetector::report_failed(const Device& device, Source& source, Context& context) {
    model::Event event;
    event.hub = device.hub;
    event.device = device.name;
    auto alert = device_alert(kBruteForceFail, event, source.evidence.front());
    alert.evidence = source.evidence;
    alert.start = source.start;
    alert.end = source.last;
    alert.hit_count = source.failures;
    alert.discriminator = source.address;
    alert.extended_json = burst_properties(device.name, source.endpoints, source.users, {});
    const bool from_many = source.address == kManyAddresses;
    alert.entities_json = entities(device.hub, device.name, {},
                                   from_many ? std::string_view{} : std::string_view(source.address));
    source.reported = true;
    context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
}

void LoginDetector::advance(Context& context) {
    // A success may travel later than the failures did, so the wait is counted from the receipt of the last
    // failure.
    for (auto at = open_.begin(); at != open_.end();) {
        auto* const device = devices_.find(at->first);
        const auto found = device == nullptr
                               ? std::vector<Source>::iterator{}
                               : std::find_if(device->sources.begin(), device->sources.end(),
                                              [&](const Source& s) { return s.address == at->second; });
        if (device == nullptr || found == device->sources.end()) {  // evicted, and counted there
            at = open_.erase(at);
            continue;
        }
        if (context.now <= found->last_received + context.settings.bruteforce_window) {
            ++at;
            continue;
        }
        report_failed(*device, *found, context);
        at = open_.erase(at);
    }
}

void LoginDetector::save(ByteWriter& out) const {
    out.u64(sources_evicted_);
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        out.u32(static_cast<std::uint32_t>(device.seen.size()));
        for (const auto& seen : device.seen) {
            out.i64(seen.process_id);
            out.u64(seen.user);
            out.u8(seen.result);
            out.i64(seen.time.ticks);
        }
        out.u32(static_cast<std::uint32_t>(device.sources.size()));
        for (const auto& source : device.sources) {
            out.text(source.address);
            out.u32(static_cast<std::uint32_t>(source.recent.size()));
            for (const auto ticks : source.recent)
                out.i64(ticks);
            out.u8(static_cast<std::uint8_t>((source.burst ? 1 : 0) | (source.reported ? 2 : 0) |
                                             (source.won ? 4 : 0)));
            out.i64(source.start.ticks);
            out.i64(source.last.ticks);
            out.i64(source.last_received.ticks);
            out.i64(source.failures);
            write(out, source.users);
            write(out, source.endpoints);
            write(out, source.evidence);
        }
    }
}

Result<void> LoginDetector::restore(ByteReader& in) {
    devices_.clear();
    open_.clear();
    sources_evicted_ = FIELDWATCH_TRY(in.u64());
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto name = FIELDWATCH_TRY(read_text(in));
        const auto key = device_key(hub, name);
        auto& device = devices_.get(key);
        device.hub = std::move(hub);
        device.name = std::move(name);
        device.seen.resize(FIELDWATCH_TRY(read_count(in, kSeenMax)));
        for (auto& seen : device.seen) {
            seen.process_id = FIELDWATCH_TRY(in.i64());
            seen.user = FIELDWATCH_TRY(in.u64());
            seen.result = FIELDWATCH_TRY(in.u8());
            seen.time = FIELDWATCH_TRY(read_time(in));
        }
        device.sources.resize(FIELDWATCH_TRY(read_count(in, kSourcesMax)));
        for (auto& source : device.sources) {
            source.address = FIELDWATCH_TRY(read_text(in));
            source.recent.resize(FIELDWATCH_TRY(read_count(in, 1'000)));
            for (auto& ticks : source.recent)
                ticks = FIELDWATCH_TRY(read_amount(in));
            const auto flags = FIELDWATCH_TRY(in.u8());
            source.burst = (flags & 1) != 0;
            source.reported = (flags & 2) != 0;
            source.won = (flags & 4) != 0;
            source.start = FIELDWATCH_TRY(read_time(in));
            source.last = FIELDWATCH_TRY(read_time(in));
            source.last_received = FIELDWATCH_TRY(read_time(in));
            source.failures = FIELDWATCH_TRY(read_amount(in));
            source.users = FIELDWATCH_TRY(read_texts(in));
            source.endpoints = FIELDWATCH_TRY(read_texts(in));
            source.evidence = FIELDWATCH_TRY(read_positions(in));
            if (source.burst && !source.reported) open_.emplace(key, source.address);
        }
    }
    return {};
}

}  // namespace fieldwatch::detect
