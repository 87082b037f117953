// A portal over an empty registry with a token for each of two roles, asked without a socket.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/doubles_test.hpp"
#include "portal/portal.hpp"

namespace fieldwatch::portal::testing {

class ApiTest : public ::testing::Test {
  protected:
    using Json = nlohmann::json;

    void SetUp() override {
        char name[] = "/tmp/fieldwatch-api-XXXXXX";
        path_ = ::mkdtemp(name);
        registry_ = std::move(registry::open(path_ + "/registry.db", clock_, system_random()).value());
        accounts_ = std::move(registry::open_accounts(path_ + "/registry.db").value());
        for (const auto* role : {"reader", "administrator"}) {
            ASSERT_TRUE(accounts_->add(registry::Token{
                .name = role, .hash_hex = hex(sha256(as_bytes(std::string(role)))), .role = role}));
        }
        Parts parts{.registry = *registry_,
                    .accounts = *accounts_,
                    .workspace = [](std::string_view) { return nullptr; },
                    .devices = devices_,
                    .metrics = metrics_,
                    .clock = clock_,
                    .random = system_random(),
                    .progress = [] { return PipelineProgress{}; },
                    .version = "1",
                    .host_name = "h"};
        join(parts);
        portal_ = std::move(Portal::create(std::move(parts)).value());
    }
    ~ApiTest() override { std::filesystem::remove_all(path_); }

    /// What else the portal is joined to.
    virtual void join(Parts&) {}

    net::HttpResponse ask(std::string method, std::string target, std::string body = "",
                          std::string_view role = "administrator") {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.headers.emplace_back("authorization", "Bearer " + std::string(role));
        EXPECT_TRUE(net::read_target(request));
        return portal_->handler().respond(request);
    }

    std::string path_;
    KnownDevices devices_;
    Metrics metrics_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'795'392'000)};
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<registry::Accounts> accounts_;
    std::unique_ptr<Portal> portal_;
};

}  // namespace fieldwatch::portal::testing
