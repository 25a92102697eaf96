#include "tests/raft/schedule.h"

#include <algorithm>
#include <bit>

namespace troupe::raft {
namespace {

struct Weight {
  ActionKind kind;
  uint32_t weight;
  bool may_be_off;
};

constexpr Weight kWeights[] = {
    {ActionKind::kDeliver, 100, false}, {ActionKind::kAck, 50, false},      {ActionKind::kDuplicate, 8, true},
    {ActionKind::kDrop, 8, true},       {ActionKind::kWrite, 8, true},      {ActionKind::kReady, 16, false},
    {ActionKind::kCrash, 4, true},      {ActionKind::kRestart, 8, false},   {ActionKind::kCampaign, 10, true},
    {ActionKind::kTick, 10, false},     {ActionKind::kPropose, 14, true},   {ActionKind::kRead, 8, true},
    {ActionKind::kTransfer, 3, true},   {ActionKind::kAddLearner, 3, true}, {ActionKind::kAddVoter, 3, true},
    {ActionKind::kRemove, 3, true},     {ActionKind::kCompact, 4, true},    {ActionKind::kApply, 8, false},
    {ActionKind::kCut, 2, true},        {ActionKind::kHeal, 8, false},
};

bool IsVoteOf(const Message& m, ReplicaId candidate) {
  switch (m.kind) {
    case MessageKind::kPreVote:
    case MessageKind::kVote:
      return m.from == candidate;
    case MessageKind::kPreVoteReply:
    case MessageKind::kVoteReply:
      return m.to == candidate;
    default:
      return false;
  }
}

}  // namespace

ClusterShape DrawShape(uint64_t seed) {
  Random random = Random(seed).Split("shape");
  ClusterShape shape;
  constexpr int kVoters[] = {1, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5, 5};
  shape.voters = kVoters[random.Below(std::size(kVoters))];
  shape.replicas = std::min(kMaxReplicas, std::max(3, shape.voters + static_cast<int>(random.Below(3))));
  shape.election_ticks = 1 + static_cast<int>(random.Below(3));
  constexpr int kAppendEntries[] = {1, 1, 2, 1024};
  shape.max_append_entries = kAppendEntries[random.Below(std::size(kAppendEntries))];
  constexpr int kWindow[] = {1, 2, 64};
  shape.max_window_appends = kWindow[random.Below(std::size(kWindow))];
  constexpr int kMessages[] = {8, 16, 40};
  shape.max_messages = kMessages[random.Below(std::size(kMessages))];
  shape.seed = random.Below(1000);
  return shape;
}

Schedule::Schedule(uint64_t seed) : random_(Random(seed).Split("schedule")) { SetWeights(); }

void Schedule::SetWeights() {
  std::array<uint32_t, kActionKinds> weights{};
  uint32_t sum = 0;
  for (const Weight& weight : kWeights) {
    if (weight.may_be_off && Chance(128)) continue;
    // Up to four times as much.
    const uint32_t drawn = weight.weight << random_.Below(3);
    weights[static_cast<size_t>(weight.kind)] = drawn;
    sum += drawn;
  }
  size_t at = 0;
  uint32_t so_far = 0;
  for (int kind = 0; kind < kActionKinds; ++kind) {
    so_far += weights[kind];
    while (at * sum < so_far * kinds_.size()) kinds_[at++] = static_cast<uint8_t>(kind);
  }
  constexpr uint32_t kHold[] = {0, 0, 24, 64};
  constexpr uint32_t kPrompt[] = {0, 64, 192, 240};
  constexpr uint32_t kLazy[] = {0, 0, 32, 128};
  constexpr uint32_t kNoise[] = {0, 4, 16, 64};
  constexpr uint32_t kRecipe[] = {4, 24, 64, 192};
  hold_ = kHold[random_.Below(4)];
  prompt_ = kPrompt[random_.Below(4)];
  lazy_ = kLazy[random_.Below(4)];
  noise_ = kNoise[random_.Below(4)];
  recipe_ = kRecipe[random_.Below(4)];
  recipes_ = static_cast<uint32_t>(random_.Next() >> 32);
}

Action Schedule::Next(const ActionCluster& cluster) {
  Action action;
  const bool in_recipe = next_step_ < steps_.size() && !Chance(noise_) && NextOfRecipe(cluster, action);
  if (!in_recipe) {
    if (next_step_ >= steps_.size() && Chance(recipe_)) StartRecipe(cluster);
    action = Single(cluster, static_cast<ActionKind>(kinds_[random_.Next() >> 56]));
  }
  const uint64_t bits = random_.Next();
  action.hold = action.hold || (bits & 0xff) < hold_;
  action.prompt = action.prompt || ((bits >> 8) & 0xff) < prompt_;
  action.lazy = action.lazy || ((bits >> 16) & 0xff) < lazy_;
  return action;
}

int Schedule::OneOf(uint32_t mask) {
  if (mask == 0) return 0;
  for (uint64_t skip = random_.Below(static_cast<uint64_t>(std::popcount(mask))); skip > 0; --skip) mask &= mask - 1;
  return std::countr_zero(mask);
}

uint32_t Schedule::SomeOf(uint32_t mask) { return static_cast<uint32_t>(random_.Next() >> 32) & mask; }

int Schedule::LeaderOrAny(const ActionCluster& cluster) {
  return cluster.leaders() != 0 && !Chance(16) ? OneOf(cluster.leaders()) : OneOf(cluster.all());
}

Action Schedule::Message(const ActionCluster& cluster, ActionKind kind) {
  Action action{.kind = kind, .slot = 0};
  const size_t count = cluster.messages().size();
  if (count == 0) return action;
  // Now and then the newest, so that a conversation gets on.
  action.slot = static_cast<int>(Chance(96) ? count - 1 : random_.Below(count));
  for (int i = 0; i < 4 && !cluster.Passes(cluster.messages()[static_cast<size_t>(action.slot)]); ++i) {
    action.slot = static_cast<int>(random_.Below(count));
  }
  return action;
}

Action Schedule::Single(const ActionCluster& cluster, ActionKind kind) {
  Action action{.kind = kind};
  const auto any = [&] { return static_cast<uint8_t>(OneOf(cluster.all())); };
  // Any that has use for it, from a replica of chance on.
  const auto any_that = [&](auto has_use) {
    const int replicas = cluster.shape().replicas;
    int id = any();
    for (int i = 0; i < replicas && !has_use(id); ++i) id = id < replicas ? id + 1 : 1;
    return static_cast<uint8_t>(id);
  };
  switch (kind) {
    case ActionKind::kDeliver:
    case ActionKind::kDuplicate:
    case ActionKind::kDrop:
      return Message(cluster, kind);
    case ActionKind::kPropose:
    case ActionKind::kRead:
      action.replica = static_cast<uint8_t>(LeaderOrAny(cluster));
      return action;
    case ActionKind::kTransfer:
    case ActionKind::kAddLearner:
    case ActionKind::kAddVoter:
    case ActionKind::kRemove:
      action.replica = static_cast<uint8_t>(LeaderOrAny(cluster));
      action.other = any();
      return action;
    case ActionKind::kTick:
      action.replica = any();
      action.n = 1 + static_cast<uint32_t>(random_.Below(2 * static_cast<uint64_t>(cluster.shape().election_ticks)));
      return action;
    case ActionKind::kCrash:
      action.replica = any();
      action.n = static_cast<uint32_t>(random_.Below(4));
      action.back = Chance(128) ? static_cast<uint32_t>(random_.Below(4)) : 0;
      return action;
    case ActionKind::kCompact:
      action.replica = any();
      action.n = Chance(128) ? 0 : static_cast<uint32_t>(random_.Below(4));
      return action;
    case ActionKind::kApply:
      action.replica = any_that([&](int id) { return cluster.may_apply(id); });
      action.n = 1 + static_cast<uint32_t>(random_.Below(4));
      return action;
    case ActionKind::kCut:
      action.n = SomeOf(cluster.all());
      return action;
    case ActionKind::kHeal:
      return action;
    case ActionKind::kAck:
    case ActionKind::kWrite:
      action.replica = any_that([&](int id) { return cluster.up(id) && cluster.writes(id) > 0; });
      return action;
    case ActionKind::kReady:
      action.replica = any_that([&](int id) { return cluster.has_ready(id); });
      return action;
    case ActionKind::kRestart:
      action.replica = any_that([&](int id) { return !cluster.up(id); });
      return action;
    default:
      action.replica = any();
      return action;
  }
}

bool Schedule::NextOfRecipe(const ActionCluster& cluster, Action& action) {
  while (next_step_ < steps_.size()) {
    Step& step = steps_[next_step_];
    if (step.kind == Step::Kind::kOne) {
      ++next_step_;
      action = step.action;
      return true;
    }
    const bool elected = step.kind == Step::Kind::kElect && (cluster.leaders() >> step.action.replica & 1) != 0;
    if (step.n > 0 && !elected && RunAmong(cluster, step, action)) {
      --step.n;
      return true;
    }
    if (step.kind == Step::Kind::kElect && !elected && step.action.n > 0) {
      // It has learnt of a newer term, or its votes are lost.
      --step.action.n;
      action = {.kind = ActionKind::kCampaign, .replica = step.action.replica};
      return true;
    }
    ++next_step_;
  }
  return false;
}

bool Schedule::RunAmong(const ActionCluster& cluster, const Step& step, Action& action) {
  const auto ack = [&] {
    for (uint32_t busy = step.mask & ~step.slow; busy != 0;) {
      const int replica = OneOf(busy);
      busy &= ~(1u << replica);
      if (!cluster.up(replica)) continue;
      const bool ready = cluster.has_ready(replica);
      if (!ready && cluster.writes(replica) == 0) continue;
      action = {.kind = ready ? ActionKind::kReady : ActionKind::kAck, .replica = static_cast<uint8_t>(replica)};
      return true;
    }
    return false;
  };
  const auto deliver = [&] {
    const std::vector<raft::Message>& messages = cluster.messages();
    const size_t count = messages.size();
    if (count == 0) return false;
    size_t slot = random_.Below(count);
    for (size_t i = 0; i < count; ++i, slot = slot + 1 < count ? slot + 1 : 0) {
      const raft::Message& message = messages[slot];
      if ((step.mask >> message.from.value() & step.mask >> message.to.value() & 1) == 0) continue;
      if (!cluster.Passes(message)) continue;
      if (step.kind == Step::Kind::kElect && !IsVoteOf(message, ReplicaId(step.action.replica))) continue;
      if (step.kind == Step::Kind::kAppends && message.kind != MessageKind::kAppend &&
          message.kind != MessageKind::kAppendReply) {
        continue;
      }
      action = {.kind = ActionKind::kDeliver, .slot = static_cast<int>(slot)};
      action.prompt = (step.slow >> message.to.value() & 1) == 0 && Chance(192);
      return true;
    }
    return false;
  };
  return Chance(128) ? ack() || deliver() : deliver() || ack();
}

}  // namespace troupe::raft
