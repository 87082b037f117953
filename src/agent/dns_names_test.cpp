#include "agent/dns_names.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fieldwatch::agent {
namespace {

using std::string_literals::operator""s;

/// An answer to a question for `name` (in DNS labels), then resource records.
std::string answer_to(const std::string& name, unsigned answers, const std::string& records) {
    return "\x12\x34\x81\x80\0\1\0"s + static_cast<char>(answers) + "\0\0\0\0"s + name + "\0\1\0\1"s +
           records;
}

const std::string kPress = "\5Press\7example\0"s;
const std::string kAlias = "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3cdn\xc0\x12"s;  // CNAME, 60 s
const std::string kFirst = "\xc0\x2b\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"s;     // A 192.0.2.7 of the alias
const std::string kSecond = "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x8"s;   // A 192.0.2.8
const std::string kSixth = "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10 \1\xd\xb8"s + std::string(11, '\0') + "\1"s;

std::string name_of(const DnsNames& names, std::initializer_list<std::uint8_t> address) {
    return std::string(names.of(std::data(address), address.size() == 4 ? 4 : 6));
}

TEST(DnsNames, IsTheQuestionOfAnAnswerThroughAliasesToo) {
    DnsNames names;
    names.take(as_bytes(answer_to(kPress, 4, kAlias + kFirst + kSecond + kSixth)));
    EXPECT_EQ(name_of(names, {192, 0, 2, 7}), "press.example");
    EXPECT_EQ(name_of(names, {192, 0, 2, 8}), "press.example");
    EXPECT_EQ(name_of(names, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "press.example");
    EXPECT_EQ(name_of(names, {192, 0, 2, 9}), "");
    EXPECT_EQ(name_of(names, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}), "press.example");
    EXPECT_EQ(names.size(), 3U);
}

TEST(DnsNames, TheLastAnswerCounts) {
    DnsNames names;
    names.take(as_bytes(answer_to(kPress, 1, kSecond)));
    names.take(as_bytes(answer_to("\5other\0"s, 1, kSecond)));
    EXPECT_EQ(name_of(names, {192, 0, 2, 8}), "other");
    EXPECT_EQ(names.size(), 1U);
}

TEST(DnsNames, OfACutAnswerKeepsWhatIsWhole) {
    const auto whole = answer_to(kPress, 4, kAlias + kFirst + kSecond + kSixth);
    std::size_t most = 0;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        DnsNames names;
        names.take(as_bytes(std::string_view(whole).substr(0, size)));
        EXPECT_GE(names.size(), most);
        most = names.size();
    }
    EXPECT_EQ(most, 3U);
}

TEST(DnsNames, TakesNothingElse) {
    DnsNames names;
    auto question = answer_to(kPress, 1, kSecond);
    question[2] = 1;
    names.take(as_bytes(question));
    auto refused = answer_to(kPress, 1, kSecond);
    refused[3] = '\x83';
    names.take(as_bytes(refused));
    names.take(as_bytes(answer_to("\6a b\n\x1b[\0"s, 1, kSecond)));  // no host is called so
    names.take(as_bytes(answer_to("\xc0\x0c"s, 1, kSecond)));        // refers to itself
    names.take(as_bytes(answer_to("\0"s, 1, kSecond)));              // the root
    names.take(as_bytes(answer_to(kPress, 1, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\xc0\0\2"s)));    // three bytes
    names.take(as_bytes(answer_to(kPress, 1, "\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\xc0\0\2\7"s)));  // another class
    EXPECT_EQ(names.size(), 0U);
}

TEST(DnsNames, KeepsABoundedNumberOfAddresses) {
    DnsNames names;
    for (unsigned i = 0; i < 3'000; ++i) {
        auto record = kSecond;
        record[record.size() - 2] = static_cast<char>(i >> 8);
        record.back() = static_cast<char>(i & 255);
        names.take(as_bytes(answer_to(kPress, 1, record)));
    }
    EXPECT_EQ(names.size(), DnsNames::kAddressesMax);
    EXPECT_EQ(name_of(names, {192, 0, 0, 0}), "");
    EXPECT_EQ(name_of(names, {192, 0, 2'999 >> 8, 2'999 & 255}), "press.example");
}

TEST(DnsNames, WhatIsAnsweredAgainStays) {
    DnsNames names;
    const auto answered = [&](unsigned number) {
        auto record = kSecond;
        record[record.size() - 2] = static_cast<char>(number >> 8);
        record.back() = static_cast<char>(number & 255);
        names.take(as_bytes(answer_to(kPress, 1, record)));
    };
    for (unsigned i = 0; i < DnsNames::kAddressesMax; ++i)
        answered(i);
    answered(0);
    answered(DnsNames::kAddressesMax);
    EXPECT_EQ(name_of(names, {192, 0, 0, 0}), "press.example");
    EXPECT_EQ(name_of(names, {192, 0, 0, 1}), "");
}

}  // namespace
}  // namespace fieldwatch::agent
