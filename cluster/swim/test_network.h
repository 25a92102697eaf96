// Some nodes with disks and a network that loses and delays, in one thread under virtual time; the same for the same
// seed. It fails the test by itself when a core breaks one of the rules that hold at every moment: a node's own facts
// only rise, nobody knows a higher incarnation of a run than the run itself, and one death is told once.
#ifndef TROUPE_CLUSTER_SWIM_TEST_NETWORK_H_
#define TROUPE_CLUSTER_SWIM_TEST_NETWORK_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "actor/random.h"
#include "cluster/swim/swim.h"

namespace troupe::swim {

inline constexpr char kCluster[] = "cluster-one";

// 32 bytes made of this one.
std::string MakeId(char letter);
std::string AddressOf(const std::string& name);

struct TestDisk {
  std::string id;
  uint64_t generation = 0;
  std::string cluster_id;
  std::string node_name;  // that the node goes by; empty: as the disk. The rules are not checked of such a node
};

class TestNetwork {
 public:
  explicit TestNetwork(uint64_t seed = 1, Config config = {});

  // Starts the next run of a node. Without a disk it is a new node, of no cluster; `address` empty: AddressOf(name).
  void Start(const std::string& name, std::vector<std::string> seeds, std::string address = "");
  // Starts the first node of a cluster.
  void Found(const std::string& name, std::string cluster_id = kCluster);
  // n1 founds, n2 to nN join it; waits until all know each other.
  void StartMesh(int nodes);
  void Kill(const std::string& name) { running_.erase(name); }
  void Leave(const std::string& name);
  void WipeDisk(const std::string& name) { disks_.erase(name); }

  void Cut(const std::string& from, const std::string& to) { cuts_.emplace(from, to); }
  void CutBoth(const std::string& a, const std::string& b);
  void Isolate(const std::string& name);
  void Partition(const std::set<std::string>& side);
  void Heal() { cuts_.clear(); }
  void set_loss_per_mille(uint64_t loss) { loss_per_mille_ = loss; }
  void set_delay(Duration least, Duration most);
  void set_checks(bool on) { checks_ = on; }

  void Run(Duration duration);
  // Whether it came true in time.
  bool RunUntil(const std::function<bool()>& condition, Duration limit);

  Instant now() const { return now_; }
  bool IsRunning(const std::string& name) const { return running_.count(name) > 0; }
  Swim& node(const std::string& name) { return *running_.at(name)->swim; }
  std::set<std::string> names() const;
  // What `observer` holds; nothing when the name is unknown to it.
  std::optional<State> StateAt(const std::string& observer, const std::string& name);
  // Every running node holds each running one for alive in its present run, and nobody else for active.
  bool Agree();
  bool HeldBy(State state, const std::string& name, const std::set<std::string>& observers);
  // Of this name's runs so far, about `subject` if given.
  int Count(const std::string& observer, Event::Kind kind, const std::string& subject = "") const;
  std::string TextOf(const std::string& observer, Event::Kind kind) const;
  uint64_t sent() const { return sent_; }
  TestDisk& disk(const std::string& name) { return disks_[name]; }

 private:
  struct Process {
    std::unique_ptr<Swim> swim;
    std::set<std::tuple<std::string, uint64_t, uint64_t>> deaths;
    std::pair<uint64_t, uint64_t> last_own;
  };
  struct Delivery {
    Instant at;
    uint64_t order;
    std::string from;
    std::string address;
    Message message;
    bool operator<(const Delivery& other) const { return std::tie(other.at, other.order) < std::tie(at, order); }
  };

  void Carry(const std::string& name, Effects effects);
  void Check(const std::string& name, Process& process, const Effects& effects);
  void Step(Instant limit);

  const Config config_;
  Random random_;
  Instant now_ = Instant::FromNanos(1'000'000'000);
  std::map<std::string, TestDisk> disks_;
  std::map<std::string, std::unique_ptr<Process>> running_;
  std::map<std::string, std::vector<Event>> events_;
  std::priority_queue<Delivery> deliveries_;
  std::set<std::pair<std::string, std::string>> cuts_;
  uint64_t loss_per_mille_ = 0;
  Duration least_delay_ = absl::Milliseconds(1);
  Duration most_delay_ = absl::Milliseconds(3);
  bool checks_ = true;
  uint64_t sent_ = 0;
  uint64_t next_id_ = 1;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_TEST_NETWORK_H_
