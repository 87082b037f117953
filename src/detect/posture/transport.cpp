#include "detect/posture/transport.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace

bool is_weak_tls_version(std::string_view version) {
    const auto text = lower_case(version);
    if (text.starts_with("ssl")) return true;
    const auto digit = text.find_first_of("0123456789");
    if (digit == text.npos) return false;
    const auto number = std::string_view(text).substr(digit);
    if (number.starts_with("1_")) return number < "1_2";
    return number == "1" || number.starts_with("1.0") || number.starts_with("1.1");
}

bool is_weak_cipher_suite(std::string_view suite) {
    auto name = lower_case(suite);
    std::ranges::replace(name, '_', '-');
    if (name.empty()) return false;
    for (const std::string_view part :
         {"null", "export", "exp-", "anon", "adh-", "aecdh-", "rc4", "des", "md5"})
        if (contains(name, part)) return true;
    const bool sha1 = name.ends_with("-sha") || name.ends_with("-sha1");
    if (name.starts_with("tls-")) {
        if (name.starts_with("tls-rsa-")) return true;
        return sha1 && contains(name, "cbc");
    }
    // OpenSSL's names leave static RSA out, and CBC too: AES128-SHA.
    const bool exchanges = name.starts_with("ecdhe-") || name.starts_with("dhe-") || name.starts_with("edh-");
    return !exchanges || sha1;
}

void WeakTransport::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::Operation || !event.role.owner || event.items.empty()) return;
    const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload);
    if (operation == nullptr || operation->category != "Connections" ||
        operation->operation_name != "deviceConnect" || event.device.empty() ||
        !operation->result_type.empty())
        return;
    if (!is_weak_tls_version(operation->tls_version) && !is_weak_cipher_suite(operation->cipher_suite))
        return;
    const auto key = device_key(event.hub, event.device);
    auto& weak = devices_.get(key, [&](auto& gone) { due_.erase({gone.second.time.ticks, gone.first}); });
    due_.erase({weak.time.ticks, key});
    weak.hub = event.hub;
    weak.device = event.device;
    weak.time = std::max(weak.time, event.time);
    weak.evidence = event.position;
    due_.emplace(weak.time.ticks, key);
    RecommendationBook::Assessment found{.type = "IoT_VulnerableTLSCipherSuite",
                                         .hub = event.hub,
                                         .device = event.device,
                                         .health = Health::Unhealthy,
                                         .time = event.time,
                                         .additional_json = {},
                                         .evidence = {event.position}};
    JsonWriter(found.additional_json)
        .begin_object()
        .member("TlsVersion", operation->tls_version)
        .member("CipherSuite", operation->cipher_suite)
        .member("Scope", "device")
        .end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

void WeakTransport::advance(Context& context) {
    while (!due_.empty() && Timestamp{due_.begin()->first} + kRemembered <= context.now) {
        const auto key = due_.begin()->second;
        due_.erase(due_.begin());
        const auto* const weak = devices_.find(key);
        if (weak == nullptr) continue;
        context.posture.assess({.type = "IoT_VulnerableTLSCipherSuite",
                                .hub = weak->hub,
                                .device = weak->device,
                                .health = Health::Healthy,
                                .time = weak->time + kRemembered,
                                .additional_json = {},
                                .evidence = {weak->evidence}},
                               context.settings, context.now, context.out);
        devices_.erase(key);
    }
}

void WeakTransport::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, weak] : devices_) {
        out.text(weak.hub);
        out.text(weak.device);
        out.i64(weak.time.ticks);
        write(out, weak.evidence);
    }
}

Result<void> WeakTransport::restore(ByteReader& in) {
    devices_.clear();
    due_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        auto hub = FIELDWATCH_TRY(read_text(in));
        auto device = FIELDWATCH_TRY(read_text(in));
        const auto key = device_key(hub, device);
        auto& weak = devices_.get(key);
        weak.hub = std::move(hub);
        weak.device = std::move(device);
        weak.time = FIELDWATCH_TRY(read_time(in));
        weak.evidence = FIELDWATCH_TRY(read_position(in));
        due_.emplace(weak.time.ticks, key);
    }
    return {};
}

}  // namespace fieldwatch::detect
