#include "hub/query/query.hpp"

#include <algorithm>

namespace fieldwatch::hub::query {

namespace {

Resolve in(const Json& row) {
    return [&row](const Path& path) { return at(row, path); };
}

Value result_of(const Item& item, std::size_t count, double sum, const Value& minimum, const Value& maximum,
                const Value& first) {
    switch (item.aggregate) {
        case Aggregate::Count:
            return Json(count);
        case Aggregate::Sum:
            return Json(sum);
        case Aggregate::Average:
            return count == 0 ? Value() : Value(Json(sum / static_cast<double>(count)));
        case Aggregate::Minimum:
            return minimum;
        case Aggregate::Maximum:
            return maximum;
        case Aggregate::None:
            return first;
    }
    return std::nullopt;
}

}  // namespace

bool Query::aggregates() const {
    return !group_by.empty() || std::any_of(items.begin(), items.end(), [](const Item& item) {
        return item.aggregate != Aggregate::None;
    });
}

bool selects(const Query& query, const Json& row) {
    return !query.where || holds(*query.where, in(row));
}

Json project(const Query& query, const Json& row) {
    if (query.all) return row;
    Json out = Json::object();
    for (const auto& item : query.items) {
        if (auto value = evaluate(item.value, in(row))) out[item.name] = std::move(*value);
    }
    return out;
}

Result<void> Aggregation::add(const Json& row) {
    std::string key;
    for (const auto& path : query_.group_by) {
        const auto value = at(row, path);
        key += value ? value->dump(-1, ' ', false, Json::error_handler_t::replace) : std::string("-");
        key += '\n';
    }
    auto found = groups_.find(key);
    if (found == groups_.end()) {
        if (groups_.size() >= groups_max_) return fail(Errc::TooLarge, "the query makes over 10000 groups");
        found = groups_.emplace(key, std::vector<Cell>(query_.items.size())).first;
    }
    for (std::size_t i = 0; i < query_.items.size(); ++i) {
        const auto& item = query_.items[i];
        auto& cell = found->second[i];
        if (item.aggregate == Aggregate::Count) {
            ++cell.count;
            continue;
        }
        const auto value = evaluate(item.value, in(row));
        if (cell.count == 0 && item.aggregate == Aggregate::None) cell.first = value;
        if (!value || (item.aggregate != Aggregate::None && !value->is_number())) continue;
        ++cell.count;
        if (!value->is_number()) continue;
        cell.sum += value->get<double>();
        if (!cell.minimum || *value < *cell.minimum) cell.minimum = value;
        if (!cell.maximum || *value > *cell.maximum) cell.maximum = value;
    }
    return {};
}

std::vector<Json> Aggregation::rows() const {
    std::vector<Json> out;
    const auto add_row = [&](const std::vector<Cell>& cells) {
        Json row = Json::object();
        for (std::size_t i = 0; i < cells.size(); ++i) {
            const auto& cell = cells[i];
            const auto& item = query_.items[i];
            if (auto value = result_of(item, cell.count, cell.sum, cell.minimum, cell.maximum, cell.first))
                row[item.name] = std::move(*value);
        }
        out.push_back(std::move(row));
    };
    for (const auto& [key, cells] : groups_)
        add_row(cells);
    if (groups_.empty() && query_.group_by.empty()) add_row(std::vector<Cell>(query_.items.size()));
    return out;
}

}  // namespace fieldwatch::hub::query
