// Topics, patterns over them, and who subscribed to which. Pure.
//
// A topic is words with dots between them: `orders.eu.created`. In a pattern the word `*` stands for exactly one word,
// and `#` for any number of words, also none: `orders.*.created`, `orders.#`, `#` (the rules of AMQP 0-9-1's topic
// exchanges). A topic without either is a pattern that matches itself.
#ifndef TROUPE_ACTOR_TOPIC_PATTERN_H_
#define TROUPE_ACTOR_TOPIC_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace troupe {

// They bound the work of one match, which grows with words and with the patterns that are alive after each.
inline constexpr size_t kMaxTopicBytes = 255;
inline constexpr size_t kMaxTopicWords = 32;

// kInvalidArgument says what is wrong: empty, an empty word, too long, too many words; in a topic, `*` or `#`; in a
// pattern, either as a part of a word.
absl::Status ValidateTopic(std::string_view topic);
absl::Status ValidatePattern(std::string_view pattern);

// Which subscribers a topic concerns. A trie of the patterns' words; a match walks it once, however many `#` there
// are.
class TopicTrie {
 public:
  // The pattern must be valid (checked). False: the subscriber has it already.
  bool Insert(std::string_view pattern, uint64_t subscriber);
  // False: it had no such pattern.
  bool Remove(std::string_view pattern, uint64_t subscriber);
  // All subscribers with a pattern that matches, ascending, each once. The topic must be valid (checked).
  std::vector<uint64_t> Match(std::string_view topic) const;

  // No patterns are left.
  bool empty() const { return root_.children.empty(); }

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;  // by word; `*` and `#` among them
    std::set<uint64_t> subscribers;                                      // whose pattern ends here
    bool any_words = false;                                              // the node of a `#`
  };

  static void Enter(const Node& node, std::vector<const Node*>& nodes);

  Node root_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TOPIC_PATTERN_H_
