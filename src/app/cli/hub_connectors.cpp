#include "app/cli/hub_connectors.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file_system.hpp"
#include "base/text.hpp"
#include "protocol/diagnostic/records.hpp"

namespace fieldwatch::app {

namespace {

using ConnectorJson = nlohmann::json;

constexpr std::uint64_t kSecretFileMax = 64u << 10;  // a secret, or certificates
constexpr std::size_t kImportBytes = 8u << 20;       // of one request; the server takes 32 MiB
constexpr std::size_t kImportLineMax = 64u << 20;    // a file that is one line

struct ConnectorOptions {
    std::string hub, name, event_hubs_file, consumer_group, start, broker, user, password_file, client_id;
    std::string log_topic, log_file, device_is, ca, register_devices;
    std::vector<std::string> topics, security_topics, files;
    bool off = false;
};
using Chosen = std::shared_ptr<ConnectorOptions>;

/// Never an argument: those are seen by everybody on the machine.
Result<std::string> secret_in(const std::string& path) {
    if (path == "-") return std::string(trimmed(std::string(std::istreambuf_iterator<char>(std::cin), {})));
    const auto bytes = FIELDWATCH_TRY(read_file(posix_file_system(), path, kSecretFileMax));
    return std::string(trimmed(as_text(bytes)));
}

std::string connectors_target(const ConnectorOptions& options) {
    return fmt::format("/api/v1/hubs/{}/connectors", percent_encode(options.hub));
}
std::string connector_target(const ConnectorOptions& options) {
    return connectors_target(options) + "/" + percent_encode(options.name);
}

void put_if(ConnectorJson& json, const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
}

Result<ConnectorJson> connector_of(const ConnectorOptions& options) {
    if (options.event_hubs_file.empty() == options.broker.empty())
        return fail(Errc::InvalidArgument, "a connector reads either --event-hubs FILE or --broker URL");
    ConnectorJson out{{"enabled", !options.off}};
    if (!options.register_devices.empty()) out["registerDevices"] = options.register_devices == "on";
    if (!options.ca.empty()) out["caPem"] = FIELDWATCH_TRY(secret_in(options.ca)) + "\n";
    if (!options.event_hubs_file.empty()) {
        out["type"] = "event-hubs";
        out["connection"] = FIELDWATCH_TRY(secret_in(options.event_hubs_file));
        put_if(out, "consumerGroup", options.consumer_group);
        put_if(out, "start", options.start);
        return out;
    }
    out["type"] = "mqtt";
    out["url"] = options.broker;
    put_if(out, "user", options.user);
    put_if(out, "clientId", options.client_id);
    put_if(out, "logTopic", options.log_topic);
    put_if(out, "logFile", options.log_file);
    put_if(out, "deviceIs", options.device_is);
    if (!options.password_file.empty()) out["password"] = FIELDWATCH_TRY(secret_in(options.password_file));
    out["topics"] = ConnectorJson::array();
    for (const auto& topic : options.security_topics)
        out["topics"].push_back({{"topic", topic}, {"security", true}});
    for (const auto& topic : options.topics)
        out["topics"].push_back({{"topic", topic}});
    return out;
}

void print_connector(const ConnectorJson& connector) {
    TextTable table({"PROPERTY", "VALUE"});
    for (const auto& [key, value] : connector.items()) {
        if (key == "status" || key == "caPem") continue;
        table.add({key, printable(value.is_string() ? value.get<std::string>() : value.dump())});
    }
    for (const auto& [key, value] : connector["status"].items()) {
        if (value.is_null() || value == "") continue;
        table.add({key, printable(value.is_string() ? value.get<std::string>() : value.dump())});
    }
    table.print();
}

Result<void> add_connector(const Session& session, const ConnectorOptions& options) {
    const auto body = FIELDWATCH_TRY(connector_of(options));
    const auto answer = FIELDWATCH_TRY(call(session, "PUT", connector_target(options), &body));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
    } else {
        std::printf("%s: attached; how it does: fieldwatch hub connector show %s %s\n", options.name.c_str(),
                    options.hub.c_str(), options.name.c_str());
    }
    return {};
}

Result<void> list_connectors(const Session& session, const ConnectorOptions& options) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", connectors_target(options)));
    if (session.format == "json") {
        std::puts(answer.dump(2).c_str());
        return {};
    }
    TextTable table(
        {"NAME", "TYPE", "FROM", "STATE", "MESSAGES", "SECURITY", "OPERATIONS", "REFUSED", "LAST"});
    for (const auto& one : answer["value"]) {
        const auto& status = one["status"];
        const bool broker = one.value("type", "") == "mqtt";
        const auto connection = text_of(one, "connection");
        table.add({text_of(one, "name"), text_of(one, "type"),
                   printable(broker ? text_of(one, "url") : connection.substr(0, connection.find(';'))),
                   text_of(status, "state"), status["messages"].dump(), status["securityMessages"].dump(),
                   status["operations"].dump(), status["refused"].dump(),
                   short_time(status, "lastReceived")});
    }
    session.format == "csv" ? table.print_csv() : table.print();
    return {};
}

Result<void> show_connector(const Session& session, const ConnectorOptions& options) {
    const auto answer = FIELDWATCH_TRY(call(session, "GET", connector_target(options)));
    if (session.format == "json")
        std::puts(answer.dump(2).c_str());
    else
        print_connector(answer);
    return {};
}

Result<void> remove_connector(const Session& session, const ConnectorOptions& options) {
    static_cast<void>(FIELDWATCH_TRY(call(session, "DELETE", connector_target(options))));
    return {};
}

/// What is sent at once: whole documents, one a line, and where each was.
class ImportBatch {
  public:
    ImportBatch(const Session& session, std::string target) : session_(session), target_(std::move(target)) {}

    Result<void> add(std::string_view document, std::string where) {
        // A document over several lines is one line here: blanks outside of strings mean nothing.
        const auto begin = text_.size();
        text_.append(document).append(1, '\n');
        std::replace(text_.begin() + static_cast<std::ptrdiff_t>(begin), text_.end() - 1, '\n', ' ');
        places_.push_back(std::move(where));
        return text_.size() >= kImportBytes ? send() : Result<void>{};
    }
    void refuse(const std::string& where, const std::string& why) {
        ++refused_;
        std::fprintf(stderr, "%s: %s\n", printable(where).c_str(), printable(why).c_str());
    }
    Result<void> send() {
        if (text_.empty()) return {};
        const auto reply = answered_report();
        if (!reply) return std::unexpected(reply.error());
        accepted_ += reply->value("accepted", std::uint64_t{0});
        const auto refused = reply->value("refused", std::uint64_t{0});
        const auto listed = reply->value("refusals", ConnectorJson::array());
        for (const auto& one : listed)
            refuse(where_of(one.value("where", "")), one.value("why", ""));
        refused_ += refused - std::min<std::uint64_t>(refused, listed.size());
        if (refused > listed.size())
            std::fprintf(stderr, "and %llu more\n", static_cast<unsigned long long>(refused - listed.size()));
        text_.clear();
        places_.clear();
        return {};
    }
    std::uint64_t accepted() const { return accepted_; }
    std::uint64_t refused() const { return refused_; }

  private:
    /// 400 with a report says that nothing could be used; any other refusal ends the import.
    Result<ConnectorJson> answered_report() {
        net::HttpClient client({.url = FIELDWATCH_TRY(net::parse_url(session_.server)),
                                .bearer_token = session_.token,
                                .ca_file = {},
                                .ca_pem = {},
                                .headers = {}});
        const auto reply = FIELDWATCH_TRY(client.request("POST", target_, text_));
        auto body = ConnectorJson::parse(reply.body, nullptr, false);
        if (body.is_object() && body.contains("accepted")) return body;
        const auto& error =
            body.is_object() ? body.value("error", ConnectorJson::object()) : ConnectorJson::object();
        return fail(Errc::Unavailable,
                    fmt::format("the server answers {}: {}", reply.status, text_of(error, "message")));
    }
    /// "line 3, record 2" of what was sent, as a place in the files.
    std::string where_of(const std::string& said) const {
        unsigned long line = 0;
        if (std::sscanf(said.c_str(), "line %lu", &line) != 1 || line == 0 || line > places_.size())
            return said;
        const auto comma = said.find(", ");
        return places_[line - 1] + (comma == std::string::npos ? "" : said.substr(comma));
    }

    const Session& session_;
    const std::string target_;
    std::string text_;
    std::vector<std::string> places_;
    std::uint64_t accepted_ = 0, refused_ = 0;
};

Result<void> import_stream(std::istream& input, const std::string& name, ImportBatch& batch) {
    diagnostic::DocumentSplitter splitter;
    Result<void> failed;
    std::uint64_t number = 0;
    for (std::string line; failed && std::getline(input, line);) {
        ++number;
        if (line.size() > kImportLineMax)
            return fail(Errc::TooLarge, fmt::format("{}:{}: a line above 64 MiB", name, number));
        const auto done = splitter.add(line, number, [&](std::string_view document, std::uint64_t first) {
            if (failed) failed = batch.add(document, fmt::format("{}:{}", name, first));
        });
        if (!done) batch.refuse(fmt::format("{}:{}", name, number), done.error().message);
    }
    if (failed && splitter.waiting())
        batch.refuse(fmt::format("{}:{}", name, splitter.first_line()),
                     "the document that begins here does not end");
    return failed;
}

Result<void> import_records(const Session& session, const ConnectorOptions& options) {
    ImportBatch batch(session, fmt::format("/api/v1/hubs/{}/records", percent_encode(session.hub)));
    for (const auto& path : options.files) {
        if (path == "-") {
            FIELDWATCH_TRY(import_stream(std::cin, "standard input", batch));
            continue;
        }
        std::ifstream file(path, std::ios::binary);
        if (!file) return fail(Errc::NotFound, fmt::format("cannot read {}", path));
        FIELDWATCH_TRY(import_stream(file, path, batch));
    }
    FIELDWATCH_TRY(batch.send());
    if (session.format == "json") {
        std::puts(
            ConnectorJson({{"accepted", batch.accepted()}, {"refused", batch.refused()}}).dump(2).c_str());
    } else {
        std::printf("%llu records taken, %llu refused\n", static_cast<unsigned long long>(batch.accepted()),
                    static_cast<unsigned long long>(batch.refused()));
    }
    if (batch.accepted() == 0 && batch.refused() > 0)
        return fail(Errc::InvalidArgument, "nothing in it could be used");
    return {};
}

template <class Work>
void on_call(CLI::App& command, const Chosen& options, Session& session, Work work) {
    command.callback([options, &session, work] {
        run(session, [&]() -> Result<void> { return work(session, *options); });
    });
}

void add_adding(CLI::App& command, ConnectorOptions& options) {
    const auto many = [&](const char* name, std::vector<std::string>& values, const char* what) {
        command.add_option(name, values, what)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    command.add_option(
        "--event-hubs", options.event_hubs_file,
        "A file with the Event Hubs compatible connection string of an Azure IoT Hub's built-in "
        "endpoint, or of an event hub that diagnostic settings stream to; - reads standard input");
    command.add_option("--consumer-group", options.consumer_group,
                       "Of the event hub: one that nobody else reads; default $Default");
    command.add_option("--start", options.start, "Where to begin in an event hub that was never read")
        ->check(CLI::IsMember({"latest", "earliest"}));
    command.add_option("--broker", options.broker,
                       "An MQTT broker: mqtts://HOST[:8883] or mqtt://HOST[:1883]");
    many("--topic", options.topics,
         "Of a broker: whose messages are telemetry, such as factory/{device}/data");
    many("--security-topic", options.security_topics, "Of a broker: whose messages are security messages");
    command.add_option("--user", options.user, "At the broker");
    command.add_option("--password-file", options.password_file,
                       "The user's password, in a file; - reads standard input");
    command.add_option("--client-id", options.client_id,
                       "At the broker, which keeps a session under it; default fieldwatch-NAME");
    command.add_option("--log-topic", options.log_topic,
                       "Where the broker tells who connects: $SYS/broker/log/# of Mosquitto, "
                       "$SYS/brokers/+/clients/# of EMQX");
    command.add_option("--log-file", options.log_file,
                       "Mosquitto's log file on the server's machine, instead");
    command.add_option("--device-is", options.device_is, "What names a device in that log")
        ->check(CLI::IsMember({"clientId", "user"}));
    command.add_option("--ca", options.ca, "Certificates (PEM) to trust; default: the system's authorities");
    command
        .add_option("--register-devices", options.register_devices,
                    "Who is heard of first becomes a device of the hub: on (default) or off")
        ->check(CLI::IsMember({"on", "off"}));
    command.add_flag("--off", options.off, "Keep it, and do not read");
    command.footer(
        "Examples:\n"
        "  fieldwatch hub connector add plant azure --event-hubs connection.txt --start earliest\n"
        "  fieldwatch hub connector add plant hall --broker mqtts://broker.example --user fieldwatch \\\n"
        "    --password-file pw --topic 'factory/{device}/data' --log-topic '$SYS/broker/log/#'\n"
        "The same name again changes it: what is not given is its default, but the password stays for the "
        "same "
        "broker and user.");
}

}  // namespace

void add_hub_connectors(CLI::App& hub, Session& session) {
    auto* const connector = hub.add_subcommand(
        "connector", "What a hub is attached to: brokers and event hubs that devices use already");
    connector->require_subcommand(1);
    const auto options = std::make_shared<ConnectorOptions>();
    const auto named = [&](const char* name, const char* what, bool of_one) {
        auto* const command = connector->add_subcommand(name, what);
        command->add_option("HUB", options->hub, "The hub that what is read belongs to")->required();
        if (of_one)
            command->add_option("NAME", options->name, "1 to 50 lower-case letters, digits and -")
                ->required();
        add_session_options(*command, session);
        return command;
    };
    auto* const add = named("add", "Attach the hub to a broker or an event hub, or change how", true);
    add_adding(*add, *options);
    on_call(*add, options, session, add_connector);
    on_call(*named("list", "The hub's connectors, and how they do", false), options, session,
            list_connectors);
    on_call(*named("show", "One connector; nothing of its secrets", true), options, session, show_connector);
    on_call(*named("remove", "Detach; what was read stays", true), options, session, remove_connector);

    auto* const import = hub.add_subcommand(
        "import-records", "Diagnostic records of a hub elsewhere, from files, into this hub's operation log");
    import
        ->add_option("FILE", options->files,
                     "{\"records\":[…]}, or records line by line; - reads standard input")
        ->required();
    add_session_options(*import, session);
    add_hub_option(*import, session);
    import->footer(
        "Takes what diagnostic settings write to a storage account (PT1H.json), batches as an event hub has "
        "them,\n"
        "and activity logs. What cannot be used is listed by file, line and record; the rest is taken.");
    on_call(*import, options, session, import_records);
    add_hub_snapshots(hub, session);
}

}  // namespace fieldwatch::app
