#ifndef TROUPE_APPS_NODE_NODE_CONFIG_H_
#define TROUPE_APPS_NODE_NODE_CONFIG_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace troupe {

// The settings of one troupe-node. A setting is known by one name everywhere: `--data-dir` as a flag, TROUPE_DATA_DIR
// in the environment, `data-dir` in the TOML file. A flag outranks the environment, that the file, that the default;
// they are always merged.
struct NodeConfig {
  // The most addresses in `join`.
  static constexpr size_t kMaxJoin = 16;

  // 1 to 63 of a-z 0-9 - _ . and begins with a letter or a digit, because it is a part of paths and actor addresses.
  std::string name = "n1";
  // HOST:PORT or [IPv6]:PORT. Loopback until told otherwise: there is no authentication yet. Port 0: any free one.
  std::string listen = "127.0.0.1:7101";
  // HOST:PORT at which the others call this node, in which port 0 stands for the one that was taken. Empty:
  // AdvertisedAddress makes one of `listen`.
  std::string advertise;
  // Each HOST:PORT, of nodes whose cluster this one joins; its own may be among them. Empty: it founds a cluster when
  // its directory is empty. As a flag --join may be repeated, and everywhere commas stand between several.
  std::vector<std::string> join;
  // By default ./troupe-data/NAME, so that nodes started side by side do not meet in one directory.
  std::string data_dir;
  std::string log_level = "info";  // debug, info, warning or error
};

struct ParsedConfig {
  enum class Action { kRun, kPrintConfig, kHelp, kVersion };

  Action action = Action::kRun;
  NodeConfig config;
  // By the setting's name: "flag --name", "env TROUPE_NAME", "file troupe.toml:3" or "default".
  std::map<std::string, std::string> origins;
};

// An unset and an empty variable are the same.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;
// The whole content of a file, or why it cannot be read.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// `args` are those after the program's name. Every error is kInvalidArgument, one line that names the flag, variable
// or place in the file at fault and what would be right; the program prints it after "error: " and exits with 2.
// Where --help or --version is asked for nothing else is looked at. The file, --config or TROUPE_CONFIG, is checked
// whole, also where something outranks it.
absl::StatusOr<ParsedConfig> ParseNodeConfig(const std::vector<std::string>& args, const EnvironmentLookup& environment,
                                             const FileReader& read_file);

// Every setting with its origin behind it, as a TOML file that gives the same settings again.
std::string PrintNodeConfig(const ParsedConfig& parsed);

// Where other nodes call this one that listens at `listening`, the HOST:PORT that was taken. A host that means every
// address of the machine, such as 0.0.0.0, is nothing that they could call: `machine_name` takes its place.
std::string AdvertisedAddress(const NodeConfig& config, const std::string& listening, const std::string& machine_name);

// What --help prints.
std::string_view NodeHelp();

// The process's own, for main().
std::optional<std::string> ProcessEnvironment(const std::string& name);
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace troupe

#endif  // TROUPE_APPS_NODE_NODE_CONFIG_H_
