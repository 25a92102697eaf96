#include "apps/cli/arguments.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "apps/cli/nearest.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

// A wrong word is shown, but not a whole value that stands in the wrong place.
constexpr size_t kMaxShownBytes = 64;

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string Shown(std::string_view word) {
  const std::string harmless = Harmless(word.substr(0, kMaxShownBytes));
  return !word.empty() && harmless == word ? harmless : Quoted(word, kMaxShownBytes);
}

std::string OrNearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : absl::StrCat("; nearest: ", nearest);
}

absl::Status CheckNumber(std::string_view name, std::string_view text) {
  uint64_t number = 0;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits && absl::SimpleAtoi(Absl(text), &number)) return absl::OkStatus();
  return Wrong(Absl(name), ": ", Quoted(text, kMaxShownBytes), " is not a whole number from 0");
}

absl::Status CheckKind(Argument::Kind kind, std::string_view name, std::string_view text) {
  if (kind == Argument::Kind::kNumber) return CheckNumber(name, text);
  const bool text_only =
      kind == Argument::Kind::kText || kind == Argument::Kind::kNode || kind == Argument::Kind::kTopic;
  if (text_only && !IsUtf8(text)) return Wrong(Absl(name), ": ", Quoted(text, kMaxShownBytes), " is not UTF-8");
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> ParseTimeout(std::string_view text) {
  absl::Duration timeout;
  if (!absl::ParseDuration(std::string(text), &timeout)) {
    return Wrong(Quoted(text, kMaxShownBytes), " is not a time; write it as in 2s or 500ms");
  }
  if (timeout < absl::Milliseconds(1) || timeout > absl::Hours(1)) {
    return Wrong(Shown(text), " is not from 1ms to 1h");
  }
  return timeout;
}

template <typename Value>
absl::Status Choose(std::string_view text, const std::vector<std::pair<std::string, Value>>& choices, Value& chosen) {
  std::vector<std::string> names;
  for (const auto& [name, value] : choices) {
    names.push_back(name);
    if (name != text) continue;
    chosen = value;
    return absl::OkStatus();
  }
  std::string all = names[0];
  for (size_t i = 1; i < names.size(); ++i) absl::StrAppend(&all, i + 1 < names.size() ? ", " : " or ", names[i]);
  return Wrong(Quoted(text, kMaxShownBytes), " is not ", all, OrNearest(text, names));
}

absl::Status ApplyValue(std::string_view flag, std::string_view value, Settings& settings) {
  if (flag == "--output") {
    return Choose<Format>(
        value, {{"table", Format::kTable}, {"plain", Format::kPlain}, {"json", Format::kJson}, {"raw", Format::kRaw}},
        settings.format);
  }
  if (flag == "--color") {
    return Choose<ColorMode>(value,
                             {{"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}},
                             settings.color);
  }
  if (flag == "--timeout") {
    const absl::StatusOr<absl::Duration> timeout = ParseTimeout(value);
    if (timeout.ok()) settings.timeout = *timeout;
    return timeout.status();
  }
  if (flag == "--endpoint") {
    absl::StatusOr<std::vector<std::string>> endpoints = ParseEndpoints(value);
    if (endpoints.ok()) settings.endpoints = *std::move(endpoints);
    return endpoints.status();
  }
  return absl::OkStatus();
}

// A flag of every command, or of the program.
absl::Status ApplySetting(std::string_view flag, const Word& value, Settings& settings) {
  if (flag == "--command") settings.commands = value.text;
  if (flag == "--help") settings.help = true;
  if (flag == "--version") settings.version = true;
  if (flag == "--keep-going") settings.keep_going = true;
  if (flag == "--node-control") {
    if (value.text.empty()) return Wrong("--node-control: names no program");
    settings.node_control = value.text;
  }
  const absl::Status status = ApplyValue(flag, value.text, settings);
  return status.ok() ? status : Wrong(Absl(flag), ": ", status.message());
}

const Flag* FindFlag(const std::vector<Flag>& flags, std::string_view name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

bool IsFlag(const Word& word) {
  return !word.literal && word.text.size() >= 2 && word.text[0] == '-' &&
         (word.text[1] == '-' || absl::ascii_isalpha(word.text[1]));
}

// -o for --output, and so on; longer names are themselves.
std::string LongName(std::string_view name) {
  if (name == "-o") return "--output";
  if (name == "-c") return "--command";
  if (name == "-h") return "--help";
  return std::string(name);
}

class Parser {
 public:
  Parser(const Statement& words, const Settings& settings, Source source) : words_(words), source_(source) {
    invocation_.settings = settings;
  }

  absl::StatusOr<Invocation> Parse() {
    absl::Status status = FindTheCommand();
    for (next_ = 0; status.ok() && next_ < words_.size();) {
      const Word& word = words_[next_++];
      if (IsFlag(word) && !only_arguments_) {
        status = TakeFlag(word.text);
      } else if (&word != command_word_) {
        invocation_.arguments.push_back({word.text, word.literal || only_arguments_});
      }
    }
    if (status.ok()) status = CheckCommand();
    if (status.ok() && !invocation_.settings.help && !invocation_.settings.version) status = CheckArguments();
    if (!status.ok()) return status;
    return std::move(invocation_);
  }

 private:
  // Flags may stand before the command that says which there are, so it is looked for first.
  absl::Status FindTheCommand() {
    for (size_t i = 0; i < words_.size(); ++i) {
      const Word& word = words_[i];
      if (word.text == "--" && !word.literal) break;
      if (!IsFlag(word)) {
        command_word_ = &word;
        break;
      }
      const bool has_value = word.text.find('=') != std::string::npos;
      const Flag* flag = FindAnyFlag(LongName(word.text));
      if (!has_value && flag != nullptr && !flag->value.empty()) ++i;
    }
    if (command_word_ == nullptr) return absl::OkStatus();
    // Whether there are all of these, a flag behind the command may say.
    invocation_.command = FindCommand(command_word_->text, NodeControl::kGiven);
    return invocation_.command != nullptr ? absl::OkStatus() : NoSuchCommand();
  }

  absl::Status CheckCommand() const {
    if (invocation_.command == nullptr) return absl::OkStatus();
    const NodeControl control = invocation_.settings.control();
    return FindCommand(invocation_.command->name, control) != nullptr ? absl::OkStatus() : NoSuchCommand();
  }

  absl::Status NoSuchCommand() const {
    std::vector<std::string> names;
    for (const Command& command : Commands(invocation_.settings.control())) names.emplace_back(command.name);
    const std::string nearest = OrNearest(command_word_->text, names);
    return Wrong("no such command: ", Shown(command_word_->text), nearest.empty() ? "; try: help" : nearest);
  }

  static const Flag* FindAnyFlag(std::string_view name) {
    if (const Flag* flag = FindFlag(CommonFlags(), name)) return flag;
    if (const Flag* flag = FindFlag(StartFlags(), name)) return flag;
    for (const Command& command : Commands(NodeControl::kGiven)) {
      if (const Flag* flag = FindFlag(command.flags, name)) return flag;
    }
    return nullptr;
  }

  absl::Status TakeFlag(const std::string& text) {
    if (text == "--") {
      only_arguments_ = true;
      return absl::OkStatus();
    }
    const size_t equals = text.find('=');
    const std::string name = LongName(text.substr(0, equals));
    const bool of_command = invocation_.command != nullptr && FindFlag(invocation_.command->flags, name) != nullptr;
    const Flag* const flag = FindAnyFlag(name);
    if (flag == nullptr) return NoSuchFlag(name);
    const bool of_program = FindFlag(CommonFlags(), name) != nullptr || FindFlag(StartFlags(), name) != nullptr;
    if (!of_command && !of_program) return NotAFlagOfThis(name);
    if (source_ == Source::kLine && FindFlag(StartFlags(), name) != nullptr) {
      return Wrong(name, ": only where the program is started");
    }
    Word value;
    if (equals != std::string::npos) {
      if (flag->value.empty()) return Wrong(name, " takes no value");
      value = {text.substr(equals + 1), /*literal=*/false};
    } else if (!flag->value.empty()) {
      if (next_ == words_.size()) return Wrong(name, ": its value is missing: ", name, "=", Absl(flag->value));
      value = words_[next_++];
    }
    if (of_program) return ApplySetting(name, value, invocation_.settings);
    const absl::Status status = CheckKind(flag->kind, name, value.text);
    invocation_.flags[name] = std::move(value);
    return status;
  }

  absl::Status NoSuchFlag(const std::string& name) const {
    std::vector<std::string> names;
    if (invocation_.command != nullptr) {
      for (const Flag& flag : invocation_.command->flags) names.emplace_back(flag.name);
    }
    for (const Flag& flag : CommonFlags()) names.emplace_back(flag.name);
    if (source_ == Source::kShell) {
      for (const Flag& flag : StartFlags()) {
        if (!flag.hidden) names.emplace_back(flag.name);
      }
    }
    const std::string nearest = OrNearest(name, names);
    return Wrong(Shown(name), ": no such flag", nearest.empty() ? "; if it is an argument, put -- before it" : nearest);
  }

  absl::Status NotAFlagOfThis(const std::string& name) const {
    if (invocation_.command == nullptr) return Wrong(name, ": no command that it could belong to");
    return Wrong(name, ": not a flag of ", Absl(invocation_.command->name), Usage());
  }

  absl::Status CheckArguments() const {
    if (invocation_.command == nullptr) {
      if (!invocation_.arguments.empty()) return Wrong("-- needs a command before it");
      return absl::OkStatus();
    }
    const Command& command = *invocation_.command;
    if (source_ == Source::kShell && invocation_.settings.commands.has_value()) {
      return Wrong("-c takes no command beside it: ", Absl(command.name));
    }
    size_t taken = 0;
    for (const Argument& argument : command.arguments) {
      const size_t left = invocation_.arguments.size() - taken;
      if (left == 0 && !argument.optional) {
        return Wrong(Absl(command.name), ": ", Absl(argument.name), " is missing", Usage());
      }
      const size_t takes = argument.repeated ? left : std::min<size_t>(left, 1);
      for (const size_t end = taken + takes; taken < end; ++taken) {
        const absl::Status status = CheckKind(argument.kind, argument.name, invocation_.arguments[taken].text);
        if (!status.ok()) return Wrong(Absl(command.name), ": ", status.message());
      }
    }
    if (taken < invocation_.arguments.size()) {
      const std::string extra = Quoted(invocation_.arguments[taken].text, kMaxShownBytes);
      return Wrong(Absl(command.name), ": one argument too many: ", extra, Usage());
    }
    return CheckConditions();
  }

  absl::Status CheckConditions() const {
    std::string first;
    for (const auto& [name, value] : invocation_.flags) {
      if (!absl::StartsWith(name, "--if-")) continue;
      if (!first.empty()) return Wrong(first, " and ", name, " exclude each other");
      first = name;
    }
    return absl::OkStatus();
  }

  std::string Usage() const { return absl::StrCat("\n  usage: ", UsageOf(*invocation_.command)); }

  const Statement& words_;
  const Source source_;
  Invocation invocation_;
  const Word* command_word_ = nullptr;
  // Index of the word to take next.
  size_t next_ = 0;
  bool only_arguments_ = false;
};

absl::Status CheckEndpoint(std::string_view endpoint) {
  const auto wrong = [endpoint](std::string_view why) {
    return Wrong(Quoted(endpoint, kMaxShownBytes), " ", Absl(why), "; write HOST:PORT, as in 127.0.0.1:7101");
  };
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return wrong("has no port");
  const std::string_view host = endpoint.substr(0, colon), port = endpoint.substr(colon + 1);
  if (host.empty()) return wrong("has no host");
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const std::string_view marks = bracketed ? "._-[]:%" : "._-:";
  for (const char c : host) {
    if (!absl::ascii_isalnum(c) && marks.find(c) == std::string_view::npos) {
      return wrong("has a character that no host has");
    }
  }
  if (!bracketed && host.find(':') != std::string_view::npos) return wrong("needs [ ] around an IPv6 address");
  uint32_t number = 0;
  const bool digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
  if (!digits || !absl::SimpleAtoi(Absl(port), &number) || number < 1 || number > 65535) {
    return wrong("has no port from 1 to 65535");
  }
  return absl::OkStatus();
}

}  // namespace

uint64_t Invocation::NumberOf(std::string_view flag, uint64_t otherwise) const {
  const auto found = flags.find(flag);
  uint64_t number = 0;
  return found != flags.end() && absl::SimpleAtoi(found->second.text, &number) ? number : otherwise;
}

absl::StatusOr<Invocation> ParseArguments(const Statement& words, const Settings& settings, Source source) {
  return Parser(words, settings, source).Parse();
}

absl::StatusOr<Settings> SettingsFromEnvironment(const std::function<const char*(const char*)>& environment,
                                                 bool stdout_is_terminal) {
  Settings settings;
  settings.format = stdout_is_terminal ? Format::kTable : Format::kPlain;
  for (const auto& [variable, flag] : {std::pair{"TROUPE_ENDPOINT", "--endpoint"}, {"TROUPE_TIMEOUT", "--timeout"}}) {
    const char* const value = environment(variable);
    if (value == nullptr || *value == '\0') continue;
    const absl::Status status = ApplyValue(flag, value, settings);
    if (!status.ok()) return Wrong(variable, ": ", status.message());
  }
  return settings;
}

absl::StatusOr<std::vector<std::string>> ParseEndpoints(std::string_view text) {
  std::vector<std::string> endpoints = absl::StrSplit(Absl(text), ',');
  if (endpoints.size() > kMaxEndpoints) {
    return Wrong(endpoints.size(), " endpoints are too many; give at most ", kMaxEndpoints);
  }
  for (const std::string& endpoint : endpoints) {
    const absl::Status status = CheckEndpoint(endpoint);
    if (!status.ok()) return status;
  }
  return endpoints;
}

}  // namespace troupe
