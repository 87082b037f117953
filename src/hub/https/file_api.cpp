// Files of devices: where to put one, the blob endpoint itself, and the notice when it is there.
// Source: spec/iot-hub-protocols.md section 6.
#include <algorithm>
#include <array>
#include <charconv>

#include "base/uuid.hpp"
#include "hub/https/api.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kFileUploads = "FileUploadOperations";
constexpr std::size_t kUploadsMax = 10;  // a device's at once: 403006
constexpr std::chrono::hours kUploadLifetime{1};

/// The ids inside `<Latest>…</Latest>` and its siblings; entities do not occur in base64.
std::vector<std::string> block_list(std::string_view xml) {
    std::vector<std::string> out;
    for (std::size_t at = 0; out.size() <= kBlocksMax;) {
        std::size_t next = std::string_view::npos;
        std::string_view tag;
        for (const std::string_view name : {"Latest", "Uncommitted", "Committed"}) {
            const auto found = xml.find("<" + std::string(name) + ">", at);
            if (found < next) {
                next = found;
                tag = name;
            }
        }
        if (next == std::string_view::npos) break;
        const auto begin = next + tag.size() + 2;
        const auto end = xml.find("</", begin);
        if (end == std::string_view::npos) break;
        out.emplace_back(xml.substr(begin, end - begin));
        at = end;
    }
    return out;
}

/// RFC 9110 section 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT.
std::string http_date(Timestamp time) {
    static constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun",
                                                              "Mon", "Tue", "Wed"};
    static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto iso = to_iso8601(time, 0);  // 1994-11-06T08:49:37Z
    std::size_t month = 1;
    std::from_chars(iso.data() + 5, iso.data() + 7, month);
    const auto day = static_cast<std::size_t>(time.unix_seconds() / 86'400 % 7);
    return std::string(kDays[day]) + ", " + iso.substr(8, 2) + " " + std::string(kMonths[month - 1]) + " " +
           iso.substr(0, 4) + " " + iso.substr(11, 8) + " GMT";
}

}  // namespace

net::HttpResponse Api::blob_error(int status, std::string_view code) {
    return {.status = status,
            .headers = {{"content-type", "application/xml"}, {"x-ms-error-code", std::string(code)}},
            .body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>" + std::string(code) +
                    "</Code><Message>" + std::string(code) + "</Message></Error>"};
}

Answer Api::begin_upload(Call& call) {
    const auto body = FIELDWATCH_TRY(parse_body(call));
    const auto& identity = call.speaker.identity;
    const auto found = body.is_object() ? body.find("blobName") : body.end();
    if (!body.is_object() || found == body.end() || !found->is_string())
        return fail(Errc::InvalidArgument, "the body is {\"blobName\":\"…\"}");
    const BlobName name{identity.hub, identity.device, found->get<std::string>()};
    if (name.blob.empty() || name.blob.size() > 1'024 || name.blob.find("//") != std::string::npos ||
        name.blob.front() == '/' || !is_utf8(name.blob))
        return fail(Errc::InvalidArgument, "a blob's name has 1 to 1024 bytes of UTF-8 and no empty part");
    const auto until = now() + Ticks(kUploadLifetime);
    const auto correlation = Uuid::random(shared_.parts.random).text();
    const bool taken = uploads_under_way_.with([&](auto& uploads) {
        std::erase_if(uploads, [&](const auto& entry) { return entry.second.until <= now(); });
        std::size_t own = 0;
        for (const auto& [id, upload] : uploads)
            own += upload.name.hub == name.hub && upload.name.device == name.device ? 1 : 0;
        if (own >= kUploadsMax) return false;
        uploads.emplace(correlation, Upload{name, until});
        return true;
    });
    if (!taken) {
        log(call, kFileUploads, "initiate", identity, 403006, "ten uploads are under way");
        return api_error(403006, "a device has at most ten uploads under way");
    }
    log(call, kFileUploads, "initiate", identity);
    return json_response(200, {{"correlationId", correlation},
                               {"hostName", std::string(call.request.header("host"))},
                               {"containerName", kUploadContainer},
                               {"blobName", name.hub.value + "/" + name.device.value + "/" + name.blob},
                               {"sasToken", uploads_.sign(name, until)}});
}

Answer Api::end_upload(Call& call, std::string_view correlation) {
    const auto body = FIELDWATCH_TRY(parse_body(call));
    if (!body.is_object()) return fail(Errc::InvalidArgument, "the body is a JSON object");
    const auto named = body.find("correlationId");
    const std::string id = !correlation.empty()                        ? std::string(correlation)
                           : named != body.end() && named->is_string() ? named->get<std::string>()
                                                                       : std::string();
    const auto& identity = call.speaker.identity;
    const auto upload = uploads_under_way_.with([&](auto& uploads) -> std::optional<Upload> {
        const auto found = uploads.find(id);
        if (found == uploads.end() || found->second.name.hub != identity.hub ||
            found->second.name.device != identity.device)
            return std::nullopt;
        auto out = std::move(found->second);
        uploads.erase(found);
        return out;
    });
    if (!upload) return fail(Errc::InvalidArgument, "there is no upload of that correlationId");
    const auto success = body.find("isSuccess");
    const bool fine = success != body.end() && success->is_boolean() && success->get<bool>();
    const auto size = uploads_.size(upload->name);
    const std::string uri = "https://" + std::string(call.request.header("host")) + "/" +
                            std::string(kUploadContainer) + "/" + identity.hub.value + "/" +
                            percent_encode(identity.device.value) + "/" + percent_encode(upload->name.blob);
    Operation operation{.category = kFileUploads,
                        .name = fine && size ? "complete" : "fail",
                        .result = fine && size ? 0 : 400003,
                        .description = fine && !size ? "The file is not there." : ""};
    operation.properties.emplace_back("blobUri", uri);
    if (size) operation.counts.emplace_back("blobSizeInBytes", static_cast<std::int64_t>(*size));
    shared_.log.append(operation, call.speaker);
    if (fine && !size) return api_error(400003, "no file was put at the address that was given");
    if (fine) {
        const Json notice{{"deviceId", identity.device.value},
                          {"blobUri", uri},
                          {"blobName", identity.device.value + "/" + upload->name.blob},
                          {"lastUpdatedTime", to_iso8601(now())},
                          {"blobSizeInBytes", *size},
                          {"enqueuedTimeUtc", to_iso8601(now())}};
        FIELDWATCH_TRY(shared_.commands.add_notice(identity.hub, registry::NoticeKind::File, notice.dump()));
    }
    return empty_response();
}

BlobName Api::blob_name(const std::vector<std::string>& path) {
    BlobName name;
    if (path.size() > 1) name.hub.value = path[1];
    if (path.size() > 2) name.device.value = path[2];
    for (std::size_t i = 3; i < path.size(); ++i)
        name.blob += (i > 3 ? "/" : "") + path[i];
    return name;
}

bool Api::is_signed(const net::HttpRequest& request, const BlobName& name) const {
    // In a query `+` is a blank to form decoders; base64 has pluses, blanks it has not.
    std::string signature(request.parameter("sig").value_or(""));
    std::replace(signature.begin(), signature.end(), ' ', '+');
    return uploads_.verify(name, request.parameter("se").value_or(""), signature, now());
}

Answer Api::blob(Call& call) {
    if (call.path.size() < 4) return blob_error(404, "ResourceNotFound");
    const auto name = blob_name(call.path);
    const auto& request = call.request;
    const auto parameter = [&](std::string_view key) { return request.parameter(key).value_or(""); };
    if (!is_signed(request, name)) return blob_error(403, "AuthenticationFailed");
    const auto reply = [&](const Result<void>& done) -> net::HttpResponse {
        if (!done) {
            switch (done.error().code) {
                case Errc::NotFound:
                    return blob_error(400, "InvalidBlockList");
                case Errc::InvalidArgument:
                case Errc::TooLarge:
                    return blob_error(400, "InvalidInput");
                default:
                    return blob_error(503, "ServerBusy");
            }
        }
        net::HttpResponse response{.status = 201, .headers = {}, .body = {}};
        response.headers.emplace_back("etag",
                                      "\"0x" + hex(sha256(as_bytes(request.body))).substr(0, 16) + "\"");
        response.headers.emplace_back("last-modified", http_date(now()));
        response.headers.emplace_back("x-ms-version", "2018-03-28");
        response.headers.emplace_back("x-ms-request-id", Uuid::random(shared_.parts.random).text());
        response.headers.emplace_back("x-ms-request-server-encrypted", "false");
        return response;
    };
    if (call.is("PUT")) {
        const auto part = parameter("comp");
        if (part == "block") {
            std::string block(parameter("blockid"));
            std::replace(block.begin(), block.end(), ' ', '+');
            std::int64_t until = 0;
            const auto end = parameter("se");
            std::from_chars(end.data(), end.data() + end.size(), until);
            return reply(uploads_.put_block(name, block, request.body, Timestamp::from_unix_seconds(until)));
        }
        if (part == "blocklist") return reply(uploads_.commit(name, block_list(request.body)));
        if (part.empty()) return reply(uploads_.put(name, request.body));
        return blob_error(400, "UnsupportedQueryParameter");
    }
    if (call.is("GET")) {
        auto content = uploads_.get(name);
        if (!content) return blob_error(404, "BlobNotFound");
        return net::HttpResponse{.status = 200,
                                 .headers = {{"content-type", "application/octet-stream"}},
                                 .body = std::move(*content)};
    }
    return blob_error(405, "UnsupportedHttpVerb");
}

}  // namespace fieldwatch::hub
