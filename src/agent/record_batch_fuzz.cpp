// What the sender does with a datagram of a collector that was taken over: nothing is used that does not
// validate.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "agent/interpreter.hpp"
#include "agent/record_batch.hpp"

using namespace fieldwatch::agent;

namespace {

template <class T, class Use>
void use_if_valid(std::span<const std::byte> bytes, const Use& use) {
    T record;
    if (bytes.size() != sizeof record) std::abort();
    std::memcpy(&record, bytes.data(), sizeof record);
    if (is_valid(record)) use(record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Accounts accounts("/nonexistent", "/nonexistent");
    Interpreter interpreter(accounts);
    const auto take = [&](std::uint16_t type, std::span<const std::byte> bytes) {
        switch (type) {
            case FW_EXEC:
            case FW_EXEC_LARGE: {
                fw_exec_head head;
                std::memcpy(&head, bytes.data(), sizeof head);
                const auto text = bytes.subspan(sizeof head);
                if (is_valid(head, text.size())) interpreter.exec(head, fieldwatch::as_text(text));
                break;
            }
            case FW_EXIT:
                use_if_valid<fw_exit>(bytes, [&](const auto& one) { interpreter.exit(one); });
                break;
            case FW_CONNECTION:
                use_if_valid<fw_connection>(bytes, [&](const auto& one) { interpreter.connection(one); });
                break;
            case FW_PORT:
                use_if_valid<fw_port>(bytes, [&](const auto& one) { interpreter.port(one); });
                break;
            case FW_DNS:
                use_if_valid<fw_dns>(bytes, [&](const auto& one) { interpreter.names(one); });
                break;
            case FW_LOGIN:
                use_if_valid<fw_login>(bytes, [&](const auto& one) { interpreter.login(one); });
                break;
            case FW_LOG_LINE:
                use_if_valid<fw_log_line>(bytes, [&](const auto& one) { interpreter.log_line(one); });
                break;
            default:
                break;
        }
    };
    (void)split_batch({reinterpret_cast<const std::byte*>(data), size}, take);
    return 0;
}
