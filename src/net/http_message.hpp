// What both HTTP servers take from a parsed head. Internal to net: names Beast.
#pragma once

#include <string>
#include <utility>

#include <boost/beast/http/message.hpp>

#include "net/http.hpp"

namespace fieldwatch::net {

/// Method, target and fields (names in lower case) of a message, whose body stays where it is.
template <class Message>
HttpRequest head_of(const Message& message, std::string peer) {
    HttpRequest request;
    request.peer = std::move(peer);
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    for (const auto& field : message) {
        std::string name(field.name_string());
        for (auto& c : name)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        request.headers.emplace_back(std::move(name), std::string(field.value()));
    }
    return request;
}

}  // namespace fieldwatch::net
