#include "detect/posture/packages.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// `~` before everything, even the end; letters before other characters.
int rank(std::string_view text, std::size_t at) {
    if (at >= text.size() || is_digit(text[at])) return 0;
    const char c = text[at];
    if (c == '~') return -1;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter ? static_cast<unsigned char>(c) : static_cast<unsigned char>(c) + 256;
}

int sign(int difference) {
    return difference < 0 ? -1 : difference > 0 ? 1 : 0;
}

/// One part: texts and numbers in turn.
int compare_part(std::string_view left, std::string_view right) {
    std::size_t a = 0, b = 0;
    while (a < left.size() || b < right.size()) {
        while ((a < left.size() && !is_digit(left[a])) || (b < right.size() && !is_digit(right[b]))) {
            if (const int order = rank(left, a) - rank(right, b); order != 0) return sign(order);
            ++a;
            ++b;
        }
        const auto digits = [](std::string_view text, std::size_t& at) {
            while (at < text.size() && text[at] == '0')
                ++at;
            const auto from = std::min(at, text.size());
            while (at < text.size() && is_digit(text[at]))
                ++at;
            return text.substr(from, at - from);
        };
        const auto number_a = digits(left, a);
        const auto number_b = digits(right, b);
        if (number_a.size() != number_b.size()) return number_a.size() < number_b.size() ? -1 : 1;
        if (const int order = number_a.compare(number_b); order != 0) return sign(order);
    }
    return 0;
}

struct Version {
    std::string_view epoch = "0", upstream, revision;
};

Version version_of(std::string_view text) {
    Version out;
    if (const auto colon = text.find(':'); colon != text.npos) {
        out.epoch = text.substr(0, colon);
        text.remove_prefix(colon + 1);
    }
    const auto dash = text.rfind('-');
    out.upstream = text.substr(0, dash);
    if (dash != text.npos) out.revision = text.substr(dash + 1);
    return out;
}

}  // namespace

int compare_debian_versions(std::string_view left, std::string_view right) {
    const auto a = version_of(left);
    const auto b = version_of(right);
    for (const auto& [x, y] :
         {std::pair{a.epoch, b.epoch}, {a.upstream, b.upstream}, {a.revision, b.revision}}) {
        if (const int order = compare_part(x, y); order != 0) return order;
    }
    return 0;
}

void Packages::observe(const model::Event& event, Context& context) {
    if (event.kind != model::EventKind::SBoM || context.settings.vulnerabilities.empty()) return;
    const auto& list = context.settings.vulnerabilities;
    std::string found_list;
    JsonWriter json(found_list);
    json.begin_array();
    std::size_t count = 0;
    for (const auto& item : event.items) {
        const auto* const package = std::get_if<model::OtherPayload>(&item.payload);
        if (package == nullptr) continue;
        const auto name = model::find(package->fields, "Name");
        const auto version = model::find(package->fields, "Version");
        const auto from = std::ranges::lower_bound(list, name, {}, &Settings::Vulnerability::package);
        for (auto at = from; at != list.end() && at->package == name; ++at) {
            if (!at->fixed.empty() && compare_debian_versions(version, at->fixed) >= 0) continue;
            if (++count > kFindingsMax) continue;
            json.begin_object()
                .member("Name", name)
                .member("Version", version)
                .member("FixedVersion", at->fixed)
                .member("Id", at->id)
                .end_object();
        }
    }
    json.end_array();
    RecommendationBook::Assessment found{.type = "IoT_X_VulnerablePackage",
                                         .hub = event.hub,
                                         .device = event.device,
                                         .health = count > 0 ? Health::Unhealthy : Health::Healthy,
                                         .time = event.time,
                                         .additional_json = {},
                                         .evidence = {event.position}};
    JsonWriter(found.additional_json).begin_object().member("Packages", found_list).end_object();
    context.posture.assess(std::move(found), context.settings, context.now, context.out);
}

}  // namespace fieldwatch::detect
