// A world of actors that do at random what actors can do, fail in every callback, and report each thing that happens
// to them to a model that knows what must and what must not follow. For supervision_seeds_test.
//
// The model is dumb on purpose: it knows the rules that docs/actors.md gives, not how they are kept. Each failure has
// a number of its own, so that a reason which travels up the tree can be told from every other.
#ifndef TROUPE_ACTOR_SUPERVISION_WORLD_H_
#define TROUPE_ACTOR_SUPERVISION_WORLD_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "actor/actor.h"
#include "actor/test_actors.h"

namespace troupe::testing {

class World;

// Where a node fails. Add here, and call World::MayFail there, for a callback of a new kind.
enum class Where : uint8_t {
  kConstructor,
  kStarted,
  kHandler,
  kControl,
  kStopping,
  kRestarting,
  kTimer,
  kNotice,
  kContinuation,
  kBlocking,
  kDecide,
};
inline constexpr std::array<std::string_view, 11> kPlaces = {"constructor",  "Started",    "handler", "control handler",
                                                             "Stopping",     "Restarting", "timer",   "notice",
                                                             "continuation", "blocking",   "decide"};

// `number` grows with each message from `sender` to the same node on the same lane.
struct Poke {
  using Result = int;  // who handled it
  int sender = 0;
  uint64_t number = 0;
};
struct Nudge {
  static constexpr bool kControl = true;
  int sender = 0;
  uint64_t number = 0;
};
// Answered later, or never.
struct Owe {
  using Result = int;
  int sender = 0;
  uint64_t number = 0;
};
struct Tick {
  uint64_t key = 0;
};

class Node : public Actor<Node> {
 public:
  Node(World* world, int number);
  ~Node() override;
  void Started(Context& context);
  void Stopping(Context& context);
  void Restarting(const absl::Status& failure, Context& context);
  int Handle(Poke poke, Context& context);
  void Handle(Nudge nudge, Context& context);
  void Handle(Owe owe, Reply<int> reply, Context& context);
  void Handle(Tick tick, Context& context);
  void Handle(Terminated terminated, Context& context);

 private:
  World& world_;
  const int number_;
  std::vector<Reply<int>> owed_;
};

// What the model knows of one node.
struct NodeRecord {
  enum class Verdict : uint8_t { kNone, kGoesOn, kRestarts, kEnds, kEscalates };
  // Of one child at the time of another's failure.
  struct Sibling {
    int number;
    int incarnation;
  };

  ActorId id;
  Address<Node> address;
  SpawnOptions options;
  int parent = -1;
  int depth = 0;
  int spawned_in = 0;            // incarnation of the parent
  bool spawned_in_hook = false;  // of the parent's last words: it has to be gone before anything else
  std::vector<int> children;     // of all times
  OnFailure usual_decision = OnFailure::kRestart;

  int attempts = 0;  // constructors that have begun
  bool live = false;
  bool started = false;
  bool hook_ran = false;
  bool told_to_stop = false;
  bool stop_asked = false;  // by itself, in the callback that runs
  int terminated = 0;
  uint64_t failing = 0;  // the failure that its callback just ended in
  uint64_t fault = 0;    // the failure of the verdict
  NodeRecord::Verdict verdict = Verdict::kNone;
  bool may_give_up = false;  // the verdict is to restart, but its group may be over its limit
  Instant not_before;        // its next incarnation
  std::deque<Instant> restarts;
  int failures_in_a_group = 0;                          // of its children, each for a restart of a group
  std::set<uint64_t> escalated;                         // from children that have terminated
  std::map<std::pair<int, bool>, uint64_t> last_from;   // by sender and lane
  std::map<int, int> watches;                           // of this incarnation; by node, to 1
  std::map<uint64_t, std::pair<TimerId, bool>> timers;  // of this incarnation; whether it repeats

  bool Doomed() const { return verdict != Verdict::kNone && verdict != Verdict::kGoesOn; }
};

class World {
 public:
  // `talks`: prints what happens.
  World(uint64_t seed, bool talks);
  ~World();

  // Runs it to the end, and gives the first rule that was broken, or nothing.
  std::string Run();
  uint64_t trace_hash() const { return test_.simulator.trace_hash(); }
  // How often nodes failed, by Where.
  const std::array<uint64_t, kPlaces.size()>& failures() const { return failures_; }
  uint64_t group_restarts() const { return group_restarts_; }

  // What nodes report. Each checks whether it may happen.
  void Constructing(int number);
  void Constructed(int number);
  void Destroyed(int number);
  void Begins(int number);
  void Callback(int number, const char* what);
  void Ends(int number, const absl::Status* failure);
  void Arrived(int number, int sender, bool control, uint64_t message);
  void Ticked(int number, uint64_t key);
  void Noticed(int number, const Terminated& terminated);
  void CalledBack(int number, int incarnation);
  OnFailure Decided(int number, const Failure& failure);
  // What the spy hears.
  void HasTerminated(ActorId id, const absl::Status& reason);

  // Throws or fails now and then, as the last thing of a callback; `context` is null where there is none.
  void MayFail(int number, Where where, Node::Context* context);
  // Does a few things of those that an actor can do.
  void Act(int number, Node::Context& context, bool last_words);
  int incarnation(int number) const { return records_[number].attempts; }
  Random& random() { return random_; }

 private:
  class Spy;

  void Expect(bool rule, const char* broken, int number);
  void Say(const char* what, int number, uint64_t detail = 0);
  SpawnOptions DrawOptions(int number);
  int Prepare(int parent);
  void Adopt(int number, Address<Node> address);
  void ActOnce(int number, Node::Context& context, bool last_words);
  void SpawnOutside();
  void ActOutside();
  void ArmTimer(int number, Node::Context& context);
  void AskAndCallBack(int number, int target, Node::Context& context);
  void Send(int sender, int target);
  void AskPlainly(int sender, int target);
  void Stop(int target);
  int AnyNode() { return static_cast<int>(random_.Below(records_.size())); }
  bool InGroup(const NodeRecord& record) const;
  bool MayStop(const NodeRecord& record) const;
  void CheckSettled();
  void CheckQuiet();
  void CheckOver();

  TestSystem test_;
  const bool talks_;
  Random random_;
  std::shared_ptr<Spy> spy_;
  std::deque<NodeRecord> records_;  // by number; never moves
  std::map<ActorId, int> by_id_;
  // Siblings at each failure for which a group restarts, and who failed.
  std::map<uint64_t, std::pair<int, std::vector<NodeRecord::Sibling>>> snapshots_;
  std::map<std::tuple<int, int, bool>, uint64_t> sent_;
  std::string broken_;
  std::array<uint64_t, kPlaces.size()> failures_{};
  uint64_t group_restarts_ = 0;
  uint64_t next_failure_ = 1;
  uint64_t next_timer_ = 1;
  int energy_ = 0;  // for what nodes may still do
  uint64_t crash_per_mille_ = 0;
  uint64_t messages_ = 0;
  uint64_t handled_ = 0;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  bool shutting_down_ = false;
  bool torn_down_ = false;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_SUPERVISION_WORLD_H_
