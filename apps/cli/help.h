#ifndef TROUPE_APPS_CLI_HELP_H_
#define TROUPE_APPS_CLI_HELP_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "apps/cli/commands.h"

namespace troupe {

// What `troupe --help` and `help` print: lines, each with its end.
std::string HelpOverview(NodeControl control);
std::string HelpFor(const Command& command);
// A command's help or one of the other topics; INVALID_ARGUMENT when there is none of that name.
absl::StatusOr<std::string> HelpTopic(std::string_view topic, NodeControl control);

// Everything that HelpTopic knows.
std::vector<std::string> HelpTopics(NodeControl control);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_HELP_H_
