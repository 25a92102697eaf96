// Joining: of this node at the seeds, and of others here.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/swim/swim.h"

namespace troupe::swim {

void Swim::Join(Instant now, std::vector<std::string> seeds, Effects& effects) {
  if (refused_ || leaving_) return;
  Turn turn{now, effects};
  std::sort(seeds.begin(), seeds.end());
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  std::erase(seeds, self_.address);
  if (seeds.size() > config_.max_seeds) seeds.resize(config_.max_seeds);
  seeds_ = std::move(seeds);
  // A node of a cluster that has nobody to ask is in it already.
  if (seeds_.empty() && !cluster_id_.empty()) return;
  StartJoin(turn);
  Arm(turn);
}

void Swim::StartJoin(Turn turn) {
  joining_ = Joining{.next_ask = turn.now,
                     .wait = config_.join_retry,
                     .next_complaint = turn.now + config_.no_answer_first,
                     .last_refusal = "",
                     .strangers = {}};
  AskSeeds(turn);
}

void Swim::AskSeeds(Turn turn) {
  for (const std::string& seed : seeds_) Send(turn, seed, JoinRequest{});
  joining_->strangers.clear();
  joining_->next_ask = turn.now + joining_->wait;
  joining_->wait = std::min(2 * joining_->wait, config_.join_retry_limit);
  join_answers_until_ = turn.now + config_.join_answer_limit;
}

void Swim::Complain(Turn turn) {
  joining_->next_complaint = turn.now + config_.no_answer_again;
  std::string text = seeds_.empty()
                         ? "there is nobody to ask but this node itself"
                         : absl::StrCat("no node lets this one in yet; still trying ", absl::StrJoin(seeds_, ", "));
  if (!joining_->last_refusal.empty()) absl::StrAppend(&text, " (", joining_->last_refusal, ")");
  Tell(turn, Event::Kind::kNoAnswer, *Find(self_.name), std::move(text));
}

void Swim::OnJoinAnswer(Turn turn, const Message& message, const JoinAnswer& answer) {
  const bool asked = joining_ || (!seeds_.empty() && turn.now <= join_answers_until_);
  if (!asked || leaving_) {
    ++counters_.dropped;
    return;
  }
  if (!answer.refusal.empty()) {
    OnRefusal(turn, message, answer);
    return;
  }
  const bool other_cluster = !cluster_id_.empty() && message.cluster_id != cluster_id_;
  if (message.cluster_id.empty() || other_cluster || message.from.name == self_.name ||
      answer.generation > self_.generation + kMaxLead) {
    ++counters_.dropped;
    return;
  }
  if (cluster_id_.empty()) {
    cluster_id_ = message.cluster_id;
    turn.effects.cluster_id = cluster_id_;
  }
  if (answer.generation > self_.generation) RaiseGeneration(turn, answer.generation);
  Learn(turn, Update{.node = message.from, .incarnation = message.incarnation, .state = State::kAlive, .from = ""});
  LearnTable(turn, answer.table);
  if (refused_ || !joining_) return;
  FinishJoin(turn);
  queue_.Put(SelfFact(), GossipQueue::Urgency::kOrdinary);
  // It granted a generation, and learns from this that it is taken.
  Send(turn, message.from.address, Gossip{});
}

void Swim::OnRefusal(Turn turn, const Message& message, const JoinAnswer& answer) {
  if (!answer.table.empty()) {
    const Node& refused = answer.table.front().node;
    if (refused.name != self_.name || refused.id != self_.id) {
      ++counters_.dropped;
      return;
    }
  }
  if (joining_) joining_->last_refusal = answer.refusal;
  if (!answer.final) return;
  if (cluster_id_.empty() || message.cluster_id == cluster_id_) {
    Refuse(turn, answer.refusal);
    return;
  }
  // One wrong address among the seeds must not end a member while the other seeds may be of its own cluster.
  if (!joining_ || table_.active() > 0) return;
  joining_->strangers.insert(message.from.address);
  if (joining_->strangers.size() >= seeds_.size()) Refuse(turn, answer.refusal);
}

void Swim::FinishJoin(Turn turn) {
  joining_.reset();
  if (!admitted_) Tell(turn, Event::Kind::kAdmitted, *Find(self_.name));
  admitted_ = true;
}

void Swim::OnJoinRequest(Turn turn, const Message& message) {
  const Node& joiner = message.from;
  if (joiner.name == self_.name && CompareRuns(joiner, self_) == 0) {
    ++counters_.dropped;  // asked by itself: its own address stands among the seeds in another spelling
  } else if (cluster_id_.empty() || leaving_) {
    const char* why = leaving_ ? " is leaving its cluster" : " is in no cluster yet";
    RefuseJoin(turn, joiner, absl::StrCat(self_.name, " at ", self_.address, why), /*final=*/false);
  } else if (!message.cluster_id.empty() && message.cluster_id != cluster_id_) {
    RefuseJoin(
        turn, joiner,
        absl::StrCat(joiner.name, " belongs to cluster ", message.cluster_id, ", ", self_.name, " at ", self_.address,
                     " to cluster ", cluster_id_, "\n  join it to its own cluster, or give it an empty --data-dir"),
        /*final=*/true);
  } else if (joiner.name == self_.name) {
    // A later run in this very place ends this one; whatever else has this name, this node holds it and is alive.
    if (joiner.id == self_.id && joiner.address == self_.address) {
      LearnOfSelf(turn, Update{.node = joiner, .incarnation = message.incarnation, .from = ""});
    }
    if (!refused_) HolderAnswered(turn, joiner, self_);
  } else {
    JudgeJoin(turn, joiner, message.incarnation);
  }
}

void Swim::JudgeJoin(Turn turn, const Node& joiner, uint64_t incarnation) {
  const Record* record = table_.Find(joiner.name);
  const bool sane = record == nullptr ? MayBeNew(turn)
                                      : IsWithinReach(Update{.node = joiner, .incarnation = incarnation, .from = ""},
                                                      record->member.node, record->member.incarnation);
  if (!sane) {
    ++counters_.dropped;
  } else if (joiner.address == self_.address) {
    HolderAnswered(turn, joiner, self_);
  } else if (const Node* holder = ActiveAt(joiner.address, joiner.name)) {
    HoldJoin(turn, joiner, incarnation, *holder);
  } else {
    JudgeName(turn, joiner, incarnation);
  }
}

void Swim::JudgeName(Turn turn, const Node& joiner, uint64_t incarnation) {
  const Record* record = table_.Find(joiner.name);
  if (record == nullptr) {
    if (table_.size() < config_.max_members) {
      Admit(turn, joiner, incarnation, joiner.generation);
    } else {
      RefuseJoin(turn, joiner, absl::StrCat(self_.name, " knows ", table_.size(), " members: no more can join"), false);
    }
    return;
  }
  const Node known = record->member.node;
  const bool is_active = IsActive(record->member.state);
  const bool same_place = joiner.id == known.id && joiner.address == known.address;
  const bool later_run = joiner.id == known.id && joiner.generation > known.generation;
  // A later run elsewhere may be that of a copy of the data directory: two nodes would acknowledge in one name.
  if ((same_place && joiner.generation >= known.generation) || (later_run && !is_active)) {
    Admit(turn, joiner, incarnation, joiner.generation);
  } else if (is_active) {
    HoldJoin(turn, joiner, incarnation, known);
  } else {
    AdmitAfter(turn, joiner, incarnation, known);
  }
}

// Whoever can reach this node can make up names, and each takes room at every member for a day.
bool Swim::MayBeNew(Turn turn) {
  if (turn.now >= new_members_until_) {
    new_members_until_ = turn.now + absl::Seconds(1);
    new_members_ = 0;
  }
  if (new_members_ >= config_.max_new_members) return false;
  ++new_members_;
  return true;
}

const Node* Swim::ActiveAt(const std::string& address, const std::string& but_name) const {
  for (const auto& [name, record] : table_.records()) {
    const Member& member = record.member;
    if (IsActive(member.state) && member.node.address == address && name != but_name) return &member.node;
  }
  return nullptr;
}

void Swim::HoldJoin(Turn turn, const Node& joiner, uint64_t incarnation, const Node& holder) {
  auto is_same = [&](const HeldJoin& held) { return held.joiner == joiner; };
  if (std::any_of(held_joins_.begin(), held_joins_.end(), is_same)) return;  // asked again while it waits
  if (held_joins_.size() >= config_.max_held_joins) {
    ++counters_.dropped;
    return;
  }
  held_joins_.push_back(HeldJoin{.joiner = joiner,
                                 .incarnation = incarnation,
                                 .holder = holder,
                                 .seq = next_seq_++,
                                 .ping_again = turn.now + config_.probe_timeout,
                                 .end = turn.now + 2 * config_.probe_timeout});
  PingHolder(turn, held_joins_.back());
}

void Swim::PingHolder(Turn turn, const HeldJoin& held) {
  Send(turn, held.holder.address, Ping{.seq = held.seq, .target = held.holder.name});
}

void Swim::HolderAnswered(Turn turn, const Node& joiner, const Node& holder) {
  if (holder.name != joiner.name) {
    RefuseJoin(turn, joiner,
               absl::StrCat("the address ", joiner.address, " is that of node ", holder.name,
                            "\n  give this node another address, or stop that one first"),
               /*final=*/true);
    return;
  }
  const bool same_id = holder.id == joiner.id;
  // The joiner itself, let in by another seed in the meantime.
  if (same_id && holder.address == joiner.address) return;
  const char* advice = same_id ? "its data directory was copied? give this node an empty --data-dir and another name, "
                                 "or stop that one first"
                               : "give this node another name, or stop that one first";
  if (const std::optional<Member> held = Find(holder.name)) TellConflict(turn, *held, joiner);
  RefuseJoin(turn, joiner,
             absl::StrCat("the name ", joiner.name, " is held by a living node at ", holder.address, "\n  ", advice),
             /*final=*/true);
}

void Swim::HeldJoinTick(Turn turn) {
  for (HeldJoin& held : held_joins_) {
    if (turn.now < held.ping_again) continue;
    held.ping_again = Instant::Never();
    PingHolder(turn, held);
  }
  std::vector<HeldJoin> ended;
  std::erase_if(held_joins_, [&](const HeldJoin& held) {
    if (turn.now >= held.end) ended.push_back(held);
    return turn.now >= held.end;
  });
  for (const HeldJoin& held : ended) {
    const Record* record = table_.Find(held.holder.name);
    // Another run has taken its place since: the joiner asks again and is judged anew.
    if (record == nullptr || CompareRuns(record->member.node, held.holder) != 0) continue;
    if (held.holder.name == held.joiner.name) {
      AdmitAfter(turn, held.joiner, held.incarnation, held.holder);
    } else {
      JudgeName(turn, held.joiner, held.incarnation);  // the address is free
    }
  }
}

void Swim::AdmitAfter(Turn turn, const Node& joiner, uint64_t incarnation, const Node& former) {
  uint64_t generation = former.generation + 1;
  if (former.generation > joiner.generation + kMaxLead) {
    // Nobody restarts so often: it was made up, and the joiner takes no grant from so far ahead.
    Forget(former.name);
    generation = joiner.generation;
  }
  Admit(turn, joiner, incarnation, generation);
}

void Swim::Admit(Turn turn, const Node& joiner, uint64_t incarnation, uint64_t generation) {
  generation = std::max(generation, joiner.generation);
  if (generation > kMaxCount) {
    ++counters_.dropped;
    return;
  }
  std::vector<Update> table = Table();
  // A granted generation is not yet taken: the joiner may take that of another seed. It will be heard from.
  if (generation == joiner.generation) {
    Learn(turn, Update{.node = joiner, .incarnation = incarnation, .state = State::kAlive, .from = ""});
  }
  Send(turn, joiner.address, JoinAnswer{.refusal = "", .generation = generation, .table = std::move(table)});
}

void Swim::RefuseJoin(Turn turn, const Node& joiner, std::string why, bool final) {
  Update refused{.node = joiner, .incarnation = 0, .state = State::kAlive, .from = ""};
  Send(turn, joiner.address,
       JoinAnswer{.refusal = std::move(why), .final = final, .generation = 0, .table = {std::move(refused)}});
}

}  // namespace troupe::swim
