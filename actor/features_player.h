// The actor of features_world.h, re-entrant or not: it uses everything at random, and reports it to its world.
#ifndef TROUPE_ACTOR_FEATURES_PLAYER_H_
#define TROUPE_ACTOR_FEATURES_PLAYER_H_

#include <cstddef>
#include <vector>

#include "actor/actor.h"
#include "actor/features_messages.h"
#include "actor/stream.h"

namespace troupe::testing {

class FeaturesWorld;

template <bool kMayReenter>
class Player;
using Calm = Player<false>;
using Juggler = Player<true>;

// Lives as long as one coroutine does.
class CoroutineGuard {
 public:
  CoroutineGuard(FeaturesWorld& world, int number, LocalCell& cell);
  CoroutineGuard(const CoroutineGuard&) = delete;
  ~CoroutineGuard();
  void Waits() { waits_ = true; }
  void GoesOn();

 private:
  FeaturesWorld& world_;
  const int number_;
  const int incarnation_;
  LocalCell& cell_;
  bool waits_ = false;
  const Token token_;
};

template <bool kMayReenter>
class Player : public Actor<Player<kMayReenter>> {
 public:
  static constexpr bool kReentrant = kMayReenter;
  static constexpr size_t kStashLimit = 4;
  static constexpr size_t kMaxBatch = 4;
  using Context = ActorContext<Player>;

  Player(FeaturesWorld* world, int number);
  ~Player() override;
  void Started(Context& context);
  void Stopping(Context& context);
  void Restarting(const absl::Status& failure, Context& context);
  int Handle(Quick quick, Context& context);
  Task<int> Handle(Work work, Context& context);
  void Handle(Question question, Reply<int> reply, Context& context);
  void Handle(Batch<Parcel>& parcels, Context& context);
  void Handle(Push push, Context& context);
  Task<> Handle(Rush rush, Context& context);
  void Handle(Chime chime, Context& context);
  void Handle(IdleTimeout, Context& context);
  void Handle(Terminated terminated, Context& context);
  void Handle(NameChanged<Calm> changed, Context& context);
  void Handle(StreamItem<Piece> item, Context& context);
  void Handle(StreamFinished<Piece> end, Context& context);
  void Handle(StreamFailed<Piece> end, Context& context);
  Task<> Handle(StreamItem<Slice> item, Context& context);

 private:
  Task<> Steps(Context& context, CoroutineGuard& guard, int depth);
  void Act(Context& context);
  void ActOnce(Context& context);
  void SpawnChild(Context& context);
  void AddStream(Context& context);
  void ArmTimer(Context& context);
  void RunBlocking(Context& context);
  LocalCell& cell(Context& context) { return *static_cast<LocalCell*>(context.self().cell().get()); }

  FeaturesWorld& world_;
  const int number_;
  std::vector<Reply<int>> owed_;
  std::vector<Batch<Parcel>> parcels_;
  std::vector<Registration> registrations_;
  const Token token_;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_FEATURES_PLAYER_H_
