#include "registry/document_table.hpp"

#include <algorithm>

namespace fieldwatch::registry {

namespace {

constexpr std::size_t kDocumentBytes = 512u << 10;  // a job over a thousand devices keeps one line for each
constexpr std::size_t kDocumentsMax = 10'000;       // of one kind and hub

std::string sentence(const DocumentKey& key) {
    return "the " + key.kind + " " + key.id;
}

/// What documents are is not known here, and some hold credentials: all are sealed.
std::string place_in(const model::HubName& hub, std::string_view kind, std::string_view id) {
    return place_of("documents.body", {hub.value, kind, id});
}

Result<Document> document_of(const Statement& row, const model::HubName& hub, std::string_view kind) {
    auto id = row.text(0);
    auto json = FIELDWATCH_TRY(row.secret(1, place_in(hub, kind, id)));
    return Document{.id = std::move(id),
                    .json = std::move(json),
                    .etag = row.count(2),
                    .created = Timestamp{row.integer(3)},
                    .updated = Timestamp{row.integer(4)}};
}

}  // namespace

Result<Document> load_document(Connection& database, const DocumentKey& key) {
    auto row = FIELDWATCH_TRY(database.query(
        "SELECT id, body, etag, created, updated FROM documents WHERE hub = ? AND kind = ? AND id = ?",
        key.hub.value, key.kind, key.id));
    if (!FIELDWATCH_TRY(row.step())) return fail(Errc::NotFound, sentence(key) + " is not there");
    return document_of(row, key.hub, key.kind);
}

Result<std::vector<Document>> load_documents(Connection& database, const model::HubName& hub,
                                             std::string_view kind, const ListOptions& options) {
    auto rows = FIELDWATCH_TRY(database.query(
        "SELECT id, body, etag, created, updated FROM documents WHERE hub = ? AND kind = ? AND "
        "id > ? ORDER BY id LIMIT ?",
        hub.value, kind, options.after, std::min(options.count_max, kDocumentsMax)));
    std::vector<Document> out;
    while (FIELDWATCH_TRY(rows.step()))
        out.push_back(FIELDWATCH_TRY(document_of(rows, hub, kind)));
    return out;
}

Result<Document> write_document(Connection& database, const DocumentKey& key, std::string_view json,
                                DocumentCondition condition, Timestamp now) {
    if (key.id.empty() || key.id.size() > 256 || json.size() > kDocumentBytes) {
        return fail(Errc::TooLarge, sentence(key) + ": an id has 1 to 256 bytes, a document at most 524288");
    }
    Document document{.id = key.id, .json = std::string(json), .etag = 1, .created = now, .updated = now};
    const auto before = load_document(database, key);
    if (!before && before.error().code != Errc::NotFound) return std::unexpected(before.error());
    if (before) {
        if (condition.must_be_new) return fail(Errc::AlreadyExists, sentence(key) + " exists");
        if (condition.if_match && *condition.if_match != before->etag)
            return fail(Errc::Conflict, sentence(key) + " was changed meanwhile");
        document.etag = before->etag + 1;
        document.created = before->created;
    } else if (condition.must_exist || condition.if_match) {
        return fail(Errc::NotFound, sentence(key) + " is not there");
    } else {
        auto row = FIELDWATCH_TRY(database.query("SELECT count(*) FROM documents WHERE hub = ? AND kind = ?",
                                                 key.hub.value, key.kind));
        if (FIELDWATCH_TRY(row.step()) && row.count(0) >= kDocumentsMax)
            return fail(Errc::Exhausted, "a hub has at most 10000 documents of a kind");
    }
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "INSERT INTO documents(hub, kind, id, body, etag, created, updated) VALUES(?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT(hub, kind, id) DO UPDATE SET body = excluded.body, etag = excluded.etag, "
        "updated = excluded.updated",
        key.hub.value, key.kind, key.id, Secret{document.json, place_in(key.hub, key.kind, key.id)},
        document.etag, document.created.ticks, document.updated.ticks)));
    return document;
}

Result<void> remove_document(Connection& database, const DocumentKey& key,
                             std::optional<std::uint64_t> if_match) {
    const auto before = FIELDWATCH_TRY(load_document(database, key));
    if (if_match && *if_match != before.etag)
        return fail(Errc::Conflict, sentence(key) + " was changed meanwhile");
    static_cast<void>(FIELDWATCH_TRY(database.change(
        "DELETE FROM documents WHERE hub = ? AND kind = ? AND id = ?", key.hub.value, key.kind, key.id)));
    return {};
}

}  // namespace fieldwatch::registry
