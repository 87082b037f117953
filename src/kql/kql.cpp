#include "kql/kql.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

/// How many units of UTF-16 the byte of UTF-8 begins: editors and pages count in those.
std::uint32_t units_of(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) return 0;
    return byte >= 0xF0 ? 2 : 1;
}

KqlError located(Failure failure, std::string_view text) {
    KqlError error{
        .kind = failure.kind, .message = std::move(failure.message), .line = 1, .column = 1, .length = 0};
    const auto begin = std::min<std::size_t>(failure.span.offset, text.size());
    for (const char c : text.substr(0, begin)) {
        error.column += units_of(c);
        if (c == '\n') ++error.line, error.column = 1;
    }
    for (const char c : text.substr(begin, failure.span.length))
        error.length += units_of(c);
    return error;
}

Parsed<CompiledQuery> compile_located(std::string_view text, const Catalog& catalog, const Options& options) {
    if (text.size() > options.limits.text_bytes_max)
        return limit_error({},
                           fmt::format("the query is longer than {} bytes", options.limits.text_bytes_max));
    if (!is_utf8(text) || text.contains('\0')) return syntax_error({}, "the query is no UTF-8 text");
    const auto tokens = FIELDWATCH_TRY(tokenize(text));
    const auto statement = FIELDWATCH_TRY(parse(tokens, options.limits));
    Binder binder(catalog, options);
    const auto bound = FIELDWATCH_TRY(binder.bind(statement));
    auto result = FIELDWATCH_TRY(emit_duckdb(bound, options));
    result.discovery = bound.discovery;
    result.name = bound.name;
    for (const auto& one : bound.more) {
        result.more.push_back(FIELDWATCH_TRY(emit_duckdb(one, options)));
        result.more.back().name = one.name;
    }
    result.tables.assign(binder.tables().begin(), binder.tables().end());
    return result;
}

}  // namespace

const CatalogTable* Catalog::find(std::string_view name) const {
    const auto at = std::ranges::find(tables, name, &CatalogTable::name);
    return at == tables.end() ? nullptr : &*at;
}

std::expected<CompiledQuery, KqlError> compile(std::string_view text, const Catalog& catalog,
                                               const Options& options) {
    auto result = compile_located(text, catalog, options);
    if (!result) return std::unexpected(located(std::move(result).error(), text));
    return std::move(*result);
}

}  // namespace fieldwatch::kql
