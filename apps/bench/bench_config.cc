#include "apps/bench/bench_config.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "apps/cli/nearest.h"

namespace troupe {
namespace {

constexpr std::string_view kHelp =
    R"(troupe-bench kv                             figures of a node of its own, in about 1.5 minutes
troupe-bench kv --json >figures.jsonl       one JSON object a line: name, value, unit, min, max
troupe-bench kv --endpoint=127.0.0.1:7101   a node that runs already
troupe-bench raft [--json]                  what the Raft core costs by itself, without network and disk
troupe-bench actors [--json]                what the actor runtime costs by itself, in about 5 minutes

kv: unary set and get with 1 and 64 callers: 16-byte keys, 100-byte values, 100,000 keys. Beside them the floor that
they stand on: a 128-byte append with fdatasync on the node's disk, and the smallest gRPC call to the same node.
Each figure is the median of the runs, with the least and the greatest. noise is the CPU time of everything else on
this machine, in percent of one core, with about 20 of the kernel's own for a busy disk: above that, measure again.

--json              JSON lines in place of the table
--seconds=N         the length of a run, such as 0.5 (default 2; a fifth of it for each program of actors); before each
                    case up to 1 s of it warms up
--runs=N            timed runs of each case (default 5)
--quick             actors: each program once and small, to see that it works
--peers=DIR         actors: compare with the programs for Erlang and CAF in DIR (./run bench compiles them)
--endpoint=HOST:PORT  writes 100,000 keys "bench:..." there and leaves them; nothing is compared with the disk then
--help

Exit codes: 0 done, 1 it failed or a call got an error, 2 wrong usage, 130 interrupted.
The data of its own node goes to a new directory under TMPDIR (default /tmp) and is removed at the end.
)";

const std::vector<std::string> kSuites = {"kv", "raft", "actors"};
const std::vector<std::string> kFlags = {"--json", "--seconds", "--runs", "--endpoint", "--quick", "--peers", "--help"};

std::string Quoted(const std::string& text) { return absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\""); }

absl::Status Unknown(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = Nearest(word, known);
  return absl::InvalidArgumentError(
      absl::StrCat("no such ", what, ": ", Quoted(word), "; ",
                   nearest.empty() ? absl::StrCat("there is: ", absl::StrJoin(known, " ")) : "nearest: " + nearest));
}

absl::Status WrongValue(const std::string& flag, const std::string& value, const std::string& right) {
  return absl::InvalidArgumentError(absl::StrCat(flag, "=", absl::Utf8SafeCEscape(value), ": must be ", right));
}

absl::Status SetSeconds(const std::string& value, BenchConfig& config) {
  double seconds = 0;
  // Written so that "nan" is refused too.
  if (!absl::SimpleAtod(value, &seconds) || !(seconds >= 0.05 && seconds <= 3600)) {
    return WrongValue("--seconds", value, "a number from 0.05 to 3600");
  }
  config.seconds = absl::Seconds(seconds);
  return absl::OkStatus();
}

absl::Status SetRuns(const std::string& value, BenchConfig& config) {
  if (!absl::SimpleAtoi(value, &config.runs) || config.runs < 1 || config.runs > 1000) {
    return WrongValue("--runs", value, "a whole number from 1 to 1000");
  }
  return absl::OkStatus();
}

absl::Status SetEndpoint(const std::string& value, BenchConfig& config) {
  const size_t colon = value.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(value.substr(colon + 1), &port) || port < 1 ||
      port > 65535) {
    return WrongValue("--endpoint", value, "HOST:PORT, such as 127.0.0.1:7101");
  }
  config.endpoint = value;
  return absl::OkStatus();
}

absl::Status SetPeers(const std::string& value, BenchConfig& config) {
  // It goes through a shell.
  if (value.empty() || value.find('\'') != std::string::npos) {
    return WrongValue("--peers", value, "a directory without a quote in its name");
  }
  config.peers = value;
  return absl::OkStatus();
}

absl::Status SetFlag(const std::string& flag, const std::string& value, BenchConfig& config) {
  if (flag == "--seconds") return SetSeconds(value, config);
  if (flag == "--runs") return SetRuns(value, config);
  if (flag == "--peers") return SetPeers(value, config);
  return SetEndpoint(value, config);
}

}  // namespace

absl::StatusOr<BenchConfig> ParseBenchConfig(const std::vector<std::string>& args) {
  BenchConfig config;
  std::string suite;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg.empty() || arg[0] != '-') {
      if (!suite.empty()) return absl::InvalidArgumentError(absl::StrCat("one benchmark at a time: ", Quoted(arg)));
      if (std::find(kSuites.begin(), kSuites.end(), arg) == kSuites.end()) return Unknown("benchmark", arg, kSuites);
      suite = arg;
      config.suite = arg == "raft" ? BenchSuite::kRaft : arg == "actors" ? BenchSuite::kActors : BenchSuite::kKv;
      continue;
    }
    const size_t equals = arg.find('=');
    const std::string flag = arg.substr(0, equals);
    if (flag == "--json" || flag == "--quick" || flag == "--help" || flag == "-h") {
      if (equals != std::string::npos) return absl::InvalidArgumentError(absl::StrCat(flag, " takes no value"));
      (flag == "--json" ? config.json : flag == "--quick" ? config.quick : config.help) = true;
    } else if (flag == "--seconds" || flag == "--runs" || flag == "--endpoint" || flag == "--peers") {
      if (equals == std::string::npos && i + 1 == args.size()) {
        return absl::InvalidArgumentError(absl::StrCat(flag, " needs a value"));
      }
      const std::string value = equals == std::string::npos ? args[++i] : arg.substr(equals + 1);
      absl::Status set = SetFlag(flag, value, config);
      if (!set.ok()) return set;
    } else {
      return Unknown("flag", flag, kFlags);
    }
  }
  if (suite.empty() && !config.help) {
    return absl::InvalidArgumentError(absl::StrCat("which benchmark? there is: ", absl::StrJoin(kSuites, " ")));
  }
  if (!suite.empty() && suite != "kv" && !config.endpoint.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--endpoint: belongs to kv; ", suite, " measures the core in this process"));
  }
  if (suite != "actors" && !suite.empty() && (config.quick || !config.peers.empty())) {
    return absl::InvalidArgumentError(absl::StrCat(config.quick ? "--quick" : "--peers", ": belongs to actors"));
  }
  return config;
}

std::string_view BenchHelp() { return kHelp; }

}  // namespace troupe
