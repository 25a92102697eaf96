// The interactive prompt.
#ifndef TROUPE_APPS_CLI_REPL_H_
#define TROUPE_APPS_CLI_REPL_H_

#include <functional>
#include <string>
#include <string_view>

#include "apps/cli/line_editor.h"
#include "apps/cli/session.h"
#include "kvstore/client/kv_api.h"

namespace troupe {

// Until `quit` or the end of input. A command that fails says so and the prompt comes back.
void RunRepl(Session& session, LineEditor& editor);

// Commands, flags, topics, and nodes and keys as the cluster has them: at most 20 keys, within 50 ms, none when it does
// not answer.
Completion Complete(std::string_view before_cursor, KvApi& api, NodeControl control);

// $XDG_STATE_HOME/troupe/history, else ~/.local/state/troupe/history; empty when neither is known.
std::string HistoryFile(const std::function<const char*(const char*)>& environment);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_REPL_H_
