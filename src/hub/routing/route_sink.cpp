#include "hub/routing/route_sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/hash.hpp"
#include "base/json_text.hpp"
#include "net/http_client.hpp"
#include "net/outbound_stream.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kLinesSuffix = ".jsonl";
constexpr std::uint64_t kTailBytes = 4u << 20;  // a line is a message of 256 KiB, base64 or escaped
constexpr std::size_t kWebhookAnswerMax = 256u << 10;

std::uint64_t lines_number(std::string_view name) {
    if (!name.ends_with(kLinesSuffix)) return 0;
    name.remove_suffix(kLinesSuffix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    return error == std::errc{} && end == name.data() + name.size() ? number : 0;
}

class FileSink final : public RouteSink {
  public:
    FileSink(FileSystem& files, std::string directory, const RouteEndpoint& endpoint)
        : files_(files),
          directory_(std::move(directory)),
          file_bytes_max_(endpoint.file_bytes_max),
          files_max_(endpoint.files_max) {}

    Result<void> open() {
        FIELDWATCH_TRY(files_.make_directories(directory_));
        for (const auto& name : FIELDWATCH_TRY(files_.list(directory_)))
            number_ = std::max(number_, lines_number(name));
        if (number_ == 0) return begin_next();
        file_ = FIELDWATCH_TRY(files_.open(path_of(number_), OpenMode::ReadWrite));
        return drop_torn_line();
    }

    Result<void> deliver(std::span<const std::string> messages) override {
        std::string text;
        for (const auto& message : messages)
            text.append(message).append(1, '\n');
        if (size_ > 0 && size_ + text.size() > file_bytes_max_) FIELDWATCH_TRY(begin_next());
        auto written = file_->write_at(size_, as_bytes(text));
        if (written) written = file_->sync();
        if (!written) {
            static_cast<void>(file_->truncate(size_));  // what is left of it would stand before the next try
            return written;
        }
        size_ += text.size();
        return {};
    }

  private:
    std::string path_of(std::uint64_t number) const {
        return fmt::format("{}/{:08}{}", directory_, number, kLinesSuffix);
    }

    Result<void> begin_next() {
        auto next = FIELDWATCH_TRY(files_.open(path_of(number_ + 1), OpenMode::CreateNew));
        FIELDWATCH_TRY(files_.sync_directory(directory_));
        file_ = std::move(next);
        ++number_;
        size_ = 0;
        auto names = FIELDWATCH_TRY(files_.list(directory_));
        std::erase_if(names, [](const std::string& name) { return lines_number(name) == 0; });
        std::ranges::sort(names, {}, [](const std::string& name) { return lines_number(name); });
        for (std::size_t i = 0; i + files_max_ < names.size(); ++i)
            FIELDWATCH_TRY(files_.remove(directory_ + '/' + names[i]));
        return {};
    }

    Result<void> drop_torn_line() {
        const auto size = FIELDWATCH_TRY(file_->size());
        const auto tail = std::min(size, kTailBytes);
        Bytes bytes(static_cast<std::size_t>(tail));
        bytes.resize(FIELDWATCH_TRY(file_->read_at(size - tail, bytes)));
        const auto end = as_text(bytes).rfind('\n');
        size_ = size - tail + (end == std::string_view::npos ? 0 : end + 1);
        return size_ == size ? Result<void>{} : file_->truncate(size_);
    }

    FileSystem& files_;
    const std::string directory_;
    const std::uint64_t file_bytes_max_;
    const std::size_t files_max_;
    std::unique_ptr<File> file_;
    std::uint64_t number_ = 0, size_ = 0;
};

class WebhookSink final : public RouteSink {
  public:
    WebhookSink(const RouteEndpoint& endpoint, WebhookOptions options, const Clock& clock,
                std::unique_ptr<net::Interrupt> interrupt, std::vector<std::byte> key)
        : endpoint_(endpoint),
          options_(std::move(options)),
          clock_(clock),
          interrupt_(std::move(interrupt)),
          key_(std::move(key)) {}

    void interrupt() override { interrupt_->raise(); }

    Result<void> deliver(std::span<const std::string> messages) override {
        const auto body = body_of(messages);
        auto url = FIELDWATCH_TRY(net::parse_url(endpoint_.url));
        url.path.clear();
        const auto time = std::to_string(clock_.now().unix_seconds());
        const auto signature = hex(hmac_sha256(key_, as_bytes(time + '.' + body)));
        net::HttpClient client({.url = std::move(url),
                                .bearer_token = {},
                                .ca_file = {},
                                .ca_pem = endpoint_.ca_pem,
                                .headers = {{"User-Agent", "fieldwatch"},
                                            {"X-Fieldwatch-Timestamp", time},
                                            {"X-Fieldwatch-Signature", "v1=" + signature}},
                                .timeout = options_.timeout,
                                .body_bytes_max = kWebhookAnswerMax,
                                .total = options_.timeout,
                                .interrupt = interrupt_.get()});
        const auto reply = client.request("POST", target(), body);
        if (!reply) return fail(Errc::Unavailable, reply.error().message);
        if (reply->status >= 200 && reply->status < 300) return {};
        const bool never = reply->status == 413 || reply->status == 422;
        return fail(never ? Errc::InvalidArgument : Errc::Unavailable,
                    fmt::format("the receiver answers {}", reply->status));
    }

  private:
    std::string body_of(std::span<const std::string> messages) const {
        std::string body;
        JsonWriter out(body);
        out.begin_object()
            .member("hub", options_.hub)
            .member("endpoint", endpoint_.name)
            .key("messages")
            .begin_array();
        for (const auto& message : messages)
            out.raw(message);
        out.end_array().end_object();
        return body;
    }
    /// Path and query as they were given.
    std::string target() const {
        const auto slash = endpoint_.url.find('/', endpoint_.url.find("://") + 3);
        return slash == std::string::npos ? std::string("/") : endpoint_.url.substr(slash);
    }

    const RouteEndpoint endpoint_;
    const WebhookOptions options_;
    const Clock& clock_;
    const std::unique_ptr<net::Interrupt> interrupt_;
    const std::vector<std::byte> key_;
};

}  // namespace

Result<std::unique_ptr<RouteSink>> open_file_sink(FileSystem& files, std::string directory,
                                                  const RouteEndpoint& endpoint) {
    auto sink = std::make_unique<FileSink>(files, std::move(directory), endpoint);
    FIELDWATCH_TRY(sink->open());
    return std::unique_ptr<RouteSink>(std::move(sink));
}

Result<std::unique_ptr<RouteSink>> open_webhook_sink(const RouteEndpoint& endpoint, WebhookOptions options,
                                                     const Clock& clock) {
    auto interrupt = FIELDWATCH_TRY(net::Interrupt::create());
    const auto key = from_base64(options.signing_key);
    if (!key || key->empty())
        return fail(Errc::InvalidArgument, "the hub has no policy \"service\" to sign with");
    return std::unique_ptr<RouteSink>(
        std::make_unique<WebhookSink>(endpoint, std::move(options), clock, std::move(interrupt), *key));
}

}  // namespace fieldwatch::hub
