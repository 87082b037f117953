#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "model/ids.hpp"
#include "model/record.hpp"

namespace fieldwatch::model {
namespace {

TEST(Record, DecodesWhatItEncodes) {
    EXPECT_TRUE(rc::check([](const std::string& device, const std::string& body,
                             const std::vector<std::pair<std::string, std::string>>& properties) {
        const Record record{.kind = RecordKind::SecurityMessage,
                            .received = Timestamp{123},
                            .sender = {HubName{"hub"}, DeviceId{device}, ModuleId{"m"}},
                            .properties = properties,
                            .body = body};
        const auto bytes = encode(record);
        const auto view = decode_record(bytes);
        RC_ASSERT(view.has_value());
        RC_ASSERT(view->device == device);
        RC_ASSERT(view->body == body);
        RC_ASSERT(view->properties.size() == properties.size());
    }));
}

TEST(Record, AnyBytesAreAValueOrAnError) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        static_cast<void>(decode_record(std::as_bytes(std::span(bytes))));
    }));
}

TEST(Ids, RefuseWhatIoTHubRefuses) {
    EXPECT_TRUE(parse_device_id("pump-3.site_1"));
    EXPECT_FALSE(parse_device_id(""));
    EXPECT_FALSE(parse_device_id("a/b"));
    EXPECT_FALSE(parse_device_id(std::string(129, 'a')));
    EXPECT_EQ(parse_hub_name("MyHub")->value, "myhub");
    EXPECT_FALSE(parse_hub_name("a."));
}

TEST(Ids, RowIdNamesThePlaceInTheLog) {
    const LogPosition place{.partition = 1, .offset = 2, .item = 3};
    EXPECT_EQ(row_id("w", place), row_id("w", place));
    EXPECT_NE(row_id("w", place), row_id("v", place));
    EXPECT_NE(row_id("w", place), row_id("w", {.partition = 1, .offset = 3, .item = 2}));
}

}  // namespace
}  // namespace fieldwatch::model
