#ifndef TROUPE_APPS_BENCH_ACTORS_PEERS_H_
#define TROUPE_APPS_BENCH_ACTORS_PEERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace troupe::bench {

// Another actor runtime, in one of its configurations, whose programs measure what ours measure, in the same units.
struct Peer {
  std::string name;           // "erlang", "caf"
  std::string configuration;  // "one scheduler", for people
  // A shell's command; seconds and programs follow.
  std::string command;
  std::vector<std::string> programs;
};

// Those whose programs lie in the directory. Each runtime has one configuration with a thread for each core and one
// with a single one, since it depends on the program which is quicker.
std::vector<Peer> PeersIn(const std::string& directory);

// The figure of each program by the peer's name for it. Takes a minute at most. An error, when it ended in one or one
// of its programs gave no figure.
absl::StatusOr<std::map<std::string, double>> RunPeer(const Peer& peer, const std::vector<std::string>& programs,
                                                      double seconds);

}  // namespace troupe::bench

#endif  // TROUPE_APPS_BENCH_ACTORS_PEERS_H_
