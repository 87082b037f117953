// A copy of the whole workspace for a backup: what was committed at one moment, and the sealed files that
// belonged to it then.
#include "base/file_system.hpp"
#include "base/link.hpp"
#include "workspace/duckdb/duckdb_workspace.hpp"

namespace fieldwatch::workspace {
namespace {

/// The engine makes many statements of this one, which cannot be prepared.
Result<void> copy_tables(Connection& connection) {
    duckdb_result result{};
    const auto state =
        duckdb_query(connection.get(), "COPY FROM DATABASE workspace TO fieldwatch_copy", &result);
    const char* const message = duckdb_result_error(&result);
    auto done = state == DuckDBSuccess ? Result<void>()
                                       : fail(Errc::Io, message != nullptr ? message : "the copy failed");
    duckdb_destroy_result(&result);
    return done;
}

/// The database under its own name, and the file it is copied to. Inside the transaction that reads the
/// manifest, so that both are of one moment.
Result<Layout> copy_database(Connection& connection, const std::string& file) {
    FIELDWATCH_TRY(connection.run("ATTACH " + quote_literal(file) + " AS fieldwatch_copy"));
    const auto copied = [&]() -> Result<Layout> {
        auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
        auto layout = FIELDWATCH_TRY(read_layout(connection));
        FIELDWATCH_TRY(copy_tables(connection));
        FIELDWATCH_TRY(transaction.commit());
        return layout;
    }();
    FIELDWATCH_TRY(connection.run("DETACH fieldwatch_copy"));  // writes its log back
    return copied;
}

}  // namespace

Result<Upkeep*> upkeep_of(Workspace& workspace) {
    auto* const upkeep = dynamic_cast<Upkeep*>(&workspace);
    if (upkeep == nullptr)
        return fail(Errc::Unsupported, "the workspace does not lie in files of this server");
    return upkeep;
}

Result<void> DuckdbWorkspace::snapshot_to(const std::string& directory) {
    auto& files = posix_file_system();
    // No sealed file comes or goes meanwhile.
    const std::scoped_lock one(maintain_mutex_);
    FIELDWATCH_TRY(files.make_directories(directory + "/sealed"));
    // The engine writes nowhere but in its own directory.
    const auto aside = options_.directory + "/temporary/copy.duckdb";
    for (const auto* suffix : {"", ".wal"}) {
        if (const auto gone = files.remove(aside + suffix); !gone && gone.error().code != Errc::NotFound)
            return gone;
    }
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(copy_database(connection, aside));
    FIELDWATCH_TRY(link_or_copy(aside, directory + "/workspace.duckdb"));
    FIELDWATCH_TRY(files.remove(aside));
    for (const auto& sealed : layout.sealed)
        FIELDWATCH_TRY(
            link_or_copy(sealed_directory() + "/" + sealed.file, directory + "/sealed/" + sealed.file));
    return {};
}

}  // namespace fieldwatch::workspace
