// Words, environment and defaults into one checked command. Every mistake is an INVALID_ARGUMENT whose message says
// what is wrong and what was probably meant; the program ends with exit code 2 then.
#ifndef TROUPE_APPS_CLI_ARGUMENTS_H_
#define TROUPE_APPS_CLI_ARGUMENTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "apps/cli/commands.h"
#include "apps/cli/tokens.h"

namespace troupe {

// The most that --endpoint takes.
constexpr size_t kMaxEndpoints = 16;

enum class Format { kTable, kPlain, kJson, kRaw };
enum class ColorMode { kAuto, kAlways, kNever };

struct Settings {
  std::vector<std::string> endpoints = {"127.0.0.1:7101"};
  absl::Duration timeout = absl::Seconds(5);
  Format format = Format::kTable;
  ColorMode color = ColorMode::kAuto;
  bool keep_going = false;
  // The program that kill and start run; empty: there are no such commands.
  std::string node_control;
  // From -c.
  std::optional<std::string> commands;
  bool help = false;
  bool version = false;

  NodeControl control() const { return node_control.empty() ? NodeControl::kNone : NodeControl::kGiven; }
};

struct Invocation {
  Settings settings;
  // Null when the words name none.
  const Command* command = nullptr;
  std::vector<Word> arguments;
  // By the flag's name. A flag without a value is there, and empty.
  std::map<std::string, Word, std::less<>> flags;

  bool Has(std::string_view flag) const { return flags.find(flag) != flags.end(); }
  // The value of a flag that takes a number.
  uint64_t NumberOf(std::string_view flag, uint64_t otherwise) const;
};

// Where the words come from: StartFlags() mean something on the shell's command line only.
enum class Source { kShell, kLine };

// Flags may stand before, between and after the arguments, as --flag=value or --flag value; -- ends them. A word is a
// flag when it begins with - and a letter or another -, so numbers below zero are none. `settings` is what holds when
// no flag says otherwise.
absl::StatusOr<Invocation> ParseArguments(const Statement& words, const Settings& settings, Source source);

// The defaults, changed by TROUPE_ENDPOINT and TROUPE_TIMEOUT as `environment` gives them (null: not set).
absl::StatusOr<Settings> SettingsFromEnvironment(const std::function<const char*(const char*)>& environment,
                                                 bool stdout_is_terminal);

// "a:1,b:2" as {"a:1", "b:2"}, at most kMaxEndpoints.
absl::StatusOr<std::vector<std::string>> ParseEndpoints(std::string_view text);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_ARGUMENTS_H_
