#include "base/printable.hpp"

#include <gtest/gtest.h>

namespace fieldwatch {
namespace {

TEST(Printable, LeavesNoWayToWriteAnotherLineOrToSteerATerminal) {
    EXPECT_EQ(printable("a\n2026-01-01 error forged\r\t\x7f"),
              "a\\x0a2026-01-01 error forged\\x0d\\x09\\x7f");
    EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
    EXPECT_EQ(printable("\xc2\x9b"
                        "2J"),
              "\\xc2\\x9b2J");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, LeavesOtherTextAsItIs) {
    EXPECT_EQ(printable("Grüße …\xc2\xa0 C:\\x \xff\xc2"), "Grüße …\xc2\xa0 C:\\x \xff\xc2");
    EXPECT_EQ(printable(""), "");
}

}  // namespace
}  // namespace fieldwatch
