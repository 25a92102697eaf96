// A pool: an actor that spawns equal members and hands each message that it gets to one of them, or to all.
//
//   using Workers = troupe::Pool<Worker>;
//   PoolOptions options{.size = 8, .routing = Routing::kLeastBusy};
//   Address<Workers> workers = system.Spawn<Workers>(options, what_each_worker_is_made_from);
//   workers.Tell(Job{...});              // what a Worker handles, its pool handles
//   workers.Ask(Job{...}).Then(...);     // the member's answer
//   workers.Ask(ResizePool{16});
#ifndef TROUPE_ACTOR_POOL_H_
#define TROUPE_ACTOR_POOL_H_

#include <algorithm>
#include <atomic>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/gather.h"
#include "actor/random.h"
#include "actor/router.h"
#include "actor/supervision.h"

namespace troupe {

inline constexpr size_t kMaxPoolSize = 10'000;

struct PoolOptions {
  size_t size = 4;  // from 1 to kMaxPoolSize; what lies outside is brought to the nearest
  Routing routing = Routing::kRoundRobin;
  // How members are spawned and what their failures do. One that restarts keeps its place and its mailbox; one that
  // terminates is replaced, so often as restart_limit allows a restart, and after that the pool fails in its turn.
  SpawnOptions member = {};
  // How long a member that a smaller size leaves over may take for what waits in its mailbox.
  Duration drain_timeout = absl::Seconds(5);
  // For kRandom.
  uint64_t seed = 0;
};

// kInvalidArgument: not from 1 to kMaxPoolSize. Members that go are the ones that came last; they get nothing new, and
// terminate once they have handled what waits.
struct ResizePool {
  using Result = void;
  size_t size = 0;
};

struct PoolStats {
  size_t size = 0;
  size_t draining = 0;
  uint64_t routed = 0;
  uint64_t unroutable = 0;  // kConsistentHash, and the message has no key
  uint64_t replaced = 0;
};
struct GetPoolStats {
  using Result = PoolStats;
};

// A message that kConsistentHash can route.
template <typename M>
concept HasRoutingKey = requires(const M& message) {
  { message.RoutingKey() } -> std::convertible_to<std::string_view>;
};

namespace internal {

struct CheckDraining {
  static constexpr bool kControl = true;
};

}  // namespace internal

//   Ordering: what one sender sends reaches a member in that order; between members there is none.
//   Limits:   the pool's mailbox and the members' are bounded, each in its own way. A member that refuses is not asked
//             twice: the asker gets the refusal, and a Tell becomes a dead letter. So TellWait is no back-pressure: its
//             OK means that the pool has the message, which a member may still refuse.
//   Asks:     a member has the time that the asker gave. kBroadcast answers when all members have answered, or at the
//             first failure (the others still get the message); kScatterGather at the first success, or with the last
//             failure when there is none.
template <typename W>
class Pool : public Actor<Pool<W>> {
 public:
  using Context = typename Actor<Pool<W>>::Context;

  // Each member is constructed from copies of the arguments.
  template <typename... Args>
  requires std::constructible_from<W, Args...>
  explicit Pool(PoolOptions options, Args... args)
      : options_(options),
        spawn_([member = options.member, args...](Context& context) {
          return context.template Spawn<W>(member, args...);
        }),
        replacements_(options.member.restart_limit),
        random_(options.seed) {}

  void Started(Context& context) { Grow(std::clamp<size_t>(options_.size, 1, kMaxPoolSize), context); }

  template <typename M>
  requires(Handles<W, M> && !std::same_as<M, Terminated>) void Handle(M message, Reply<ResultOf<M>> reply, Context&) {
    ++stats_.routed;
    if (options_.routing == Routing::kBroadcast || options_.routing == Routing::kScatterGather) {
      if constexpr (std::copy_constructible<M>) {
        SendToAll(std::move(message), std::move(reply));
      } else {
        Refuse("the message cannot be copied, so it cannot go to all members", std::move(reply));
      }
      return;
    }
    const std::optional<size_t> member = Pick(message);
    if (!member) return Refuse("the message has no RoutingKey, so no hash can route it", std::move(reply));
    if (reply.asked()) {
      const Instant deadline = reply.deadline();
      AskMember(*member, std::move(message), deadline,
                [reply = std::move(reply)](Outcome<ResultOf<M>> outcome) mutable { reply(std::move(outcome)); });
    } else if (options_.routing == Routing::kLeastBusy) {
      // Asked, although nobody wants the answer: it says when the member is less busy again. Without a
      // deadline, since a message that was told does not spoil.
      AskMember(*member, std::move(message), Instant::Never(), [](const Outcome<ResultOf<M>>&) {});
    } else {
      members_[*member].address.Tell(std::move(message));
    }
  }

  absl::Status Handle(ResizePool resize, Context& context) {
    if (resize.size < 1 || resize.size > kMaxPoolSize) {
      return absl::InvalidArgumentError("a pool has from 1 to 10000 members");
    }
    Grow(resize.size, context);
    if (members_.size() > resize.size && draining_.empty()) context.After(kDrainCheck, internal::CheckDraining{});
    while (members_.size() > resize.size) {
      draining_.push_back({std::move(members_.back()), context.Now() + options_.drain_timeout});
      members_.pop_back();
    }
    return absl::OkStatus();
  }

  PoolStats Handle(GetPoolStats, Context&) {
    stats_.size = members_.size();
    stats_.draining = draining_.size();
    return stats_;
  }

  // The end of one that was draining is in order, and none of these.
  void Handle(Terminated terminated, Context& context) {
    for (Member& member : members_) {
      if (member.address.id() != terminated.id) continue;
      if (!replacements_.Spend(context.Now())) {
        return context.Fail(absl::UnavailableError("members of the pool terminate too often"));
      }
      member = SpawnMember(context);
      ++stats_.replaced;
    }
  }

  void Handle(internal::CheckDraining, Context& context) {
    std::erase_if(draining_, [now = context.Now()](const Draining& draining) {
      const Member& member = draining.member;
      if (!member.address.alive()) return true;
      if (now >= draining.deadline) {
        member.address.Stop();
        return true;
      }
      // It ends with what it has begun, too. More than once is once.
      if (member.load->load() == 0) std::static_pointer_cast<LocalCell>(member.address.cell())->Drain();
      return false;
    });
    if (!draining_.empty()) context.After(kDrainCheck, internal::CheckDraining{});
  }

 private:
  // An answer that a member owes may wait for anything, so the pool looks whether there are such.
  static constexpr Duration kDrainCheck = absl::Milliseconds(10);

  struct Member {
    Address<W> address;
    // Asks under way. Shared with their answers, which come on the members' threads.
    std::shared_ptr<std::atomic<size_t>> load;
  };
  struct Draining {
    Member member;
    Instant deadline;
  };

  Member SpawnMember(Context& context) {
    Member member{spawn_(context), std::make_shared<std::atomic<size_t>>(0)};
    context.Watch(member.address);
    return member;
  }
  void Grow(size_t size, Context& context) {
    while (members_.size() < size) members_.push_back(SpawnMember(context));
  }

  // Nothing: the message cannot be routed.
  template <typename M>
  std::optional<size_t> Pick(const M& message) {
    switch (options_.routing) {
      case Routing::kLeastBusy: {
        std::vector<size_t> loads;
        for (const Member& member : members_) loads.push_back(member.load->load());
        return LeastBusy(loads, rotation_.Next(members_.size()));
      }
      case Routing::kRandom:
        return random_.Below(members_.size());
      case Routing::kConsistentHash:
        if constexpr (HasRoutingKey<M>) {
          return ConsistentHash(HashOfKey(message.RoutingKey()), members_.size());
        } else {
          return std::nullopt;
        }
      default:
        return rotation_.Next(members_.size());
    }
  }

  template <typename M, typename F>
  void AskMember(size_t index, M message, Instant deadline, F callback) {
    const Member& member = members_[index];
    auto [answer, reply] = MakeFuture<ResultOf<M>>(member.address.cell()->executor(), deadline);
    member.load->fetch_add(1);
    // Not Context::Then: the answer need not take a turn of the pool, nor wait for one.
    std::move(answer).Then([load = member.load, callback = std::move(callback)](Outcome<ResultOf<M>> outcome) mutable {
      load->fetch_sub(1);
      callback(std::move(outcome));
    });
    member.address.Forward(std::move(message), std::move(reply));
  }

  template <typename M>
  void SendToAll(M message, Reply<ResultOf<M>> reply) {
    if (!reply.asked()) {
      for (const Member& member : members_) member.address.Tell(M(message));
      return;
    }
    using Gathered = Gather<ResultOf<M>>;
    const auto decides =
        options_.routing == Routing::kScatterGather ? Gathered::Decides::kSuccess : Gathered::Decides::kFailure;
    const Instant deadline = reply.deadline();
    auto gather = std::make_shared<Gathered>(members_.size(), decides, std::move(reply));
    for (size_t i = 0; i < members_.size(); ++i) {
      AskMember(i, M(message), deadline, [gather](Outcome<ResultOf<M>> outcome) { gather->Add(std::move(outcome)); });
    }
  }

  template <typename R>
  void Refuse(std::string_view why, Reply<R> reply) {
    ++stats_.unroutable;
    reply(absl::InvalidArgumentError(std::string(why)));
  }

  const PoolOptions options_;
  const std::function<Address<W>(Context&)> spawn_;
  RestartBudget replacements_;
  Random random_;
  Rotation rotation_;
  std::vector<Member> members_;
  std::vector<Draining> draining_;
  PoolStats stats_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_POOL_H_
