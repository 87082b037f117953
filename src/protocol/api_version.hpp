// The version of the protocol that a client names, in a query or in its MQTT user name. What it asks for
// varies by none of them. Source: spec/iot-hub-protocols.md sections 3.1 and 7.1, trap 27.
#pragma once

#include <cstddef>
#include <string_view>

namespace fieldwatch {

/// `YYYY-MM-DD`, with `-preview` behind it or not, from 2016-02-03 on.
constexpr bool is_api_version(std::string_view text) {
    if (text.size() < 10 || (text.size() > 10 && text.substr(10) != "-preview")) return false;
    for (std::size_t i = 0; i < 10; ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (i == 4 || i == 7 ? text[i] != '-' : !digit) return false;
    }
    return text.substr(0, 10) >= "2016-02-03" && text.substr(5, 2) >= "01" && text.substr(5, 2) <= "12" &&
           text.substr(8, 2) >= "01" && text.substr(8, 2) <= "31";
}

}  // namespace fieldwatch
