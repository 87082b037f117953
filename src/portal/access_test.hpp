// A portal over two hubs with a token for each role, people who sign in, and what the activity log was told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "portal/context.hpp"
#include "portal/doubles_test.hpp"
#include "portal/portal.hpp"

namespace fieldwatch::portal::testing {

inline constexpr std::array<std::string_view, 6> kRoles{"",        "forwarder", "reader",
                                                        "analyst", "operator",  "administrator"};

class AccessTest : public ::testing::Test {
  protected:
    using Json = nlohmann::json;

    AccessTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "fieldwatch-access-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        registry_ = std::move(*registry::open(directory_ + "/registry.db", clock_, system_random()));
        accounts_ = std::move(*registry::open_accounts(directory_ + "/registry.db"));
        for (const auto role : kRoles) {
            if (!role.empty()) add_token(std::string(role), std::string(role), {});
        }
        EXPECT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w1"}));
        EXPECT_TRUE(registry_->create_hub({.name = {"office"}, .workspace = "w2"}));
        portal_ = std::move(*Portal::create(
            {.registry = *registry_,
             .accounts = *accounts_,
             .workspace = [this](std::string_view) { return &workspace_; },
             .devices = devices_,
             .metrics = metrics_,
             .clock = clock_,
             .random = system_random(),
             .progress = [] { return PipelineProgress{}; },
             .provisioning = [](const net::HttpRequest&, std::string_view) { return net::HttpResponse{}; },
             .version = "0.1.0",
             .host_name = "gate.local"}));
    }
    ~AccessTest() override {
        portal_.reset();
        accounts_.reset();
        registry_.reset();
        std::filesystem::remove_all(directory_);
    }

    void add_token(const std::string& name, const std::string& role, std::vector<std::string> hubs) {
        EXPECT_TRUE(accounts_->add(registry::Token{.name = name,
                                                   .hash_hex = hex(sha256(as_bytes("token-" + name))),
                                                   .role = role,
                                                   .expires = {},
                                                   .hubs = std::move(hubs)}));
    }
    using Headers = std::vector<std::pair<std::string, std::string>>;
    net::HttpResponse ask(std::string method, std::string target, std::string body, Headers headers) {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.body = std::move(body);
        request.headers = std::move(headers);
        request.peer = peer_;
        EXPECT_TRUE(net::read_target(request));
        return portal_->handler().respond(request);
    }
    net::HttpResponse with_token(std::string method, std::string target, std::string_view name,
                                 std::string body = "{}") {
        Headers headers;
        if (!name.empty()) headers.emplace_back("authorization", "Bearer token-" + std::string(name));
        return ask(std::move(method), std::move(target), std::move(body), std::move(headers));
    }
    static std::string header(const net::HttpResponse& response, std::string_view name) {
        for (const auto& [key, value] : response.headers) {
            if (key == name) return value;
        }
        return {};
    }
    static std::string message(const net::HttpResponse& response) {
        return Json::parse(response.body)["error"]["message"];
    }

    struct SignedIn {
        std::string cookie, csrf;
    };
    void add_user(const std::string& name, const std::string& role) {
        const auto added = with_token("PUT", "/api/v1/users/" + name, "administrator",
                                      Json{{"role", role}, {"password", kPassword}}.dump());
        ASSERT_EQ(added.status, 201) << added.body;
    }
    net::HttpResponse try_password(const std::string& name, const std::string& password,
                                   Headers headers = {}) {
        return ask("POST", "/api/v1/session", Json{{"user", name}, {"password", password}}.dump(),
                   std::move(headers));
    }
    SignedIn sign_in(const std::string& name, Headers headers = {}) {
        const auto reply = try_password(name, kPassword, std::move(headers));
        EXPECT_EQ(reply.status, 200) << reply.body;
        const auto cookie = header(reply, "set-cookie");
        return {.cookie = cookie.substr(0, cookie.find(';')), .csrf = Json::parse(reply.body)["csrf"]};
    }
    std::vector<std::string> audited() {
        std::vector<std::string> out;
        const auto rows = registry_->outbox(10'000);
        for (const auto& row : *rows) {
            if (row.record.kind != model::RecordKind::ControlPlane) continue;
            const auto json = Json::parse(row.record.body);
            const auto operation = json["operationName"].get<std::string>();
            if (!operation.starts_with("Fieldwatch/")) continue;
            out.push_back(operation + " " + json["caller"].get<std::string>() + " " +
                          json["resultType"].get<std::string>() + " " + row.record.sender.hub.value);
        }
        return out;
    }

    static constexpr const char* kPassword = "correct horse battery";
    std::string directory_;
    ScriptedWorkspace workspace_;
    KnownDevices devices_;
    Metrics metrics_;
    ManualClock clock_{Timestamp::from_unix_seconds(1'795'392'000)};
    std::unique_ptr<registry::Registry> registry_;
    std::unique_ptr<registry::Accounts> accounts_;
    std::unique_ptr<Portal> portal_;
    std::string peer_ = "192.0.2.1";
};

}  // namespace fieldwatch::portal::testing
