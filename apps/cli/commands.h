// The one table of commands and flags. Parsing, completion and help read it; a command that is not here does not exist.
#ifndef TROUPE_APPS_CLI_COMMANDS_H_
#define TROUPE_APPS_CLI_COMMANDS_H_

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

enum class CommandId {
  kGet,
  kSet,
  kDel,
  kCas,
  kList,
  kMembers,
  kShards,
  kActors,
  kStatus,
  kKill,
  kStart,
  kHelp,
  kQuit
};

// Whether there are commands that end and start nodes: only where the program that does it was named.
enum class NodeControl { kNone, kGiven };

struct Argument {
  enum class Kind {
    // Bytes. Tab completes keys.
    kKey,
    // Bytes; @FILE and - stand for what is in the file and on standard input.
    kValue,
    // A whole number from 0.
    kNumber,
    // UTF-8.
    kText,
    // The name of a node. Tab completes those of the members.
    kNode,
    // A command or another topic of help.
    kTopic,
  };
  std::string_view name;
  Kind kind = Kind::kText;
  bool optional = false;
  // Any number of them, at least one unless it is optional. Only the last argument can be so.
  bool repeated = false;
};

struct Flag {
  // With its dashes.
  std::string_view name;
  // What stands for its value in help; empty: it takes none.
  std::string_view value;
  std::string_view summary;
  // Of its value. Here bytes mean themselves: only an argument can be @FILE or -.
  Argument::Kind kind = Argument::Kind::kText;
  // Of the flags that nobody needs to know of who is not told elsewhere.
  bool hidden = false;
};

struct Command {
  CommandId id = CommandId::kHelp;
  std::string_view name;
  // Another name for it; empty: none.
  std::string_view alias;
  std::string_view group;
  std::vector<Argument> arguments;
  std::vector<Flag> flags;
  // One line, for the list of commands.
  std::string_view summary;
  // What else there is to know; lines.
  std::string_view details;
  // Lines.
  std::string_view examples;
};

const std::vector<Command>& Commands(NodeControl control);
// Flags that every command understands, and those that only the shell's command line does.
const std::vector<Flag>& CommonFlags();
const std::vector<Flag>& StartFlags();

// By name or alias; null when there is none.
const Command* FindCommand(std::string_view name, NodeControl control);

// "set KEY VALUE [--if-absent] ...", on one line.
std::string UsageOf(const Command& command);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_COMMANDS_H_
