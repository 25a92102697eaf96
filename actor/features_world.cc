#include "actor/features_world.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "actor/end_of_turn.h"

namespace troupe::testing {
namespace {

constexpr int kMaxPlayers = 40;
constexpr int kMaxDepth = 3;

}  // namespace

// Hears of the end of every player, from outside of the system.
class FeaturesWorld::Spy : public Cell {
 public:
  explicit Spy(FeaturesWorld& world) : world_(world) {}
  bool Deliver(std::unique_ptr<Envelope>) override { return false; }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  void NotifyTerminated(ActorId who, absl::Status) override { world_.HasTerminated(who); }
  ActorId id() const override { return {std::numeric_limits<uint64_t>::max()}; }
  bool alive() const override { return true; }
  std::string label() const override { return "spy"; }
  Executor& executor() override { return world_.test_.executor; }

 private:
  FeaturesWorld& world_;
};

FeaturesWorld::FeaturesWorld(uint64_t seed, bool talks, int64_t* live)
    : live_(live),
      test_(seed),
      talks_(talks),
      random_(test_.simulator.StreamFor("world")),
      spy_(std::make_shared<Spy>(*this)),
      hook_(std::make_shared<BatchHook>()) {
  test_.system.OnDeadLetter([this](const DeadLetter& letter) {
    ++dead_letters_[letter.reason];
    Say(letter.recipient.c_str(), -1);
  });
}

FeaturesWorld::~FeaturesWorld() { torn_down_ = true; }

std::shared_ptr<EndOfTurnHook> FeaturesWorld::Hook() {
  hook_->asked_for = true;
  return hook_;
}

void FeaturesWorld::MayFail(int number, const char* where, LocalCell* cell) {
  if (energy_ <= 0 || !random_.PerMille(crash_per_mille_)) return;
  Count(where);
  Say(where, number);
  if (cell != nullptr && random_.PerMille(400)) return cell->Fail(absl::AbortedError(where));
  throw std::runtime_error(where);
}

SpawnOptions FeaturesWorld::DrawOptions(int number) {
  static constexpr Overflow kOverflows[] = {Overflow::kReject, Overflow::kDropNewest, Overflow::kDropOldest};
  SpawnOptions options;
  options.mailbox_capacity = 1 + random_.Below(random_.PerMille(500) ? 3 : 16);
  options.overflow = kOverflows[random_.Below(3)];
  options.restart_limit = {.max_restarts = static_cast<int>(2 + random_.Below(10)), .within = absl::Seconds(1)};
  if (random_.PerMille(300)) {
    options.restart_backoff = {.initial = absl::Milliseconds(1 + random_.Below(300)), .max = absl::Seconds(1)};
  }
  options.children = static_cast<Strategy>(random_.Below(3));
  options.children_limit = {.max_restarts = static_cast<int>(2 + random_.Below(10)), .within = absl::Seconds(1)};
  if (random_.PerMille(200)) {
    options.on_failure = OnFailure::kResume;
    return options;
  }
  options.decide = [this, number](const Failure& failure) { return Decided(number, failure); };
  return options;
}

int FeaturesWorld::Prepare(int parent) {
  const int depth = parent < 0 ? 1 : players_[parent].depth + 1;
  if (players_.size() >= kMaxPlayers || depth > kMaxDepth) return -1;
  PlayerRecord& player = players_.emplace_back();
  player.depth = depth;
  player.reentrant = random_.PerMille(400);
  return static_cast<int>(players_.size()) - 1;
}

void FeaturesWorld::Adopt(int number, std::shared_ptr<Cell> cell) {
  by_id_[cell->id()] = number;
  players_[number].cell = cell;
  cell->AddWatcher(spy_);
}

void FeaturesWorld::SpawnOutside() {
  const int number = Prepare(-1);
  if (number < 0) return;
  PlayerRecord& player = players_[number];
  if (player.reentrant) {
    player.juggler = test_.system.Spawn<Juggler>(DrawOptions(number), this, number);
    Adopt(number, player.juggler.cell());
  } else {
    player.calm = test_.system.Spawn<Calm>(DrawOptions(number), this, number);
    Adopt(number, player.calm.cell());
  }
}

Tag FeaturesWorld::NewTag(int sender, int target, Instant deadline) {
  const uint64_t id = messages_.size();
  MessageRecord& message = messages_.emplace_back();
  message.target = target;
  message.deadline = deadline;
  return Tag{sender, id, NewToken()};
}

void FeaturesWorld::Tell(int sender, int target) {
  const uint64_t choice = random_.Below(10);
  With(target, [&](auto& address) {
    Tag tag = NewTag(sender, target);
    if (choice < 3) return address.Tell(Quick(std::move(tag)));
    if (choice < 5) return address.Tell(Work(std::move(tag)));
    if (choice < 6) return address.Tell(Question(std::move(tag)));
    if (choice < 8) return address.Tell(Parcel(std::move(tag)));
    if (choice < 9) return address.Tell(Push(std::move(tag)));
    return address.Tell(Rush(std::move(tag)));
  });
}

Future<int> FeaturesWorld::Ask(int sender, int target, Duration timeout) {
  const uint64_t choice = random_.Below(5);
  return With(target, [&](auto& address) {
    Tag tag = NewTag(sender, target, Now() + timeout);
    if (troupe::internal::coroutine_of == address.cell().get()) NeverTold(tag.id);
    if (choice == 0) return address.Ask(Quick(std::move(tag)), timeout);
    if (choice == 1) return address.Ask(Work(std::move(tag)), timeout);
    if (choice == 2) return address.Ask(Question(std::move(tag)), timeout);
    if (choice == 3) return Recipient<Quick>(address).Ask(Quick(std::move(tag)), timeout);
    return address.Ask(Parcel(std::move(tag)), timeout);
  });
}

void FeaturesWorld::AskPlainly(int sender, int target) {
  const Duration timeout = absl::Milliseconds(1 + random_.Below(2000));
  ++asked_;
  Ask(sender, target, timeout)
      .Then([this, target, deadline = Now() + timeout, ended = false,
             token = NewToken()](absl::StatusOr<int> outcome) mutable {
        if (torn_down_) return;
        CheckOutcome(target, outcome);
        Expect(!std::exchange(ended, true), "an ask was answered twice", target);
        Expect(Now() <= deadline, "an ask ended after its deadline", target);
        ++answered_;
      });
}

void FeaturesWorld::CheckOutcome(int target, const absl::StatusOr<int>& outcome) {
  Expect(!absl::StrContains(outcome.status().message(), kFromTheGrave),
         "failed for what a coroutine said while it was ended", target);
}

void FeaturesWorld::Stop(int target) {
  Say("is told to stop", target);
  players_[target].must_end = true;
  players_[target].cell->Stop();
}

void FeaturesWorld::Drain(int target) {
  if (!random_.PerMille(40)) return;
  Say("is told to drain", target);
  Count("drained");
  players_[target].must_end = true;
  static_cast<LocalCell&>(*players_[target].cell).Drain();
}

void FeaturesWorld::ClaimName(int target, std::vector<Registration>* keep) {
  const std::string name = AnyName();
  absl::StatusOr<Registration> claimed = With(target, [&](auto& address) { return test_.system.Claim(name, address); });
  if (!claimed.ok()) return;
  Count("names claimed");
  if (random_.PerMille(300)) return std::move(*claimed).Keep();
  auto& registrations = keep == nullptr ? registrations_ : *keep;
  registrations.push_back(*std::move(claimed));
  if (random_.PerMille(300)) registrations.erase(registrations.begin());
}

template <typename T>
void FeaturesWorld::PushItem(StreamRecord& stream, std::optional<StreamSink<T>>& sink) {
  T item{stream.pushed, NewToken()};
  const absl::Status pushed = sink->TryPush(std::move(item));
  if (pushed.ok()) {
    ++stream.pushed;
    Expect(stream.automatic || stream.pushed <= stream.requested, "took more than was asked for", stream.consumer);
    return;
  }
  Expect(absl::IsUnavailable(pushed) == sink->cancelled(), "a sink contradicts itself", stream.consumer);
}
template void FeaturesWorld::PushItem(StreamRecord&, std::optional<StreamSink<Piece>>&);

void FeaturesWorld::Feed() {
  StreamRecord* stream = AnyStream();
  if (stream == nullptr || stream->ended) return;
  auto feed = [&](auto& sink) {
    if (random_.PerMille(850)) {
      for (uint64_t items = 1 + random_.Below(4); items > 0; --items) PushItem(*stream, sink);
      return;
    }
    stream->ended = true;
    switch (random_.Below(3)) {
      case 0:
        stream->finished = true;
        sink->Finish();
        break;
      case 1:
        sink->Fail(absl::DataLossError("torn"));
        break;
    }
    sink.reset();
  };
  stream->pieces.has_value() ? feed(stream->pieces) : feed(stream->slices);
}

void FeaturesWorld::HoldUp(int target) {
  const uint64_t id = players_[target].cell->id().value;
  const uint32_t node = test_.executor.node();
  held_up_ = true;
  switch (random_.Below(4)) {
    case 0:
      return test_.simulator.Pause(node, id);
    case 1:
      return test_.simulator.Resume(node, id);
    case 2:
      return test_.simulator.Slow(node, id, absl::Milliseconds(5 * random_.Below(10)));
    case 3:
      test_.simulator.StepOne(node, id);
      return;
  }
}

void FeaturesWorld::LetAllGo() {
  for (const PlayerRecord& player : players_) {
    test_.simulator.Slow(test_.executor.node(), player.cell->id().value, absl::ZeroDuration());
    test_.simulator.Resume(test_.executor.node(), player.cell->id().value);
  }
}

void FeaturesWorld::BeginShutdown() {
  Say("shutdown", -1);
  shutting_down_ = true;
  if (random_.PerMille(400)) return test_.system.BeginShutdown();
  shutdown_.emplace(test_.system);
  static constexpr std::string_view kPhases[] = {kStopTakingWork, kDrain, kStopActors};
  for (uint64_t tasks = random_.Below(5); tasks > 0; --tasks) {
    const int target = AnyPlayer();
    const std::string_view phase = kPhases[random_.Below(3)];
    With(target, [&](auto& address) {
      return random_.PerMille(600) ? shutdown_->DrainActor(phase, address) : shutdown_->StopActor(phase, address);
    }).IgnoreError();
  }
  shutdown_
      ->AddBlockingTask(kAfterActors, "look",
                        [this] {
                          Expect(held_up_ || test_.system.terminated(),
                                 "an actor is there after the phase that ends all", -1);
                          return absl::OkStatus();
                        })
      .IgnoreError();
  shutdown_->Begin();
}

void FeaturesWorld::ActOutside() {
  const int target = AnyPlayer();
  switch (random_.Below(14)) {
    case 0:
      if (random_.PerMille(500)) SpawnOutside();
      return;
    case 1:
      if (random_.PerMille(60)) Stop(target);
      return;
    case 2:
      return Drain(target);
    case 3:
    case 4:
      return AskPlainly(-1, target);
    case 5:
      return HoldUp(target);
    case 6:
      return ClaimName(target, nullptr);
    case 7:
    case 8:
      return Feed();
    default:
      return Tell(-1, target);
  }
}

// The run.

std::string FeaturesWorld::Run() {
  energy_ = 100 + static_cast<int>(random_.Below(2000));
  crash_per_mille_ = random_.PerMille(200) ? 0 : random_.Below(60);
  for (uint64_t tops = 2 + random_.Below(4); tops > 0; --tops) SpawnOutside();
  const uint64_t events = 50 + random_.Below(500);
  const uint64_t end = random_.PerMille(600) ? random_.Below(events) : events;
  for (uint64_t event = 0; event < events && broken_.empty(); ++event) {
    if (event == end) BeginShutdown();
    ActOutside();
    if (random_.PerMille(300)) {
      uint64_t steps = random_.Below(30);
      test_.simulator.RunUntil([&] { return steps-- == 0; }, absl::Milliseconds(100));
    } else if (random_.PerMille(300)) {
      test_.simulator.RunFor(absl::Milliseconds(10 * random_.Below(20)));
    }
  }
  energy_ = 0;
  LetAllGo();
  if (!shutting_down_) {
    // Now and then past the tick of a calendar.
    test_.simulator.RunFor(random_.PerMille(100) ? absl::Seconds(65) : absl::Seconds(8));
    CheckQuiet();
    BeginShutdown();
  }
  // As long as all phases together.
  test_.simulator.RunFor(absl::Seconds(35));
  CheckOver();
  return broken_;
}

}  // namespace troupe::testing
