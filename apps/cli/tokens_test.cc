#include "apps/cli/tokens.h"

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace troupe {
namespace {

using std::string_literals::operator""s;

// Words as <word>, literal ones as [word], statements apart by |.
std::string Shown(std::string_view text, Semicolon semicolon) {
  const absl::StatusOr<std::vector<Statement>> statements = Tokenize(text, semicolon);
  if (!statements.ok()) return std::string(statements.status().message());
  return absl::StrJoin(*statements, "|", [](std::string* out, const Statement& statement) {
    for (const Word& word : statement) *out += word.literal ? "[" + word.text + "]" : "<" + word.text + ">";
  });
}

TEST(TokensTest, ReadsWords) {
  struct Row {
    std::string text, seen;
  };
  const Row rows[] = {
      {"", ""},
      {"  \t ", ""},
      {"get a", "<get><a>"},
      {"  set\ta   b  \r", "<set><a><b>"},
      {"set a \"Ada   Lovelace\"", "<set><a>[Ada   Lovelace]"},
      {"set a 'it is \"so\"'", "<set><a>[it is \"so\"]"},
      {"set a \"it's\"", "<set><a>[it's]"},
      {"set a \"\"", "<set><a>[]"},
      {"set a x\"y z\"'w'", "<set><a><xy zw>"},
      {"--if-value=\"a b\"", "<--if-value=a b>"},
      {"\"--if-absent\"", "[--if-absent]"},
      {R"(a\nb \t\r\\ \"\' "\x41\x7a\0")", "<a\nb>[\t\r\\][\"'][Az\0]"s},
      {R"('\x00')", "[\0]"s},
      {"a\nb", "<a>|<b>"},
      {"\"a\nb\"", "[a\nb]"},
      {"a;b ; ;c;", "<a>|<b>|<c>"},
      {"a \";\"", "<a>[;]"},
      {"# all of this", ""},
      {"  # \"unclosed", ""},
      {"get a#b # c", "<get><a#b><#><c>"},
      {"a;# b;c\nd", "<a>|<d>"},
      {"set 日本 '語'", "<set><日本>[語]"},
      {"a\xff", "<a\xff>"},
  };
  for (const Row& row : rows) EXPECT_EQ(Shown(row.text, Semicolon::kSeparates), row.seen) << row.text;
  EXPECT_EQ(Shown("a;b ;c", Semicolon::kIsText), "<a;b><;c>");
}

TEST(TokensTest, NamesTheColumnOfAMistake) {
  struct Row {
    std::string text, message;
    bool can_go_on;
  };
  const std::string escapes = ": no such escape; there are \\n \\t \\r \\0 \\xHH \\\\ \\\" \\'";
  const Row rows[] = {
      {"set a \"b", "column 7: the quote is never closed", true},
      {"set é 'b\"", "column 7: the quote is never closed", true},
      {"set a b\\", "column 8: nothing follows the backslash", true},
      {"set a \\q", "column 7" + escapes, false},
      {"set a \\x4", "column 7" + escapes, false},
      {"set a \\xzz1", "column 7" + escapes, false},
      {"set a \"\\", "column 8: nothing follows the backslash", true},
  };
  for (const Row& row : rows) {
    const absl::Status status = Tokenize(row.text, Semicolon::kSeparates).status();
    EXPECT_EQ(status.message(), row.message) << row.text;
    EXPECT_EQ(status.code() == absl::StatusCode::kOutOfRange, row.can_go_on) << row.text;
  }
}

TEST(TokensTest, KnowsWhereTheUserIsTyping) {
  struct Row {
    std::string text;
    size_t words_before;
    std::string word;
    size_t begin;
  };
  const Row rows[] = {
      {"", 0, "", 0},           {"ge", 0, "ge", 0},          {"get ", 1, "", 4},
      {"get us", 1, "us", 4},   {"get a us", 2, "us", 6},    {"get a; li", 0, "li", 7},
      {"get a;", 0, "", 6},     {"get \"a b", 1, "a b", 4},  {"get 'a b'", 1, "a b", 4},
      {"get \\x41", 1, "A", 4}, {"set k \"x\" ", 3, "", 10},
  };
  for (const Row& row : rows) {
    const Typing typing = WhereTyping(row.text);
    EXPECT_EQ(typing.before.size(), row.words_before) << row.text;
    EXPECT_EQ(typing.word.text, row.word) << row.text;
    EXPECT_EQ(typing.begin, row.begin) << row.text;
  }
}

}  // namespace
}  // namespace troupe
