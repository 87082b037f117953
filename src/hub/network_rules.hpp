// Who may reach a hub at all: its IP filter, public access and TLS minimum, read from its configuration.
// Source: spec/hub-signals.md section 5.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace fieldwatch::hub {

class NetworkRules {
  public:
    /// What does not parse is left out; check() tells of it before it is stored.
    static NetworkRules parse(std::string_view configuration_json);
    /// Errors: InvalidArgument naming the rule that is none.
    static Result<void> check(std::string_view configuration_json);

    struct Verdict {
        bool accepted = true;
        std::string rule;  ///< that decided; "" = none did
    };
    Verdict judge(std::string_view address) const;
    /// `version` as OpenSSL spells it: TLSv1.2.
    bool accepts_tls(std::string_view version) const;

  private:
    struct Rule {
        std::string name;
        bool accepts = true;
        IpPrefix prefix;
    };
    std::vector<Rule> rules_;  ///< the first that covers an address decides
    bool others_accepted_ = true;
    bool public_access_ = true;
    bool tls13_only_ = false;
};

}  // namespace fieldwatch::hub
