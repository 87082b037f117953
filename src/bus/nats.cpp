#include <fmt/format.h>
#include <nats/nats.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "bus/bus.hpp"

namespace fieldwatch::bus {

namespace {

constexpr std::int64_t kNatsSliceMs = 200;  // how late an interruption is seen

Result<void> checked(natsStatus status, const char* what) {
    if (status == NATS_OK) return {};
    return fail(Errc::Unavailable, fmt::format("NATS: {}: {}", what, natsStatus_GetText(status)));
}

/// The client reads certificates from a file alone: one that has no name.
class NamelessFile {
  public:
    explicit NamelessFile(std::string_view text) : fd_(::memfd_create("authorities", MFD_CLOEXEC)) {
        complete_ = fd_ >= 0 && ::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    }
    ~NamelessFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    NamelessFile(const NamelessFile&) = delete;
    NamelessFile& operator=(const NamelessFile&) = delete;
    bool complete() const { return complete_; }
    std::string path() const { return fmt::format("/proc/self/fd/{}", fd_); }

  private:
    const int fd_;
    bool complete_ = false;
};

class Nats final : public Bus {
  public:
    Nats(Address address, Options options) : address_(std::move(address)), options_(std::move(options)) {}
    ~Nats() override { close(); }
    Nats(const Nats&) = delete;
    Nats& operator=(const Nats&) = delete;

    void interrupt() override { interrupted_ = true; }

    Result<void> deliver(std::span<const Message> messages) override {
        auto done = publish(messages);
        if (!done) close();  // its acknowledgements are nobody's any more
        return done;
    }

  private:
    Result<void> connect() {
        natsOptions* options = nullptr;
        FIELDWATCH_TRY(checked(natsOptions_Create(&options), "options"));
        const auto done = connect_with(options);
        natsOptions_Destroy(options);
        return done;
    }

    Result<void> connect_with(natsOptions* options) {
        std::vector<std::string> urls;
        for (const auto server : split(address_.servers, ','))
            urls.push_back("nats://" + std::string(server));
        std::vector<const char*> raw;
        for (const auto& url : urls)
            raw.push_back(url.c_str());
        FIELDWATCH_TRY(
            checked(natsOptions_SetServers(options, raw.data(), static_cast<int>(raw.size())), "servers"));
        FIELDWATCH_TRY(checked(natsOptions_SetTimeout(options, options_.timeout.count()), "timeout"));
        FIELDWATCH_TRY(checked(natsOptions_SetAllowReconnect(options, false), "reconnect"));
        FIELDWATCH_TRY(checked(natsOptions_SetName(options, "fieldwatch"), "name"));
        if (!options_.user.empty())
            FIELDWATCH_TRY(checked(
                natsOptions_SetUserInfo(options, options_.user.c_str(), options_.password.c_str()), "user"));
        const NamelessFile authorities(options_.ca_pem);
        if (address_.tls) {
            FIELDWATCH_TRY(checked(natsOptions_SetSecure(options, true), "TLS"));
            if (!options_.ca_pem.empty() && !authorities.complete())
                return fail(Errc::Io, "NATS: no space for certificates");
            if (!options_.ca_pem.empty())
                FIELDWATCH_TRY(
                    checked(natsOptions_LoadCATrustedCertificates(options, authorities.path().c_str()),
                            "certificates"));
        }
        FIELDWATCH_TRY(checked(natsConnection_Connect(&connection_, options), "connecting"));
        jsOptions stream;
        FIELDWATCH_TRY(checked(jsOptions_Init(&stream), "options"));
        stream.PublishAsync.ErrHandler = &Nats::refused;
        stream.PublishAsync.ErrHandlerClosure = this;
        return checked(natsConnection_JetStream(&stream_, connection_, &stream), "JetStream");
    }

    Result<void> publish(std::span<const Message> messages) {
        if (stream_ == nullptr) FIELDWATCH_TRY(connect());
        {
            const std::lock_guard lock(mutex_);
            problem_.clear();
        }
        const auto until = system_clock().monotonic() + options_.timeout;
        for (const auto& message : messages) {
            const std::string id(message.id);
            jsPubOptions one;
            jsPubOptions_Init(&one);
            one.MsgId = id.c_str();
            const auto status = js_PublishAsync(stream_, address_.topic.c_str(), message.text.data(),
                                                static_cast<int>(message.text.size()), &one);
            if (status == NATS_MAX_PAYLOAD)
                return fail(Errc::InvalidArgument, "NATS does not take messages of this size");
            FIELDWATCH_TRY(checked(status, "publishing"));
        }
        for (;;) {
            jsPubOptions wait;
            jsPubOptions_Init(&wait);
            wait.MaxWait = kNatsSliceMs;
            const auto status = js_PublishAsyncComplete(stream_, &wait);
            if (const auto why = problem(); !why.empty()) return fail(Errc::Unavailable, "NATS: " + why);
            if (status == NATS_OK) return {};
            if (status != NATS_TIMEOUT) return checked(status, "waiting");
            if (interrupted_) return fail(Errc::Cancelled, "ended while NATS was asked");
            if (system_clock().monotonic() >= until)
                return fail(Errc::Unavailable, "NATS: no stream acknowledges in time");
        }
    }

    // From a thread of the client.
    static void refused(jsCtx*, jsPubAckErr* error, void* closure) {
        auto& bus = *static_cast<Nats*>(closure);
        const std::lock_guard lock(bus.mutex_);
        bus.problem_ = error->ErrText != nullptr && *error->ErrText != 0 ? error->ErrText
                                                                         : natsStatus_GetText(error->Err);
        if (error->Err == NATS_NO_RESPONDERS)
            bus.problem_ = "no stream has the subject " + bus.address_.topic;
    }
    std::string problem() const {
        const std::lock_guard lock(mutex_);
        return problem_;
    }

    void close() {
        if (connection_ != nullptr) natsConnection_Close(connection_);
        jsCtx_Destroy(stream_);
        natsConnection_Destroy(connection_);
        stream_ = nullptr;
        connection_ = nullptr;
    }

    const Address address_;
    const Options options_;
    natsConnection* connection_ = nullptr;
    jsCtx* stream_ = nullptr;
    mutable std::mutex mutex_;  // the client answers from a thread of its own
    std::string problem_;
    std::atomic<bool> interrupted_ = false;
};

}  // namespace

Result<std::unique_ptr<Bus>> open_nats(Address address, Options options) {
    return std::unique_ptr<Bus>(std::make_unique<Nats>(std::move(address), std::move(options)));
}

}  // namespace fieldwatch::bus
