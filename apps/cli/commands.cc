#include "apps/cli/commands.h"

#include "absl/strings/str_cat.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

using Kind = Argument::Kind;

std::vector<Command> KeyCommands() {
  return {
      {.id = CommandId::kGet,
       .name = "get",
       .alias = "",
       .group = "Keys",
       .arguments = {{.name = "KEY", .kind = Kind::kKey, .repeated = true}},
       .flags = {},
       .summary = "print the values of keys",
       .details = "A key that does not exist: (not found) on stderr, null in json, exit code 1.\n"
                  "-o raw prints the value's bytes and nothing else, no newline either.",
       .examples = "get user:1\nget user:1 user:2 -o json"},
      {.id = CommandId::kSet,
       .name = "set",
       .alias = "",
       .group = "Keys",
       .arguments = {{.name = "KEY", .kind = Kind::kKey}, {.name = "VALUE", .kind = Kind::kValue}},
       .flags = {{"--if-absent", "", "only if the key does not exist"},
                 {"--if-present", "", "only if the key exists"},
                 {"--if-version", "N", "only if the key has this version", Kind::kNumber},
                 {"--if-value", "V", "only if the key has exactly this value", Kind::kValue}},
       .summary = "write a key",
       .details = "OK means that it is on disk. A condition that does not hold: no, exit code 1, nothing written.\n"
                  "VALUE may be @FILE or - (standard input): help values.",
       .examples = "set user:1 \"Ada Lovelace\"\nset lock:a me --if-absent\nset logo @logo.png"},
      {.id = CommandId::kDel,
       .name = "del",
       .alias = "delete",
       .group = "Keys",
       .arguments = {{.name = "KEY", .kind = Kind::kKey, .repeated = true}},
       .flags = {},
       .summary = "remove keys",
       .details = "Exit code 0 when all of them existed, 1 when one did not; the others are removed all the same.",
       .examples = "del user:1\ndel user:1 user:2"},
      {.id = CommandId::kCas,
       .name = "cas",
       .alias = "",
       .group = "Keys",
       .arguments = {{.name = "KEY", .kind = Kind::kKey},
                     {.name = "OLD", .kind = Kind::kValue},
                     {.name = "NEW", .kind = Kind::kValue}},
       .flags = {},
       .summary = "write NEW if the value is OLD",
       .details = "It is not: no with the value that is there, exit code 1, nothing written.",
       .examples = "cas color blue green"},
      {.id = CommandId::kList,
       .name = "list",
       .alias = "",
       .group = "Keys",
       .arguments = {{.name = "PREFIX", .kind = Kind::kKey, .optional = true}},
       .flags = {{"--limit", "N", "at most N keys, 0: all (100)", Kind::kNumber},
                 {"--keys-only", "", "leave the values out"},
                 {"--after", "TOKEN", "go on where a list with the same PREFIX ended"}},
       .summary = "print the keys that begin with PREFIX, in byte order",
       .details = "Each shard is read at one moment, but not all shards at the same.",
       .examples = "list user: --limit=10\nlist --keys-only --limit=0"},
  };
}

std::vector<Command> ClusterCommands() {
  return {
      {.id = CommandId::kMembers,
       .name = "members",
       .alias = "",
       .group = "Cluster",
       .arguments = {},
       .flags = {},
       .summary = "print the nodes and whether they are alive",
       .details = "STATE is alive, suspect (it does not answer and is dead soon), dead or left (it said goodbye), as\n"
                  "the node that was asked sees it, and SINCE how long so. GENERATION counts a node's starts.",
       .examples = "members\nmembers -o json"},
      {.id = CommandId::kShards,
       .name = "shards",
       .alias = "",
       .group = "Cluster",
       .arguments = {{.name = "N", .kind = Kind::kNumber, .optional = true}},
       .flags = {},
       .summary = "print which shard lives where",
       .details = "SLOTS are the 16 bits of the keys' hashes that are the shard's, in hexadecimal.",
       .examples = "shards\nshards 11"},
      {.id = CommandId::kActors,
       .name = "actors",
       .alias = "",
       .group = "Cluster",
       .arguments = {{.name = "NAME-PREFIX", .kind = Kind::kText, .optional = true}},
       .flags = {{"--node", "NAME", "only those of this node", Kind::kNode}},
       .summary = "print the actors of all nodes",
       .details = "MAILBOX is how many messages wait, and how many may. Nodes that cannot be asked: on stderr.",
       .examples = "actors\nactors shard/ --node=n2"},
      {.id = CommandId::kStatus,
       .name = "status",
       .alias = "",
       .group = "Cluster",
       .arguments = {},
       .flags = {},
       .summary = "print how the cluster is",
       .details = "Exit code 6 when it is not healthy.",
       .examples = "status\nstatus -o json"},
  };
}

std::vector<Command> NodeCommands() {
  const std::vector<Argument> node = {{.name = "NODE", .kind = Kind::kNode}};
  return {
      {.id = CommandId::kKill,
       .name = "kill",
       .alias = "",
       .group = "Nodes",
       .arguments = node,
       .flags = {},
       .summary = "end a node without a warning, as a power failure does",
       .details = "What was answered is on its disk: start brings it back.",
       .examples = "kill n2"},
      {.id = CommandId::kStart,
       .name = "start",
       .alias = "",
       .group = "Nodes",
       .arguments = node,
       .flags = {},
       .summary = "start a node that was killed",
       .details = "Comes back when it serves.",
       .examples = "start n2"},
  };
}

std::vector<Command> OtherCommands() {
  return {
      {.id = CommandId::kHelp,
       .name = "help",
       .alias = "",
       .group = "This program",
       .arguments = {{.name = "TOPIC", .kind = Kind::kTopic, .optional = true}},
       .flags = {},
       .summary = "explain a command, values, output or exit-codes",
       .details = "",
       .examples = "help set\nhelp exit-codes"},
      {.id = CommandId::kQuit,
       .name = "quit",
       .alias = "exit",
       .group = "This program",
       .arguments = {},
       .flags = {},
       .summary = "leave; so does Ctrl-D",
       .details = "",
       .examples = "quit"},
  };
}

}  // namespace

const std::vector<Command>& Commands(NodeControl control) {
  const auto table = [](bool with_nodes) {
    auto* const all = new std::vector<Command>(KeyCommands());
    for (Command& command : ClusterCommands()) all->push_back(std::move(command));
    if (with_nodes) {
      for (Command& command : NodeCommands()) all->push_back(std::move(command));
    }
    for (Command& command : OtherCommands()) all->push_back(std::move(command));
    return all;
  };
  static const std::vector<Command>* const usual = table(false);
  static const std::vector<Command>* const with_nodes = table(true);
  return control == NodeControl::kGiven ? *with_nodes : *usual;
}

const std::vector<Flag>& CommonFlags() {
  static const std::vector<Flag>* const flags = new std::vector<Flag>{
      {"--output", "FORMAT", "-o: table, plain, json or raw (table on a terminal, plain in a pipe)"},
      {"--timeout", "TIME", "how long to wait for an answer, as in 500ms (5s; TROUPE_TIMEOUT)"},
      {"--color", "WHEN", "auto, always or never (auto; NO_COLOR)"},
      {"--help", "", "-h: explain the command"},
  };
  return *flags;
}

const std::vector<Flag>& StartFlags() {
  static const std::vector<Flag>* const flags = new std::vector<Flag>{
      {"--endpoint", "A,B,...", "nodes to try in turn, HOST:PORT (127.0.0.1:7101; TROUPE_ENDPOINT)"},
      {"--command", "TEXT", "-c: run commands, with ; between them, and exit"},
      {"--keep-going", "", "-c and scripts: go on after a command that fails"},
      {"--version", "", "print the version"},
      {.name = "--node-control",
       .value = "PROGRAM",
       .summary = "what kill and start run, as PROGRAM kill n2",
       .hidden = true},
  };
  return *flags;
}

const Command* FindCommand(std::string_view name, NodeControl control) {
  for (const Command& command : Commands(control)) {
    if (command.name == name || (!command.alias.empty() && command.alias == name)) return &command;
  }
  return nullptr;
}

std::string UsageOf(const Command& command) {
  std::string usage(command.name);
  for (const Argument& argument : command.arguments) {
    const std::string name = absl::StrCat(Absl(argument.name), argument.repeated ? "..." : "");
    absl::StrAppend(&usage, argument.optional ? absl::StrCat(" [", name, "]") : absl::StrCat(" ", name));
  }
  for (const Flag& flag : command.flags) {
    absl::StrAppend(&usage, " [", Absl(flag.name), flag.value.empty() ? "" : "=", Absl(flag.value), "]");
  }
  return usage;
}

}  // namespace troupe
