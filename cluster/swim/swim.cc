#include "cluster/swim/swim.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "cluster/swim/well_formed.h"
#include "glog/logging.h"

namespace troupe::swim {
namespace {

// Of a message's gossip, facts drawn from the table: what somebody missed is repaired between two syncs.
constexpr size_t kRandomFacts = 2;
// Told directly when this node leaves; the others hear it from those.
constexpr size_t kGoodbyes = 16;

}  // namespace

Swim::Swim(const Config& config, std::string cluster_id, Node self, Random random)
    : config_(config), cluster_id_(std::move(cluster_id)), self_(std::move(self)), random_(random) {
  CHECK(config_.probe_timeout < config_.probe_period);
  // What is on a disk must not keep a node from starting, and the others take nothing beyond.
  self_.generation = std::min(self_.generation, kMaxCount);
  CHECK(IsWellFormed(self_)) << self_.name << " " << self_.id << " " << self_.address;
  next_seq_ = random_.Next() >> 1;
}

void Swim::Leave(Instant now, Effects& effects) {
  if (leaving_ || refused_) return;
  Turn turn{now, effects};
  leaving_ = true;
  joining_.reset();
  probe_.reset();
  held_joins_.clear();
  queue_.Put(SelfFact(), GossipQueue::Urgency::kUrgent);
  for (const Member* member : PickMembers(kGoodbyes, [](const Member& m) { return IsActive(m.state); })) {
    Send(turn, member->node.address, Gossip{}, {SelfFact()});
  }
  Arm(turn);
}

bool Swim::FromThisCluster(const Message& message) const {
  return !cluster_id_.empty() && message.cluster_id == cluster_id_;
}

void Swim::Receive(Instant now, const Message& message, Effects& effects) {
  if (refused_) return;
  Turn turn{now, effects};
  if (!IsWellFormed(message)) {
    ++counters_.dropped;
  } else if (std::holds_alternative<JoinRequest>(message.body)) {
    OnJoinRequest(turn, message);
  } else if (const auto* answer = std::get_if<JoinAnswer>(&message.body)) {
    OnJoinAnswer(turn, message, *answer);
  } else if (FromThisCluster(message)) {
    OnMember(turn, message);
  } else {
    ++counters_.dropped;
  }
  Arm(turn);
}

void Swim::OnMember(Turn turn, const Message& message) {
  const Update sender{.node = message.from, .incarnation = message.incarnation, .state = State::kAlive, .from = ""};
  if (message.from.name == self_.name) {
    if (CompareRuns(message.from, self_) == 0) {
      ++counters_.dropped;
      return;
    }
    LearnOfSelf(turn, sender);
    // One of the two must go, and it goes only when it hears of the other.
    if (!refused_ && message.from.address != self_.address) Send(turn, message.from.address, Gossip{}, {SelfFact()});
    return;
  }
  if (const auto* ping = std::get_if<Ping>(&message.body); ping != nullptr && ping->target != self_.name) {
    ++counters_.dropped;
    return;
  }
  Learn(turn, sender);
  for (const Update& update : message.gossip) Learn(turn, update);
  if (refused_) return;
  if (const auto* ping = std::get_if<Ping>(&message.body)) OnPing(turn, message, *ping);
  if (const auto* request = std::get_if<PingRequest>(&message.body)) OnPingRequest(turn, message, *request);
  if (const auto* ack = std::get_if<Ack>(&message.body)) OnAck(turn, message, *ack);
  if (const auto* nack = std::get_if<Nack>(&message.body)) OnNack(message, *nack);
  if (const auto* sync = std::get_if<Sync>(&message.body)) OnSync(turn, message, *sync);
}

void Swim::OnSync(Turn turn, const Message& message, const Sync& sync) {
  // What this node believed before, not what the sender has just told it.
  std::vector<Update> before;
  if (!sync.answer) before = Table();
  LearnTable(turn, sync.table);
  if (refused_ || sync.answer) return;
  Send(turn, message.from.address, Sync{.table = std::move(before), .answer = true});
}

void Swim::Tick(Instant now, Effects& effects) {
  if (refused_) return;
  Turn turn{now, effects};
  const Instant due = NextDeadline();
  if (now > due && now - due > config_.probe_period) Stalled(turn);
  ProbeTick(turn);
  RelayTick(turn);
  HeldJoinTick(turn);
  ExpireSuspicions(turn);
  if (now >= next_gossip_) GossipTick(turn);
  if (now >= next_sync_) SyncTick(turn);
  if (now >= next_contact_) ContactDead(turn);
  if (joining_ && now >= joining_->next_ask) AskSeeds(turn);
  if (joining_ && now >= joining_->next_complaint) Complain(turn);
  Arm(turn);
}

// This node itself stood still, and the answers to all that it waits for may lie unread. To judge now would be to
// declare others dead for a fault of its own.
void Swim::Stalled(Turn turn) {
  AddHealth(1);
  if (probe_) next_probe_ = turn.now;
  probe_.reset();
  table_.PostponeSuspicions(turn.now + config_.probe_period);
  for (HeldJoin& held : held_joins_) {
    held.ping_again = turn.now;
    held.end = turn.now + 2 * config_.probe_timeout;
  }
}

void Swim::GossipTick(Turn turn) {
  next_gossip_ = turn.now + config_.gossip_period;
  auto hears = [&](const Member& member) {
    return IsActive(member.state) ||
           (member.state == State::kDead && turn.now - member.since < config_.gossip_to_the_dead);
  };
  for (const Member* member : PickMembers(static_cast<size_t>(config_.gossip_fanout), hears)) {
    if (queue_.empty()) break;
    Send(turn, member->node.address, Gossip{});
  }
}

void Swim::SyncTick(Turn turn) {
  next_sync_ = turn.now + SyncPeriod(config_.sync_period, ActiveWithSelf());
  for (const Member* member : PickMembers(1, [](const Member& m) { return m.state == State::kAlive; })) {
    Send(turn, member->node.address, Sync{.table = Table()});
  }
}

void Swim::ContactDead(Turn turn) {
  next_contact_ = turn.now + config_.dead_contact_period;
  ForgetGone(turn);
  std::vector<std::string> addresses;
  for (const Member* member : PickMembers(1, [](const Member& m) { return m.state == State::kDead; })) {
    addresses.push_back(member->node.address);
  }
  std::vector<std::string> lonely = joining_ ? std::vector<std::string>() : seeds_;
  for (const auto& [name, record] : table_.records()) {
    if (IsActive(record.member.state)) std::erase(lonely, record.member.node.address);
  }
  for (std::string& seed : PickRandom(std::move(lonely), 1, random_)) {
    if (addresses.empty() || addresses.front() != seed) addresses.push_back(std::move(seed));
  }
  for (const std::string& address : addresses) Send(turn, address, Sync{.table = Table()});
}

void Swim::ForgetGone(Turn turn) {
  std::vector<std::string> forgotten;
  for (const auto& [name, record] : table_.records()) {
    if (!IsActive(record.member.state) && turn.now - record.member.since >= config_.remember_gone) {
      forgotten.push_back(name);
    }
  }
  for (const std::string& name : forgotten) Forget(name);
}

void Swim::Forget(const std::string& name) {
  const Record* record = table_.Find(name);
  if (IsActive(record->member.state)) round_.Remove(name);
  table_.Erase(name);
  queue_.Erase(name);
}

void Swim::Arm(Turn turn) {
  const bool is_at_home = !cluster_id_.empty() && table_.active() > 0;
  if (joining_ && is_at_home && !joining_->needs_grant) FinishJoin(turn);
  auto arm = [&](Instant& clock, bool wanted, Duration period) {
    if (!wanted || refused_) {
      clock = Instant::Never();
    } else if (clock == Instant::Never()) {
      // Anywhere in the period, so that nodes that start together do not stay in step.
      clock = turn.now + period * (static_cast<double>(1 + random_.Below(1000)) / 1000);
    }
  };
  const bool has_others = table_.active() > 0;
  const bool has_gone = table_.size() > table_.active();
  arm(next_probe_, has_others && !leaving_, config_.probe_period);
  arm(next_gossip_, has_others && !queue_.empty(), config_.gossip_period);
  arm(next_sync_, has_others && !leaving_, config_.sync_period);
  arm(next_contact_, (has_gone || !seeds_.empty()) && !cluster_id_.empty() && !leaving_, config_.dead_contact_period);
}

Instant Swim::NextDeadline() const {
  if (refused_) return Instant::Never();
  Instant next = std::min({next_probe_, next_gossip_, next_sync_, next_contact_, table_.FirstDeadline()});
  if (probe_) next = std::min(next, probe_->asked_helpers ? probe_->end : probe_->timeout);
  for (const auto& [seq, relay] : relays_) next = std::min({next, relay.nack_at, relay.end});
  for (const HeldJoin& held : held_joins_) next = std::min({next, held.ping_again, held.end});
  if (joining_) next = std::min({next, joining_->next_ask, joining_->next_complaint});
  return next;
}

void Swim::Send(Turn turn, const std::string& address, decltype(Message::body) body, std::vector<Update> first) {
  Message message{.cluster_id = cluster_id_,
                  .from = self_,
                  .incarnation = incarnation_,
                  .body = std::move(body),
                  .gossip = std::move(first)};
  bool carries_table = std::holds_alternative<Sync>(message.body) ||
                       std::holds_alternative<JoinRequest>(message.body) ||
                       std::holds_alternative<JoinAnswer>(message.body);
  if (!carries_table) AddGossip(message);
  turn.effects.messages.push_back(Outgoing{.address = address, .message = std::move(message)});
}

void Swim::AddGossip(Message& message) {
  std::vector<Update>& gossip = message.gossip;
  const size_t room = config_.gossip_updates - std::min(config_.gossip_updates, gossip.size() + kRandomFacts);
  for (Update& update : queue_.Take(room, RetransmitLimit(config_.retransmit_lambda, ActiveWithSelf()))) {
    gossip.push_back(std::move(update));
  }
  // Only of those who are thought alive: an old death that is told as news would be believed, and a suspicion would
  // pass for another one's.
  for (const Member* member : PickMembers(kRandomFacts, [](const Member& m) { return m.state == State::kAlive; })) {
    gossip.push_back(FactOf(*member, ""));
  }
}

std::vector<Update> Swim::Table() const {
  std::vector<Update> table{SelfFact()};
  for (const auto& [name, record] : table_.records()) table.push_back(FactOf(record.member, self_.name));
  return table;
}

std::vector<const Member*> Swim::PickMembers(size_t count, absl::FunctionRef<bool(const Member&)> wanted) {
  std::vector<const Member*> members;
  for (const auto& [name, record] : table_.records()) {
    if (wanted(record.member)) members.push_back(&record.member);
  }
  return PickRandom(std::move(members), count, random_);
}

void Swim::Tell(Turn turn, Event::Kind kind, const Member& member, std::string text) {
  turn.effects.events.push_back(Event{.kind = kind, .member = member, .text = std::move(text)});
}

void Swim::Refuse(Turn turn, std::string why) {
  refused_ = true;
  Tell(turn, Event::Kind::kRefused, *Find(self_.name), std::move(why));
}

const std::string& Swim::cluster_id() const { return cluster_id_; }
const Node& Swim::self() const { return self_; }
int Swim::health() const { return health_; }
const Counters& Swim::counters() const { return counters_; }

std::vector<Member> Swim::Members() const {
  std::vector<Member> members;
  for (const auto& [name, record] : table_.records()) members.push_back(record.member);
  auto after_self = [&](const Member& member) { return member.node.name > self_.name; };
  members.insert(std::find_if(members.begin(), members.end(), after_self), *Find(self_.name));
  return members;
}

std::optional<Member> Swim::Find(const std::string& name) const {
  if (name == self_.name) {
    return Member{.node = self_, .incarnation = incarnation_, .state = leaving_ ? State::kLeft : State::kAlive};
  }
  const Record* record = table_.Find(name);
  return record == nullptr ? std::nullopt : std::optional<Member>(record->member);
}

}  // namespace troupe::swim
