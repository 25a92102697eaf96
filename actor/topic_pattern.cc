#include "actor/topic_pattern.h"

#include <glog/logging.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

constexpr std::string_view kOneWord = "*";
constexpr std::string_view kAnyWords = "#";

std::vector<std::string_view> WordsOf(std::string_view topic) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t dot = topic.find('.');
    words.push_back(topic.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    topic.remove_prefix(dot + 1);
  }
}

absl::Status Validate(std::string_view topic, bool wildcards) {
  if (topic.empty()) return absl::InvalidArgumentError("a topic has at least one word");
  if (topic.size() > kMaxTopicBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a topic has at most ", kMaxTopicBytes, " bytes"));
  }
  const std::vector<std::string_view> words = WordsOf(topic);
  if (words.size() > kMaxTopicWords) {
    return absl::InvalidArgumentError(absl::StrCat("a topic has at most ", kMaxTopicWords, " words"));
  }
  for (std::string_view word : words) {
    if (word.empty()) return absl::InvalidArgumentError("a topic has a word before and after each dot");
    if (word.find_first_of("*#") == std::string_view::npos) continue;
    if (!wildcards) return absl::InvalidArgumentError("* and # are for patterns, not for topics");
    if (word.size() > 1) return absl::InvalidArgumentError("* and # each stand for whole words");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateTopic(std::string_view topic) { return Validate(topic, /*wildcards=*/false); }
absl::Status ValidatePattern(std::string_view pattern) { return Validate(pattern, /*wildcards=*/true); }

bool TopicTrie::Insert(std::string_view pattern, uint64_t subscriber) {
  CHECK(ValidatePattern(pattern).ok()) << ValidatePattern(pattern);
  Node* node = &root_;
  for (std::string_view word : WordsOf(pattern)) {
    auto child = node->children.find(word);
    if (child == node->children.end()) {
      child = node->children.emplace(std::string(word), std::make_unique<Node>()).first;
      child->second->any_words = word == kAnyWords;
    }
    node = child->second.get();
  }
  return node->subscribers.insert(subscriber).second;
}

bool TopicTrie::Remove(std::string_view pattern, uint64_t subscriber) {
  const std::vector<std::string_view> words = WordsOf(pattern);
  std::vector<Node*> path = {&root_};
  for (std::string_view word : words) {
    auto child = path.back()->children.find(word);
    if (child == path.back()->children.end()) return false;
    path.push_back(child->second.get());
  }
  if (path.back()->subscribers.erase(subscriber) == 0) return false;
  for (size_t i = words.size(); i > 0 && path[i]->subscribers.empty() && path[i]->children.empty(); --i) {
    path[i - 1]->children.erase(path[i - 1]->children.find(words[i - 1]));
  }
  return true;
}

// A `#` may stand for no word: who enters a node enters its `#` as well.
void TopicTrie::Enter(const Node& node, std::vector<const Node*>& nodes) {
  for (const Node* next = &node; next != nullptr;) {
    nodes.push_back(next);
    auto any = next->children.find(kAnyWords);
    next = any == next->children.end() ? nullptr : any->second.get();
  }
}

std::vector<uint64_t> TopicTrie::Match(std::string_view topic) const {
  CHECK(ValidateTopic(topic).ok()) << ValidateTopic(topic);
  std::vector<const Node*> nodes;
  Enter(root_, nodes);
  for (std::string_view word : WordsOf(topic)) {
    std::vector<const Node*> next;
    for (const Node* node : nodes) {
      if (node->any_words) Enter(*node, next);
      for (std::string_view step : {word, kOneWord}) {
        auto child = node->children.find(step);
        if (child != node->children.end()) Enter(*child->second, next);
      }
    }
    // A node is reached over several ways when there are several `#`; without this their number would double with
    // each word.
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    nodes = std::move(next);
  }
  std::vector<uint64_t> subscribers;
  for (const Node* node : nodes) {
    subscribers.insert(subscribers.end(), node->subscribers.begin(), node->subscribers.end());
  }
  std::sort(subscribers.begin(), subscribers.end());
  subscribers.erase(std::unique(subscribers.begin(), subscribers.end()), subscribers.end());
  return subscribers;
}

}  // namespace troupe
