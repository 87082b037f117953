#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "backup/restore.hpp"
#include "backup/target.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BackupFolder : public ::testing::Test {
  protected:
    BackupFolder() {
        std::string pattern = fs::temp_directory_path() / "fieldwatch-backup-XXXXXX";
        directory_ = mkdtemp(pattern.data());
    }
    ~BackupFolder() override { fs::remove_all(directory_); }

    std::string at(const std::string& name) const { return directory_ + "/" + name; }

    Result<void> back_up(const std::string& to) {
        auto target = FIELDWATCH_TRY(create_target(to));
        Writer writer(*target, {.product_version = "1", .created = "2026-11-28T00:00:00Z", .files = {}});
        for (const auto& [path, content] : files_) {
            FIELDWATCH_TRY(writer.begin(path, content.size()));
            for (std::size_t i = 0; i < content.size(); i += 1000)
                FIELDWATCH_TRY(writer.write(as_bytes(content.substr(i, 1000))));
            FIELDWATCH_TRY(writer.end());
        }
        return writer.finish();
    }
    Result<Manifest> bring_back(const std::string& from) {
        return restore(from, at("data"), [this](std::uint64_t bytes) { progress_ = bytes; });
    }
    static std::string content_of(const std::string& path) {
        const auto bytes = read_file(posix_file_system(), path, 1u << 20);
        return bytes ? std::string(as_text(*bytes)) : bytes.error().message;
    }
    void expect_nothing_left() const {
        EXPECT_FALSE(fs::exists(at("data")));
        EXPECT_FALSE(fs::exists(at("data") + std::string(kPartialSuffix)));
    }

    std::string directory_;
    std::uint64_t progress_ = 0;
    std::vector<std::pair<std::string, std::string>> files_{{"registry.db", std::string(70'000, 'r')},
                                                            {"journal/meta", std::string("m\0n", 3)},
                                                            {"workspaces/w/sealed/a.parquet", ""},
                                                            {"token", "fw_1"}};
};

class BackupTest : public BackupFolder, public ::testing::WithParamInterface<const char*> {};

TEST_P(BackupTest, ComesBackAsItWas) {
    ASSERT_TRUE(back_up(at(GetParam())));
    const auto manifest = bring_back(at(GetParam()));
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->files.size(), files_.size());
    EXPECT_EQ(manifest->product_version, "fieldwatch 1");
    for (const auto& [path, content] : files_)
        EXPECT_EQ(content_of(at("data/" + path)), content);
    EXPECT_FALSE(fs::exists(at("data/" + std::string(kManifestName))));
    EXPECT_EQ(fs::status(at("data/token")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(progress_, 70'007u);
    EXPECT_FALSE(fs::exists(at(GetParam()) + std::string(kPartialSuffix)));
}

TEST_P(BackupTest, IsNotThereBeforeItIsWholeAndReplacesNothing) {
    {
        auto target = create_target(at(GetParam()));
        ASSERT_TRUE(target);
        Writer writer(**target, {});
        ASSERT_TRUE(writer.begin("token", 4));
        ASSERT_TRUE(writer.write(as_bytes("fw")));
        EXPECT_FALSE(writer.end()) << "two bytes are missing";
        EXPECT_FALSE(fs::exists(at(GetParam())));
    }
    ASSERT_TRUE(back_up(at(GetParam()))) << "what was left unfinished is no obstacle";
    const auto again = back_up(at(GetParam()));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::AlreadyExists);
}

INSTANTIATE_TEST_SUITE_P(Targets, BackupTest, ::testing::Values("b", "b.tar", "b.tar.gz", "b.tar.zst"));

TEST_F(BackupFolder, RefusesAFileThatChanged) {
    ASSERT_TRUE(back_up(at("b")));
    std::fstream(at("b/registry.db"), std::ios::in | std::ios::out).write("x", 1);
    const auto refused = bring_back(at("b"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::Corrupt);
    EXPECT_THAT(refused.error().message, HasSubstr("registry.db is not what was backed up"));
    expect_nothing_left();
}

TEST_F(BackupFolder, RefusesABackupWithoutOneOfItsFilesOrWithoutItsManifest) {
    ASSERT_TRUE(back_up(at("b")));
    fs::remove(at("b/token"));
    EXPECT_FALSE(bring_back(at("b")));
    expect_nothing_left();
    fs::remove(at("b/" + std::string(kManifestName)));
    const auto refused = bring_back(at("b"));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("never finished"));
    expect_nothing_left();
}

TEST_F(BackupFolder, RefusesAnArchiveThatEndsEarly) {
    ASSERT_TRUE(back_up(at("b.tar")));
    fs::resize_file(at("b.tar"), 40'000);
    EXPECT_FALSE(bring_back(at("b.tar")));
    expect_nothing_left();
    std::ofstream(at("text.tar")) << "no archive at all";
    EXPECT_FALSE(bring_back(at("text.tar")));
    expect_nothing_left();
}

TEST_F(BackupFolder, NeverWritesOverData) {
    ASSERT_TRUE(back_up(at("b")));
    fs::create_directory(at("data"));
    ASSERT_TRUE(bring_back(at("b"))) << "an empty folder makes room";
    const auto refused = bring_back(at("b"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::AlreadyExists);
    EXPECT_EQ(content_of(at("data/token")), "fw_1");
}

TEST_F(BackupFolder, FollowsNoLinkOfAFolder) {
    std::ofstream(at("secret")) << files_[0].second;  // even what has the right hash
    for (const auto* victim : {"registry.db", "journal"}) {
        ASSERT_TRUE(back_up(at("b")));
        fs::rename(at(std::string("b/") + victim), at("elsewhere"));
        fs::create_symlink(at("elsewhere"), at(std::string("b/") + victim));
        const auto refused = bring_back(at("b"));
        ASSERT_FALSE(refused) << victim;
        EXPECT_THAT(refused.error().message, HasSubstr("behind a link")) << victim;
        expect_nothing_left();
        fs::remove_all(at("b"));
        fs::remove_all(at("elsewhere"));
    }
    ASSERT_TRUE(back_up(at("b")));
    fs::remove(at("b/token"));
    ASSERT_EQ(::mkfifo(at("b/token").c_str(), 0600), 0);
    EXPECT_FALSE(bring_back(at("b"))) << "a pipe would never end";
    fs::remove(at("b/token"));
    fs::create_symlink("/dev/zero", at("b/token"));
    EXPECT_FALSE(bring_back(at("b")));
    expect_nothing_left();
}

TEST_F(BackupFolder, WritesThroughNoLinkThatLiesInTheWay) {
    std::ofstream(at("victim")) << "mine";
    for (const auto* name : {"b.tar", "b"}) {
        fs::create_symlink(at("victim"), at(name + std::string(kPartialSuffix)));
        ASSERT_TRUE(back_up(at(name)));
        EXPECT_EQ(content_of(at("victim")), "mine") << name;
    }
    fs::create_symlink(at("nowhere"), at("c.tar"));
    EXPECT_EQ(back_up(at("c.tar")).error().code, Errc::AlreadyExists);
}

/// One entry of an archive that somebody made by hand.
struct HandMade {
    std::string path, link, hard_link;
    unsigned type = AE_IFREG;
    std::int64_t size = 0;
};

class HandMadeArchive : public BackupFolder, public ::testing::WithParamInterface<HandMade> {};

TEST_P(HandMadeArchive, IsRefusedAndLeavesNothing) {
    const auto& wanted = GetParam();
    auto* const archive = archive_write_new();
    archive_write_set_format_pax(archive);
    ASSERT_EQ(archive_write_open_filename(archive, at("b.tar").c_str()), ARCHIVE_OK);
    auto* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, wanted.path.c_str());
    archive_entry_set_filetype(entry, wanted.type);
    archive_entry_set_perm(entry, 0644);
    if (!wanted.link.empty()) archive_entry_set_symlink(entry, wanted.link.c_str());
    if (!wanted.hard_link.empty()) archive_entry_set_hardlink(entry, wanted.hard_link.c_str());
    archive_entry_set_size(entry, wanted.size);
    ASSERT_EQ(archive_write_header(archive, entry), ARCHIVE_OK) << archive_error_string(archive);
    const std::string data(static_cast<std::size_t>(wanted.size), 'x');
    archive_write_data(archive, data.data(), data.size());
    archive_entry_free(entry);
    ASSERT_EQ(archive_write_free(archive), ARCHIVE_OK);
    EXPECT_FALSE(bring_back(at("b.tar")));
    expect_nothing_left();
    EXPECT_FALSE(fs::exists(at("outside")));
}

INSTANTIATE_TEST_SUITE_P(
    Entries, HandMadeArchive,
    ::testing::Values(HandMade{.path = "token", .link = "/etc/passwd", .hard_link = {}, .type = AE_IFLNK},
                      HandMade{.path = "token", .link = {}, .hard_link = "/etc/passwd"},
                      HandMade{.path = "../outside", .link = {}, .hard_link = {}, .size = 1},
                      HandMade{.path = "/tmp/fieldwatch-outside", .link = {}, .hard_link = {}, .size = 1},
                      HandMade{.path = "journal", .link = {}, .hard_link = {}, .type = AE_IFDIR},
                      HandMade{.path = "token", .link = {}, .hard_link = {}, .type = AE_IFIFO}));

/// A header that claims more than any disk has, as tar writes what octal digits cannot (GNU tar, base 256).
TEST_F(BackupFolder, UnpacksNothingThatClaimsToBeLargerThanTheDisk) {
    for (const unsigned shift : {47u, 60u, 63u}) {
        std::string header(512, '\0');
        header.replace(0, 5, "token");
        header.replace(100, 7, "0000600");
        header[124] = static_cast<char>(0x80);
        for (unsigned byte = 0; byte < 8; ++byte)
            header[128 + byte] = static_cast<char>((1ull << shift) >> (56 - 8 * byte));
        header[156] = '0';
        header.replace(257, 8, "ustar  ", 8);
        header.replace(148, 8, 8, ' ');
        unsigned sum = 0;
        for (const char c : header)
            sum += static_cast<unsigned char>(c);
        header.replace(148, 7, fmt::format("{:06o}", sum) + '\0');
        std::ofstream(at("b.tar")) << header << std::string(512, 'x');
        const auto refused = bring_back(at("b.tar"));
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().code == Errc::Exhausted || refused.error().code == Errc::Malformed)
            << refused.error().message;
        expect_nothing_left();
    }
}

TEST_F(BackupFolder, RefusesSizesWhoseSumIsNone) {
    const auto file = [](const char* path, std::uint64_t bytes) {
        return fmt::format(R"({{"path":"{}","bytes":{},"sha256":"{:0>64}"}})", path, bytes, "");
    };
    const auto manifest = [](const std::string& files) {
        return parse_manifest(R"({"format":1,"files":[)" + files + "]}");
    };
    EXPECT_TRUE(manifest(file("a", kBytesMax - 1) + "," + file("b", 1)));
    EXPECT_EQ(manifest(file("a", kBytesMax) + "," + file("b", 1)).error().code, Errc::TooLarge);
    EXPECT_EQ(manifest(file("a", UINT64_MAX)).error().code, Errc::TooLarge);
    EXPECT_FALSE(parse_manifest(R"({"format":1,"files":[{"path":"a","bytes":-1,"sha256":")" +
                                std::string(64, '0') + "\"}]}"));
}

TEST_F(BackupFolder, RefusesPathsThatLeadOutside) {
    for (const auto* path : {"", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a/", "a\nb", "a\\b"})
        EXPECT_FALSE(check_path(path)) << path;
    EXPECT_TRUE(check_path("journal/security-0000-1.segment"));
    const auto manifest = [](const std::string& path) {
        return R"({"format":1,"files":[{"path":")" + path + R"(","bytes":1,"sha256":")" +
               std::string(64, '0') + "\"}]}";
    };
    EXPECT_TRUE(parse_manifest(manifest("a")));
    EXPECT_FALSE(parse_manifest(manifest("../a")));
    EXPECT_EQ(parse_manifest(R"({"format":2,"files":[]})").error().code, Errc::Unsupported);
    EXPECT_FALSE(parse_manifest(std::string(100'000, '[')));
}

}  // namespace
}  // namespace fieldwatch::backup
