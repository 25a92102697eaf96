// What the players do in their callbacks.
#include <stdexcept>

#include "actor/features_world.h"

namespace troupe::testing {

CoroutineGuard::CoroutineGuard(FeaturesWorld& world, int number, LocalCell& cell)
    : world_(world),
      number_(number),
      incarnation_(world.player(number).attempts),
      cell_(cell),
      token_(world.NewToken()) {
  world_.CoroutineBegan(number_);
}

CoroutineGuard::~CoroutineGuard() {
  world_.CoroutineEnded(number_, incarnation_);
  if (!waits_) return;
  world_.Count("coroutines ended where they wait");
  // What it says now is no failure of anybody's any more.
  if (world_.random().PerMille(200)) cell_.Fail(absl::AbortedError(kFromTheGrave));
}

void CoroutineGuard::GoesOn() {
  waits_ = false;
  world_.CoroutineGoesOn(number_, incarnation_);
}

template <bool R>
Player<R>::Player(FeaturesWorld* world, int number) : world_(*world), number_(number), token_(world->NewToken()) {
  world_.Constructing(number_);
  world_.MayFail(number_, "constructor", nullptr);
  world_.Constructed(number_);
}
template <bool R>
Player<R>::~Player() {
  world_.Destroyed(number_);
}

template <bool R>
void Player<R>::Started(Context& context) {
  world_.Begins(number_);
  if (world_.random().PerMille(200)) AddStream(context);
  Act(context);
  world_.MayFail(number_, "Started", &cell(context));
}
template <bool R>
void Player<R>::Stopping(Context& context) {
  world_.Ends(number_, "Stopping");
  Act(context);
  world_.MayFail(number_, "Stopping", &cell(context));
}
template <bool R>
void Player<R>::Restarting(const absl::Status&, Context& context) {
  world_.Ends(number_, "Restarting");
  Act(context);
  world_.MayFail(number_, "Restarting", &cell(context));
}

template <bool R>
int Player<R>::Handle(Quick quick, Context& context) {
  world_.Arrived(number_, quick.tag, /*control=*/false);
  if (world_.random().PerMille(200) && world_.Spend()) {
    const uint64_t id = quick.tag.id;
    world_.StashTried(number_, id, context.Stash(std::move(quick)));
  } else {
    Act(context);
  }
  world_.MayFail(number_, "handler", &cell(context));
  return number_;
}

template <bool R>
Task<int> Player<R>::Handle(Work work, Context& context) {
  world_.Arrived(number_, work.tag, /*control=*/false);
  CoroutineGuard guard(world_, number_, cell(context));
  guard.Waits();
  co_await Steps(context, guard, 0);
  guard.GoesOn();
  if (context.failing() || world_.player(number_).stop_asked) {
    guard.Waits();
    co_await context.Sleep(absl::ZeroDuration());
    world_.Expect(false, "a coroutine went on after it had failed or stopped its actor", number_);
  }
  if (world_.random().PerMille(100) && world_.Spend()) {
    const uint64_t id = work.tag.id;
    world_.StashTried(number_, id, context.Stash(std::move(work)));
  }
  world_.MayFail(number_, "coroutine", &cell(context));
  co_return number_;
}

template <bool R>
void Player<R>::Handle(Question question, Reply<int> reply, Context& context) {
  world_.Arrived(number_, question.tag, /*control=*/false);
  if (!owed_.empty() && world_.random().PerMille(500)) {
    owed_.back()(number_);
    owed_.pop_back();
  }
  const uint64_t choice = world_.random().Below(10);
  if (choice < 4 && world_.Spend()) {
    const int target = world_.AnyPlayer();
    Tag tag = world_.NewTag(number_, target, reply.deadline());
    world_.Count("forwarded");
    world_.With(target, [&](auto& address) { return address.Forward(Question(std::move(tag)), std::move(reply)); });
  } else if (choice == 4 && world_.Spend()) {
    const uint64_t id = question.tag.id;
    world_.StashTried(number_, id, context.Stash(std::move(question), std::move(reply)));
  } else if (choice == 5) {
    world_.Refused(number_, question.tag);
    context.Refuse(std::move(question), std::move(reply));
  } else {
    owed_.push_back(std::move(reply));
  }
  world_.MayFail(number_, "handler", &cell(context));
}

template <bool R>
void Player<R>::Handle(Batch<Parcel>& parcels, Context& context) {
  for (auto& [parcel, reply] : parcels) {
    world_.Arrived(number_, parcel.tag, /*control=*/false);
    if (world_.random().PerMille(300)) reply(number_);
  }
  if (parcels.size() > 1) world_.Count("batches of several");
  world_.Expect(parcels.size() <= kMaxBatch, "a batch is larger than it may be", number_);
  if (world_.random().PerMille(300)) {
    parcels_.push_back(std::move(parcels));
  } else if (world_.random().PerMille(500)) {
    parcels.Answer(number_);
  }
  if (world_.random().PerMille(100)) parcels_.clear();
  Act(context);
  world_.MayFail(number_, "batch", &cell(context));
}

template <bool R>
void Player<R>::Handle(Push push, Context& context) {
  world_.Arrived(number_, push.tag, /*control=*/true);
  if (world_.random().PerMille(200)) {
    context.UnstashAll();
    world_.Unstashed(number_);
  }
  world_.MayFail(number_, "control handler", &cell(context));
}

template <bool R>
Task<> Player<R>::Handle(Rush rush, Context& context) {
  world_.Arrived(number_, rush.tag, /*control=*/true);
  CoroutineGuard guard(world_, number_, cell(context));
  guard.Waits();
  co_await Steps(context, guard, 1);
  guard.GoesOn();
  if (!context.failing()) world_.MayFail(number_, "control coroutine", &cell(context));
}

template <bool R>
void Player<R>::Handle(Chime chime, Context& context) {
  world_.Chimed(number_, chime.key);
  Act(context);
  world_.MayFail(number_, "timer", &cell(context));
}
template <bool R>
void Player<R>::Handle(IdleTimeout, Context& context) {
  world_.WasIdle(number_);
  Act(context);
  world_.MayFail(number_, "idle timeout", &cell(context));
}
template <bool R>
void Player<R>::Handle(Terminated terminated, Context& context) {
  world_.Noticed(number_, terminated.id);
  world_.MayFail(number_, "notice", &cell(context));
}
template <bool R>
void Player<R>::Handle(NameChanged<Calm> changed, Context& context) {
  world_.NameIs(number_, changed.name, changed.address);
  world_.MayFail(number_, "name change", &cell(context));
}

template <bool R>
void Player<R>::Handle(StreamItem<Piece> item, Context& context) {
  world_.Took(number_, item.stream, item.item.number, /*slice=*/false);
  if (world_.random().PerMille(500)) Act(context);
  world_.MayFail(number_, "stream item", &cell(context));
}
template <bool R>
void Player<R>::Handle(StreamFinished<Piece> end, Context& context) {
  world_.StreamEnded(number_, end.stream, /*finished=*/true);
  world_.MayFail(number_, "stream end", &cell(context));
}
template <bool R>
void Player<R>::Handle(StreamFailed<Piece> end, Context& context) {
  world_.StreamEnded(number_, end.stream, /*finished=*/false);
  world_.MayFail(number_, "stream end", &cell(context));
}
template <bool R>
Task<> Player<R>::Handle(StreamItem<Slice> item, Context& context) {
  world_.Took(number_, item.stream, item.item.number, /*slice=*/true);
  CoroutineGuard guard(world_, number_, cell(context));
  guard.Waits();
  co_await Steps(context, guard, 1);
  guard.GoesOn();
  if (!context.failing()) world_.MayFail(number_, "stream item that waits", &cell(context));
}

// Leaves the guard waiting: the caller waits for this.
template <bool R>
Task<> Player<R>::Steps(Context& context, CoroutineGuard& guard, int depth) {
  Random& random = world_.random();
  for (uint64_t steps = random.Below(3); steps > 0; --steps) {
    const int target = world_.AnyPlayer();
    const Duration timeout = absl::Milliseconds(1 + random.Below(1500));
    switch (random.Below(6)) {
      case 0:
        co_await context.Sleep(absl::Milliseconds(10 * random.Below(40)));
        break;
      case 1: {
        Future<int> answer = world_.Ask(number_, target, timeout);
        absl::StatusOr<int> outcome = co_await std::move(answer);
        world_.CheckOutcome(target, outcome);
        world_.Count("asks awaited");
        break;
      }
      case 2: {
        auto work = [fails = random.PerMille(200), token = world_.NewToken()]() -> absl::StatusOr<int> {
          if (fails) throw std::runtime_error("blocking work failed");
          return 7;
        };
        absl::StatusOr<int> read = co_await context.Blocking(std::move(work));
        world_.Expect(!read.ok() || *read == 7, "blocking work gave something else", number_);
        break;
      }
      case 3: {
        // When it is told, and whether, turns out later.
        Tag tag = world_.NewTag(Tag::kUnordered, target);
        const uint64_t id = tag.id;
        world_.NeverTold(id);
        absl::Status told;
        if (world_.player(target).reentrant) {
          told = co_await world_.player(target).juggler.template TellWithin<Quick>(timeout, std::move(tag));
        } else {
          told = co_await world_.player(target).calm.template TellWithin<Quick>(timeout, std::move(tag));
        }
        world_.Told(id);
        break;
      }
      case 4:
        if (depth < 3) co_await Steps(context, guard, depth + 1);
        break;
      case 5: {
        StreamRecord* stream = world_.AnyStream();
        if (stream == nullptr || !stream->pieces.has_value()) break;
        Future<void> ready = stream->pieces->Ready(timeout);
        absl::Status status = co_await std::move(ready);
        if (status.ok() && stream->pieces.has_value()) world_.PushItem(*stream, stream->pieces);
        break;
      }
    }
    guard.GoesOn();
    if (context.failing() || world_.player(number_).stop_asked) break;
    if (random.PerMille(300)) Act(context);
    world_.MayFail(number_, "step", &cell(context));
    if (context.failing() || world_.player(number_).stop_asked) break;
    guard.Waits();
  }
}

template <bool R>
void Player<R>::Act(Context& context) {
  for (uint64_t times = world_.random().Below(3); times > 0 && world_.Spend(); --times) ActOnce(context);
}

template <bool R>
void Player<R>::ActOnce(Context& context) {
  PlayerRecord& own = world_.player(number_);
  const int target = world_.AnyPlayer();
  switch (world_.random().Below(24)) {
    case 0:
    case 1:
      return SpawnChild(context);
    case 2:
    case 3:
    case 4:
    case 5:
      return world_.Tell(number_, target);
    case 6:
      return world_.AskPlainly(number_, target);
    case 7:
      return context.Then(
          world_.Ask(number_, target, absl::Milliseconds(1 + world_.random().Below(1500))),
          [this, context, token = world_.NewToken(), incarnation = own.attempts](absl::StatusOr<int>) mutable {
            world_.Callback(number_, "is called back");
            world_.Expect(world_.player(number_).attempts == incarnation, "called back too late", number_);
            world_.MayFail(number_, "continuation", &cell(context));
          });
    case 8:
      if (target == number_) return;
      own.watches.insert(target);
      return world_.With(target, [&](auto& address) { context.Watch(address); });
    case 9:
      own.watches.erase(target);
      return world_.With(target, [&](auto& address) { context.Unwatch(address); });
    case 10:
    case 11:
      return ArmTimer(context);
    case 12:
      return RunBlocking(context);
    case 13:
      if (world_.random().PerMille(60)) world_.Stop(target);
      return;
    case 14:
      if (!world_.random().PerMille(50)) return;
      context.Stop();
      own.must_end = true;
      own.stop_asked = !own.hook_ran;
      return;
    case 15:
      world_.Drain(target);
      return;
    case 16:
      context.UnstashAll();
      return world_.Unstashed(number_);
    case 17:
      if (world_.random().PerMille(700)) {
        const Duration limit = absl::Milliseconds(100 + 100 * world_.random().Below(10));
        context.SetIdleTimeout(limit);
        own.idle_limit = limit;
        own.idle_since = context.Now();
      } else {
        context.CancelIdleTimeout();
        own.idle_limit.reset();
      }
      return;
    case 18:
      return AddStream(context);
    case 19: {
      StreamRecord* stream = world_.AnyStream();
      if (stream == nullptr || stream->consumer != number_ || stream->incarnation != own.attempts) return;
      if (world_.random().PerMille(500)) {
        if (context.CancelStream(stream->id)) stream->cancelled = true;
      } else if (!stream->automatic) {
        const uint64_t items = 1 + world_.random().Below(4);
        if (context.Request(stream->id, items)) stream->requested += items;
      }
      return;
    }
    case 20:
      return world_.Feed();
    case 21:
      return world_.ClaimName(target, world_.random().PerMille(500) ? &registrations_ : nullptr);
    case 22: {
      const std::string name = world_.AnyName();
      if (world_.random().PerMille(700)) {
        own.following.emplace(name, std::nullopt);
        context.template FollowName<Calm>(name);
      } else {
        own.following.erase(name);
        context.template UnfollowName<Calm>(name);
      }
      return;
    }
    case 23:
      own.tokens.push_back(context.StopToken());
      return context.AtEndOfTurn(world_.Hook());
  }
}

template <bool R>
void Player<R>::SpawnChild(Context& context) {
  const int child = world_.Prepare(number_);
  if (child < 0) return;
  PlayerRecord& record = world_.player(child);
  const SpawnOptions options = world_.DrawOptions(child);
  if (record.reentrant) {
    record.juggler = context.template Spawn<Juggler>(options, &world_, child);
    world_.Adopt(child, record.juggler.cell());
  } else {
    record.calm = context.template Spawn<Calm>(options, &world_, child);
    world_.Adopt(child, record.calm.cell());
  }
}

template <bool R>
void Player<R>::AddStream(Context& context) {
  StreamRecord& record = world_.NewStream();
  record.consumer = number_;
  record.incarnation = world_.player(number_).attempts;
  record.automatic = world_.random().PerMille(600);
  const StreamDemand demand = record.automatic ? StreamDemand::kAutomatic : StreamDemand::kOnRequest;
  const size_t capacity = 1 + world_.random().Below(6);
  if (world_.random().PerMille(600)) {
    auto [sink, stream] = MakeStream<Piece>(context.system(), capacity);
    record.pieces.emplace(std::move(sink));
    record.id = context.AddStream(std::move(stream), demand);
  } else {
    auto [sink, stream] = MakeStream<Slice>(context.system(), capacity);
    record.slice = true;
    record.slices.emplace(std::move(sink));
    record.id = context.AddStream(std::move(stream), demand);
  }
}

template <bool R>
void Player<R>::ArmTimer(Context& context) {
  auto& timers = world_.player(number_).timers;
  if (!timers.empty() && world_.random().PerMille(300)) {
    world_.Expect(context.Cancel(timers.begin()->second.id), "a timer that runs could not be cancelled", number_);
    timers.erase(timers.begin());
    return;
  }
  const uint64_t key = world_.NewKey();
  const Duration delay = absl::Milliseconds(50 * world_.random().Below(8));
  PlayerRecord::Timer timer;
  timer.due = context.Now() + delay;
  switch (world_.random().Below(4)) {
    case 0:
      timer.period = absl::Milliseconds(500) + delay;
      timer.due = context.Now() + timer.period;
      timer.id = context.Every(timer.period, Chime{key, world_.NewToken()});
      break;
    case 1: {
      absl::StatusOr<TimerId> cron = context.Cron("* * * * *", Chime{key, world_.NewToken()});
      world_.Expect(cron.ok(), "no cron timer", number_);
      timer.id = *cron;
      timer.period = absl::Nanoseconds(1);
      break;
    }
    default:
      timer.id = context.After(delay, Chime{key, world_.NewToken()});
  }
  timers[key] = timer;
}

template <bool R>
void Player<R>::RunBlocking(Context& context) {
  context.RunBlocking(
      [token = world_.NewToken(), fails = world_.random().PerMille(200)](std::stop_token) {
        if (fails) throw std::runtime_error("blocking work failed");
        return absl::OkStatus();
      },
      [this, context, token = world_.NewToken(), incarnation = world_.player(number_).attempts](absl::Status) mutable {
        world_.Callback(number_, "has its blocking work back");
        world_.Expect(world_.player(number_).attempts == incarnation, "work came back too late", number_);
        world_.MayFail(number_, "blocking", &cell(context));
      });
}

template class Player<false>;
template class Player<true>;

}  // namespace troupe::testing
