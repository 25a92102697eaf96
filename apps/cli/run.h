// The commands themselves: calls to the cluster, and their answers as text. Nothing here knows how a command was given.
#ifndef TROUPE_APPS_CLI_RUN_H_
#define TROUPE_APPS_CLI_RUN_H_

#include "apps/cli/arguments.h"
#include "apps/cli/console.h"
#include "apps/cli/exit_code.h"
#include "kvstore/client/kv_api.h"

namespace troupe {

// One command under way.
struct Run {
  KvApi& api;
  const Invocation& invocation;
  Printer& print;
};

// In -o raw only `get` differs from plain: it prints the values' bytes and nothing between them.
ExitCode RunGet(Run run);
ExitCode RunSet(Run run);
ExitCode RunDel(Run run);
ExitCode RunCas(Run run);
ExitCode RunList(Run run);

ExitCode RunMembers(Run run);
ExitCode RunShards(Run run);
ExitCode RunActors(Run run);
ExitCode RunStatus(Run run);

// kill and start: has the program of --node-control do it, for at most 15 s, and passes on what it says. It does not
// end with Ctrl-C.
ExitCode RunNodeControl(Run run);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_RUN_H_
