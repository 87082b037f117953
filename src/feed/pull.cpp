#include "feed/pull.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "feed/fetch.hpp"
#include "feed/misp_feed.hpp"
#include "feed/taxii.hpp"

namespace fieldwatch::feed {

namespace {

constexpr std::size_t kManifestBytesMax = 64u << 20, kEventBytesMax = 64u << 20, kPageBytesMax = 64u << 20;
constexpr std::size_t kPulledBytesMax = 250u << 20;  ///< what an import takes
constexpr std::size_t kFailedEventsMax = 20;         ///< of one pull: then the server is at fault

class Puller {
  public:
    explicit Puller(const Pull& pull) : pull_(pull), until_(pull.clock.monotonic() + Pull::kTimeMax) {}

    Result<Pull::Pulled> file() {
        auto what = asking(pull_.feed.url, kPulledBytesMax);
        if (pull_.kept) {
            what.etag = pull_.cursor.etag;
            what.last_modified = pull_.cursor.last_modified;
        }
        auto fetched = FIELDWATCH_TRY(fetch(what));
        Pull::Pulled out{.text = {}, .cursor = cursor_of(fetched.reply), .problem = {}};
        if (fetched.is_unchanged) out.cursor = pull_.cursor;
        if (!fetched.is_unchanged) out.text = std::move(fetched.reply.body);
        return out;
    }

    Result<Pull::Pulled> taxii() {
        StixObjects objects;
        Pull::Pulled out;
        std::string added_after;
        if (pull_.kept && !pull_.cursor.added_after.empty() && objects.take(*pull_.kept)) {
            added_after = pull_.cursor.added_after;
            out.is_addition = true;
        }
        out.cursor.added_after = added_after;
        std::string next;
        std::size_t fetched_objects = 0;
        for (std::size_t pages = 0;; ++pages) {
            if (pages >= Pull::kPagesMax)
                return fail(Errc::TooLarge,
                            fmt::format("the collection has more than {} pages", Pull::kPagesMax));
            auto what = asking(objects_url(pull_.feed.url, added_after, next), kPageBytesMax);
            what.accept = kTaxiiMedia;
            const auto fetched = FIELDWATCH_TRY(fetch(what));
            const auto page = FIELDWATCH_TRY(objects.take(fetched.reply.body));
            fetched_objects += page.objects;
            const auto last = fetched.reply.header("x-taxii-date-added-last");
            if (parse_iso8601(last)) out.cursor.added_after = last;
            if (!page.more) break;
            // Who says that there is more says where, or that it is behind the last one's time.
            if (page.next.empty() && (page.objects == 0 || !parse_iso8601(last) || added_after == last))
                return fail(Errc::Malformed, "the collection says that there is more, and not where");
            if (page.next.empty()) added_after = last;
            if (!page.next.empty() && page.next == next)
                return fail(Errc::Malformed, "the collection names the same page as the next one again");
            next = page.next;
        }
        if (out.is_addition && fetched_objects == 0) return out;
        out.text = FIELDWATCH_TRY(objects.bundle(pull_.clock.now()));
        return out;
    }

    Result<Pull::Pulled> misp() {
        auto base = pull_.feed.url;
        constexpr std::string_view kManifest = "manifest.json";
        if (base.ends_with(kManifest)) base.resize(base.size() - kManifest.size());
        if (!base.ends_with('/')) base += '/';
        auto events = MispEvents::of(pull_.kept.value_or(""));
        auto what = asking(base + std::string(kManifest), kManifestBytesMax);
        if (pull_.kept) {
            what.etag = pull_.cursor.etag;
            what.last_modified = pull_.cursor.last_modified;
        }
        const auto fetched = FIELDWATCH_TRY(fetch(what));
        Pull::Pulled out{.text = {}, .cursor = pull_.cursor, .problem = {}};
        if (fetched.is_unchanged) return out;
        const auto manifest = FIELDWATCH_TRY(parse_manifest(fetched.reply.body));
        const auto wanted = events.wanted(manifest);
        const auto count = std::min(wanted.size(), Pull::kEventsAtOnce);
        std::size_t failed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const auto& uuid = wanted[i];
            const auto taken = take_event(base, uuid, manifest.at(uuid), events);
            if (taken) continue;
            if (taken.error().code == Errc::Cancelled || ++failed > kFailedEventsMax)
                return std::unexpected(taken.error());
            if (out.problem.empty()) out.problem = taken.error().message;
        }
        if (failed > 1) out.problem += fmt::format(" (and {} more events)", failed - 1);
        if (wanted.size() > count)
            out.problem =
                fmt::format("{} events are still to come with the next pulls", wanted.size() - count);
        // The manifest counts as seen only when all of it is here.
        out.cursor = out.problem.empty() ? cursor_of(fetched.reply) : Cursor{};
        events.keep_only(manifest);
        auto text = FIELDWATCH_TRY(events.text());
        if (!pull_.kept || text != *pull_.kept) out.text = std::move(text);
        return out;
    }

  private:
    Fetch asking(std::string url, std::size_t bytes_max) const {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until_ - pull_.clock.monotonic());
        return {.url = std::move(url),
                .accept = {},
                .authorization = pull_.feed.authorization,
                .ca_pem = pull_.feed.ca_pem,
                .etag = {},
                .last_modified = {},
                .bytes_max = bytes_max,
                .time_max = std::max(left, std::chrono::milliseconds(1)),
                .interrupt = pull_.interrupt};
    }

    static Cursor cursor_of(const net::HttpReply& reply) {
        return {.etag = std::string(reply.header("etag")),
                .last_modified = std::string(reply.header("last-modified")),
                .added_after = {}};
    }

    Result<void> take_event(const std::string& base, const std::string& uuid, const std::string& version,
                            MispEvents& events) const {
        const auto fetched = FIELDWATCH_TRY(fetch(asking(base + uuid + ".json", kEventBytesMax)));
        return events.take(uuid, version, fetched.reply.body);
    }

    const Pull& pull_;
    std::chrono::nanoseconds until_;
};

}  // namespace

Result<Pull::Pulled> Pull::run() const {
    Puller puller(*this);
    switch (feed.format) {
        case Format::File:
        case Format::Bundle:
            return puller.file();
        case Format::Taxii:
            return puller.taxii();
        case Format::Misp:
            return puller.misp();
    }
    return fail(Errc::Internal, "a feed of no format");
}

}  // namespace fieldwatch::feed
