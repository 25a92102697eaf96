// Commands from wherever they come, carried out one after the other.
#ifndef TROUPE_APPS_CLI_SESSION_H_
#define TROUPE_APPS_CLI_SESSION_H_

#include <istream>
#include <string_view>

#include "apps/cli/arguments.h"
#include "apps/cli/console.h"
#include "apps/cli/exit_code.h"
#include "apps/cli/tokens.h"
#include "kvstore/client/kv_api.h"

namespace troupe {

class Session {
 public:
  // `settings` hold where a command's own flags say nothing else.
  Session(KvApi& api, Console& console, Settings settings);

  ExitCode Execute(const Invocation& invocation, std::string_view place = "");

  // Commands with ; or line ends between them. Stops at the first that does not end with 0, and with its code;
  // with keep_going goes on, and ends with that code all the same.
  ExitCode ExecuteText(std::string_view text);

  // One command a line, to the end of the input, in the same way. What goes wrong is told with the line's number.
  ExitCode ExecuteScript(std::istream& lines);

  // Whether a command asked to leave.
  bool quit() const { return quit_; }
  KvApi& api() { return api_; }
  Console& console() { return console_; }
  const Settings& settings() const { return settings_; }

 private:
  ExitCode ExecuteStatements(std::string_view text, Semicolon semicolon, std::string_view place);
  // Whether the next command is not to be run.
  bool Stops(ExitCode code) const;

  KvApi& api_;
  Console& console_;
  const Settings settings_;
  bool quit_ = false;
};

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_SESSION_H_
