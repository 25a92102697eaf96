#include "apps/cli/repl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "apps/cli/help.h"
#include "apps/cli/text.h"
#include "apps/version.h"

namespace troupe {
namespace {

constexpr uint32_t kMostKeys = 20;
// A Tab that takes longer feels broken.
constexpr absl::Duration kWithin = absl::Milliseconds(50);

std::vector<std::string> Beginning(std::string_view start, const std::vector<std::string>& candidates) {
  std::vector<std::string> words;
  for (const std::string& candidate : candidates) {
    if (absl::StartsWith(candidate, Absl(start))) words.push_back(candidate);
  }
  return words;
}

std::vector<std::string> Flags(const Command& command) {
  std::vector<std::string> flags;
  for (const std::vector<Flag>* some : {&command.flags, &CommonFlags()}) {
    for (const Flag& flag : *some) flags.emplace_back(flag.name);
  }
  return flags;
}

std::vector<std::string> NodeNames(KvApi& api) {
  std::vector<std::string> names;
  if (const auto list = api.ListMembers(kWithin); list.ok()) {
    for (const KvApi::Member& member : list->members) names.push_back(AsWord(member.name));
  }
  return names;
}

std::vector<std::string> Keys(const std::string& prefix, KvApi& api) {
  KvApi::ListQuery query;
  query.prefix = prefix;
  query.page_size = kMostKeys;
  query.keys_only = true;
  std::vector<std::string> words;
  if (const auto page = api.List(query, kWithin); page.ok()) {
    for (const KvApi::Entry& entry : page->entries) words.push_back(AsWord(entry.key));
  }
  return words;
}

// The argument that word number `index` after the command would be; null when there are enough.
const Argument* ArgumentAt(const Command& command, size_t index) {
  if (command.arguments.empty()) return nullptr;
  if (index < command.arguments.size()) return &command.arguments[index];
  return command.arguments.back().repeated ? &command.arguments.back() : nullptr;
}

void CompleteCommand(Completion& completion, const std::string& word, NodeControl control) {
  std::vector<std::string> names;
  for (const Command& command : Commands(control)) names.emplace_back(command.name);
  completion.words = Beginning(word, names);
  // What it takes is what the user needs to know next.
  if (const Command* command = FindCommand(word, control)) completion.hint = absl::StrCat("usage: ", UsageOf(*command));
}

}  // namespace

Completion Complete(std::string_view before_cursor, KvApi& api, NodeControl control) {
  const Typing typing = WhereTyping(before_cursor);
  Completion completion;
  completion.begin = typing.begin;
  if (typing.before.empty()) {
    CompleteCommand(completion, typing.word.text, control);
    return completion;
  }
  const Command* const command = FindCommand(typing.before[0].text, control);
  if (command == nullptr) return completion;
  const auto is_argument = [](const Word& word) { return word.literal || !absl::StartsWith(word.text, "-"); };
  if (!is_argument(typing.word)) {
    completion.words = Beginning(typing.word.text, Flags(*command));
    return completion;
  }
  const auto first = typing.before.begin() + 1;
  const auto index = static_cast<size_t>(std::count_if(first, typing.before.end(), is_argument));
  const Argument* const argument = ArgumentAt(*command, index);
  if (argument == nullptr) return completion;
  if (argument->kind == Argument::Kind::kKey) completion.words = Keys(typing.word.text, api);
  if (argument->kind == Argument::Kind::kNode) completion.words = Beginning(typing.word.text, NodeNames(api));
  if (argument->kind == Argument::Kind::kTopic) completion.words = Beginning(typing.word.text, HelpTopics(control));
  return completion;
}

void RunRepl(Session& session, LineEditor& editor) {
  Console& console = session.console();
  console.err << "troupe " << kProductVersion << " at " << absl::StrJoin(session.settings().endpoints, ", ") << "\n"
              << "Tab completes, help explains, Ctrl-D leaves." << std::endl;
  std::string before_cursor_lines;
  editor.set_completer([&](std::string_view before_cursor) {
    Completion completion =
        Complete(before_cursor_lines + std::string(before_cursor), session.api(), session.settings().control());
    // A word that began on an earlier line cannot be replaced.
    if (completion.begin < before_cursor_lines.size()) return Completion{};
    completion.begin -= before_cursor_lines.size();
    return completion;
  });
  while (!session.quit()) {
    std::string line;
    const LineEditor::Outcome outcome = editor.Read(before_cursor_lines.empty() ? "troupe> " : "   ...> ", line);
    if (outcome == LineEditor::Outcome::kEnd) break;
    if (outcome == LineEditor::Outcome::kCleared) {
      before_cursor_lines.clear();
      continue;
    }
    std::string text = before_cursor_lines + line;
    if (Tokenize(text, Semicolon::kSeparates).status().code() == absl::StatusCode::kOutOfRange) {
      // A backslash at the end joins the lines; in an open quote the line's end belongs to the value.
      const bool joined = absl::EndsWith(text, "\\");
      if (joined) text.pop_back();
      before_cursor_lines = text + (joined ? " " : "\n");
      continue;
    }
    before_cursor_lines.clear();
    if (text.find_first_not_of(" \t\n") != std::string::npos) editor.Remember(text);
    session.ExecuteText(text);
  }
}

std::string HistoryFile(const std::function<const char*(const char*)>& environment) {
  const char* const state = environment("XDG_STATE_HOME");
  // A relative path there is to be ignored, says the XDG specification.
  if (state != nullptr && state[0] == '/') return absl::StrCat(state, "/troupe/history");
  const char* const home = environment("HOME");
  if (home != nullptr && home[0] == '/') return absl::StrCat(home, "/.local/state/troupe/history");
  return "";
}

}  // namespace troupe
