#include "apps/cli/session.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "apps/cli/help.h"
#include "apps/cli/run.h"

namespace troupe {
namespace {

std::string_view MessageOf(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

ExitCode PrintHelp(const Invocation& invocation, Printer& print) {
  const NodeControl control = invocation.settings.control();
  if (invocation.arguments.empty()) {
    print.Bytes(HelpOverview(control));
    return ExitCode::kDone;
  }
  const absl::StatusOr<std::string> text = HelpTopic(invocation.arguments[0].text, control);
  if (!text.ok()) return print.Error(MessageOf(text.status()), ExitCode::kUsage);
  print.Bytes(*text);
  return ExitCode::kDone;
}

ExitCode Dispatch(Run run) {
  switch (run.invocation.command->id) {
    case CommandId::kGet:
      return RunGet(run);
    case CommandId::kSet:
      return RunSet(run);
    case CommandId::kDel:
      return RunDel(run);
    case CommandId::kCas:
      return RunCas(run);
    case CommandId::kList:
      return RunList(run);
    case CommandId::kMembers:
      return RunMembers(run);
    case CommandId::kShards:
      return RunShards(run);
    case CommandId::kActors:
      return RunActors(run);
    case CommandId::kStatus:
      return RunStatus(run);
    case CommandId::kKill:
    case CommandId::kStart:
      return RunNodeControl(run);
    case CommandId::kHelp:
      return PrintHelp(run.invocation, run.print);
    case CommandId::kQuit:
      break;
  }
  return ExitCode::kDone;
}

}  // namespace

Session::Session(KvApi& api, Console& console, Settings settings)
    : api_(api), console_(console), settings_(std::move(settings)) {}

ExitCode Session::Execute(const Invocation& invocation, std::string_view place) {
  Printer print(console_, invocation.settings, place);
  ExitCode code = ExitCode::kDone;
  if (invocation.settings.help) {
    print.Bytes(invocation.command == nullptr ? HelpOverview(invocation.settings.control())
                                              : HelpFor(*invocation.command));
  } else if (invocation.command != nullptr) {
    quit_ = invocation.command->id == CommandId::kQuit;
    code = Dispatch({api_, invocation, print});
  }
  if (console_.out.flush()) return code;
  console_.out.clear();
  return print.Error("the output cannot be written", ExitCode::kUsage);
}

ExitCode Session::ExecuteText(std::string_view text) { return ExecuteStatements(text, Semicolon::kSeparates, ""); }

ExitCode Session::ExecuteScript(std::istream& lines) {
  ExitCode first = ExitCode::kDone;
  std::string line;
  for (size_t number = 1; !quit_ && std::getline(lines, line); ++number) {
    const std::string place = absl::StrCat("line ", number, ": ");
    const ExitCode code = ExecuteStatements(line, Semicolon::kIsText, place);
    if (first == ExitCode::kDone) first = code;
    if (!Stops(code)) continue;
    // An error has said its line itself; that a plain answer ends the script would go unnoticed.
    if (code == ExitCode::kNo || code == ExitCode::kUnhealthy) {
      Printer(console_, settings_, place)
          .Note(absl::StrCat("stopped here, exit code ", static_cast<int>(code), "; --keep-going goes on"));
    }
    break;
  }
  return first;
}

ExitCode Session::ExecuteStatements(std::string_view text, Semicolon semicolon, std::string_view place) {
  const absl::StatusOr<std::vector<Statement>> statements = Tokenize(text, semicolon);
  if (!statements.ok()) {
    return Printer(console_, settings_, place).Error(MessageOf(statements.status()), ExitCode::kUsage);
  }
  ExitCode first = ExitCode::kDone;
  for (const Statement& words : *statements) {
    const absl::StatusOr<Invocation> invocation = ParseArguments(words, settings_, Source::kLine);
    const ExitCode code =
        invocation.ok() ? Execute(*invocation, place)
                        : Printer(console_, settings_, place).Error(MessageOf(invocation.status()), ExitCode::kUsage);
    if (first == ExitCode::kDone) first = code;
    if (quit_ || Stops(code)) break;
  }
  return first;
}

bool Session::Stops(ExitCode code) const {
  return code == ExitCode::kInterrupted || (code != ExitCode::kDone && !settings_.keep_going);
}

}  // namespace troupe
