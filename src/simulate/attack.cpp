#include "simulate/attack.hpp"

#include <algorithm>
#include <string>

namespace fieldwatch::simulate {
namespace {

void replace(std::string& text, std::string_view mark, std::string_view value) {
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size()))
        text.replace(at, mark.size(), value);
}

std::string filled(std::string_view text, std::uint32_t number) {
    std::string out(text);
    replace(out, "{evil}", "198.51.100.66");
    replace(out, "{drop}", "198.51.100.7");
    replace(out, "{i}", std::to_string(number));
    return out;
}

}  // namespace

std::string_view indicators_csv() {
    return "type,value,category,confidence,source\n"
           "ipv4,198.51.100.66,c2,90,simulation\n"
           "domain,evil.example,c2,90,simulation\n";
}

const AttackScript* find_script(std::string_view name) {
    const auto scripts = attack_scripts();
    const auto found = std::ranges::find(scripts, name, &AttackScript::name);
    return found == scripts.end() ? nullptr : &*found;
}

std::vector<Act> acts_of(const Step& step, Timestamp& start) {
    std::vector<Act> out;
    start = start + std::chrono::seconds(step.after_seconds);
    for (std::uint32_t i = 0; i < step.times; ++i) {
        if (i > 0) start = start + std::chrono::seconds(step.every_seconds);
        Act act;
        act.kind = step.kind;
        act.what = filled(step.what, i + 1);
        act.image = step.image;
        act.detail = step.detail;
        act.port = step.port;
        act.success = step.success;
        act.unanswered = step.kind == ActKind::Connection && step.times > 50;
        act.at = start;
        out.push_back(std::move(act));
    }
    return out;
}

}  // namespace fieldwatch::simulate
