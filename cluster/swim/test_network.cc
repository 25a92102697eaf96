#include "cluster/swim/test_network.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace troupe::swim {

std::string MakeId(char letter) { return std::string(kIdBytes, letter); }
std::string AddressOf(const std::string& name) { return name + ":7101"; }

TestNetwork::TestNetwork(uint64_t seed, Config config) : config_(config), random_(seed) {}

void TestNetwork::Start(const std::string& name, std::vector<std::string> seeds, std::string address) {
  TestDisk& disk = disks_[name];
  if (disk.id.empty()) disk.id = absl::StrCat(std::string(kIdBytes - 8, '0'), absl::Dec(next_id_++, absl::kZeroPad8));
  Node self{.name = disk.node_name.empty() ? name : disk.node_name,
            .id = disk.id,
            .generation = ++disk.generation,
            .address = address.empty() ? AddressOf(name) : std::move(address)};
  auto process = std::make_unique<Process>();
  process->swim =
      std::make_unique<Swim>(config_, disk.cluster_id, self, random_.Split(absl::StrCat(name, now_.nanos())));
  Swim& swim = *process->swim;
  running_[name] = std::move(process);
  if (seeds.empty()) return;
  std::vector<std::string> addresses;
  for (const std::string& seed : seeds) addresses.push_back(AddressOf(seed));
  Effects effects;
  swim.Join(now_, addresses, effects);
  Carry(name, std::move(effects));
}

void TestNetwork::Found(const std::string& name, std::string cluster_id) {
  disks_[name].cluster_id = std::move(cluster_id);
  Start(name, {});
}

void TestNetwork::StartMesh(int nodes) {
  Found("n1");
  for (int i = 2; i <= nodes; ++i) Start(absl::StrCat("n", i), {"n1"});
  ASSERT_TRUE(RunUntil([&] { return static_cast<int>(running_.size()) == nodes && Agree(); }, absl::Seconds(30)));
}

void TestNetwork::Leave(const std::string& name) {
  Effects effects;
  node(name).Leave(now_, effects);
  Carry(name, std::move(effects));
}

void TestNetwork::CutBoth(const std::string& a, const std::string& b) {
  Cut(a, b);
  Cut(b, a);
}

void TestNetwork::Isolate(const std::string& name) { Partition({name}); }

void TestNetwork::Partition(const std::set<std::string>& side) {
  for (const std::string& name : names()) {
    if (side.count(name) > 0) continue;
    for (const std::string& inside : side) CutBoth(inside, name);
  }
}

void TestNetwork::set_delay(Duration least, Duration most) {
  least_delay_ = least;
  most_delay_ = most;
}

void TestNetwork::Run(Duration duration) {
  RunUntil([] { return false; }, duration);
}

bool TestNetwork::RunUntil(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_ + limit;
  while (!condition()) {
    if (now_ >= end) return false;
    Step(end);
  }
  return true;
}

void TestNetwork::Step(Instant limit) {
  Instant next = deliveries_.empty() ? limit : std::min(limit, deliveries_.top().at);
  std::string due;
  for (const auto& [name, process] : running_) {
    Instant deadline = process->swim->NextDeadline();
    if (deadline >= next) continue;
    next = std::max(deadline, now_);
    due = name;
  }
  now_ = std::max(now_, next);
  if (!due.empty()) {
    Effects effects;
    node(due).Tick(now_, effects);
    EXPECT_GT(node(due).NextDeadline(), now_) << due << " ticks without end";
    Carry(due, std::move(effects));
    return;
  }
  if (deliveries_.empty() || deliveries_.top().at > now_) return;
  Delivery delivery = deliveries_.top();
  deliveries_.pop();
  for (const auto& [name, process] : running_) {
    if (process->swim->self().address != delivery.address || cuts_.count({delivery.from, name}) > 0) continue;
    Effects effects;
    process->swim->Receive(now_, delivery.message, effects);
    Carry(name, std::move(effects));
    return;
  }
}

void TestNetwork::Carry(const std::string& name, Effects effects) {
  TestDisk& disk = disks_[name];
  if (effects.generation) disk.generation = *effects.generation;
  if (effects.cluster_id) disk.cluster_id = *effects.cluster_id;
  if (checks_ && disk.node_name.empty()) Check(name, *running_.at(name), effects);
  for (Outgoing& outgoing : effects.messages) {
    ++sent_;
    if (random_.PerMille(loss_per_mille_)) continue;
    uint64_t spread = static_cast<uint64_t>(absl::ToInt64Microseconds(most_delay_ - least_delay_)) + 1;
    Instant at = now_ + least_delay_ + absl::Microseconds(random_.Below(spread));
    deliveries_.push(Delivery{at, sent_, name, outgoing.address, std::move(outgoing.message)});
  }
  bool refused = false;
  for (Event& event : effects.events) {
    refused |= event.kind == Event::Kind::kRefused;
    events_[name].push_back(std::move(event));
  }
  if (refused) Kill(name);
}

void TestNetwork::Check(const std::string& name, Process& process, const Effects& effects) {
  const Member own = *process.swim->Find(name);
  std::pair<uint64_t, uint64_t> now_own(own.node.generation, own.incarnation);
  EXPECT_GE(now_own, process.last_own) << name << "'s own fact fell";
  process.last_own = now_own;
  for (const Member& member : process.swim->Members()) {
    auto owner = running_.find(member.node.name);
    if (owner == running_.end()) continue;
    const Member truth = *owner->second->swim->Find(member.node.name);
    if (CompareRuns(member.node, truth.node) != 0) continue;
    EXPECT_LE(member.incarnation, truth.incarnation) << name << " knows more of " << member.node.name << " than itself";
  }
  for (const Event& event : effects.events) {
    if (event.kind != Event::Kind::kDied) continue;
    const Member& dead = event.member;
    EXPECT_TRUE(process.deaths.emplace(dead.node.name, dead.node.generation, dead.incarnation).second)
        << name << " told twice of the death of " << dead.node.name;
  }
}

std::set<std::string> TestNetwork::names() const {
  std::set<std::string> names;
  for (const auto& [name, disk] : disks_) names.insert(name);
  return names;
}

std::optional<State> TestNetwork::StateAt(const std::string& observer, const std::string& name) {
  std::optional<Member> member = node(observer).Find(name);
  return member ? std::optional<State>(member->state) : std::nullopt;
}

bool TestNetwork::Agree() {
  for (const auto& [observer, process] : running_) {
    size_t active = 0;
    for (const Member& member : process->swim->Members()) {
      if (!IsActive(member.state)) continue;
      ++active;
      auto subject = running_.find(member.node.name);
      if (member.state != State::kAlive || subject == running_.end()) return false;
      if (member.node != subject->second->swim->self()) return false;
    }
    if (active != running_.size()) return false;
  }
  return true;
}

bool TestNetwork::HeldBy(State state, const std::string& name, const std::set<std::string>& observers) {
  return std::all_of(observers.begin(), observers.end(),
                     [&](const std::string& observer) { return StateAt(observer, name) == state; });
}

int TestNetwork::Count(const std::string& observer, Event::Kind kind, const std::string& subject) const {
  auto found = events_.find(observer);
  if (found == events_.end()) return 0;
  return static_cast<int>(std::count_if(found->second.begin(), found->second.end(), [&](const Event& event) {
    return event.kind == kind && (subject.empty() || event.member.node.name == subject);
  }));
}

std::string TestNetwork::TextOf(const std::string& observer, Event::Kind kind) const {
  auto found = events_.find(observer);
  if (found == events_.end()) return "";
  for (const Event& event : found->second) {
    if (event.kind == kind) return event.text;
  }
  return "";
}

}  // namespace troupe::swim
