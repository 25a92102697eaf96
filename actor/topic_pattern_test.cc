// Patterns over topics: a table of the rules, then random tries against a matcher that tries everything.
#include "actor/topic_pattern.h"

#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TopicPatternTest, StarIsOneWordAndHashAnyNumber) {
  const struct {
    std::string_view pattern;
    std::string_view topic;
    bool matches;
  } kCases[] = {
      {"orders", "orders", true},
      {"orders", "orders.eu", false},
      {"orders.eu", "orders", false},
      {"orders.*.created", "orders.eu.created", true},
      {"orders.*.created", "orders.created", false},
      {"orders.*.created", "orders.eu.de.created", false},
      {"*", "orders", true},
      {"*", "orders.eu", false},
      {"#", "orders", true},
      {"#", "orders.eu.created", true},
      {"orders.#", "orders", true},
      {"orders.#", "orders.eu.created", true},
      {"orders.#", "order.eu", false},
      {"#.created", "created", true},
      {"#.created", "orders.eu.created", true},
      {"#.created", "orders.eu.created.twice", false},
      {"orders.#.created", "orders.created", true},
      {"orders.#.created", "orders.created.eu.created", true},
      {"#.#", "orders", true},
      {"#.*", "orders.eu", true},
      {"*.#.*", "orders", false},
      {"*.#.*", "orders.eu", true},
  };
  for (const auto& c : kCases) {
    TopicTrie trie;
    trie.Insert(c.pattern, 1);
    EXPECT_EQ(!trie.Match(c.topic).empty(), c.matches) << c.pattern << " over " << c.topic;
  }
}

TEST(TopicPatternTest, ErrorsSayWhatIsWrong) {
  EXPECT_THAT(ValidateTopic("").message(), HasSubstr("at least one word"));
  EXPECT_THAT(ValidateTopic("a..b").message(), HasSubstr("before and after each dot"));
  EXPECT_THAT(ValidateTopic("a.").message(), HasSubstr("before and after each dot"));
  EXPECT_THAT(ValidateTopic("a.*").message(), HasSubstr("for patterns"));
  EXPECT_THAT(ValidatePattern("a.b*").message(), HasSubstr("whole words"));
  EXPECT_THAT(ValidatePattern("a.##").message(), HasSubstr("whole words"));
  EXPECT_THAT(ValidateTopic(std::string(256, 'a')).message(), HasSubstr("255 bytes"));
  std::string words = "a";
  for (int i = 1; i < 32; ++i) words += ".a";
  EXPECT_TRUE(ValidateTopic(words).ok());
  EXPECT_THAT(ValidateTopic(words + ".a").message(), HasSubstr("32 words"));
  EXPECT_TRUE(ValidatePattern("#.*.a").ok());
}

TEST(TopicTrieTest, WhoMatchesTwiceIsListedOnce) {
  TopicTrie trie;
  EXPECT_TRUE(trie.Insert("orders.eu", 7));
  EXPECT_TRUE(trie.Insert("orders.*", 7));
  EXPECT_TRUE(trie.Insert("orders.*", 3));
  EXPECT_FALSE(trie.Insert("orders.*", 3));
  EXPECT_THAT(trie.Match("orders.eu"), ElementsAre(3, 7));
}

TEST(TopicTrieTest, ManyHashesCostNoExplosion) {
  TopicTrie trie;
  std::string pattern = "#";
  for (int i = 0; i < 15; ++i) pattern += ".a.#";
  std::string topic = "a";
  for (int i = 1; i < 32; ++i) topic += ".a";
  trie.Insert(pattern, 1);
  trie.Insert(pattern + ".b", 2);
  EXPECT_THAT(trie.Match(topic), ElementsAre(1)) << "and before the test's timeout";
}

// By trying each split.
bool Matches(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& topic, size_t t) {
  if (p == pattern.size()) return t == topic.size();
  if (pattern[p] == "#") {
    for (size_t skip = t; skip <= topic.size(); ++skip) {
      if (Matches(pattern, p + 1, topic, skip)) return true;
    }
    return false;
  }
  return t < topic.size() && (pattern[p] == "*" || pattern[p] == topic[t]) && Matches(pattern, p + 1, topic, t + 1);
}

TEST(TopicTrieTest, AgreesWithAMatcherThatTriesEverything) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    auto words = [&random](std::vector<std::string> alphabet) {
      std::vector<std::string> picked(1 + random.Below(5));
      for (std::string& word : picked) word = alphabet[random.Below(alphabet.size())];
      return picked;
    };
    TopicTrie trie;
    std::set<std::pair<std::vector<std::string>, uint64_t>> model;
    for (int step = 0; step < 200; ++step) {
      std::vector<std::string> pattern = words({"a", "b", "*", "#"});
      const uint64_t subscriber = random.Below(8);
      if (random.PerMille(600)) {
        ASSERT_EQ(trie.Insert(absl::StrJoin(pattern, "."), subscriber), model.emplace(pattern, subscriber).second);
      } else {
        if (!model.empty() && random.PerMille(800))
          pattern = std::next(model.begin(), random.Below(model.size()))->first;
        ASSERT_EQ(trie.Remove(absl::StrJoin(pattern, "."), subscriber), model.erase({pattern, subscriber}) == 1);
      }
      const std::vector<std::string> topic = words({"a", "b", "c"});
      std::set<uint64_t> expected;
      for (const auto& [pattern, subscriber] : model) {
        if (Matches(pattern, 0, topic, 0)) expected.insert(subscriber);
      }
      ASSERT_EQ(trie.Match(absl::StrJoin(topic, ".")), std::vector<uint64_t>(expected.begin(), expected.end()))
          << absl::StrJoin(topic, ".") << " at step " << step;
      ASSERT_EQ(trie.empty(), model.empty());
    }
    for (const auto& [pattern, subscriber] : model) trie.Remove(absl::StrJoin(pattern, "."), subscriber);
    EXPECT_TRUE(trie.empty()) << "nodes without patterns were left";
  }
}

}  // namespace
}  // namespace troupe
