// The hub over HTTPS: what devices ask (section 6) and what services ask (section 7), and the WebSocket
// upgrade. Source: spec/iot-hub-protocols.md.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "hub/https/batch.hpp"
#include "hub/https/call.hpp"
#include "hub/https/upload_store.hpp"

namespace fieldwatch::hub {

class JobRunner;

/// Any thread; requests run on the runtime's workers, because they block on the registry.
class Api {
  public:
    Api(Shared& shared, Devices& devices);
    ~Api();

    /// From the connection's core; see net::WebHandlers.
    void handle(net::HttpRequest request, const net::Connection& connection,
                net::WebHandlers::Respond respond);
    /// 403 for a file whose address is not signed; any core's thread.
    std::expected<std::size_t, net::HttpResponse> body_bytes_max(const net::HttpRequest& head) const;
    /// Removes what devices put and never finished. Now and then, on a worker.
    void sweep() { uploads_.sweep(now()); }
    /// No further request is begun; waits for those that run.
    void stop();

  private:
    // Each answers, or takes `call.respond` and answers later (then it returns nullopt).
    using Reply = std::optional<Answer>;
    void serve(Call call);
    Reply route(Call& call);
    Reply route_devices(Call& call);
    Reply route_device_messages(Call& call, std::size_t first);
    Reply route_twins(Call& call);
    Reply route_service_messages(Call& call);
    Answer route_jobs(Call& call);

    std::optional<net::HttpResponse> refuse_service(Call& call, Right right, std::string_view device = {},
                                                    std::string_view module = {});
    /// 429 when the hub is over its rate of that kind; the refusal is in the log.
    std::optional<net::HttpResponse> refuse_rate(const Call& call, Throttle what, double amount = 1);
    std::optional<net::HttpResponse> refuse_method_rate(const Call& call);
    std::optional<net::HttpResponse> refuse_device(Call& call, std::string_view device,
                                                   std::string_view module, Stamps* stamps = nullptr);

    // device_api.cpp
    Reply append(Call& call, const Stamps& stamps, std::vector<HttpMessage> messages);
    Reply post_event(Call& call, const Stamps& stamps);
    Reply post_batch(Call& call, const Stamps& stamps);
    Answer receive_command(Call& call);
    Answer settle_command(Call& call, std::string_view token, std::string_view how);
    // file_api.cpp
    Answer begin_upload(Call& call);
    Answer end_upload(Call& call, std::string_view correlation);
    Answer blob(Call& call);
    static BlobName blob_name(const std::vector<std::string>& path);
    bool is_signed(const net::HttpRequest& request, const BlobName& name) const;
    static net::HttpResponse blob_error(int status, std::string_view code);
    // registry_api.cpp
    Answer list_devices(Call& call);
    Answer get_identity(Call& call, const model::Identity& identity);
    Answer put_identity(Call& call, const model::Identity& identity);
    Answer delete_identity(Call& call, const model::Identity& identity);
    Answer list_modules(Call& call, const model::Identity& device);
    Answer statistics(Call& call);
    Answer bulk(Call& call);
    std::optional<int> bulk_one(Call& call, const Json& entry, Json& errors);
    void drop_if_changed(const registry::Entry& before, const registry::Entry& after);
    // twin_api.cpp
    Answer get_twin(Call& call, const model::Identity& identity);
    Answer change_twin(Call& call, const model::Identity& identity, bool replaces, std::string_view part);
    Answer run_query(Call& call);
    Reply call_method(Call& call, const model::Identity& identity);
    // command_api.cpp
    Answer purge(Call& call, const model::Identity& identity);
    Answer send_command(Call& call);
    Answer receive_notices(Call& call, registry::NoticeKind kind);
    // configuration_api.cpp
    Answer configurations(Call& call);
    Answer apply_content(Call& call, const model::Identity& device);

    void log(const Call& call, std::string_view category, std::string_view name,
             const model::Identity& identity, int result = 0, std::string_view description = {}) const;
    Timestamp now() const { return shared_.parts.clock.now(); }

    /// A file that a device was given an address for; forgotten after an hour, or at a restart.
    struct Upload {
        BlobName name;
        Timestamp until;
    };

    Shared& shared_;
    Devices& devices_;
    UploadStore uploads_;
    net::Guarded<std::map<std::string, Upload>> uploads_under_way_;  ///< by correlation id
    std::unique_ptr<JobRunner> jobs_;
    std::atomic<std::size_t> running_{0};
    std::atomic<bool> stopping_{false};
    Counter& requests_;
};

}  // namespace fieldwatch::hub
