// Groups: many addresses under one key, which join and leave by themselves, and those who follow a group's members.
//
//   using Workers = troupe::Groups<Worker>;
//   Address<Workers> groups = system.Spawn<Workers>();
//   groups.Tell(Workers::Join{"resize-images", worker});
//   groups.Ask(Workers::GetMembers{"resize-images"});
//   groups.Tell(Workers::Follow("resize-images", scheduler));     // scheduler handles GroupMembers<Worker>
#ifndef TROUPE_ACTOR_GROUPS_H_
#define TROUPE_ACTOR_GROUPS_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"

namespace troupe {

// All members of a group at one moment, ascending by id: what a follower is told. A control message, so that a full
// mailbox does not leave a follower with what was once true.
template <typename A>
struct GroupMembers {
  static constexpr bool kControl = true;
  std::string key;
  std::vector<Address<A>> members;
};

struct GroupsStats {
  size_t groups = 0;  // with members or followers
  size_t actors = 0;  // members and followers, each counted once
};

//   Ordering: what one follower is told about one group is in the order of the changes, one notice for each, each the
//             whole truth.
//   Limits:   a key has 1 to 255 bytes (else kInvalidArgument); groups and members have no limit but the number of
//             actors, since who terminates is removed everywhere.
//   Lifetime: memberships live as long as the incarnation of this actor, and nothing in it fails.
template <typename A>
class Groups : public Actor<Groups<A>> {
 public:
  using Context = typename Actor<Groups<A>>::Context;

  // An actor may be in many groups, in each once: joining twice is joining once.
  struct Join {
    using Result = void;
    std::string key;
    Address<A> member;
  };
  // kNotFound: it is no member.
  struct Leave {
    using Result = void;
    std::string key;
    Address<A> member;
  };
  // Ascending by id; none, when there is no such group.
  struct GetMembers {
    using Result = std::vector<Address<A>>;
    std::string key;
  };
  // The keys of all groups with members, ascending.
  struct GetKeys {
    using Result = std::vector<std::string>;
  };
  struct GetStats {
    using Result = GroupsStats;
  };
  // The follower is told the members now and after each change.
  struct Follow {
    using Result = void;
    std::string key;
    Recipient<GroupMembers<A>> follower;
  };
  // kNotFound: it does not follow the group.
  struct Unfollow {
    using Result = void;
    std::string key;
    Recipient<GroupMembers<A>> follower;
  };

  absl::Status Handle(Join join, Context& context) {
    if (!ValidKey(join.key)) return absl::InvalidArgumentError("a group's key has 1 to 255 bytes");
    Known& known = Meet(join.member.cell(), context);
    if (!known.joined.insert(join.key).second) return absl::OkStatus();
    groups_[join.key].members.emplace(join.member.id(), join.member);
    TellFollowers(join.key);
    return absl::OkStatus();
  }

  absl::Status Handle(Leave leave, Context& context) {
    auto known = known_.find(leave.member.id());
    if (known == known_.end() || known->second.joined.erase(leave.key) == 0) {
      return absl::NotFoundError("no member of this group");
    }
    Part(known, context);
    Remove(leave.key, leave.member.id());
    return absl::OkStatus();
  }

  std::vector<Address<A>> Handle(GetMembers get, Context&) { return MembersOf(get.key); }

  std::vector<std::string> Handle(GetKeys, Context&) {
    std::vector<std::string> keys;
    for (const auto& [key, group] : groups_) {
      if (!group.members.empty()) keys.push_back(key);
    }
    return keys;
  }

  GroupsStats Handle(GetStats, Context&) { return {groups_.size(), known_.size()}; }

  absl::Status Handle(Follow follow, Context& context) {
    if (!ValidKey(follow.key)) return absl::InvalidArgumentError("a group's key has 1 to 255 bytes");
    Meet(follow.follower.cell(), context).follows.insert(follow.key);
    groups_[follow.key].followers[follow.follower.id()] = follow.follower;
    follow.follower.Tell({follow.key, MembersOf(follow.key)});
    return absl::OkStatus();
  }

  absl::Status Handle(Unfollow unfollow, Context& context) {
    auto known = known_.find(unfollow.follower.id());
    if (known == known_.end() || known->second.follows.erase(unfollow.key) == 0) {
      return absl::NotFoundError("no follower of this group");
    }
    Part(known, context);
    StopTelling(unfollow.key, unfollow.follower.id());
    return absl::OkStatus();
  }

  void Handle(Terminated terminated, Context&) {
    auto node = known_.extract(terminated.id);
    if (node.empty()) return;
    // First, so that nobody who is gone is told.
    for (const std::string& key : node.mapped().follows) StopTelling(key, terminated.id);
    for (const std::string& key : node.mapped().joined) Remove(key, terminated.id);
  }

 private:
  struct Group {
    std::map<ActorId, Address<A>> members;
    std::map<ActorId, Recipient<GroupMembers<A>>> followers;
  };
  // An actor that is a member or a follower of something, and so is watched.
  struct Known {
    std::shared_ptr<Cell> cell;
    std::set<std::string> joined;
    std::set<std::string> follows;
  };

  static bool ValidKey(const std::string& key) { return !key.empty() && key.size() <= 255; }
  // Watches do not depend on the type of who is watched.
  static Address<ActorBase> Watchable(const std::shared_ptr<Cell>& cell) { return Address<ActorBase>(cell); }

  Known& Meet(const std::shared_ptr<Cell>& cell, Context& context) {
    auto [known, first] = known_.try_emplace(cell->id(), Known{cell, {}, {}});
    // If it has terminated already, the notice comes at once.
    if (first) context.Watch(Watchable(cell));
    return known->second;
  }
  // Forgets an actor that has nothing to do with any group any more.
  void Part(typename std::map<ActorId, Known>::iterator known, Context& context) {
    if (!known->second.joined.empty() || !known->second.follows.empty()) return;
    context.Unwatch(Watchable(known->second.cell));
    known_.erase(known);
  }

  std::vector<Address<A>> MembersOf(const std::string& key) const {
    std::vector<Address<A>> members;
    auto group = groups_.find(key);
    if (group == groups_.end()) return members;
    for (const auto& [id, member] : group->second.members) members.push_back(member);
    return members;
  }
  void TellFollowers(const std::string& key) {
    const Group& group = groups_.at(key);
    if (group.followers.empty()) return;
    const std::vector<Address<A>> members = MembersOf(key);
    for (const auto& [id, follower] : group.followers) follower.Tell({key, members});
  }
  void Remove(const std::string& key, ActorId member) {
    groups_.at(key).members.erase(member);
    TellFollowers(key);
    DropIfUnused(key);
  }
  void StopTelling(const std::string& key, ActorId follower) {
    groups_.at(key).followers.erase(follower);
    DropIfUnused(key);
  }
  void DropIfUnused(const std::string& key) {
    auto group = groups_.find(key);
    if (group->second.members.empty() && group->second.followers.empty()) groups_.erase(group);
  }

  std::map<std::string, Group> groups_;
  std::map<ActorId, Known> known_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_GROUPS_H_
