// One question to a TLS server, as tests put it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "net/tls_client.hpp"

namespace fieldwatch::net {

/// What comes until `mark` is in it, the peer closes, or five seconds pass.
inline std::string ask(TlsClient& client, std::string_view text, std::string_view mark) {
    constexpr std::chrono::seconds kPatience{5};
    EXPECT_TRUE(client.write_all(as_bytes(text), kPatience));
    std::string answer;
    std::array<std::byte, 4096> bytes{};
    while (answer.find(mark) == std::string::npos) {
        const auto count = client.read(bytes, kPatience);
        if (!count) break;
        answer.append(as_text(ByteView(bytes).first(*count)));
    }
    return answer;
}

}  // namespace fieldwatch::net
