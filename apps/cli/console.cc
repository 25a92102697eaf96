#include "apps/cli/console.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "apps/cli/text.h"
#include "kvstore/client/kv_api.h"

namespace troupe {
namespace {

constexpr std::string_view kRed = "31", kYellow = "33", kBold = "1";

// A cell wider than this pushes its own row aside, not all of them.
constexpr size_t kMaxColumnWidth = 48;

std::string Painted(bool on, std::string_view color, std::string_view text) {
  if (!on) return std::string(text);
  return absl::StrCat("\x1b[", Absl(color), "m", Absl(text), "\x1b[0m");
}

bool Colored(ColorMode mode, bool by_default) {
  return mode == ColorMode::kAlways || (mode == ColorMode::kAuto && by_default);
}

}  // namespace

bool ColorByDefault(const std::function<const char*(const char*)>& environment, bool is_terminal) {
  const auto value = [&](const char* name) -> std::string_view {
    const char* const text = environment(name);
    return text == nullptr ? "" : text;
  };
  if (!value("NO_COLOR").empty()) return false;
  if (!value("FORCE_COLOR").empty()) return true;
  return value("TERM") != "dumb" && is_terminal;
}

Printer::Printer(Console& console, const Settings& settings, std::string_view place)
    : console_(console),
      format_(settings.format),
      color_out_(Colored(settings.color, console.color_out)),
      color_err_(Colored(settings.color, console.color_err)),
      place_(place) {}

void Printer::Line(std::string_view text) { console_.out << text << '\n'; }

void Printer::Bytes(std::string_view bytes) { console_.out << bytes; }

// Never in colour: programs look for a line that starts with OK, also on a terminal.
void Printer::Ok(std::string_view text) { Line(absl::StrCat("OK  ", Absl(text))); }

void Printer::No(std::string_view text) { Line(absl::StrCat(Warning("no:"), " ", Absl(text))); }

std::string Printer::Heading(std::string_view text) const { return Painted(color_out_, kBold, text); }

std::string Printer::Warning(std::string_view text) const { return Painted(color_out_, kYellow, text); }

std::string Printer::Alarm(std::string_view text) const { return Painted(color_out_, kRed, text); }

void Printer::Note(std::string_view text) {
  // What came before on standard output is shown before.
  console_.out.flush();
  console_.err << place_ << text << std::endl;
}

ExitCode Printer::Error(std::string_view text, ExitCode code) {
  Note(absl::StrCat(Painted(color_err_, kRed, "error:"), " ", Absl(text)));
  return code;
}

ExitCode Printer::Failed(const absl::Status& status, Effect effect, std::string_view about) {
  std::string text = about.empty() ? "" : absl::StrCat(Quoted(about, 64), ": ");
  const absl::string_view message = status.code() == absl::StatusCode::kCancelled ? "interrupted" : status.message();
  absl::StrAppend(
      &text, message.empty() ? absl::StatusCodeToString(status.code()) : Harmless({message.data(), message.size()}));
  if (NoNodeAnswered(status)) {
    absl::StrAppend(&text, "\n  start one: troupe-node --name=n1 --data-dir=DIR",
                    "     or point elsewhere: --endpoint=HOST:PORT or TROUPE_ENDPOINT");
    return Error(text, ExitCode::kNoConnection);
  }
  if (effect == Effect::kWrites && OutcomeUnknown(status)) {
    absl::StrAppend(&text, "\n  whether it was written is unknown; get shows what is there now");
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
      return Error(text, ExitCode::kUnavailable);
    case absl::StatusCode::kCancelled:
      return Error(text, ExitCode::kInterrupted);
    default:
      return Error(text, ExitCode::kRefused);
  }
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(DisplayWidth(column.heading));
}

void Table::Print(Printer& print) {
  if (rows_.empty()) return;
  for (const auto& [row, tone] : rows_) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const size_t width = DisplayWidth(row[i]);
      if (width <= kMaxColumnWidth) widths_[i] = std::max(widths_[i], width);
    }
  }
  if (!headings_printed_) {
    std::vector<std::string> headings;
    for (const Column& column : columns_) headings.emplace_back(column.heading);
    print.Line(print.Heading(Row(headings)));
    headings_printed_ = true;
  }
  for (const auto& [row, tone] : rows_) {
    const std::string line = Row(row);
    print.Line(tone == Tone::kAlarm ? print.Alarm(line) : tone == Tone::kWarning ? print.Warning(line) : line);
  }
  rows_.clear();
}

std::string Table::Row(const std::vector<std::string>& cells) const {
  std::string line;
  // Blanks owed before the next cell, so that none end the line.
  size_t blanks = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t width = DisplayWidth(cells[i]);
    const bool in_column = i < columns_.size();
    const size_t padding = in_column && widths_[i] > width ? widths_[i] - width : 0;
    if (in_column && columns_[i].right) blanks += padding;
    if (!cells[i].empty()) line += std::string(std::exchange(blanks, 0), ' ') + cells[i];
    if (in_column && !columns_[i].right) blanks += padding;
    blanks += 2;
  }
  return line;
}

}  // namespace troupe
