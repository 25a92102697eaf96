#include "apps/bench/actors_peers.h"

#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace troupe::bench {

std::vector<Peer> PeersIn(const std::string& directory) {
  std::vector<Peer> peers;
  auto there = [&](const char* file) { return access(absl::StrCat(directory, "/", file).c_str(), R_OK) == 0; };
  if (there("troupe_peer.beam")) {
    const std::vector<std::string> programs = {"idle",       "ping_pong",  "ring", "counting_1",
                                               "counting_8", "spawn_stop", "ask"};
    const std::string run = absl::StrCat(" -noshell -pa '", directory, "' -run troupe_peer main");
    peers.push_back({"erlang", "a scheduler for each core", absl::StrCat("erl", run), programs});
    peers.push_back({"erlang", "one scheduler", absl::StrCat("erl +S 1", run), programs});
  }
  if (there("caf_peer")) {
    const std::vector<std::string> programs = {"idle",        "ping_pong",          "ring",
                                               "counting_1",  "counting_8",         "ask",
                                               "ask_outside", "ask_outside_sparse", "spawn_stop"};
    const std::string run = absl::StrCat("'", directory, "/caf_peer' ");
    const unsigned cores = std::thread::hardware_concurrency();
    peers.push_back({"caf", "a thread for each core", absl::StrCat(run, cores), programs});
    peers.push_back({"caf", "one thread", absl::StrCat(run, "1"), programs});
  }
  return peers;
}

absl::StatusOr<std::map<std::string, double>> RunPeer(const Peer& peer, const std::vector<std::string>& programs,
                                                      double seconds) {
  const std::string command = absl::StrCat("ERL_CRASH_DUMP_SECONDS=0 timeout 60 ", peer.command, " ", seconds, " ",
                                           absl::StrJoin(programs, " "), " </dev/null");
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return absl::InternalError(absl::StrCat(peer.name, ": could not be started"));
  std::string output;
  char buffer[4096];
  for (size_t read = 0; (read = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, read);
  const int status = pclose(pipe);
  if (status != 0) return absl::InternalError(absl::StrCat(peer.name, ": ended with status ", status, ": ", command));
  std::map<std::string, double> figures;
  std::istringstream lines(output);
  std::string program;
  double figure = 0;
  while (lines >> program >> figure) figures[program] = figure;
  for (const std::string& wanted : programs) {
    if (figures.count(wanted) == 0) return absl::InternalError(absl::StrCat(peer.name, ": no figure of ", wanted));
  }
  return figures;
}

}  // namespace troupe::bench
