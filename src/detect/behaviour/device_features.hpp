// What is counted of a device in each window, and which tokens an event shows: the numbers and names that the
// models of standard behaviour are made over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/event.hpp"

namespace fieldwatch::detect {

enum class Feature : std::uint8_t {
    Executions,
    ShellExecutions,
    WritableDirectoryExecutions,
    ProcessEnds,
    FlowsOut,
    FlowsIn,
    BytesOut,
    UnansweredFlows,
    LoginFailures,
    LoginSuccesses,
    FileChanges,
    HubConnections,
    HubAuthenticationFailures,
    HubErrors,
    HubMessages,
    ControlPlaneOperations,
    DroppedEvents,
    ConfigurationErrors,
    NewTokens,
    Events,
};
inline constexpr std::size_t kFeatures = 20;
std::string_view to_string(Feature feature);  ///< as people read it: "programs started"

enum class TokenKind : std::uint8_t { Image, ParentChild, Chain, Destination, UserSource, HubOperation };
inline constexpr std::size_t kTokenKinds = 6;
std::string_view to_string(TokenKind kind);

/// One thing that a device did, by name: "/usr/bin/curl", "sh>curl", "203.0.113.0/24:443/tcp".
struct Token {
    TokenKind kind = TokenKind::Image;
    std::string text;
    std::uint64_t hash = 0;
};

struct Count {
    Feature feature;
    double amount;
};

/// Appends what the item shows. At most 6 counts and 3 tokens.
void features_of(const model::Event& event, const model::Item& item, std::vector<Count>& counts,
                 std::vector<Token>& tokens);

}  // namespace fieldwatch::detect
