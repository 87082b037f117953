#include "pipeline/decode/problem.hpp"

#include <fmt/format.h>

namespace fieldwatch::pipeline {

std::string_view to_string(ProblemClass problem_class) {
    switch (problem_class) {
        case ProblemClass::Note:
            return "note";
        case ProblemClass::Compat:
            return "compat";
        case ProblemClass::Fatal:
            return "fatal";
    }
    return "fatal";
}

void Problems::add(ProblemClass problem_class, std::string pointer, std::string reason) {
    ++count_;
    fatal_ += problem_class == ProblemClass::Fatal;
    compat_ += problem_class == ProblemClass::Compat;
    if (list_.size() < kMax) list_.push_back({problem_class, std::move(pointer), std::move(reason)});
}

std::string Problems::sentence(std::size_t first, bool strict) const {
    const auto least = strict ? ProblemClass::Compat : ProblemClass::Fatal;
    std::string out;
    std::size_t more = 0;
    for (std::size_t i = first; i < list_.size(); ++i) {
        if (list_[i].problem_class < least) continue;
        if (out.empty()) {
            out = fmt::format("{}: {}", list_[i].pointer.empty() ? "/" : list_[i].pointer, list_[i].reason);
        } else {
            ++more;
        }
    }
    if (more > 0) out += fmt::format(" (and {} more)", more);
    return out.empty() ? "more problems than are listed" : out;
}

}  // namespace fieldwatch::pipeline
