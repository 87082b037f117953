#include "net/smtp_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

namespace fieldwatch::net {

namespace {

constexpr long kConnectMs = 10'000;
constexpr std::size_t kSaidBytesMax = 200;  // of what the server says, in our words

/// What a stranger says in one line of ASCII.
std::string one_line(std::string_view text) {
    std::string out(text.substr(0, kSaidBytesMax));
    while (!out.empty() && (out.back() == '\r' || out.back() == '\n'))
        out.pop_back();
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

struct FreeCurl {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

class CurlSmtp final : public SmtpClient {
  public:
    explicit CurlSmtp(SmtpOptions options) : options_(std::move(options)) {}

    Result<void> open() {
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        if (ready != CURLE_OK) return fail(Errc::Io, curl_easy_strerror(ready));
        curl_.reset(curl_easy_init());
        if (!curl_) return fail(Errc::Io, "no memory for a mail client");
        const bool implicit = options_.security == SmtpOptions::Security::Implicit;
        const bool brackets = options_.host.find(':') != std::string::npos;
        url_ = fmt::format("{}://{}{}{}:{}", implicit ? "smtps" : "smtp", brackets ? "[" : "", options_.host,
                           brackets ? "]" : "", options_.port);
        set(CURLOPT_URL, url_.c_str());
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
        set(CURLOPT_PROXY, "");  // whatever the environment says
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
        set(CURLOPT_ERRORBUFFER, why_.data());
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
        set(CURLOPT_READFUNCTION, &CurlSmtp::read);
        set(CURLOPT_READDATA, static_cast<void*>(this));
        set(CURLOPT_HEADERFUNCTION, &CurlSmtp::said);
        set(CURLOPT_HEADERDATA, static_cast<void*>(this));
        set(CURLOPT_XFERINFOFUNCTION, &CurlSmtp::progress);
        set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
        set(CURLOPT_NOPROGRESS, 0L);
        if (!options_.user.empty()) {
            set(CURLOPT_USERNAME, options_.user.c_str());
            set(CURLOPT_PASSWORD, options_.password.c_str());
        }
        set_trust();
        return refused_ == CURLE_OK ? Result<void>() : fail(Errc::Io, curl_easy_strerror(refused_));
    }

    Result<std::string> send(const Mail& mail) override {
        if (!curl_) FIELDWATCH_TRY(open());
        curl_slist* raw = nullptr;
        for (const auto& one : mail.to) {
            auto* const longer = curl_slist_append(raw, fmt::format("<{}>", one).c_str());
            if (longer == nullptr) break;
            raw = longer;
        }
        const std::unique_ptr<curl_slist, FreeCurl> recipients(raw);
        const auto from = fmt::format("<{}>", mail.from);
        set(CURLOPT_MAIL_FROM, from.c_str());
        set(CURLOPT_MAIL_RCPT, recipients.get());
        set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(mail.text.size()));
        left_ = mail.text;
        last_said_.clear();
        refusals_.clear();
        why_[0] = 0;
        const auto code = curl_easy_perform(curl_.get());
        if (code == CURLE_OK) return refusals_;
        return problem(code);
    }

    void hang_up() override { curl_.reset(); }
    void interrupt() override { interrupted_ = true; }

  private:
    template <class Value>
    void set(CURLoption option, Value value) {
        if (const auto code = curl_easy_setopt(curl_.get(), option, value); code != CURLE_OK) refused_ = code;
    }

    void set_trust() {
        if (options_.security == SmtpOptions::Security::None)
            return set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_NONE));
        set(CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        if (options_.ca_pem.empty()) return;
        curl_blob blob{
            .data = options_.ca_pem.data(), .len = options_.ca_pem.size(), .flags = CURL_BLOB_COPY};
        set(CURLOPT_CAINFO_BLOB, &blob);
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // nobody else
    }

    /// The mail was read to its end, and the answer is final: it is the mail that the server does not like.
    /// A refusal before that is of who sends and receives, which somebody mends.
    std::unexpected<Error> problem(CURLcode code) {
        if (interrupted_) return fail(Errc::Cancelled, "ended while a mail was sent");
        long status = 0;
        curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
        auto text = fmt::format("{}: {}", options_.host,
                                one_line(why_[0] != 0 ? why_.data() : curl_easy_strerror(code)));
        const bool answered = !last_said_.empty() && status >= 400;
        if (answered) text += fmt::format(" (\"{}\")", last_said_);
        if (left_.empty() && status >= 500 && status < 600) return fail(Errc::InvalidArgument, text);
        if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_LOGIN_DENIED)
            return fail(Errc::Unauthorized, text);
        return fail(Errc::Unavailable, text);
    }

    static std::size_t read(char* into, std::size_t size, std::size_t count, void* self) {
        auto& left = static_cast<CurlSmtp*>(self)->left_;
        const auto taken = left.substr(0, size * count);
        std::memcpy(into, taken.data(), taken.size());
        left.remove_prefix(taken.size());
        return taken.size();
    }
    /// Every line of the server. While the mail was not begun, a refusal with the others taken is of one
    /// recipient.
    static std::size_t said(char* line, std::size_t size, std::size_t count, void* self) {
        auto& client = *static_cast<CurlSmtp*>(self);
        client.last_said_ = one_line({line, size * count});
        if (client.last_said_.starts_with("55") && client.refusals_.size() < 2 * kSaidBytesMax)
            client.refusals_ += (client.refusals_.empty() ? "" : "; ") + client.last_said_;
        return size * count;
    }
    static int progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<CurlSmtp*>(self)->interrupted_ ? 1 : 0;
    }

    SmtpOptions options_;
    std::unique_ptr<CURL, FreeCurl> curl_;
    CURLcode refused_ = CURLE_OK;
    std::string url_;
    std::array<char, CURL_ERROR_SIZE> why_{};
    std::string_view left_;  // of the mail that send() was given
    std::string last_said_, refusals_;
    std::atomic<bool> interrupted_ = false;
};

bool is_atom_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(".!#$%&'*+/=?^_`{|}~-").find(c) != std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<SmtpClient>> SmtpClient::create(SmtpOptions options) {
    auto made = std::make_unique<CurlSmtp>(std::move(options));
    FIELDWATCH_TRY(made->open());
    return std::unique_ptr<SmtpClient>(std::move(made));
}

bool is_mail_address(std::string_view text) {
    constexpr std::size_t kAddressMax = 254, kLocalMax = 64;  // RFC 5321 section 4.5.3.1
    const auto at = text.find('@');
    if (text.size() > kAddressMax || at == std::string_view::npos || at == 0 || at > kLocalMax) return false;
    const auto domain = text.substr(at + 1);
    return !domain.empty() && std::ranges::all_of(text.substr(0, at), is_atom_character) &&
           std::ranges::all_of(domain, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '[' || c == ']' || c == ':';
           });
}

}  // namespace fieldwatch::net
