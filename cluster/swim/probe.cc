// Probes, direct and through others (SWIM, section 3; Lifeguard, section IV).
#include <algorithm>
#include <utility>

#include "cluster/swim/swim.h"

namespace troupe::swim {
namespace {

// A helper says that it has no answer at this part of the timeout, so that its nack is there before the probe ends.
constexpr double kNackPart = 0.8;

}  // namespace

void Swim::ProbeTick(Turn turn) {
  if (probe_ && !probe_->asked_helpers && turn.now >= probe_->timeout) AskHelpers(turn);
  if (probe_ && turn.now >= probe_->end) FailProbe(turn);
  if (turn.now >= next_probe_) StartProbe(turn);
}

void Swim::StartProbe(Turn turn) {
  const int scale = health_ + 1;
  next_probe_ = turn.now + scale * config_.probe_period;
  const std::string* name = round_.Next(random_);
  if (name == nullptr) return;
  const Member& target = table_.Find(*name)->member;
  probe_ = Probe{.seq = next_seq_++,
                 .target = target.node,
                 .timeout = turn.now + scale * config_.probe_timeout,
                 .end = next_probe_};
  ++counters_.probes;
  // It hears at once that it is suspected, and refutes in its ack (Lifeguard, section IV-C).
  std::vector<Update> accusation;
  if (target.state == State::kSuspect) accusation.push_back(FactOf(target, self_.name));
  Send(turn, target.node.address, Ping{.seq = probe_->seq, .target = *name}, std::move(accusation));
}

void Swim::AskHelpers(Turn turn) {
  probe_->asked_helpers = true;
  auto helps = [&](const Member& member) {
    return member.state == State::kAlive && member.node.name != probe_->target.name;
  };
  for (const Member* helper : PickMembers(static_cast<size_t>(config_.indirect_checks), helps)) {
    probe_->helpers.insert(helper->node.name);
    Send(turn, helper->node.address, PingRequest{.seq = probe_->seq, .target = probe_->target});
  }
}

void Swim::FailProbe(Turn turn) {
  Probe probe = std::move(*probe_);
  probe_.reset();
  ++counters_.failed_probes;
  // A helper from which not even a nack came says more of this node than of the target.
  int missing = static_cast<int>(probe.helpers.size() - probe.nacked.size());
  AddHealth(probe.helpers.empty() ? 1 : missing);
  const Record* record = table_.Find(probe.target.name);
  if (record == nullptr || !IsActive(record->member.state) || CompareRuns(record->member.node, probe.target) != 0) {
    return;
  }
  Update suspicion = FactOf(record->member, self_.name);
  suspicion.state = State::kSuspect;
  Learn(turn, suspicion);
}

void Swim::OnPing(Turn turn, const Message& message, const Ping& ping) {
  // A sender that is held for less than alive hears of it, or it could never refute.
  std::vector<Update> accusation;
  const Record* record = table_.Find(message.from.name);
  if (record != nullptr) {
    const Member& held = record->member;
    bool is_held_alive = held.state == State::kAlive && CompareRuns(held.node, message.from) == 0;
    if (!is_held_alive) accusation.push_back(FactOf(held, self_.name));
  }
  Send(turn, message.from.address, Ack{.seq = ping.seq}, std::move(accusation));
}

void Swim::OnPingRequest(Turn turn, const Message& message, const PingRequest& request) {
  if (request.target.name == self_.name || request.target.name == message.from.name ||
      relays_.size() >= config_.max_relays) {
    ++counters_.dropped;
    return;
  }
  uint64_t seq = next_seq_++;
  relays_[seq] = Relay{.origin_seq = request.seq,
                       .origin_address = message.from.address,
                       .target = request.target.name,
                       .nack_at = turn.now + kNackPart * config_.probe_timeout,
                       .end = turn.now + 2 * config_.probe_period};
  Send(turn, request.target.address, Ping{.seq = seq, .target = request.target.name});
}

void Swim::RelayTick(Turn turn) {
  for (auto& [seq, relay] : relays_) {
    if (turn.now < relay.nack_at) continue;
    relay.nack_at = Instant::Never();
    Send(turn, relay.origin_address, Nack{.seq = relay.origin_seq});
  }
  std::erase_if(relays_, [&](const auto& entry) { return turn.now >= entry.second.end; });
}

void Swim::OnAck(Turn turn, const Message& message, const Ack& ack) {
  const std::string& name = message.from.name;
  if (probe_ && ack.seq == probe_->seq && (name == probe_->target.name || probe_->helpers.count(name) > 0)) {
    probe_.reset();
    AddHealth(-1);
    return;
  }
  if (auto relay = relays_.find(ack.seq); relay != relays_.end() && relay->second.target == name) {
    Send(turn, relay->second.origin_address, Ack{.seq = relay->second.origin_seq});
    relays_.erase(relay);
    return;
  }
  auto answers = [&](const HeldJoin& held) {
    return held.seq == ack.seq && held.holder.name == name && CompareRuns(held.holder, message.from) == 0;
  };
  auto held = std::find_if(held_joins_.begin(), held_joins_.end(), answers);
  if (held == held_joins_.end()) return;
  HeldJoin answered = std::move(*held);
  held_joins_.erase(held);
  HolderAnswered(turn, answered.joiner, answered.holder);
}

void Swim::OnNack(const Message& message, const Nack& nack) {
  if (probe_ && nack.seq == probe_->seq && probe_->helpers.count(message.from.name) > 0) {
    probe_->nacked.insert(message.from.name);
  }
}

}  // namespace troupe::swim
