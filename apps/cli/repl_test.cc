#include "apps/cli/repl.h"

#include <gtest/gtest.h>

#include <deque>
#include <sstream>

#include "apps/cli/fake_api.h"
#include "apps/version.h"

namespace troupe {
namespace {

// A user whose keystrokes are known beforehand.
class FakeEditor final : public LineEditor {
 public:
  explicit FakeEditor(std::deque<std::pair<Outcome, std::string>> input) : input_(std::move(input)) {}

  void set_completer(Completer completer) override { completer_ = std::move(completer); }

  Outcome Read(const std::string& prompt, std::string& line) override {
    prompts.push_back(prompt);
    if (input_.empty()) return Outcome::kEnd;
    const auto [outcome, text] = input_.front();
    input_.pop_front();
    if (!text.empty() && text.back() == '\t') {
      completion = completer_(text.substr(0, text.size() - 1));
      return Outcome::kCleared;
    }
    line = text;
    return outcome;
  }

  void Remember(const std::string& line) override { remembered.push_back(line); }

  std::vector<std::string> prompts, remembered;
  Completion completion;

 private:
  std::deque<std::pair<Outcome, std::string>> input_;
  Completer completer_;
};

constexpr auto kLine = LineEditor::Outcome::kLine;
constexpr auto kCleared = LineEditor::Outcome::kCleared;

class ReplTest : public testing::Test {
 protected:
  void Type(FakeEditor& editor) {
    Console console{.out = out_, .err = err_};
    Session session(api_, console, Settings());
    RunRepl(session, editor);
  }

  FakeApi api_;
  std::ostringstream out_, err_;
};

TEST_F(ReplTest, GreetsInAtMostThreeLines) {
  FakeEditor editor({});
  Type(editor);
  EXPECT_EQ(err_.str(), std::string("troupe ") + kProductVersion +
                            " at 127.0.0.1:7101\nTab completes, help explains, Ctrl-D leaves.\n");
}

TEST_F(ReplTest, GoesOnAfterAnErrorAndLeavesOnQuit) {
  api_.failure = NoNodeAnsweredError("no node answers at h:1");
  FakeEditor editor({{kLine, "get a"}, {kLine, "gte"}, {kLine, ""}, {kLine, "quit"}, {kLine, "get b"}});
  Type(editor);
  EXPECT_EQ(editor.prompts.size(), 4);
  EXPECT_EQ(editor.remembered, (std::vector<std::string>{"get a", "gte", "quit"}));
  EXPECT_NE(err_.str().find("error: no node answers at h:1\n"), std::string::npos);
  EXPECT_NE(err_.str().find("error: no such command: gte; nearest: get\n"), std::string::npos);
}

TEST_F(ReplTest, AnOpenQuoteGoesOnWithTheLineEndInTheValue) {
  FakeEditor editor({{kLine, "set a \"one"}, {kLine, "two\""}});
  Type(editor);
  EXPECT_EQ(editor.prompts, (std::vector<std::string>{"troupe> ", "   ...> ", "troupe> "}));
  EXPECT_EQ(api_.entries["a"].value, "one\ntwo");
}

TEST_F(ReplTest, ABackslashAtTheEndJoinsLines) {
  FakeEditor editor({{kLine, "set a\\"}, {kLine, "1; get a"}});
  Type(editor);
  EXPECT_EQ(out_.str(), "OK  version 1   shard 11\n\"1\"\n");
}

TEST_F(ReplTest, CtrlCForgetsTheLinesBefore) {
  FakeEditor editor({{kLine, "set a \"one"}, {kCleared, ""}, {kLine, "set a two"}});
  Type(editor);
  EXPECT_EQ(editor.prompts, (std::vector<std::string>{"troupe> ", "   ...> ", "troupe> ", "troupe> "}));
  EXPECT_EQ(api_.entries["a"].value, "two");
}

TEST_F(ReplTest, CompletesCommandsFlagsTopicsAndKeys) {
  for (const char* key : {"user:1", "user:2", "a b", "-x"}) api_.Put(key, "v");
  struct Row {
    std::string before;
    std::vector<std::string> words;
    size_t begin;
  };
  const Row rows[] = {
      {"s", {"set", "shards", "status"}, 0},
      {"get a; li", {"list"}, 7},
      {"nonsense x", {}, 9},
      {"get us", {"user:1", "user:2"}, 4},
      {"get user:1 user:2", {"user:2"}, 11},
      {"get \"a", {"\"a b\""}, 4},
      {"get \"-", {"\"-x\""}, 4},
      {"set k us", {}, 6},
      {"set --if-absent us", {"user:1", "user:2"}, 16},
      {"set k v --if-v", {"--if-value", "--if-version"}, 8},
      {"set k v --if-ve", {"--if-version"}, 8},
      {"list --t", {"--timeout"}, 5},
      {"status --l", {}, 7},
      {"help ex", {"exit-codes"}, 5},
      {"cas us", {"user:1", "user:2"}, 4},
  };
  for (const Row& row : rows) {
    Completion completion = Complete(row.before, api_, NodeControl::kNone);
    std::sort(completion.words.begin(), completion.words.end());
    EXPECT_EQ(completion.words, row.words) << row.before;
    EXPECT_EQ(completion.begin, row.begin) << row.before;
  }
}

TEST_F(ReplTest, CompletesNodesAndTheCommandsThatEndAndStartThem) {
  api_.members = {{{"n1"}, {"n2"}, {"other"}}, "n1"};
  EXPECT_EQ(Complete("k", api_, NodeControl::kNone).words, std::vector<std::string>{});
  EXPECT_EQ(Complete("kill n", api_, NodeControl::kNone).words, std::vector<std::string>{});
  EXPECT_EQ(Complete("k", api_, NodeControl::kGiven).words, std::vector<std::string>{"kill"});
  EXPECT_EQ(Complete("help st", api_, NodeControl::kGiven).words, (std::vector<std::string>{"status", "start"}));
  EXPECT_EQ(Complete("kill n", api_, NodeControl::kGiven).words, (std::vector<std::string>{"n1", "n2"}));
  EXPECT_EQ(api_.last_timeout, absl::Milliseconds(50));
}

TEST_F(ReplTest, TabOnACommandShowsItsUsage) {
  EXPECT_EQ(Complete("cas", api_, NodeControl::kNone).hint, "usage: cas KEY OLD NEW");
  EXPECT_EQ(Complete("ca", api_, NodeControl::kNone).hint, "");
}

TEST_F(ReplTest, KeysAreAskedForBrieflyAndFew) {
  Complete("get x", api_, NodeControl::kNone);
  EXPECT_EQ(api_.last_timeout, absl::Milliseconds(50));
  EXPECT_EQ(api_.last_query.page_size, 20);
  EXPECT_TRUE(api_.last_query.keys_only);
  EXPECT_EQ(api_.last_query.prefix, "x");
  api_.failure = absl::UnavailableError("gone");
  EXPECT_TRUE(Complete("get x", api_, NodeControl::kNone).words.empty());
}

TEST_F(ReplTest, CompletesOnALineThatGoesOn) {
  api_.Put("user:1", "v");
  FakeEditor editor({{kLine, "set a \\"}, {kLine, "b; get us\t"}});
  Type(editor);
  EXPECT_EQ(editor.completion.words, std::vector<std::string>{"user:1"});
  EXPECT_EQ(editor.completion.begin, 7);
}

TEST(HistoryFileTest, StandsInTheStateDirectory) {
  using Variables = std::map<std::string, std::string>;
  const auto file = [](const Variables& variables) {
    return HistoryFile([&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
  };
  EXPECT_EQ(file({{"XDG_STATE_HOME", "/s"}, {"HOME", "/h"}}), "/s/troupe/history");
  EXPECT_EQ(file({{"XDG_STATE_HOME", "rel"}, {"HOME", "/h"}}), "/h/.local/state/troupe/history");
  EXPECT_EQ(file({}), "");
}

}  // namespace
}  // namespace troupe
