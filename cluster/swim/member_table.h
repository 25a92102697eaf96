// What a node knows of the others, and the rule which of two facts about a member wins.
//
// Facts of one name are ordered by generation, then by id (the smaller is the higher: two nodes under one name and
// generation are an error, and every member must end it the same way), then by incarnation. Over that order stands
// this table; heard against held:
//
//               alive        suspect                dead                left
//   unknown     take         -                      -                   -
//   alive       newer        newer or same          newer or same       newer or same
//   suspect     newer        newer; same: confirms  newer or same       newer or same
//   dead        newer        -                      -                   newer or same, in silence
//   left        newer        -                      -                   -
//
// One addition: where dead or left is held, dead or left of a later run is remembered in silence, so that its
// generation is not given a second time.
#ifndef TROUPE_CLUSTER_SWIM_MEMBER_TABLE_H_
#define TROUPE_CLUSTER_SWIM_MEMBER_TABLE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "actor/time.h"
#include "cluster/swim/message.h"
#include "cluster/swim/suspicion.h"

namespace troupe::swim {

// Whether a is a later run than b, or the same. The address plays no part.
std::strong_ordering CompareRuns(const Node& a, const Node& b);
std::strong_ordering CompareFacts(const Update& heard, const Member& held);

// Whether a fact's counts are at most kMaxLead ahead of those that are held. Another run's incarnation starts at 0.
bool IsWithinReach(const Update& heard, const Node& held, uint64_t held_incarnation);

enum class Ruling {
  kIgnore,
  kTake,      // what is held becomes what was heard
  kConfirm,   // another voice for a suspicion that is held
  kRemember,  // like kTake, but no news to anybody
};
// `held` null: unknown.
Ruling Judge(const Member* held, const Update& heard);

inline bool IsActive(State state) { return state == State::kAlive || state == State::kSuspect; }
Update FactOf(const Member& member, std::string from);

struct Record {
  Member member;
  std::optional<Suspicion> suspicion;  // while kSuspect
};

// By name, ascending. Suspicions are kept by their deadlines too.
class MemberTable {
 public:
  const Record* Find(const std::string& name) const;
  // Adds or replaces. `suspicion` just when the member is suspect.
  void Put(Member member, std::optional<Suspicion> suspicion);
  void Erase(const std::string& name);

  // Whether it was new. The member must be suspect.
  bool Confirm(const std::string& name, const std::string& accuser);
  void PostponeSuspicions(Instant deadline);
  Instant FirstDeadline() const { return deadlines_.empty() ? Instant::Never() : deadlines_.begin()->first; }
  // Whose deadline is the first.
  const std::string& FirstSuspect() const { return deadlines_.begin()->second; }

  const std::map<std::string, Record>& records() const { return records_; }
  size_t size() const { return records_.size(); }
  size_t active() const { return active_; }  // alive or suspect

 private:
  std::map<std::string, Record> records_;
  std::set<std::pair<Instant, std::string>> deadlines_;
  size_t active_ = 0;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_MEMBER_TABLE_H_
