#include "hub/connector/record_import.hpp"

#include "base/text.hpp"
#include "hub/operation.hpp"

namespace fieldwatch::hub {

namespace {

void refuse(ImportReport& report, diagnostic::Refusal refusal) {
    ++report.refused;
    if (report.refusals.size() < ImportReport::kListedMax) report.refusals.push_back(std::move(refusal));
}

bool is_of_the_record(const Error& error) {
    return error.code == Errc::InvalidArgument || error.code == Errc::TooLarge ||
           error.code == Errc::Malformed;
}

}  // namespace

Result<ImportReport> RecordImport::take(const ImportTarget& target, std::string_view text) {
    ImportReport report;
    diagnostic::DocumentSplitter splitter;
    Result<void> failed;  // of the log: nothing more is tried
    std::uint64_t number = 0;
    const auto take_one = [&](std::string_view document, std::uint64_t first_line) {
        if (!failed) return;
        const auto before = report.refusals.size();
        const auto done = take_document(target, document, report);
        if (!done && !is_of_the_record(done.error())) {
            failed = done;
        } else if (!done) {
            refuse(report, {"line " + std::to_string(first_line), done.error().message});
        } else {
            for (auto i = before; i < report.refusals.size(); ++i)
                report.refusals[i].where =
                    "line " + std::to_string(first_line) + ", " + report.refusals[i].where;
        }
    };
    each_line(text, [&](std::string_view line) {
        if (!failed) return;
        if (const auto done = splitter.add(line, ++number, take_one); !done)
            refuse(report, {"line " + std::to_string(number), done.error().message});
    });
    if (!failed) return std::unexpected(failed.error());
    if (splitter.waiting())
        refuse(report, {"line " + std::to_string(splitter.first_line()),
                        "the document that begins here does not end"});
    return report;
}

Result<void> RecordImport::take_document(const ImportTarget& target, std::string_view document,
                                         ImportReport& report) {
    Result<void> failed;
    const auto done = reader_.read(
        document, {.record =
                       [&](const diagnostic::Record& record) {
                           if (!failed) return;
                           const auto appended = append(target, record);
                           if (appended) {
                               ++report.accepted;
                           } else if (is_of_the_record(appended.error())) {
                               refuse(report,
                                      {"record " + std::to_string(record.number), appended.error().message});
                           } else {
                               failed = appended;
                           }
                       },
                   .refused = [&](const diagnostic::Refusal& refusal) { refuse(report, refusal); },
                   .mask = target.mask_addresses ? &masked : nullptr});
    if (!failed) return failed;
    return done;
}

Result<void> RecordImport::append(const ImportTarget& target, const diagnostic::Record& record) {
    model::Record out;
    out.kind = record.administrative ? model::RecordKind::ControlPlane : model::RecordKind::Operation;
    out.received = clock_.now();
    out.sender.hub = target.hub;
    if (!record.device.empty()) out.sender.device = FIELDWATCH_TRY(model::parse_device_id(record.device));
    if (!record.module.empty()) out.sender.module = FIELDWATCH_TRY(model::parse_module_id(record.module));
    out.body = record.body;
    return record.connected ? feed_.append_connect(out) : feed_.append(out);
}

}  // namespace fieldwatch::hub
