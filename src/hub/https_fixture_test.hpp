// What the tests over HTTPS stand on: requests by hand over real TLS, as a device and as a service.
#pragma once

#include "hub/hub_fixture_test.hpp"

namespace fieldwatch::hub {

using Json = nlohmann::json;

class HttpsTest : public HubTest {
  protected:
    struct Response {
        int status = 0;
        std::map<std::string, std::string> headers;
        std::string body;
        Json json() const { return Json::parse(body, nullptr, false); }
    };
    using Headers = std::vector<std::pair<std::string, std::string>>;

    net::TlsClient web() {
        return *net::TlsClient::connect({.host = "127.0.0.1",
                                         .port = server_->https_port(),
                                         .server_name = "hub.local",
                                         .ca_file = (directory_ / "ca.pem").string()},
                                        kWait);
    }
    Response ask(std::string method, std::string target, const Headers& headers, std::string body = "") {
        auto client = web();
        if (target.find("api-version") == std::string::npos)
            target +=
                (target.find('?') == std::string::npos ? "?" : "&") + std::string("api-version=2021-04-12");
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: hub.local\r\nConnection: close\r\n";
        for (const auto& [name, value] : headers)
            text += name + ": " + value + "\r\n";
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        EXPECT_TRUE(client.write_all(as_bytes(text), kWait));
        std::string answer;
        std::array<std::byte, 4096> bytes;
        while (const auto count = client.read(bytes, 15'000ms))
            answer.append(as_text(ByteView(bytes).first(*count)));
        Response out;
        const auto end = answer.find("\r\n\r\n");
        EXPECT_NE(end, std::string::npos) << answer;
        if (end == std::string::npos) return out;
        out.status = std::stoi(answer.substr(9, 3));
        out.body = answer.substr(end + 4);
        for (auto at = answer.find("\r\n") + 2; at < end + 2;) {
            const auto line = answer.substr(at, answer.find("\r\n", at) - at);
            out.headers[line.substr(0, line.find(':'))] =
                line.substr(std::min(line.find(':') + 2, line.size()));
            at += line.size() + 2;
        }
        return out;
    }
    Response device(std::string method, std::string target, Headers headers = {}, std::string body = "") {
        headers.emplace_back("Authorization", token("d1"));
        return ask(std::move(method), std::move(target), headers, std::move(body));
    }
    std::string policy_token(const std::string& name, std::int64_t lifetime = 3'600) {
        const auto hub = *registry_->hub({"testhub"});
        for (const auto& policy : hub.policies) {
            if (policy.name == name)
                return *sas::make_token({.resource = "hub.local",
                                         .key_base64 = policy.keys.primary,
                                         .expiry = clock_.now() + Ticks(std::chrono::seconds(lifetime)),
                                         .policy = name});
        }
        return {};
    }
    Response service(std::string method, std::string target, const Json& body = nullptr, Headers headers = {},
                     const std::string& policy = "iothubowner") {
        headers.emplace_back("Authorization", policy_token(policy));
        return ask(std::move(method), std::move(target), headers, body.is_null() ? "" : body.dump());
    }
    std::vector<model::Record> telemetry(std::size_t count) {
        std::vector<model::Record> out;
        for (const auto& entry : journal_.wait(
                 count, [](const auto& record) { return record.kind == model::RecordKind::Telemetry; })) {
            const auto view = *model::decode_record(entry.bytes);
            model::Record record{.kind = view.kind, .body = std::string(view.body)};
            for (const auto& [name, value] : view.properties)
                record.properties.emplace_back(name, value);
            out.push_back(std::move(record));
        }
        return out;
    }
};

}  // namespace fieldwatch::hub
