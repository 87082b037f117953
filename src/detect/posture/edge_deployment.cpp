// The desired properties of $edgeAgent, read: spec/hub-signals.md section 4.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "detect/posture/edge_modules.hpp"

namespace fieldwatch::detect {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kModulesMax = 200, kRegistriesMax = 50, kOptionsMax = 32;
constexpr std::size_t kCreateOptionsBytesMax = 65'536;  ///< more than a twin section holds
constexpr std::string_view kPowers[] = {"ALL",       "SYS_ADMIN",       "SYS_PTRACE", "SYS_MODULE",
                                        "NET_ADMIN", "DAC_READ_SEARCH", "SYS_RAWIO"};
constexpr std::string_view kEngineSockets[] = {"docker.sock", "containerd.sock", "podman.sock", "crio.sock"};

const Json* member(const Json* object, std::string_view key) {
    if (object == nullptr || !object->is_object()) return nullptr;
    const auto found = object->find(key);
    return found == object->end() ? nullptr : &*found;
}

std::string text_of(const Json* value) {
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

/// Create options are JSON text, cut into createOptions, createOptions01, … where they are long.
Json create_options(const Json& settings) {
    const auto* const whole = member(&settings, "createOptions");
    if (whole != nullptr && whole->is_object()) return *whole;
    auto text = text_of(whole);
    for (int part = 1; part < 100 && text.size() < kCreateOptionsBytesMax; ++part) {
        char name[24];
        std::snprintf(name, sizeof name, "createOptions%02d", part);
        const auto* const next = member(&settings, name);
        if (next == nullptr) break;
        text += text_of(next);
    }
    auto parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    return parsed.is_object() ? std::move(parsed) : Json::object();
}

bool is_host(const Json* value) {
    return lower_case(text_of(value)) == "host";
}

/// `/`, or the container engine's socket: who may write there owns the host.
bool is_powerful_source(std::string_view source) {
    if (source == "/") return true;
    return std::ranges::any_of(kEngineSockets, [&](auto socket) { return source.ends_with(socket); });
}

std::vector<std::string> privileges_of(const Json& options, bool is_engine_agent) {
    std::vector<std::string> out;
    const auto* const host = member(&options, "HostConfig");
    const auto add = [&](std::string text) {
        if (out.size() < kOptionsMax) out.push_back(std::move(text));
    };
    if (const auto* const privileged = member(host, "Privileged");
        privileged != nullptr && privileged->is_boolean() && privileged->get<bool>())
        add("Privileged");
    if (const auto* const capabilities = member(host, "CapAdd");
        capabilities != nullptr && capabilities->is_array()) {
        for (const auto& one : *capabilities) {
            auto name = text_of(&one);
            std::ranges::transform(name, name.begin(), [](char c) {
                return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
            });
            if (name.starts_with("CAP_")) name.erase(0, 4);
            if (std::ranges::find(kPowers, name) != std::end(kPowers)) add("CapAdd:" + name);
        }
    }
    const auto* const networks = member(member(&options, "NetworkingConfig"), "EndpointsConfig");
    if (is_host(member(host, "NetworkMode")) || member(networks, "host") != nullptr) add("NetworkMode:host");
    if (is_host(member(host, "PidMode"))) add("PidMode:host");
    if (is_host(member(host, "IpcMode"))) add("IpcMode:host");
    const auto bind = [&](const std::string& source, const std::string& text) {
        const bool needs_engine = is_engine_agent && source != "/";  // what it drives, it must reach
        if (is_powerful_source(source) && !needs_engine) add("Bind:" + text);
    };
    if (const auto* const binds = member(host, "Binds"); binds != nullptr && binds->is_array()) {
        for (const auto& one : *binds) {
            const auto text = text_of(&one);
            bind(text.substr(0, text.find(':')), text);
        }
    }
    if (const auto* const mounts = member(host, "Mounts"); mounts != nullptr && mounts->is_array()) {
        for (const auto& one : *mounts) {
            const auto source = text_of(member(&one, "Source"));
            bind(source, source + ":" + text_of(member(&one, "Target")));
        }
    }
    return out;
}

EdgeModule module_of(const std::string& name, const Json& module, bool is_system) {
    EdgeModule out;
    out.name = name;
    out.is_system = is_system;
    const auto* const settings = member(&module, "settings");
    const auto options = settings == nullptr ? Json::object() : create_options(*settings);
    out.privileges = privileges_of(options, is_system && name == "edgeAgent");
    const auto driver = text_of(member(member(member(&options, "HostConfig"), "LogConfig"), "Type"));
    out.logs_nothing = lower_case(driver) == "none";
    // nlohmann keeps members in order of their names: equal settings have equal text.
    const auto hashed = [](const Json* value) {
        return hash64(as_bytes(value == nullptr ? std::string() : value->dump()));
    };
    out.settings = {hashed(member(settings, "image")), hashed(&options), hashed(member(&module, "env")),
                    hashed(member(&module, "restartPolicy")), hashed(member(&module, "status"))};
    return out;
}

std::map<std::string, bool> protocol_heads(const Json& edge_hub) {
    std::map<std::string, bool> out;
    for (const auto& [head, variable] : {std::pair{"Amqp", "amqpSettings__enabled"},
                                         {"Mqtt", "mqttSettings__enabled"},
                                         {"Http", "httpSettings__enabled"}}) {
        const auto* value = member(member(&edge_hub, "env"), variable);
        if (const auto* const inner = member(value, "value")) value = inner;
        const bool off = value != nullptr &&
                         (value->is_boolean() ? !value->get<bool>() : lower_case(text_of(value)) == "false");
        out[head] = !off;
    }
    return out;
}

}  // namespace

EdgeDeployment read_deployment(const Json& desired) {
    EdgeDeployment out;
    for (const bool is_system : {true, false}) {
        const auto* const modules = member(&desired, is_system ? "systemModules" : "modules");
        if (modules == nullptr || !modules->is_object()) continue;
        for (const auto& [name, module] : modules->items()) {
            if (!module.is_object() || out.modules.size() == kModulesMax) continue;
            out.modules.push_back(module_of(name, module, is_system));
            if (is_system && name == "edgeHub") out.protocol_heads = protocol_heads(module);
        }
    }
    const auto* const credentials =
        member(member(member(&desired, "runtime"), "settings"), "registryCredentials");
    if (credentials != nullptr && credentials->is_object()) {
        for (const auto& [name, one] : credentials->items()) {
            if (out.registries.size() == kRegistriesMax) break;
            out.registries.push_back(
                {name, text_of(member(&one, "address")), text_of(member(&one, "username"))});
        }
    }
    return out;
}

}  // namespace fieldwatch::detect
