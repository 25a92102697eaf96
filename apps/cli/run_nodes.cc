#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "apps/cli/program.h"
#include "apps/cli/run.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

constexpr absl::Duration kNodeControlTimeout = absl::Seconds(15);

// Its last words, as the rest of a line that begins with "error: ".
std::string_view Reason(std::string_view err) {
  constexpr std::string_view kError = "error: ";
  if (err.substr(0, kError.size()) == kError) err.remove_prefix(kError.size());
  while (!err.empty() && err.back() == '\n') err.remove_suffix(1);
  return err;
}

}  // namespace

ExitCode RunNodeControl(Run run) {
  const std::string verb(run.invocation.command->name);
  const std::string& node = run.invocation.arguments[0].text;
  const std::string& program = run.invocation.settings.node_control;
  const absl::StatusOr<ProgramResult> result = RunProgram({program, verb, node}, kNodeControlTimeout);
  if (!result.ok()) {
    const bool late = absl::IsDeadlineExceeded(result.status());
    const absl::string_view why = result.status().message();
    return run.print.Error({why.data(), why.size()}, late ? ExitCode::kUnavailable : ExitCode::kUsage);
  }
  run.print.Bytes(result->out);
  const std::string_view words = Reason(result->err);
  if (result->exit_code == 0) {
    if (!words.empty()) run.print.Note(words);
    return ExitCode::kDone;
  }
  const std::string silent = absl::StrCat(program, " ", verb, " ", node, " ended with ", result->exit_code);
  return run.print.Error(words.empty() ? silent : words, ExitCode::kRefused);
}

}  // namespace troupe
