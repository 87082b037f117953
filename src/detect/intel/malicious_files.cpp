#include "detect/intel/malicious_files.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::detect {

namespace {

constexpr AlertType kKnownFile{
    "fieldwatch-x-malicious-file",
    "IoT_X_MaliciousFile",
    "Known malicious file",
    "A file on the device has a hash that threat intelligence knows as malicious.",
    "Execution",
    model::Severity::High,
    "T1204.002",
    "Take the device off the network, keep the file for examination, and look for the "
    "same hash on other devices"};

bool names_a_hash(std::string_view key) {
    const auto name = lower_case(key);
    return name.find("hash") != name.npos || name == "md5" || name == "sha1" || name == "sha256";
}

/// `MD5=…,SHA256=…`, `sha256:…`, or the digits alone.
void add_hashes(std::string_view text, std::vector<std::string_view>& out) {
    while (!text.empty() && out.size() < MaliciousFiles::kHashesMax) {
        const auto cut = text.find_first_of(",; ");
        auto part = text.substr(0, cut);
        text = cut == text.npos ? std::string_view{} : text.substr(cut + 1);
        if (const auto mark = part.find_last_of("=:"); mark != part.npos) part = part.substr(mark + 1);
        const bool of_a_length = part.size() == 64 || part.size() == 40 || part.size() == 32;
        if (of_a_length && std::ranges::find(out, part) == out.end()) out.push_back(part);
    }
}

void add_named(model::StringMap map, std::vector<std::string_view>& out) {
    for (const auto& [key, value] : map) {
        if (names_a_hash(key)) add_hashes(value, out);
    }
}

std::string_view first_of(model::StringMap fields, std::initializer_list<std::string_view> keys) {
    for (const auto key : keys) {
        if (const auto value = model::find(fields, key); !value.empty()) return value;
    }
    return {};
}

/// What the item says of the file besides its hash.
struct Described {
    std::string_view path, command_line, user;
    std::int64_t process_id = 0;
};
Described describe(const model::Item& item) {
    if (const auto* const process = std::get_if<model::ProcessCreate>(&item.payload))
        return {process->executable, process->command_line,
                process->user_name.empty() ? process->user_id : process->user_name, process->process_id};
    if (const auto* const file = std::get_if<model::FileChange>(&item.payload))
        return {.path = file->path, .command_line = {}, .user = {}};
    if (const auto* const other = std::get_if<model::OtherPayload>(&item.payload))
        return {.path = first_of(other->fields, {"Path", "Image", "TargetFilename", "Name"}),
                .command_line = first_of(other->fields, {"CommandLine"}),
                .user = first_of(other->fields, {"User"})};
    return {};
}

}  // namespace

void hashes_of(const model::Item& item, std::vector<std::string_view>& out) {
    if (const auto* const process = std::get_if<model::ProcessCreate>(&item.payload))
        add_hashes(process->hash, out);
    if (const auto* const other = std::get_if<model::OtherPayload>(&item.payload))
        add_named(other->fields, out);
    add_named(item.extra_details, out);
}

void MaliciousFiles::observe(const model::Event& event, Context& context) {
    if (!event.role.owner || !context.intel.has_hashes()) return;
    for (const auto& item : event.items)
        judge(event, item, context);
}

void MaliciousFiles::judge(const model::Event& event, const model::Item& item, Context& context) {
    hashes_.clear();
    hashes_of(item, hashes_);
    for (const auto hash : hashes_) {
        const auto known = context.intel.find_hash(hash, context.now);
        if (!known) continue;
        const auto about = describe(item);
        auto alert = device_alert(kKnownFile, event, item.position);
        alert.discriminator = known->value;
        JsonWriter json(alert.extended_json);
        write_indicator(json.begin_object().member_if("File", about.path), *known)
            .member("IndicatorType", to_string(known->type))
            .member_if("CommandLine", about.command_line)
            .member_if("User Name", about.user)
            .member("DeviceId", event.device)
            .end_object();
        EntityWriter entities(alert.entities_json, event.hub, event.device);
        entities.add("filehash", {{"Algorithm", to_string(known->type)}, {"Value", known->value}})
            .add("file", {{"Name", about.path}});
        if (!about.command_line.empty()) entities.add("process", {{"CommandLine", about.command_line}});
        entities.end();
        context.book.raise(std::move(alert), context.settings.dedup_window, context.now, context.out);
        return;  // several hashes of one file are one finding
    }
}

}  // namespace fieldwatch::detect
