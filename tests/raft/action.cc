#include "tests/raft/action.h"

#include <iterator>
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace troupe::raft {
namespace {

constexpr std::string_view kActionNames[] = {
    "deliver", "duplicate", "drop",     "write",       "ack",       "ready",  "crash",   "restart", "campaign", "tick",
    "propose", "read",      "transfer", "add-learner", "add-voter", "remove", "compact", "apply",   "cut",      "heal"};
static_assert(std::size(kActionNames) == kActionKinds);

constexpr std::string_view kMessageNames[] = {"pre-vote", "pre-vote-reply", "vote",      "vote-reply",
                                              "append",   "append-reply",   "heartbeat", "heartbeat-reply",
                                              "snapshot", "timeout-now"};

bool NamesMessage(ActionKind kind) { return kind <= ActionKind::kDrop; }

template <size_t kSize>
std::optional<int> Find(const std::string_view (&names)[kSize], std::string_view name) {
  for (size_t i = 0; i < kSize; ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string Field(std::string_view name, uint64_t value) {
  return value == 0 ? "" : absl::StrCat(" ", absl::string_view(name.data(), name.size()), "=", value);
}

std::string Word(bool is, const char* word) { return is ? absl::StrCat(" ", word) : ""; }

// The words of a line: flags have the value 1.
using Words = std::map<std::string, uint64_t>;

uint64_t Get(const Words& words, const std::string& name) {
  auto found = words.find(name);
  return found == words.end() ? 0 : found->second;
}

std::optional<Words> ParseWords(std::istringstream& line) {
  Words words;
  for (std::string word; line >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      words[word] = 1;
      continue;
    }
    std::istringstream number(word.substr(equals + 1));
    if (!(number >> words[word.substr(0, equals)])) return std::nullopt;
  }
  return words;
}

std::optional<Action> ParseAction(const std::string& verb, std::istringstream& line) {
  const std::optional<int> kind = Find(kActionNames, verb);
  if (!kind.has_value()) return std::nullopt;
  Action action{.kind = static_cast<ActionKind>(*kind)};
  if (NamesMessage(action.kind)) {
    std::string name;
    line >> name;
    const std::optional<int> message = Find(kMessageNames, name);
    if (!message.has_value()) return std::nullopt;
    action.message.kind = static_cast<MessageKind>(*message);
  }
  const std::optional<Words> words = ParseWords(line);
  if (!words.has_value()) return std::nullopt;
  action.replica = static_cast<uint8_t>(Get(*words, "replica"));
  action.other = static_cast<uint8_t>(Get(*words, "other"));
  action.n = static_cast<uint32_t>(Get(*words, "n"));
  action.back = static_cast<uint32_t>(Get(*words, "back"));
  action.hold = Get(*words, "hold") != 0;
  action.prompt = Get(*words, "prompt") != 0;
  action.lazy = Get(*words, "lazy") != 0;
  MessageKey& key = action.message;
  key.from = static_cast<uint8_t>(Get(*words, "from"));
  key.to = static_cast<uint8_t>(Get(*words, "to"));
  key.ok = Get(*words, "ok") != 0;
  key.transfer = Get(*words, "transfer") != 0;
  key.term = static_cast<uint32_t>(Get(*words, "term"));
  key.index = static_cast<uint32_t>(Get(*words, "index"));
  key.log_term = static_cast<uint32_t>(Get(*words, "log-term"));
  key.commit = static_cast<uint32_t>(Get(*words, "commit"));
  key.entries = static_cast<uint32_t>(Get(*words, "entries"));
  key.round = static_cast<uint32_t>(Get(*words, "round"));
  return action;
}

}  // namespace

MessageKey KeyOf(const Message& m) {
  return {.kind = m.kind,
          .from = static_cast<uint8_t>(m.from.value()),
          .to = static_cast<uint8_t>(m.to.value()),
          .ok = m.ok,
          .transfer = m.transfer,
          .term = static_cast<uint32_t>(m.term.value()),
          .index = static_cast<uint32_t>((m.kind == MessageKind::kSnapshot ? m.snapshot.index : m.index).value()),
          .log_term = static_cast<uint32_t>(m.log_term.value()),
          .commit = static_cast<uint32_t>(m.commit.value()),
          .entries = static_cast<uint32_t>(m.entries.size()),
          .round = static_cast<uint32_t>(m.round)};
}

std::string Print(const Action& action) {
  const std::string_view verb = kActionNames[static_cast<size_t>(action.kind)];
  std::string line(verb);
  if (NamesMessage(action.kind)) {
    const MessageKey& key = action.message;
    line += ' ';
    line += kMessageNames[static_cast<size_t>(key.kind)];
    line += Field("from", key.from) + Field("to", key.to) + Field("term", key.term) + Field("index", key.index) +
            Field("log-term", key.log_term) + Field("commit", key.commit) + Field("entries", key.entries) +
            Field("round", key.round) + Word(key.ok, "ok") + Word(key.transfer, "transfer");
  }
  return line + Field("replica", action.replica) + Field("other", action.other) + Field("n", action.n) +
         Field("back", action.back) + Word(action.hold, "hold") + Word(action.prompt, "prompt") +
         Word(action.lazy, "lazy");
}

std::string Print(const Script& script) {
  const ClusterShape& shape = script.shape;
  std::string text = absl::StrCat(
      "cluster voters=", shape.voters, " replicas=", shape.replicas, " election-ticks=", shape.election_ticks,
      " append-entries=", shape.max_append_entries, " window-appends=", shape.max_window_appends,
      " messages=", shape.max_messages, " seed=", shape.seed, "\n");
  for (const Action& action : script.actions) text += Print(action) + "\n";
  return text;
}

std::optional<Script> ParseScript(std::string_view text) {
  Script script;
  std::istringstream lines{std::string(text)};
  for (std::string raw; std::getline(lines, raw);) {
    std::istringstream line(raw.substr(0, raw.find('#')));
    std::string verb;
    if (!(line >> verb)) continue;
    if (verb != "cluster") {
      const std::optional<Action> action = ParseAction(verb, line);
      if (!action.has_value()) return std::nullopt;
      script.actions.push_back(*action);
      continue;
    }
    const std::optional<Words> words = ParseWords(line);
    if (!words.has_value()) return std::nullopt;
    script.shape = {.voters = static_cast<int>(Get(*words, "voters")),
                    .replicas = static_cast<int>(Get(*words, "replicas")),
                    .election_ticks = static_cast<int>(Get(*words, "election-ticks")),
                    .max_append_entries = static_cast<int>(Get(*words, "append-entries")),
                    .max_window_appends = static_cast<int>(Get(*words, "window-appends")),
                    .max_messages = static_cast<int>(Get(*words, "messages")),
                    .seed = Get(*words, "seed")};
  }
  return script;
}

}  // namespace troupe::raft
