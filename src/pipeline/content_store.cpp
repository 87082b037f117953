#include "pipeline/content_store.hpp"

#include <algorithm>
#include <functional>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr std::string_view kContentMagic = "FWCT";
constexpr std::uint16_t kContentVersion = 1, kContentWithAdvisories = 2, kContentWithParts = 3;
constexpr std::uint32_t kFilesMax = 100'000;

std::string part_name(std::string_view text) {
    return hex(sha256(as_bytes(text)));
}

/// Advisories by their hashes only: they lie in files of their own, which versions share.
Bytes encode(const detect::ContentSources& sources) {
    Bytes bytes;
    ByteWriter out(bytes);
    out.bytes(as_bytes(kContentMagic));
    const bool with_advisories = !sources.advisory_files.empty();
    out.u16(with_advisories ? kContentWithParts : kContentVersion);
    const auto write = [&](const auto* files) {
        out.u32(static_cast<std::uint32_t>(files->size()));
        for (const auto& [name, text] : *files) {
            out.text(name);
            out.text(text);
        }
    };
    for (const auto* files : {&sources.rule_files, &sources.word_lists, &sources.indicator_files})
        write(files);
    out.text(sources.settings_json);
    if (with_advisories) {
        out.u32(static_cast<std::uint32_t>(sources.advisory_files.size()));
        for (const auto& [name, text] : sources.advisory_files) {
            out.text(name);
            out.text(part_name(text));
        }
    }
    return bytes;
}

Result<void> read_files(ByteReader& in, std::vector<std::pair<std::string, std::string>>& out) {
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > kFilesMax) return fail(Errc::Corrupt, "a content file names too many files");
    for (std::uint32_t i = 0; i < count; ++i) {
        auto name = std::string(FIELDWATCH_TRY(in.text()));
        out.emplace_back(std::move(name), std::string(FIELDWATCH_TRY(in.text())));
    }
    return {};
}

/// `part` gives the text of a hash.
Result<detect::ContentSources> decode(ByteView bytes,
                                      const std::function<Result<std::string>(const std::string&)>& part) {
    ByteReader in(bytes);
    if (as_text(FIELDWATCH_TRY(in.bytes(kContentMagic.size()))) != kContentMagic)
        return fail(Errc::Corrupt, "not a content file");
    const auto version = FIELDWATCH_TRY(in.u16());
    if (version < kContentVersion || version > kContentWithParts)
        return fail(Errc::Unsupported, "content file of version " + std::to_string(version));
    detect::ContentSources out;
    for (auto* files : {&out.rule_files, &out.word_lists, &out.indicator_files})
        FIELDWATCH_TRY(read_files(in, *files));
    out.settings_json = FIELDWATCH_TRY(in.text());
    if (version >= kContentWithAdvisories) FIELDWATCH_TRY(read_files(in, out.advisory_files));
    if (version < kContentWithParts) return out;
    for (auto& [name, text] : out.advisory_files)
        text = FIELDWATCH_TRY(part(text));
    return out;
}

bool is_hash(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

}  // namespace

Result<std::string> ContentStore::put(const detect::ContentSources& sources) {
    auto hash = sources.hash();
    auto compiled = FIELDWATCH_TRY(detect::compile(sources, newest()));
    FIELDWATCH_TRY(files_.make_directories(directory_));
    for (const auto& [name, text] : sources.advisory_files)
        FIELDWATCH_TRY(keep_part(text));
    FIELDWATCH_TRY(replace_file(files_, path(hash), encode(sources)));
    const std::lock_guard lock(mutex_);
    compiled_[hash] = compiled;
    newest_ = std::move(compiled);
    return hash;
}

detect::ContentPtr ContentStore::newest() {
    const std::lock_guard lock(mutex_);
    return newest_;
}

/// Written once: the next version names it again.
Result<void> ContentStore::keep_part(const std::string& text) {
    const auto path = part_path(part_name(text));
    if (const auto file = files_.open(path, OpenMode::ReadOnly)) {
        if (const auto size = (*file)->size(); size && *size == text.size()) return {};
    }
    return replace_file(files_, path, as_bytes(text));
}

Result<detect::ContentSources> ContentStore::sources(std::string_view hash) {
    if (!is_hash(hash)) return fail(Errc::InvalidArgument, "a content version is named by 64 hex digits");
    const auto bytes = FIELDWATCH_TRY(read_file(files_, path(hash), kFileBytesMax));
    const auto part = [this](const std::string& name) -> Result<std::string> {
        if (!is_hash(name)) return fail(Errc::Corrupt, "a content file names a part that is none");
        return std::string(as_text(FIELDWATCH_TRY(read_file(files_, part_path(name), kFileBytesMax))));
    };
    auto out = FIELDWATCH_TRY(decode(bytes, part));
    if (out.hash() != hash)
        return fail(Errc::Corrupt, "the content file " + path(hash) + " does not have the hash of its name");
    return out;
}

Result<detect::ContentPtr> ContentStore::get(std::string_view hash) {
    const std::lock_guard lock(mutex_);  // held while compiling: the other shards want the same one
    if (const auto found = compiled_.find(hash); found != compiled_.end()) {
        if (auto held = found->second.lock()) return held;
    }
    const auto text = FIELDWATCH_TRY(sources(hash));
    auto compiled = FIELDWATCH_TRY(detect::compile(text, newest_));
    compiled_[std::string(hash)] = compiled;
    newest_ = compiled;
    return compiled;
}

}  // namespace fieldwatch::pipeline
