#include "apps/cli/help.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "apps/cli/nearest.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

struct Topic {
  std::string_view name, text;
};

constexpr Topic kTopics[] = {
    {"exit-codes",
     "Exit codes\n"
     "    0  done\n"
     "    1  no: a key does not exist, or a condition does not hold\n"
     "    2  wrong use: a command, flag, quote or file\n"
     "    3  no node answers at the endpoints\n"
     "    4  no answer in time, or the key's shard cannot be reached\n"
     "    5  the server refused: a limit, too much waiting, an error of its own\n"
     "    6  status found the cluster unhealthy\n"
     "  130  interrupted by Ctrl-C\n"
     "-c and a script end with the code of the first command that did not end with 0; they stop there, or with\n"
     "--keep-going go on. The interactive prompt ends with 0.\n"},
    {"values",
     "Words, quotes and values\n"
     "In the interactive prompt, in scripts and in -c:\n"
     "  \"two words\" or 'two words'          one argument\n"
     "  \\n \\t \\r \\0 \\xHH \\\\ \\\" \\'           one byte each, in quotes or not\n"
     "  get a; get b                        two commands (not in scripts: one a line)\n"
     "  # at the beginning                  a comment\n"
     "As arguments of the program, bytes are taken as they are.\n"
     "Where a VALUE, OLD or NEW is expected:\n"
     "  @FILE                               the file's bytes\n"
     "  -                                   the bytes of standard input, when commands do not come from there\n"
     "A word in quotes, and every word after --, means itself: set k \"@x\", or in a shell: troupe set k -- @x\n"},
    {"output",
     "Output, chosen by -o\n"
     "  table  for people, the default on a terminal: aligned, values in quotes\n"
     "  plain  for pipes, the default elsewhere: no headings, columns apart by a tab, bytes that are not printable\n"
     "         UTF-8 as \\n \\t \\r \\xHH, and \\\\ for a backslash\n"
     "  json   one object a line; 64-bit numbers as strings; \"key_base64\" and \"value_base64\" instead of \"key\" "
     "and\n"
     "         \"value\" for bytes that are not UTF-8\n"
     "  raw    get: the value's bytes and nothing else; other commands: as plain\n"
     "Data go to standard output, all else to standard error.\n"},
};

// Two columns; the left one is as wide as its widest.
std::string Columns(const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  std::string text;
  for (const auto& [left, right] : rows) {
    absl::StrAppend(&text, "  ", left, std::string(width - left.size() + 2, ' '), right, "\n");
  }
  return text;
}

std::pair<std::string, std::string> FlagRow(const Flag& flag) {
  return {absl::StrCat(Absl(flag.name), flag.value.empty() ? "" : "=", Absl(flag.value)), std::string(flag.summary)};
}

std::string Indented(std::string_view lines) {
  if (lines.empty()) return "";
  std::string text;
  for (const absl::string_view line : absl::StrSplit(Absl(lines), '\n')) absl::StrAppend(&text, "  ", line, "\n");
  return text;
}

}  // namespace

std::string HelpOverview(NodeControl control) {
  std::string text =
      "  troupe                       interactive\n"
      "  troupe set user:1 Ada        one command\n"
      "  troupe -c \"set a 1; get a\"   several; a script, one command a line: troupe < FILE\n";
  std::string_view group;
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& command : Commands(control)) {
    std::string arguments = UsageOf(command);
    arguments.resize(std::min(arguments.find(" [--"), arguments.size()));
    const std::string_view heading = command.group == group ? "" : command.group;
    rows.push_back({absl::StrFormat("%-12s  %s", std::string(heading), arguments), std::string(command.summary)});
    group = command.group;
  }
  absl::StrAppend(&text, "\n", Columns(rows), "\n");
  rows.clear();
  for (const std::vector<Flag>* flags : {&StartFlags(), &CommonFlags()}) {
    for (const Flag& flag : *flags) {
      if (!flag.hidden || control == NodeControl::kGiven) rows.push_back(FlagRow(flag));
    }
  }
  return absl::StrCat(text, Columns(rows));
}

std::string HelpFor(const Command& command) {
  std::string text = absl::StrCat(Indented(command.examples), UsageOf(command), "\n");
  absl::StrAppend(&text, Indented(command.summary), Indented(command.details));
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Flag& flag : command.flags) rows.push_back(FlagRow(flag));
  if (!rows.empty()) absl::StrAppend(&text, "Flags\n", Columns(rows));
  return text;
}

absl::StatusOr<std::string> HelpTopic(std::string_view topic, NodeControl control) {
  if (const Command* command = FindCommand(topic, control)) return HelpFor(*command);
  for (const Topic& other : kTopics) {
    if (other.name == topic) return std::string(other.text);
  }
  const std::string nearest = Nearest(topic, HelpTopics(control));
  return absl::InvalidArgumentError(
      absl::StrCat("no help on ", Quoted(topic, 64), nearest.empty() ? "; try: help" : "; nearest: ", nearest));
}

std::vector<std::string> HelpTopics(NodeControl control) {
  std::vector<std::string> topics;
  for (const Command& command : Commands(control)) topics.emplace_back(command.name);
  for (const Topic& topic : kTopics) topics.emplace_back(topic.name);
  return topics;
}

}  // namespace troupe
