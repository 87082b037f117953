// rpm's package database as an SQLite file, read without SQLite: the table Packages (hnum INTEGER PRIMARY
// KEY, blob BLOB) and, in each blob, rpm's header store. Source: the SQLite file format
// (sqlite.org/fileformat2.html) and rpm's "Package header" (rpm.org, format v4). Only what a consistent file
// holds is read: what still lies in a write-ahead log is seen when rpm has checkpointed it.
#include <cstring>
#include <optional>

#include "agent/inventory/packages.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kTreeDepthMax = 8;  // of a b-tree: 8 levels hold more than the file's bound
constexpr std::size_t kBlobBytesMax = 4u << 20;
constexpr std::uint32_t kPagesVisitedMax = 65'536;

std::uint64_t big_endian(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    if (at > bytes.size() || bytes.size() - at < size) return 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

/// SQLite's variable-length integer; moves `at` past it.
std::optional<std::uint64_t> varint(std::string_view bytes, std::size_t& at) {
    std::uint64_t value = 0;
    for (int i = 0; i < 9; ++i) {
        if (at >= bytes.size()) return std::nullopt;
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        if (i == 8) return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (!(byte & 0x80)) return value;
    }
    return value;
}

std::size_t serial_bytes(std::uint64_t type) {
    static constexpr std::size_t kSizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? kSizes[type] : static_cast<std::size_t>((type - 12) / 2);
}

class RpmDatabase {
  public:
    explicit RpmDatabase(std::string_view file) : file_(file) {}

    bool open() {
        if (!file_.starts_with(std::string_view("SQLite format 3\0", 16)) || file_.size() < 100) return false;
        page_bytes_ = static_cast<std::size_t>(big_endian(file_, 16, 2));
        if (page_bytes_ == 1) page_bytes_ = 65'536;
        const auto reserved = static_cast<std::size_t>(static_cast<unsigned char>(file_[20]));
        if (page_bytes_ < 512 || (page_bytes_ & (page_bytes_ - 1)) != 0 || reserved > page_bytes_ - 480)
            return false;
        usable_ = page_bytes_ - reserved;
        return true;
    }

    /// Calls each(payload) for every row of the table whose root page that is.
    template <class Each>
    void rows(std::uint32_t page, const Each& each, int depth = 0) {
        const auto bytes = this->page(page);
        if (bytes.empty() || depth > kTreeDepthMax || ++visited_ > kPagesVisitedMax) return;
        const std::size_t head = page == 1 ? 100 : 0;
        const auto type = static_cast<unsigned char>(bytes[head]);
        const auto count = static_cast<std::size_t>(big_endian(bytes, head + 3, 2));
        const bool interior = type == 5;
        if (!interior && type != 13) return;
        const std::size_t pointers = head + (interior ? 12 : 8);
        for (std::size_t i = 0; i < count; ++i) {
            auto at = static_cast<std::size_t>(big_endian(bytes, pointers + 2 * i, 2));
            if (at == 0 || at >= bytes.size()) return;
            if (interior) {
                rows(static_cast<std::uint32_t>(big_endian(bytes, at, 4)), each, depth + 1);
            } else if (const auto payload = read_payload(bytes, at)) {
                each(*payload);
            }
        }
        if (interior) rows(static_cast<std::uint32_t>(big_endian(bytes, head + 8, 4)), each, depth + 1);
    }

  private:
    std::string_view page(std::uint32_t number) const {
        const auto begin = (static_cast<std::size_t>(number) - 1) * page_bytes_;
        if (number == 0 || begin >= file_.size() || file_.size() - begin < page_bytes_) return {};
        return file_.substr(begin, page_bytes_);
    }

    /// A leaf cell: payload size, row id, payload of which the rest may stand on overflow pages
    /// (section 1.6).
    std::optional<std::string> read_payload(std::string_view bytes, std::size_t at) {
        const auto size = varint(bytes, at);
        if (!size || *size > kBlobBytesMax || !varint(bytes, at)) return std::nullopt;
        const auto total = static_cast<std::size_t>(*size);
        const std::size_t local_max = usable_ - 35;
        std::size_t local = total;
        if (total > local_max) {
            const std::size_t local_min = (usable_ - 12) * 32 / 255 - 23;
            const auto candidate = local_min + (total - local_min) % (usable_ - 4);
            local = candidate <= local_max ? candidate : local_min;
        }
        if (at > bytes.size() || bytes.size() - at < local) return std::nullopt;
        std::string out(bytes.substr(at, local));
        auto next = static_cast<std::uint32_t>(local < total ? big_endian(bytes, at + local, 4) : 0);
        while (out.size() < total) {
            const auto overflow = page(next);
            if (overflow.empty() || ++visited_ > kPagesVisitedMax) return std::nullopt;
            next = static_cast<std::uint32_t>(big_endian(overflow, 0, 4));
            out.append(overflow.substr(4, std::min(usable_ - 4, total - out.size())));
        }
        return out;
    }

    std::string_view file_;
    std::size_t page_bytes_ = 0;
    std::size_t usable_ = 0;
    std::uint32_t visited_ = 0;
};

/// The column `wanted` of a record; nothing when the record has fewer.
std::optional<std::string_view> column(std::string_view record, std::size_t wanted, std::uint64_t& type) {
    std::size_t at = 0;
    const auto header = varint(record, at);
    if (!header || *header > record.size()) return std::nullopt;
    auto body = static_cast<std::size_t>(*header);
    for (std::size_t i = 0; at < *header; ++i) {
        const auto one = varint(record, at);
        if (!one) return std::nullopt;
        const auto size = serial_bytes(*one);
        if (body > record.size() || record.size() - body < size) return std::nullopt;
        if (i == wanted) {
            type = *one;
            return record.substr(body, size);
        }
        body += size;
    }
    return std::nullopt;
}

/// A string of rpm's header: entry count, store size, entries of tag, type, offset and count, then the store.
std::string header_text(std::string_view blob, std::uint32_t tag) {
    const auto entries = big_endian(blob, 0, 4);
    const auto store_at = 8 + entries * 16;
    if (entries > 65'536 || store_at > blob.size()) return {};
    for (std::uint64_t i = 0; i < entries; ++i) {
        const auto at = static_cast<std::size_t>(8 + i * 16);
        if (big_endian(blob, at, 4) != tag) continue;
        const auto type = big_endian(blob, at + 4, 4);
        const auto begin = store_at + big_endian(blob, at + 8, 4);
        if (begin >= blob.size()) return {};
        if (type == 4) return std::to_string(big_endian(blob, static_cast<std::size_t>(begin), 4));  // INT32
        const auto rest = blob.substr(static_cast<std::size_t>(begin));
        return std::string(rest.substr(0, rest.find('\0')));
    }
    return {};
}

constexpr std::uint32_t kName = 1000, kVersion = 1001, kRelease = 1002, kEpoch = 1003, kVendor = 1011,
                        kArch = 1022;

}  // namespace

bool parse_rpm_database(std::string_view file, std::vector<Package>& out) {
    RpmDatabase database(file);
    if (!database.open()) return false;
    std::uint32_t root = 0;
    database.rows(1, [&](const std::string& record) {  // sqlite_schema: type, name, tbl_name, rootpage, sql
        std::uint64_t type = 0;
        const auto kind = column(record, 0, type);
        const auto name = column(record, 1, type);
        const auto page = column(record, 3, type);
        if (kind == "table" && name == "Packages" && page && page->size() <= 4)
            root = static_cast<std::uint32_t>(big_endian(*page, 0, page->size()));
    });
    if (root == 0) return false;
    database.rows(root, [&](const std::string& record) {
        std::uint64_t type = 0;
        const auto blob = column(record, 1, type);
        if (!blob || out.size() >= kPackagesMax) return;
        Package package;
        package.name = header_text(*blob, kName).substr(0, 256);
        const auto epoch = header_text(*blob, kEpoch);
        package.version = (epoch.empty() ? "" : epoch + ":") + header_text(*blob, kVersion).substr(0, 128) +
                          "-" + header_text(*blob, kRelease).substr(0, 128);
        package.vendor = header_text(*blob, kVendor).substr(0, 256);
        package.architecture = header_text(*blob, kArch).substr(0, 32);
        package.type = "rpm";
        if (!package.name.empty()) out.push_back(std::move(package));
    });
    return true;
}

}  // namespace fieldwatch::agent
