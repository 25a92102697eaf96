#ifndef TROUPE_APPS_CLI_LINE_EDITOR_H_
#define TROUPE_APPS_CLI_LINE_EDITOR_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

// What Tab offers.
struct Completion {
  // Whole words that may stand from `begin` to the cursor. The only one is taken, a space behind it.
  std::vector<std::string> words;
  size_t begin = 0;
  // A line to show besides; empty: none.
  std::string hint;
};

// Lines from a user at a terminal. One thread.
class LineEditor {
 public:
  enum class Outcome { kLine, kCleared, kEnd };
  // Called with what stands before the cursor, lines entered before it not included.
  using Completer = std::function<Completion(std::string_view before_cursor)>;

  virtual ~LineEditor() = default;

  virtual void set_completer(Completer completer) = 0;
  // Waits for a line, without its end. kCleared: Ctrl-C. kEnd: Ctrl-D, or the terminal is gone.
  virtual Outcome Read(const std::string& prompt, std::string& line) = 0;
  // Adds to the history that the user can go back through, and saves it.
  virtual void Remember(const std::string& line) = 0;
};

// By libedit, on standard input. Keeps the last 1,000 lines in `history_file`, which only its owner may read; without
// it when that is empty or cannot be written.
std::unique_ptr<LineEditor> NewLibeditEditor(std::string history_file);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_LINE_EDITOR_H_
