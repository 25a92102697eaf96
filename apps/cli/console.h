// Where a session's output goes, and how it looks there.
#ifndef TROUPE_APPS_CLI_CONSOLE_H_
#define TROUPE_APPS_CLI_CONSOLE_H_

#include <functional>
#include <istream>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "apps/cli/arguments.h"
#include "apps/cli/exit_code.h"

namespace troupe {

struct Console {
  std::ostream& out;
  std::ostream& err;
  // Where the value - is read from. Null: nowhere, because commands come from there, or because it was read.
  std::istream* values = nullptr;
  // What --color=auto comes to.
  bool color_out = false;
  bool color_err = false;
};

// --color=auto: NO_COLOR, then FORCE_COLOR (each when not empty), then TERM=dumb, then whether it is a terminal.
bool ColorByDefault(const std::function<const char*(const char*)>& environment, bool is_terminal);

// Prints for one command. Data go to standard output, all else to standard error.
class Printer {
 public:
  // `place` precedes what goes to standard error, as in "line 3: ".
  Printer(Console& console, const Settings& settings, std::string_view place);

  Format format() const { return format_; }
  Console& console() { return console_; }

  void Line(std::string_view text);
  void Bytes(std::string_view bytes);
  // "OK  ..." and "no: ...": answers, in table and plain.
  void Ok(std::string_view text);
  void No(std::string_view text);
  std::string Heading(std::string_view text) const;
  std::string Warning(std::string_view text) const;
  std::string Alarm(std::string_view text) const;

  void Note(std::string_view text);
  // "error: ...", and returns `code`.
  ExitCode Error(std::string_view text, ExitCode code);

  enum class Effect { kReads, kWrites };
  // Says what a call's failure means to the user, and returns its exit code. `about` names one of several keys.
  ExitCode Failed(const absl::Status& status, Effect effect, std::string_view about = "");

 private:
  Console& console_;
  const Format format_;
  const bool color_out_;
  const bool color_err_;
  const std::string place_;
};

// Rows in columns, as wide as their widest cell. Rows may be printed in portions; columns only grow then.
class Table {
 public:
  struct Column {
    std::string_view heading;
    bool right = false;
  };

  // Lines in colour, where there are colours.
  enum class Tone { kPlain, kWarning, kAlarm };

  explicit Table(std::vector<Column> columns);

  // As many cells as columns; one more is a remark behind the row.
  void Add(std::vector<std::string> row, Tone tone = Tone::kPlain) { rows_.emplace_back(std::move(row), tone); }
  // Prints what was added since the last time; the headings before the first row.
  void Print(Printer& print);

 private:
  std::string Row(const std::vector<std::string>& cells) const;

  const std::vector<Column> columns_;
  std::vector<size_t> widths_;
  std::vector<std::pair<std::vector<std::string>, Tone>> rows_;
  bool headings_printed_ = false;
};

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_CONSOLE_H_
