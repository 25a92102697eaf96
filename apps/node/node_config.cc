#include "apps/node/node_config.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "apps/cli/nearest.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace troupe {
namespace {

struct SettingInfo {
  std::string name;
  std::string variable;
  std::string example;
  // One of the two; the other is null.
  std::string NodeConfig::*value;
  std::vector<std::string> NodeConfig::*list = nullptr;

  std::string Get(const NodeConfig& config) const {
    return value != nullptr ? config.*value : absl::StrJoin(config.*list, ",");
  }
  void Set(NodeConfig& config, const std::string& text) const {
    if (value != nullptr) {
      config.*value = text;
    } else {
      config.*list = absl::StrSplit(text, ',', absl::SkipEmpty());
    }
  }
};

const std::vector<SettingInfo>& Settings() {
  static const auto* const settings = new std::vector<SettingInfo>{
      {"name", "TROUPE_NAME", "NAME", &NodeConfig::name},
      {"listen", "TROUPE_LISTEN", "HOST:PORT", &NodeConfig::listen},
      {"advertise", "TROUPE_ADVERTISE", "HOST:PORT", &NodeConfig::advertise},
      {"join", "TROUPE_JOIN", "HOST:PORT,...", nullptr, &NodeConfig::join},
      {"data-dir", "TROUPE_DATA_DIR", "DIR", &NodeConfig::data_dir},
      {"log-level", "TROUPE_LOG_LEVEL", "LEVEL", &NodeConfig::log_level},
  };
  return *settings;
}

const std::vector<std::string> kLogLevels = {"debug", "info", "warning", "error"};

constexpr std::string_view kHelp =
    R"(troupe-node --name=n1 --data-dir=d/n1                        a new cluster on 127.0.0.1:7101
troupe-node --name=n2 --data-dir=d/n2 --listen=127.0.0.1:7102 --join=127.0.0.1:7101     one more node of it
troupe-node --name=n1 --data-dir=d/n1 --listen=0.0.0.0:7101  for other machines: there is no authentication yet

Serves the data in one directory until SIGTERM or Ctrl-C.

--name=NAME            1-63 of a-z 0-9 - _ . (default n1)
--listen=HOST:PORT     the one port for clients and other nodes (default 127.0.0.1:7101)
--advertise=HOST:PORT  where other nodes call this one (default: as --listen, for 0.0.0.0 the machine's name)
--join=HOST:PORT,...   nodes whose cluster to join, at most 16; without it an empty DIR founds a new one
--data-dir=DIR         made when it is missing (default ./troupe-data/NAME)
--log-level=LEVEL      debug, info, warning or error (default info); the log goes to stderr
--config=FILE          TOML with the flags' names as keys: data-dir = "/srv/n1"
--print-config         show each setting and where it comes from, and exit
--version, --help

A flag outranks its variable (TROUPE_NAME, TROUPE_LISTEN, TROUPE_ADVERTISE, TROUPE_JOIN, TROUPE_DATA_DIR,
TROUPE_LOG_LEVEL, TROUPE_CONFIG), a variable the file, the file the default.
Exit codes: 0 stopped as asked, 1 could not start or had to stop, 2 wrong usage.
)";

// One value with what --print-config says of it and how an error calls its place.
struct Setting {
  std::string value;
  std::string origin;
  std::string place;
};
using SettingMap = std::map<std::string, Setting>;

absl::Status Invalid(std::string message) { return absl::InvalidArgumentError(message); }

std::string Quoted(const std::string& text) { return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\""); }

// "; nearest: X", or all that there are when nothing is near.
std::string NearestHint(const std::string& word, const std::vector<std::string>& candidates, const std::string& quote) {
  std::string nearest = Nearest(word, candidates);
  if (!nearest.empty()) return absl::StrCat("; nearest: ", quote, nearest, quote);
  return absl::StrCat("; there are: ", absl::StrJoin(candidates, ", "));
}

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (const SettingInfo& info : Settings()) names.push_back(info.name);
  return names;
}

std::vector<std::string> FlagNames() {
  std::vector<std::string> flags;
  for (const SettingInfo& info : Settings()) flags.push_back("--" + info.name);
  flags.insert(flags.end(), {"--config", "--print-config", "--version", "--help"});
  return flags;
}

struct Flags {
  ParsedConfig::Action action = ParsedConfig::Action::kRun;
  SettingMap settings;  // with "config" among them
};

// What a flag that takes a value shows for it in errors; nullptr for the flags without one.
const char* ValueExample(const std::string& flag) {
  if (flag == "--config") return "FILE";
  for (const SettingInfo& info : Settings()) {
    if (flag == "--" + info.name) return info.example.c_str();
  }
  return nullptr;
}

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& args) {
  const std::vector<std::string> known = FlagNames();
  Flags flags;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (!absl::StartsWith(arg, "-") || arg == "-" || arg == "--") {
      return Invalid(absl::StrCat(Quoted(arg), ": every argument of troupe-node is a flag; see --help"));
    }
    const size_t equals = arg.find('=');
    const std::string flag = arg.substr(0, equals);
    if (std::find(known.begin(), known.end(), flag) == known.end()) {
      return Invalid(absl::StrCat(flag, ": no such flag", NearestHint(flag, known, "")));
    }
    const char* example = ValueExample(flag);
    if (example == nullptr) {
      if (equals != std::string::npos) return Invalid(absl::StrCat(flag, ": takes no value"));
      flags.action = ParsedConfig::Action::kPrintConfig;
      continue;
    }
    std::string value;
    if (equals != std::string::npos) {
      value = arg.substr(equals + 1);
    } else if (i + 1 < args.size() && !absl::StartsWith(args[i + 1], "-")) {
      value = args[++i];
    }
    if (value.empty()) return Invalid(absl::StrCat(flag, ": needs a value: ", flag, "=", example));
    const auto [given, first] = flags.settings.emplace(flag.substr(2), Setting{value, "flag " + flag, flag});
    if (!first && flag == "--join") {
      absl::StrAppend(&given->second.value, ",", value);
    } else if (!first) {
      return Invalid(absl::StrCat(flag, ": given twice"));
    }
  }
  return flags;
}

std::string_view TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

absl::StatusOr<SettingMap> ParseFile(const std::string& path, const std::string& text) {
  auto place = [&path](const toml::source_region& region) {
    return absl::StrCat(path, ":", region.begin.line, ":", region.begin.column);
  };
  toml::parse_result parsed = toml::parse(std::string_view(text), std::string_view(path));
  if (!parsed) {
    std::string_view description = parsed.error().description();
    return Invalid(absl::StrCat(place(parsed.error().source()), ": ",
                                absl::CEscape(absl::string_view(description.data(), description.size()))));
  }
  // In the order of the file, so that the first mistake is told first.
  const toml::table& table = parsed.table();
  std::vector<std::pair<const toml::key*, const toml::node*>> entries;
  for (auto&& [key, node] : table) entries.emplace_back(&key, &node);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.first->source().begin.line, a.first->source().begin.column) <
           std::make_pair(b.first->source().begin.line, b.first->source().begin.column);
  });

  SettingMap settings;
  const std::vector<std::string> known = SettingNames();
  for (const auto& [key, node] : entries) {
    const std::string name(key->str());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Invalid(
          absl::StrCat(place(key->source()), ": unknown key ", Quoted(name), NearestHint(name, known, "\"")));
    }
    const auto* value = node->as_string();
    if (value == nullptr) {
      std::string_view type = TypeName(*node);
      return Invalid(absl::StrCat(place(node->source()), ": \"", name, "\" must be a string, not ",
                                  absl::string_view(type.data(), type.size())));
    }
    settings[name] = {value->get(), absl::StrCat("file ", path, ":", key->source().begin.line),
                      absl::StrCat(place(node->source()), ": ", name)};
  }
  return settings;
}

bool IsHost(const std::string& host) {
  if (absl::StartsWith(host, "[")) {
    return host.size() > 2 && host.back() == ']' && host.find(':') != std::string::npos &&
           host.find_first_not_of("0123456789abcdefABCDEF:.", 1) == host.size() - 1;
  }
  return !host.empty() && host.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") ==
                              std::string::npos;
}

// Of HOST:PORT; of any other text, both are the whole of it.
std::string HostOf(const std::string& address) { return address.substr(0, address.rfind(':')); }
std::string PortOf(const std::string& address) { return address.substr(address.rfind(':') + 1); }

bool IsHostPort(const std::string& text, int lowest_port) {
  if (text.find(':') == std::string::npos) return false;
  const std::string port = PortOf(text);
  int number = 0;
  return !port.empty() && port.find_first_not_of("0123456789") == std::string::npos &&
         absl::SimpleAtoi(port, &number) && number >= lowest_port && number <= 65535 && IsHost(HostOf(text));
}

// Whether it stands for every address of the machine.
bool IsWildcard(std::string host) {
  if (absl::StartsWith(host, "[")) host = host.substr(1, host.size() - 2);
  in6_addr address = {};
  if (inet_pton(AF_INET6, host.c_str(), &address) == 1) return IN6_IS_ADDR_UNSPECIFIED(&address);
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && address.s6_addr32[0] == INADDR_ANY;
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 63 && name[0] != '-' && name[0] != '_' && name[0] != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos;
}

absl::Status CheckJoin(const Setting& setting) {
  const std::vector<std::string> addresses = absl::StrSplit(setting.value, ',');
  if (addresses.size() > NodeConfig::kMaxJoin) {
    return Invalid(absl::StrCat(setting.place, ": ", addresses.size(), " addresses are too many; give at most ",
                                NodeConfig::kMaxJoin));
  }
  for (const std::string& address : addresses) {
    if (IsHostPort(address, 1)) continue;
    return Invalid(absl::StrCat(setting.place, ": ", Quoted(address),
                                " is not HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:7101"));
  }
  return absl::OkStatus();
}

absl::Status Check(const std::string& name, const Setting& setting) {
  auto wrong = [&setting](const std::string& why) {
    return Invalid(absl::StrCat(setting.place, ": ", Quoted(setting.value), " ", why));
  };
  if (name == "name" && !IsName(setting.value)) {
    return wrong("is no name: 1 to 63 of a-z 0-9 - _ . with a letter or digit first");
  }
  const bool left_to_us = setting.value.empty() && (name == "advertise" || name == "join");
  if (left_to_us) return absl::OkStatus();
  if ((name == "listen" || name == "advertise") && !IsHostPort(setting.value, 0)) {
    return wrong("is not HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:7101 or [::1]:7101");
  }
  if (name == "advertise" && IsWildcard(HostOf(setting.value))) {
    return wrong("is no address that another node could call; name one of this machine's");
  }
  if (name == "join") return CheckJoin(setting);
  if (name == "data-dir" && setting.value.empty()) return wrong("is no directory");
  if (name == "log-level" && std::find(kLogLevels.begin(), kLogLevels.end(), setting.value) == kLogLevels.end()) {
    const std::string nearest = Nearest(setting.value, kLogLevels);
    return wrong(absl::StrCat("is none of ", absl::StrJoin(kLogLevels, ", "),
                              nearest.empty() ? "" : absl::StrCat("; nearest: ", nearest)));
  }
  return absl::OkStatus();
}

std::optional<std::string> NonEmpty(const EnvironmentLookup& environment, const std::string& variable) {
  std::optional<std::string> value = environment(variable);
  if (value.has_value() && value->empty()) return std::nullopt;
  return value;
}

// The settings of --config or TROUPE_CONFIG; none without either.
absl::StatusOr<SettingMap> FromFile(const Flags& flags, const EnvironmentLookup& environment,
                                    const FileReader& read_file) {
  std::string path;
  std::string asked_by;
  if (auto flag = flags.settings.find("config"); flag != flags.settings.end()) {
    path = flag->second.value;
    asked_by = "--config";
  } else if (std::optional<std::string> value = NonEmpty(environment, "TROUPE_CONFIG"); value.has_value()) {
    path = *value;
    asked_by = "TROUPE_CONFIG";
  } else {
    return SettingMap();
  }
  absl::StatusOr<std::string> text = read_file(path);
  if (!text.ok()) {
    return Invalid(absl::StrCat(asked_by, ": cannot read ", Quoted(path), ": ", text.status().message()));
  }
  return ParseFile(path, *text);
}

// A basic string of TOML.
std::string TomlString(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(c));
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

}  // namespace

absl::StatusOr<ParsedConfig> ParseNodeConfig(const std::vector<std::string>& args, const EnvironmentLookup& environment,
                                             const FileReader& read_file) {
  ParsedConfig parsed;
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") parsed.action = ParsedConfig::Action::kHelp;
    if (arg == "--version") parsed.action = ParsedConfig::Action::kVersion;
    if (parsed.action != ParsedConfig::Action::kRun) return parsed;
  }
  absl::StatusOr<Flags> flags = ParseFlags(args);
  if (!flags.ok()) return flags.status();
  absl::StatusOr<SettingMap> file = FromFile(*flags, environment, read_file);
  if (!file.ok()) return file.status();

  parsed.action = flags->action;
  for (const SettingInfo& info : Settings()) {
    Setting setting{info.Get(parsed.config), "default", info.name};
    if (info.name == "data-dir") setting.value = "./troupe-data/" + parsed.config.name;  // the name is settled above
    if (auto found = file->find(info.name); found != file->end()) {
      if (absl::Status status = Check(info.name, found->second); !status.ok()) return status;
      setting = found->second;
    }
    if (std::optional<std::string> value = NonEmpty(environment, info.variable); value.has_value()) {
      setting = {*value, "env " + info.variable, info.variable};
    }
    if (auto found = flags->settings.find(info.name); found != flags->settings.end()) setting = found->second;
    if (absl::Status status = Check(info.name, setting); !status.ok()) return status;
    info.Set(parsed.config, setting.value);
    parsed.origins[info.name] = setting.origin;
  }
  return parsed;
}

std::string PrintNodeConfig(const ParsedConfig& parsed) {
  std::vector<std::pair<std::string, std::string>> lines;
  size_t width = 0;
  for (const SettingInfo& info : Settings()) {
    lines.emplace_back(absl::StrCat(info.name, " = ", TomlString(info.Get(parsed.config))),
                       parsed.origins.at(info.name));
    width = std::max(width, lines.back().first.size());
  }
  std::string text;
  for (auto& [line, origin] : lines) {
    line.resize(width, ' ');
    // The origin may hold a file's name, and a line break there would end the comment.
    absl::StrAppend(&text, line, "   # ", absl::Utf8SafeCEscape(origin), "\n");
  }
  return text;
}

std::string AdvertisedAddress(const NodeConfig& config, const std::string& listening, const std::string& machine_name) {
  const std::string port = PortOf(config.advertise);
  const std::string host = HostOf(config.advertise.empty() ? listening : config.advertise);
  return absl::StrCat(IsWildcard(host) ? machine_name : host, ":",
                      port.empty() || std::stoi(port) == 0 ? PortOf(listening) : port);
}

std::string_view NodeHelp() { return kHelp; }

std::optional<std::string> ProcessEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // An empty file sets failbit when copied, which is no error; a directory opens and fails at the first read.
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || errno != 0) {
    return absl::NotFoundError(errno == 0 ? "read error" : std::strerror(errno));
  }
  return text.str();
}

}  // namespace troupe
