// Times and limits of the membership protocol. The defaults are for a LAN.
#ifndef TROUPE_CLUSTER_SWIM_CONFIG_H_
#define TROUPE_CLUSTER_SWIM_CONFIG_H_

#include <cstddef>
#include <cstdint>

#include "actor/time.h"

namespace troupe::swim {

struct Config {
  // One member is probed per period. With three nodes a killed one is dead everywhere after 2.5 to 4 s.
  Duration probe_period = absl::Milliseconds(500);
  // Well above a round trip, and well under the period: what is left of it is for the indirect probe.
  Duration probe_timeout = absl::Milliseconds(200);
  int indirect_checks = 3;
  // A suspect has alpha * max(1, log10 n) periods to refute when enough others suspect it too, else up to beta times
  // that. Smaller is faster, and wrong more often.
  int suspicion_alpha = 4;
  int suspicion_beta = 6;
  // A fact is sent on lambda * ceil(log10(n + 1)) times.
  int retransmit_lambda = 4;
  // A tick without news sends nothing.
  Duration gossip_period = absl::Milliseconds(200);
  int gossip_fanout = 3;
  size_t gossip_updates = 16;  // in one message
  // So that a member that was declared dead by mistake hears of it soon.
  Duration gossip_to_the_dead = absl::Seconds(30);
  // Whole tables, exchanged with one member; less often above 32 members.
  Duration sync_period = absl::Seconds(10);
  // One of the dead, and one seed that is nobody's address, are sent the table: two halves of a partition find each
  // other again.
  Duration dead_contact_period = absl::Seconds(5);
  // The dead and those who left. What is forgotten is not contacted any more, and its generation may be given again.
  Duration remember_gone = absl::Hours(24);
  // Seeds are asked again after this, doubled each time up to the limit.
  Duration join_retry = absl::Milliseconds(500);
  Duration join_retry_limit = absl::Seconds(2);
  Duration no_answer_first = absl::Seconds(3);
  Duration no_answer_again = absl::Seconds(10);
  // An answer counts this long after the question.
  Duration join_answer_limit = absl::Seconds(5);

  // Of Lifeguard's local health multiplier.
  int max_health = 8;
  // Others than this node. More are dropped and counted.
  size_t max_members = 10'000;
  size_t max_seeds = 64;
  // Joins that wait for a sign of life of the name's holder.
  size_t max_held_joins = 16;
  // Pings under way for others.
  size_t max_relays = 1024;
  // Joins that would add a member, answered in a second. More are dropped and counted; who means it asks again.
  int max_new_members = 64;
  // The same claim to a name is told to the operator once in this time, and of so many claims.
  Duration conflict_again = absl::Minutes(1);
  size_t max_conflicts = 64;
};

// A message beyond these is dropped and counted.
inline constexpr size_t kMaxNameBytes = 64;
inline constexpr size_t kMaxAddressBytes = 255;
inline constexpr size_t kIdBytes = 32;
inline constexpr size_t kMaxClusterIdBytes = 64;
inline constexpr size_t kMaxRefusalBytes = 1024;
inline constexpr size_t kMaxGossipUpdates = 64;
inline constexpr size_t kMaxTableUpdates = 10'001;
// Generations and incarnations: far above what counting reaches, far under what overflows.
inline constexpr uint64_t kMaxCount = uint64_t{1} << 61;
// How far a fact may be ahead of what is held. A forged one beyond that would take the member to the end of counting,
// from where it could neither refute nor come back.
inline constexpr uint64_t kMaxLead = uint64_t{1} << 20;

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_CONFIG_H_
