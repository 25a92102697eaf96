// Runs schedules of actions against clusters of Raft cores, with every property checked at every step.
//   check-raft --schedules=N --first=K --json   N schedules from seed K on
//   check-raft --seed=S                         one, told action by action; when it fails, made small
//   check-raft --script=FILE                    a script that was made small
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kvstore/raft/mutants.h"
#include "tests/raft/runner.h"

namespace troupe::raft {
namespace {

constexpr std::string_view kHelp =
    R"(check-raft --schedules=N --first=K   N schedules (default 20,000) from seed K (default 1) on
check-raft --seed=S                  one, action by action; a violation is made small and printed as a script
check-raft --script=FILE             replays such a script; - is stdin
check-raft --mutants                 plants every bug of kvstore/raft/mutants.h in turn and looks for it, 3 minutes

--json          the figures as JSON lines on stdout: raft.schedules.per_s, of one core, and raft.violations.count;
                with --mutants raft.mutants.count and raft.mutants_missed.count
--threads=N     default 1
--mutant=NAME   with this bug planted, named as in kvstore/raft/mutants.h
--actions=N     of each schedule (default 1000)
--help

Exit codes: 0 no violation (with --mutants: none missed), 1 a violation (one missed), 2 wrong usage.
)";

struct Config {
  uint64_t schedules = 20000;
  uint64_t first = 1;
  uint64_t threads = 1;
  uint64_t actions = kActionsPerSchedule;
  std::optional<uint64_t> seed;
  std::string script;
  Mutant mutant = Mutant::kNone;
  bool mutants = false;
  bool json = false;
};

bool ParseNumber(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// Gives what is wrong, or nothing.
std::string ParseFlag(std::string_view argument, Config& config) {
  const size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view() : argument.substr(equals + 1);
  const std::string wrong = std::string(argument) + ": not understood; see --help";
  uint64_t number = 0;
  if (name == "--json" && equals == std::string_view::npos) {
    config.json = true;
  } else if (name == "--mutants" && equals == std::string_view::npos) {
    config.mutants = true;
  } else if (name == "--script") {
    config.script = value;
  } else if (name == "--mutant") {
    const std::optional<Mutant> mutant = MutantNamed(value);
    if (!mutant.has_value()) return std::string(value) + ": no such mutant";
    config.mutant = *mutant;
  } else if (!ParseNumber(value, number)) {
    return wrong;
  } else if (name == "--schedules") {
    config.schedules = number;
  } else if (name == "--first") {
    config.first = number;
  } else if (name == "--seed") {
    config.seed = number;
  } else if (name == "--threads") {
    config.threads = std::clamp<uint64_t>(number, 1, 256);
  } else if (name == "--actions") {
    config.actions = std::clamp<uint64_t>(number, 1, 1'000'000);
  } else {
    return wrong;
  }
  return "";
}

void Tell(const Failure& failure) {
  std::cout << "violated: " << failure.violation.property << ": " << failure.violation.detail << "\n";
}

int ReplaySeed(const Config& config) {
  const int actions = static_cast<int>(config.actions);
  const std::optional<Failure> failure = RunSchedule(
      *config.seed,
      {.actions = actions, .record = true, .trace = [](const Action& action) { std::cout << Print(action) << "\n"; }});
  if (!failure.has_value()) {
    std::cout << "no violation\n";
    return 0;
  }
  Tell(*failure);
  const Failure small = Shrink(*failure);
  std::cout << "# " << failure->script.actions.size() << " actions, made small: " << small.script.actions.size() << "\n"
            << "# violates: " << small.violation.property << ": " << small.violation.detail << "\n"
            << Print(small.script);
  return 1;
}

int ReplayScript(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path);
  std::istream& in = path == "-" ? std::cin : file;
  const std::optional<Script> script =
      in ? ParseScript(std::string(std::istreambuf_iterator<char>(in), {})) : std::nullopt;
  if (!script.has_value()) {
    std::cerr << "error: " << path << ": no script\n";
    return 2;
  }
  const std::optional<Failure> failure = RunScript(*script);
  if (failure.has_value()) {
    Tell(*failure);
  } else {
    std::cout << "no violation\n";
  }
  return failure.has_value() ? 1 : 0;
}

void TellFigure(std::string_view name, uint64_t value, std::string_view unit) {
  std::cout << "{\"name\": \"" << name << "\", \"value\": " << value << ", \"unit\": \"" << unit << "\"}\n";
}

int FindMutants(const Config& config) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(3);
  uint64_t missed = 0;
  for (int i = 1; i <= kMutants; ++i) {
    const Mutant mutant = static_cast<Mutant>(i);
    const std::optional<Found> found = FindMutant(mutant, UINT64_MAX, deadline);
    std::cerr << NameOf(mutant) << ": ";
    if (found.has_value()) {
      std::cerr << "schedule " << found->schedules << ", " << found->violation.property << "\n";
    } else {
      std::cerr << "MISSED\n";
      ++missed;
    }
  }
  if (config.json) {
    TellFigure("raft.mutants.count", kMutants, "1");
    TellFigure("raft.mutants_missed.count", missed, "1");
  } else {
    std::cout << missed << " of " << kMutants << " planted bugs missed\n";
  }
  return missed == 0 ? 0 : 1;
}

int RunMany(const Config& config) {
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> violations{0};
  std::mutex output;
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [begin] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  Coverage coverage;
  const auto work = [&] {
    Coverage mine;
    for (uint64_t i = next++; i < config.schedules; i = next++) {
      const uint64_t seed = config.first + i;
      const std::optional<Failure> failure =
          RunSchedule(seed, {.actions = static_cast<int>(config.actions), .coverage = &mine});
      if (failure.has_value() && ++violations <= 10) {
        std::lock_guard lock(output);
        std::cerr << "violated: " << failure->violation.property << ": " << failure->violation.detail << "\n  "
                  << ReplayLine(seed, config.mutant) << "\n";
      }
      if ((i + 1) % 10000 == 0) {
        std::lock_guard lock(output);
        std::cerr << i + 1 << " schedules, " << violations << " violations, " << static_cast<uint64_t>(seconds())
                  << " s\n";
      }
    }
    std::lock_guard lock(output);
    coverage += mine;
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < config.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  const uint64_t per_s =
      static_cast<uint64_t>(static_cast<double>(config.schedules) / seconds() / static_cast<double>(config.threads));
  std::cerr << coverage.leaders << " leaders, " << coverage.committed << " entries committed, " << coverage.acknowledged
            << " acknowledged, " << coverage.reads << " reads, " << coverage.changes << " membership changes, "
            << coverage.replaced << " ends of logs replaced, " << coverage.snapshots << " snapshots, "
            << coverage.restarts << " starts\n";
  if (config.json) {
    TellFigure("raft.schedules.per_s", per_s, "1/s");
    TellFigure("raft.violations.count", violations, "1");
  } else {
    std::cout << config.schedules << " schedules of " << config.actions << " actions, " << violations << " violations, "
              << per_s << " schedules per second and core\n";
  }
  return violations == 0 ? 0 : 1;
}

int Main(const std::vector<std::string>& arguments) {
  Config config;
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      std::cout << kHelp;
      return 0;
    }
    const std::string wrong = ParseFlag(argument, config);
    if (!wrong.empty()) {
      std::cerr << "error: " << wrong << "\n";
      return 2;
    }
  }
  if (config.mutants) return FindMutants(config);
  planted_mutant = config.mutant;
  if (!config.script.empty()) return ReplayScript(config.script);
  return config.seed.has_value() ? ReplaySeed(config) : RunMany(config);
}

}  // namespace
}  // namespace troupe::raft

int main(int argc, char** argv) { return troupe::raft::Main({argv + 1, argv + argc}); }
