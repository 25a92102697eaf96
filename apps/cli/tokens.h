// Lines of commands into words: what the REPL, a script and -c have in common.
//
// Words are apart by spaces and tabs. "..." and '...' keep what is inside together and may stand anywhere in a word.
// Everywhere \n \t \r \0 \xHH \\ \" \' stand for one byte; any other escape is an error. A # where a command would
// begin makes the rest of the line a comment.
#ifndef TROUPE_APPS_CLI_TOKENS_H_
#define TROUPE_APPS_CLI_TOKENS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace troupe {

struct Word {
  std::string text;
  // It began with a quote or an escape, so it means itself: never a flag, a file, or standard input.
  bool literal = false;

  bool operator==(const Word&) const = default;
};

// A command with its arguments; never empty.
using Statement = std::vector<Word>;

enum class Semicolon { kSeparates, kIsText };

// INVALID_ARGUMENT with the column, counted in characters from 1. OUT_OF_RANGE when the text ends inside a quote, or
// with a backslash, so that more text could still make it whole.
absl::StatusOr<std::vector<Statement>> Tokenize(std::string_view text, Semicolon semicolon);

// Where a user stands who is typing.
struct Typing {
  // The words of the statement before the one being typed.
  Statement before;
  // That word so far, empty after a space; and where it begins in the text, its quote included.
  Word word;
  size_t begin = 0;
};

Typing WhereTyping(std::string_view text);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_TOKENS_H_
