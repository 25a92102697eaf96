// SWIM with Lifeguard: which nodes there are and which of them live. A pure state machine: messages, commands and the
// time go in, messages and events come out; no thread, clock, socket or encoding is inside. The front door of this
// folder.
//
// The way of one probe: Tick sends Ping to the next member of a shuffled round; its Ack ends the probe. Without one in
// time, k others are asked to ping it (PingRequest) and send its Ack on; without that either, the member is suspected,
// the suspicion is gossiped, and if the member does not refute it in time it is dead.
//
// Sources: Das, Gupta, Motivala, "SWIM" (DSN 2002); Dadgar, Phillips, Currey, "Lifeguard" (arXiv 1707.00788).
//
// Read next: message.h (what members say to each other), config.h (times and limits), member_table.h (the rule which
// of two facts about a member wins).
#ifndef TROUPE_CLUSTER_SWIM_SWIM_H_
#define TROUPE_CLUSTER_SWIM_SWIM_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/functional/function_ref.h"
#include "actor/random.h"
#include "actor/time.h"
#include "cluster/swim/config.h"
#include "cluster/swim/gossip_queue.h"
#include "cluster/swim/member_table.h"
#include "cluster/swim/message.h"
#include "cluster/swim/probe_round.h"

namespace troupe::swim {

// A change that the node around this core should know of.
struct Event {
  enum class Kind {
    kJoined,   // a member is alive that was unknown, dead, left, or of an older generation
    kUpdated,  // same run, another address
    kSuspected,
    kRefuted,  // suspected before, alive now
    kDied,
    kLeft,
    kConflict,  // another node claims the name of this live member; refused. `text` says who and where. Not each time
    kAdmitted,  // this node is in the cluster: a seed took it in. Member: this node itself, its generation granted
    kRefused,   // this node may not join, or must not go on; `text` says why. Final
    kNoAnswer,  // none of the seeds has answered this round; `text` names them. It goes on trying
  };
  Kind kind;
  Member member;
  std::string text;
};

struct Outgoing {
  std::string address;
  Message message;
};

// What the caller does after each call, in this order: persist, then send, then tell of the events.
struct Effects {
  // Must be durable before anything is sent: this node's generation was raised, or it was told its cluster's id.
  std::optional<uint64_t> generation;
  std::optional<std::string> cluster_id;
  std::vector<Outgoing> messages;
  std::vector<Event> events;
};

// Counted since construction.
struct Counters {
  // Messages of another cluster, for another node, from this node itself, or against the rules; joins beyond
  // the limits; facts too far ahead.
  uint64_t dropped = 0;
  uint64_t probes = 0;
  uint64_t failed_probes = 0;
  uint64_t suspicions = 0;
  uint64_t refutations = 0;
};

class Swim {
 public:
  // `cluster_id` empty: in no cluster yet; nothing is answered but with "not in a cluster" until a seed admits this
  // node. A generation above kMaxCount is taken for kMaxCount.
  Swim(const Config& config, std::string cluster_id, Node self, Random random);

  // Asks the seeds (addresses) until one admits this node; those that are its own address are left out. A member that
  // was in the cluster before does so too, to be found at once after a restart.
  void Join(Instant now, std::vector<std::string> seeds, Effects& effects);
  // Says goodbye; from then on the others hold this node for left.
  void Leave(Instant now, Effects& effects);
  void Receive(Instant now, const Message& message, Effects& effects);
  // To be called at NextDeadline, and harmless at any other time.
  void Tick(Instant now, Effects& effects);
  Instant NextDeadline() const;

  const std::string& cluster_id() const;
  const Node& self() const;
  // All that are known, this node too, ascending by name.
  std::vector<Member> Members() const;
  std::optional<Member> Find(const std::string& name) const;
  int health() const;  // Lifeguard's local health multiplier: 0 is well
  const Counters& counters() const;

 private:
  // One call from outside.
  struct Turn {
    Instant now;
    Effects& effects;
  };
  struct Probe {
    uint64_t seq = 0;
    Node target;
    Instant timeout;  // of the direct one; then the helpers are asked
    Instant end;
    bool asked_helpers = false;
    std::set<std::string> helpers;
    std::set<std::string> nacked;
  };
  // A ping for another member.
  struct Relay {
    uint64_t origin_seq = 0;
    std::string origin_address;
    std::string target;
    Instant nack_at;  // Never: sent
    Instant end;
  };
  // A join that waits for a sign of life of the holder of the name, or of the address.
  struct HeldJoin {
    Node joiner;
    uint64_t incarnation = 0;
    Node holder;
    uint64_t seq = 0;
    Instant ping_again;  // Never: done. One lost ping must not cost a living node its name
    Instant end;
  };
  struct Joining {
    Instant next_ask;
    Duration wait;
    Instant next_complaint;
    std::string last_refusal;
    // Addresses of those who have answered in this round that they are of another cluster than this node.
    std::set<std::string> strangers;
    // A later run of this node is known: only a seed can say which generation is free.
    bool needs_grant = false;
  };

  // swim.cc: the ways in and out.
  bool FromThisCluster(const Message& message) const;
  void OnMember(Turn turn, const Message& message);
  void OnSync(Turn turn, const Message& message, const Sync& sync);
  void Stalled(Turn turn);
  void GossipTick(Turn turn);
  void SyncTick(Turn turn);
  void ContactDead(Turn turn);
  void ForgetGone(Turn turn);
  void Forget(const std::string& name);
  // Starts the clocks that have something to do, and stops the others.
  void Arm(Turn turn);
  // `first` goes before all other gossip.
  void Send(Turn turn, const std::string& address, decltype(Message::body) body, std::vector<Update> first = {});
  void AddGossip(Message& message);
  std::vector<Update> Table() const;
  std::vector<const Member*> PickMembers(size_t count, absl::FunctionRef<bool(const Member&)> wanted);
  void Tell(Turn turn, Event::Kind kind, const Member& member, std::string text = {});
  void Refuse(Turn turn, std::string why);  // this node is out, for good

  // learn.cc: what is heard of members.
  void Learn(Turn turn, const Update& heard);
  void LearnTable(Turn turn, const std::vector<Update>& table);
  void LearnOfSelf(Turn turn, const Update& heard);
  void LearnOfNamesake(Turn turn, const Update& heard);
  void Refute(uint64_t incarnation);
  void RaiseGeneration(Turn turn, uint64_t generation);
  void Take(Turn turn, const Update& heard, bool is_news);
  void TellOfChange(Turn turn, const std::optional<Member>& before, const Member& after);
  // Two under one name repeat their claims with each message; the operator hears of each claim now and then.
  void TellConflict(Turn turn, const Member& held, const Node& claimant);
  void ExpireSuspicions(Turn turn);
  Update SelfFact() const;
  void AddHealth(int delta);
  size_t ActiveWithSelf() const { return table_.active() + 1; }

  // probe.cc
  void StartProbe(Turn turn);
  void AskHelpers(Turn turn);
  void FailProbe(Turn turn);
  void ProbeTick(Turn turn);
  void RelayTick(Turn turn);
  void OnPing(Turn turn, const Message& message, const Ping& ping);
  void OnPingRequest(Turn turn, const Message& message, const PingRequest& request);
  void OnAck(Turn turn, const Message& message, const Ack& ack);
  void OnNack(const Message& message, const Nack& nack);

  // join.cc: both sides of a join.
  void StartJoin(Turn turn);
  void AskSeeds(Turn turn);
  void Complain(Turn turn);
  void OnJoinAnswer(Turn turn, const Message& message, const JoinAnswer& answer);
  void OnRefusal(Turn turn, const Message& message, const JoinAnswer& answer);
  void FinishJoin(Turn turn);
  void OnJoinRequest(Turn turn, const Message& message);
  void JudgeJoin(Turn turn, const Node& joiner, uint64_t incarnation);
  void JudgeName(Turn turn, const Node& joiner, uint64_t incarnation);
  bool MayBeNew(Turn turn);
  const Node* ActiveAt(const std::string& address, const std::string& but_name) const;
  void HoldJoin(Turn turn, const Node& joiner, uint64_t incarnation, const Node& holder);
  void PingHolder(Turn turn, const HeldJoin& held);
  void HolderAnswered(Turn turn, const Node& joiner, const Node& holder);
  void HeldJoinTick(Turn turn);
  // In the place of a run that is over.
  void AdmitAfter(Turn turn, const Node& joiner, uint64_t incarnation, const Node& former);
  void Admit(Turn turn, const Node& joiner, uint64_t incarnation, uint64_t generation);
  void RefuseJoin(Turn turn, const Node& joiner, std::string why, bool final);

  // Fixed at construction.
  Config config_;

  // This node.
  std::string cluster_id_;
  Node self_;
  uint64_t incarnation_ = 0;
  bool leaving_ = false;
  bool refused_ = false;
  bool admitted_ = false;  // and told so
  int health_ = 0;
  Random random_;
  Counters counters_;

  // The others.
  MemberTable table_;
  ProbeRound round_;  // the active ones
  GossipQueue queue_;

  // Under way.
  uint64_t next_seq_;  // starts anywhere, so that an ack for an earlier run fits nothing
  std::optional<Probe> probe_;
  std::map<uint64_t, Relay> relays_;  // by the seq of the ping
  std::vector<HeldJoin> held_joins_;
  std::vector<std::string> seeds_;
  std::optional<Joining> joining_;
  Instant join_answers_until_ = Instant::FromNanos(INT64_MIN);
  // Joins of new members in the second that ends then.
  int new_members_ = 0;
  Instant new_members_until_ = Instant::FromNanos(INT64_MIN);
  // Claims to a name of which the operator was told (name, id, address), and until when each is not told again.
  std::map<std::tuple<std::string, std::string, std::string>, Instant> conflicts_;

  // Clocks; Never: stopped.
  Instant next_probe_ = Instant::Never();
  Instant next_gossip_ = Instant::Never();
  Instant next_sync_ = Instant::Never();
  Instant next_contact_ = Instant::Never();
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_SWIM_H_
