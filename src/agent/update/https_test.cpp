#include "agent/update/https.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::agent {
namespace {

TEST(HttpsUrl, IsTakenApart) {
    const auto url = parse_https_url("https://updates.example:8443/agent/0.2.0?x=1#part");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->host, "updates.example");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->target, "/agent/0.2.0?x=1");
    EXPECT_EQ(url->authority, "updates.example:8443");
    EXPECT_EQ(parse_https_url("https://h")->target, "/");
    EXPECT_EQ(parse_https_url("https://h/x")->port, 443);
    EXPECT_EQ(parse_https_url("https://[2001:db8::1]:444/x")->host, "2001:db8::1");
    EXPECT_EQ(parse_https_url("https://[2001:db8::1]:444/x")->port, 444);
}

TEST(HttpsUrl, RefusesWhatWouldSayMoreThanAUrl) {
    for (const auto* text :
         {"", "http://h/x", "https://", "https:///x", "https://h:0/", "https://h:99999/", "https://h:/",
          "https://u:p@h/", "https://h/\r\nHost: other", "https://h/ x", "https://[::1/x", "https://[]/x",
          "https://[::1]x/", "https://h\\x/", "https://h/\xc3\xa9"})
        EXPECT_FALSE(parse_https_url(text)) << text;
    EXPECT_FALSE(parse_https_url("https://h/" + std::string(600, 'x')));
}

TEST(AnswerHead, SaysHowMuchComesAndFromWhere) {
    const std::string text =
        "HTTP/1.1 206 Partial Content\r\nServer: x\r\ncontent-length: 70\r\nContent-Range: bytes "
        "30-99/100\r\n\r\n";
    const auto head = read_answer_head(text + "body");
    ASSERT_TRUE(head && *head);
    EXPECT_EQ((*head)->status, 206);
    EXPECT_EQ((*head)->length, 70U);
    EXPECT_EQ((*head)->begin, 30U);
    EXPECT_EQ((*head)->bytes, text.size());
    for (std::size_t size = 0; size < text.size(); ++size) {
        const auto part = read_answer_head(text.substr(0, size));
        ASSERT_TRUE(part) << size;
        EXPECT_FALSE(*part) << size;
    }
}

TEST(AnswerHead, RefusesWhatItsLengthCannotBeKnownOf) {
    for (const auto* text :
         {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n",
          "HTTP/1.1 206 x\r\nContent-Length: 5\r\nContent-Range: lines 3-7/8\r\n\r\n",
          "HTTP/1.1 200 OK\r\nno field\r\n\r\n", "HTTP/2 200\r\n\r\n", "SSH-2.0-x\r\n\r\n"})
        EXPECT_FALSE(read_answer_head(text)) << text;
    EXPECT_TRUE(read_answer_head("HTTP/1.1 404 Not Found\r\n\r\n"));
    EXPECT_EQ(read_answer_head(std::string(AnswerHead::kBytesMax, 'x')).error().code, Errc::TooLarge);
}

}  // namespace
}  // namespace fieldwatch::agent
