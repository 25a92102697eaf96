// Four registries under a network that loses, doubles and delays, against a dumb model: a map for each node.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "actor/random.h"
#include "cluster/registry/registry.h"
#include "cluster/registry/test_registry.h"

namespace troupe {
namespace {

constexpr int kNodes = 4;
constexpr int kNames = 12;
constexpr int kSteps = 400;

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    for (int i = 0; i < kNodes; ++i) Start(i, 1);
  }

  void Step() {
    const int i = Pick();
    Node& node = nodes_[i];
    const std::string name = AnyName();
    switch (random_.Below(12)) {
      case 0:
      case 1:
        Claim(node, name);
        break;
      case 2:
        Release(node, name);
        break;
      case 3:
      case 4:
        Post(Pick(), Digest{i, node.registry->Digest()});
        break;
      case 5:
        if (auto delta = node.registry->OwnSince(random_.Below(node.registry->max_version() + 1), AnyBudget())) {
          Post(Pick(), std::move(*delta));
        }
        break;
      case 6:
        now_ = now_ + absl::Minutes(static_cast<int64_t>(random_.Below(40)));
        break;
      case 7:
        Collect(i);
        break;
      case 8:
        if (random_.PerMille(60)) Start(i, Generation(i) + 1);
        if (random_.PerMille(60)) node.registry->SetGeneration(Generation(i) + 1);
        break;
      default:
        Deliver();
    }
  }

  // Everything reaches everybody, in small pieces.
  bool Settle() {
    in_flight_.clear();
    for (int round = 0; round < 1000; ++round) {
      bool changed = false;
      for (Node& to : nodes_) {
        for (Node& from : nodes_) changed |= Pull(*to.registry, *from.registry, kMinDeltaBytes);
      }
      if (!changed) return true;
    }
    return false;
  }

  void CheckAgainstModel() const {
    for (const Node& node : nodes_) {
      EXPECT_EQ(node.registry->Digest(), nodes_[0].registry->Digest());
      EXPECT_EQ(node.registry->counters().junk, 0u);
      for (int n = 0; n < kNames; ++n) {
        const std::string name = "name" + std::to_string(n);
        for (int inactive = -1; inactive < kNodes; ++inactive) {
          auto is_active = [&](const RegistryOwner& owner) { return owner.node != std::to_string(inactive); };
          EXPECT_EQ(Holder(*node.registry, name, is_active), ModelHolder(name, inactive)) << name;
        }
      }
    }
  }

  // What a node holds itself it finds at any time.
  void CheckOwn() const {
    for (int i = 0; i < kNodes; ++i) {
      const Node& node = nodes_[i];
      auto is_self = [&](const RegistryOwner& owner) { return owner == node.registry->self(); };
      for (int n = 0; n < kNames; ++n) {
        const std::string name = "name" + std::to_string(n);
        auto held = node.model.find(name);
        const auto found = node.registry->Lookup(name, is_self).found;
        ASSERT_EQ(found.has_value(), held != node.model.end()) << name;
        if (!found.has_value()) continue;
        ASSERT_EQ(found->claim.actor, held->second.actor) << name;
      }
    }
  }

 private:
  struct Held {
    uint64_t actor;
    uint64_t lamport;
  };
  struct Node {
    std::unique_ptr<Registry> registry;
    std::map<std::string, Held> model;
    std::map<int, std::vector<OwnerDigest>> latest;  // the last digest of each peer
  };
  struct Digest {
    int from;
    std::vector<OwnerDigest> owners;
  };
  struct Packet {
    int to;
    std::variant<Digest, RegistryDelta> body;
  };

  int Pick() { return static_cast<int>(random_.Below(kNodes)); }
  std::string AnyName() { return "name" + std::to_string(random_.Below(kNames)); }
  size_t AnyBudget() { return kMinDeltaBytes + random_.Below(2000); }
  uint64_t Generation(int i) const { return nodes_[i].registry->self().generation; }

  void Start(int i, uint64_t generation) {
    nodes_[i] = Node{std::make_unique<Registry>(RunOf(std::to_string(i), generation)), {}, {}};
  }

  void Claim(Node& node, const std::string& name) {
    const uint64_t actor = ++next_actor_;
    const bool is_held = node.model.contains(name);
    ASSERT_EQ(node.registry->Claim(name, actor, "T", now_).ok(), !is_held);
    if (is_held) return;
    auto is_self = [&](const RegistryOwner& owner) { return owner == node.registry->self(); };
    node.model[name] = {actor, node.registry->Lookup(name, is_self).found->claim.lamport};
  }

  void Release(Node& node, const std::string& name) {
    auto held = node.model.find(name);
    if (held == node.model.end()) {
      ASSERT_FALSE(node.registry->Release(name, next_actor_, now_));
      return;
    }
    ASSERT_TRUE(node.registry->Release(name, held->second.actor, now_));
    node.model.erase(held);
  }

  // At times as if nobody else were active, so that those who lag must start afresh.
  void Collect(int i) {
    uint64_t passed = UINT64_MAX;
    if (random_.PerMille(600)) {
      for (int peer = 0; peer < kNodes; ++peer) {
        if (peer == i) continue;
        uint64_t reported = 0;
        for (const OwnerDigest& digest : nodes_[i].latest[peer]) {
          if (digest.owner == nodes_[i].registry->self()) reported = digest.max_version;
        }
        passed = std::min(passed, reported);
      }
    }
    nodes_[i].registry->Collect(now_, passed);
  }

  void Post(int to, std::variant<Digest, RegistryDelta> body) {
    if (in_flight_.size() < 64) in_flight_.push_back({to, std::move(body)});
  }

  // Any packet, not the oldest; one in five is lost, one in ten delivered and left to be delivered again.
  void Deliver() {
    if (in_flight_.empty()) return;
    const size_t at = random_.Below(in_flight_.size());
    Packet packet = in_flight_[at];
    if (!random_.PerMille(100)) {
      in_flight_[at] = std::move(in_flight_.back());
      in_flight_.pop_back();
    }
    if (random_.PerMille(200)) return;
    Node& to = nodes_[packet.to];
    if (auto* delta = std::get_if<RegistryDelta>(&packet.body)) {
      to.registry->Apply(*delta);
      return;
    }
    auto& digest = std::get<Digest>(packet.body);
    for (RegistryDelta& delta : to.registry->DeltasFor(digest.owners, AnyBudget())) {
      Post(digest.from, std::move(delta));
    }
    to.latest[digest.from] = std::move(digest.owners);
  }

  std::string ModelHolder(const std::string& name, int inactive) const {
    std::optional<std::tuple<bool, uint64_t, int, uint64_t>> best;
    for (int i = 0; i < kNodes; ++i) {
      auto held = nodes_[i].model.find(name);
      if (held == nodes_[i].model.end()) continue;
      const std::tuple claim(i == inactive, held->second.lamport, i, held->second.actor);
      if (!best.has_value() || claim < *best) best = claim;
    }
    if (!best.has_value()) return "nobody";
    const auto& [is_inactive, lamport, node, actor] = *best;
    const std::string holder = std::to_string(node) + "/" + std::to_string(actor);
    return is_inactive ? "(" + holder + ")" : holder;
  }

  Random random_;
  Instant now_ = kStart;
  uint64_t next_actor_ = 0;
  std::array<Node, kNodes> nodes_;
  std::vector<Packet> in_flight_;
};

TEST(PropertyTest, OnceEverybodyHasHeardEverythingAllAgreeWithTheModel) {
  const char* one_seed = std::getenv("TROUPE_SEED");
  const uint64_t first = one_seed != nullptr ? std::strtoull(one_seed, nullptr, 10) : 1;
  const uint64_t last = one_seed != nullptr ? first : 500;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("TROUPE_SEED=" + std::to_string(seed));
    World world(seed);
    for (int step = 0; step < kSteps; ++step) {
      world.Step();
      world.CheckOwn();
      if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(world.Settle()) << "registries go on changing";
    world.CheckAgainstModel();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace troupe
