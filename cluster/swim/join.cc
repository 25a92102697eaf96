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
                     .last_refusal = ""};
  AskSeeds(turn);
}

void Swim::AskSeeds(Turn turn) {
  for (const std::string& seed : seeds_) Send(turn, seed, JoinRequest{});
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
    if (answer.final) {
      Refuse(turn, answer.refusal);
    } else if (joining_) {
      joining_->last_refusal = answer.refusal;
    }
    return;
  }
  const bool other_cluster = !cluster_id_.empty() && message.cluster_id != cluster_id_;
  if (message.cluster_id.empty() || other_cluster || message.from.name == self_.name) {
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
    // A later run of this very node ends this one; whatever else has this name, this node holds it and is alive.
    if (joiner.id == self_.id)
      LearnOfSelf(turn, Update{.node = joiner, .incarnation = message.incarnation, .from = ""});
    if (!refused_) HolderAnswered(turn, HeldJoin{.joiner = joiner, .holder = self_});
  } else {
    JudgeJoin(turn, message);
  }
}

void Swim::JudgeJoin(Turn turn, const Message& message) {
  const Node& joiner = message.from;
  const Record* record = table_.Find(joiner.name);
  if (record == nullptr) {
    if (table_.size() < config_.max_members) {
      Admit(turn, joiner, message.incarnation, joiner.generation);
    } else {
      RefuseJoin(turn, joiner, absl::StrCat(self_.name, " knows ", table_.size(), " members: no more can join"), false);
    }
    return;
  }
  const Node& known = record->member.node;
  const bool same_id = joiner.id == known.id;
  const bool repeated = joiner.generation == known.generation && joiner.address == known.address;
  if (same_id && (joiner.generation > known.generation || repeated)) {
    Admit(turn, joiner, message.incarnation, joiner.generation);
  } else if (IsActive(record->member.state)) {
    HoldJoin(turn, message, known);
  } else {
    Admit(turn, joiner, message.incarnation, known.generation + 1);
  }
}

void Swim::HoldJoin(Turn turn, const Message& message, const Node& holder) {
  auto is_same = [&](const HeldJoin& held) { return held.joiner == message.from; };
  if (std::any_of(held_joins_.begin(), held_joins_.end(), is_same)) return;  // asked again while it waits
  if (held_joins_.size() >= config_.max_held_joins) {
    ++counters_.dropped;
    return;
  }
  held_joins_.push_back(HeldJoin{.joiner = message.from,
                                 .incarnation = message.incarnation,
                                 .holder = holder,
                                 .seq = next_seq_++,
                                 .ping_again = turn.now + config_.probe_timeout,
                                 .end = turn.now + 2 * config_.probe_timeout});
  PingHolder(turn, held_joins_.back());
}

void Swim::PingHolder(Turn turn, const HeldJoin& held) {
  Send(turn, held.holder.address, Ping{.seq = held.seq, .target = held.holder.name});
}

void Swim::HolderAnswered(Turn turn, const HeldJoin& held) {
  // The joiner itself, let in by another seed in the meantime.
  if (held.holder.id == held.joiner.id && held.holder.address == held.joiner.address) return;
  std::string why = absl::StrCat("the name ", held.joiner.name, " is held by a living node at ", held.holder.address,
                                 "\n  give this node another name, or stop that one first");
  if (const std::optional<Member> holder = Find(held.holder.name)) {
    Tell(turn, Event::Kind::kConflict, *holder,
         absl::StrCat("the same name is claimed by a node at ", held.joiner.address, " (id ", held.joiner.id, ")"));
  }
  RefuseJoin(turn, held.joiner, std::move(why), /*final=*/true);
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
    const Record* record = table_.Find(held.joiner.name);
    // Another run has taken the name since: the joiner asks again and is judged anew.
    if (record == nullptr || CompareRuns(record->member.node, held.holder) != 0) continue;
    Admit(turn, held.joiner, held.incarnation, held.holder.generation + 1);
  }
}

void Swim::Admit(Turn turn, const Node& joiner, uint64_t incarnation, uint64_t generation) {
  generation = std::max(generation, joiner.generation);
  std::vector<Update> table = Table();
  // A granted generation is not yet taken: the joiner may take that of another seed. It will be heard from.
  if (generation == joiner.generation) {
    Learn(turn, Update{.node = joiner, .incarnation = incarnation, .state = State::kAlive, .from = ""});
  }
  Send(turn, joiner.address, JoinAnswer{.refusal = "", .generation = generation, .table = std::move(table)});
}

void Swim::RefuseJoin(Turn turn, const Node& joiner, std::string why, bool final) {
  Send(turn, joiner.address, JoinAnswer{.refusal = std::move(why), .final = final});
}

}  // namespace troupe::swim
