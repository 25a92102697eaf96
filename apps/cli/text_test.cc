#include "apps/cli/text.h"

#include <gtest/gtest.h>

namespace troupe {
namespace {

using std::string_literals::operator""s;

TEST(TextTest, EscapesWhatIsNotPrintableUtf8AndNothingElse) {
  struct Row {
    std::string bytes, escaped, quoted;
  };
  const Row rows[] = {
      {"", "", "\"\""},
      {"Ada Lovelace", "Ada Lovelace", "\"Ada Lovelace\""},
      {"say \"hi\"", "say \"hi\"", "\"say \\\"hi\\\"\""},
      {"a\\b", "a\\\\b", "\"a\\\\b\""},
      {"a\nb\tc\rd", "a\\nb\\tc\\rd", "\"a\\nb\\tc\\rd\""},
      {"\0\x1b[31m\x7f"s, "\\x00\\x1b[31m\\x7f", "\"\\x00\\x1b[31m\\x7f\""},
      {"naïve 日本 👍", "naïve 日本 👍", "\"naïve 日本 👍\""},
      {"\xff\xfe", "\\xff\\xfe", "\"\\xff\\xfe\""},
      // A character cut short, an overlong slash, half a surrogate pair, one beyond Unicode.
      {"\xe6\x97", "\\xe6\\x97", "\"\\xe6\\x97\""},
      {"\xc0\xaf", "\\xc0\\xaf", "\"\\xc0\\xaf\""},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\\xed\\xa0\\x80\""},
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\\xf4\\x90\\x80\\x80\""},
      // A control of the second page, and one that turns the line around.
      {"\xc2\x9b", "\\xc2\\x9b", "\"\\xc2\\x9b\""},
      {"\xe2\x80\xae", "\\xe2\\x80\\xae", "\"\\xe2\\x80\\xae\""},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Escaped(row.bytes), row.escaped);
    EXPECT_EQ(Quoted(row.bytes), row.quoted);
  }
}

TEST(TextTest, CutsLongTextBetweenCharactersAndSaysItsSize) {
  EXPECT_EQ(Quoted("abcdef", 6), "\"abcdef\"");
  EXPECT_EQ(Quoted("abcdefg", 6), "\"abcdef\"… (7 bytes)");
  EXPECT_EQ(Quoted("日本語", 5), "\"日\"… (9 bytes)");
  EXPECT_EQ(Quoted(std::string(1 << 20, 'x'), 2), "\"xx\"… (1,048,576 bytes)");
}

TEST(TextTest, HarmlessKeepsBackslashes) { EXPECT_EQ(Harmless("\\x00 \x1b[0m"), "\\x00 \\x1b[0m"); }

TEST(TextTest, QuotesAWordOnlyWhereItMust) {
  for (const char* plain : {"user:1", "a-b", "a@b", "a#", "日本", "{tag}x"}) EXPECT_EQ(AsWord(plain), plain);
  EXPECT_EQ(AsWord(""), "\"\"");
  EXPECT_EQ(AsWord("a b"), "\"a b\"");
  EXPECT_EQ(AsWord("a;b"), "\"a;b\"");
  EXPECT_EQ(AsWord("--x"), "\"--x\"");
  EXPECT_EQ(AsWord("@x"), "\"@x\"");
  EXPECT_EQ(AsWord("#x"), "\"#x\"");
  EXPECT_EQ(AsWord("it's"), "\"it's\"");
  EXPECT_EQ(AsWord("\xff"), "\"\\xff\"");
}

TEST(TextTest, WidthCountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("naïve"), 5);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1);  // a combining accent
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(DisplayWidth("👍"), 2);
}

TEST(TextTest, NumbersReadWell) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(SizeText(1), "1 byte");
  EXPECT_EQ(SizeText(999), "999 bytes");
  EXPECT_EQ(SizeText(48'200'000), "48.2 MB");
  EXPECT_EQ(SizeText(999'999), "1.0 MB");
  EXPECT_EQ(SizeText(UINT64_MAX), "18.4 EB");
  EXPECT_EQ(DurationText(absl::Milliseconds(41'900)), "41 s");
  EXPECT_EQ(DurationText(absl::Seconds(61)), "1 min 1 s");
  EXPECT_EQ(DurationText(absl::Minutes(134)), "2 h 14 min");
  EXPECT_EQ(DurationText(absl::Hours(49)), "2 d 1 h");
  EXPECT_EQ(Counted(0, "node", "nodes"), "0 nodes");
  EXPECT_EQ(Counted(1, "node", "nodes"), "1 node");
}

TEST(TextTest, JsonHoldsEveryByte) {
  JsonObject json;
  json.Bytes("key", "a\"\\\n\t\x01/é").Bytes("value", "\xff\0"s).Id("version", UINT64_MAX);
  json.Number("shard", 11).Bool("ok", false).Null("none").Raw("list", JsonArray({"1", JsonString("x")}));
  EXPECT_EQ(json.ToString(), R"({"key":"a\"\\\n\t\u0001/é","value_base64":"/wA=","version":"18446744073709551615",)"
                             R"("shard":11,"ok":false,"none":null,"list":[1,"x"]})");
  EXPECT_EQ(JsonObject().ToString(), "{}");
  EXPECT_EQ(JsonString("\xc2\x9b\xe2\x80\xae\r"), "\"\\u009b\\u202e\\u000d\"");
}

}  // namespace
}  // namespace troupe
