// The network between simulated nodes: a model of links behind cluster's Transport.
//
// The control lane is made of datagrams, which are delayed and lost each on its own. The other lanes are connections:
// what is sent arrives whole and in order, or the connection breaks and the sender is told. A cut link swallows
// datagrams at once; a connection stalls, and breaks when that lasts.
#ifndef TROUPE_TESTS_SIM_SIM_NETWORK_H_
#define TROUPE_TESTS_SIM_SIM_NETWORK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "actor/deterministic_executor.h"
#include "actor/random.h"
#include "cluster/transport.h"

namespace troupe::sim {

struct LinkModel {
  Duration delay_min = absl::Microseconds(50);
  Duration delay_max = absl::Microseconds(500);
  // Of datagrams, in a thousand.
  uint64_t loss = 0;
  // How long a cut connection stalls before it breaks.
  Duration patience = absl::Seconds(2);
};

// Must outlive its transports. On the simulator's thread only.
class SimNetwork {
 public:
  explicit SimNetwork(Simulator& simulator)
      : simulator_(simulator), chance_(simulator.StreamFor("network")), model_() {}

  // One run of a node that serves at `address`; it is reachable from Start to Stop or destruction.
  std::unique_ptr<Transport> NewTransport(std::string address);

  LinkModel& model() { return model_; }
  // Nothing passes from `from` to `to`, until Heal.
  void Cut(const std::string& from, const std::string& to) { cuts_.emplace(from, to); }
  void Heal() { cuts_.clear(); }
  // Ends all connections between the two, at once. Both hear of what was under way.
  void BreakConnections(const std::string& one, const std::string& other) {
    BreakAll(one, other, "the connection was reset");
  }

 private:
  class NodeTransport;
  friend class NodeTransport;
  using ChannelKey = std::tuple<std::string, std::string, Lane>;  // from, to

  // One direction of a connection.
  struct Channel {
    std::deque<std::pair<uint64_t, std::string>> in_flight;
    uint64_t last_number = 0;
    bool connected = false;
    bool pumping = false;
    Instant stalled_since = Instant::Never();
  };

  uint64_t SendDatagram(const std::string& from, const std::string& to, std::string frame);
  uint64_t SendOrdered(const ChannelKey& key, std::string frame);
  void Pump(const ChannelKey& key);
  void PumpAfter(const ChannelKey& key, Duration delay);
  void Break(const ChannelKey& key, const std::string& why);
  // All connections of these two, or of all with the one when the other is empty.
  void BreakAll(const std::string& one, const std::string& other, const std::string& why);
  bool IsCut(const std::string& from, const std::string& to) const { return cuts_.contains({from, to}); }
  NodeTransport* Find(const std::string& address);
  Duration Delay();

  Simulator& simulator_;
  Random chance_;
  LinkModel model_;
  std::map<std::string, NodeTransport*> up_;
  std::map<ChannelKey, Channel> channels_;
  std::set<std::pair<std::string, std::string>> cuts_;
};

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_SIM_NETWORK_H_
