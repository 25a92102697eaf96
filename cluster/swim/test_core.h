// One core, and a test that plays everybody else.
#ifndef TROUPE_CLUSTER_SWIM_TEST_CORE_H_
#define TROUPE_CLUSTER_SWIM_TEST_CORE_H_

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cluster/swim/test_network.h"
#include "gtest/gtest.h"

namespace troupe::swim {

inline Node NodeOf(const std::string& name, uint64_t generation = 1) {
  return Node{.name = name, .id = MakeId(name[0]), .generation = generation, .address = AddressOf(name)};
}
inline Update Fact(State state, const std::string& name, uint64_t incarnation, const std::string& from = "p") {
  return Update{.node = NodeOf(name), .incarnation = incarnation, .state = state, .from = from};
}
inline Update Alive(const std::string& name, uint64_t incarnation) {
  return Fact(State::kAlive, name, incarnation, "");
}
inline Update Suspect(const std::string& name, uint64_t incarnation, const std::string& from = "p") {
  return Fact(State::kSuspect, name, incarnation, from);
}
inline Update Dead(const std::string& name, uint64_t incarnation) { return Fact(State::kDead, name, incarnation); }
inline Update Left(const std::string& name, uint64_t incarnation) {
  return Fact(State::kLeft, name, incarnation, name);
}

// The core is "a", of generation 1, in kCluster. What comes out of its last call is in `out`.
class TestCore {
 public:
  explicit TestCore(Config config = {}, std::string cluster_id = kCluster, Node self = NodeOf("a"))
      : core(config, std::move(cluster_id), std::move(self), Random(1)) {}

  // From `sender`, in its first run and incarnation, unless another is given.
  void Hear(const std::string& sender, decltype(Message::body) body, std::vector<Update> gossip = {}) {
    Hear(Message{.cluster_id = kCluster, .from = NodeOf(sender), .body = std::move(body), .gossip = std::move(gossip)});
  }
  void Hear(const Message& message) {
    out = {};
    core.Receive(now, message, out);
  }
  // A peer "p" gossips.
  void Hear(Update update) { Hear("p", Gossip{}, {std::move(update)}); }
  void HearSync(std::vector<Update> table) { Hear("p", Sync{.table = std::move(table), .answer = true}); }

  // Lets time pass; `out` gathers.
  void RunFor(Duration duration) {
    out = {};
    const Instant end = now + duration;
    while (core.NextDeadline() <= end) {
      now = std::max(now, core.NextDeadline());
      core.Tick(now, out);
    }
    now = end;
  }
  // Until a message of this kind goes out, which is returned.
  template <typename Body>
  Outgoing RunUntilSent(const std::string& address = "") {
    for (int i = 0; i < 10'000; ++i) {
      if (auto found = Sent<Body>(address); !found.empty()) return found.front();
      now = std::max(now, core.NextDeadline());
      out = {};
      core.Tick(now, out);
    }
    ADD_FAILURE() << "nothing like it is ever sent";
    return {};
  }
  template <typename Body>
  std::vector<Outgoing> Sent(const std::string& address = "") const {
    std::vector<Outgoing> found;
    for (const Outgoing& outgoing : out.messages) {
      bool fits = std::holds_alternative<Body>(outgoing.message.body);
      if (fits && (address.empty() || outgoing.address == address)) found.push_back(outgoing);
    }
    return found;
  }
  std::vector<Event::Kind> Events() const {
    std::vector<Event::Kind> kinds;
    for (const Event& event : out.events) kinds.push_back(event.kind);
    return kinds;
  }
  // Sent about this name in `out`, by whatever message; not what the sender says of itself.
  std::vector<Update> GossipAbout(const std::string& name) const {
    std::vector<Update> updates;
    for (const Outgoing& outgoing : out.messages) {
      for (const Update& update : outgoing.message.gossip) {
        if (update.node.name == name) updates.push_back(update);
      }
    }
    return updates;
  }
  std::optional<State> StateOf(const std::string& name) const {
    std::optional<Member> member = core.Find(name);
    return member ? std::optional<State>(member->state) : std::nullopt;
  }
  uint64_t IncarnationOf(const std::string& name) const { return core.Find(name)->incarnation; }

  Swim core;
  Instant now = Instant::FromNanos(1'000'000'000);
  Effects out;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_TEST_CORE_H_
