// The rules: what may happen to a player, and what must have happened when nothing moves any more.
#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "actor/end_of_turn.h"
#include "actor/features_world.h"

namespace troupe::testing {

void FeaturesWorld::Expect(bool rule, const char* broken, int number) {
  if (rule || torn_down_ || !broken_.empty()) return;
  broken_ = absl::StrCat("player ", number, ": ", broken, ", at ", absl::FormatDuration(Now() - Instant()));
  Say(broken, number);
}

void FeaturesWorld::Say(const char* what, int number, uint64_t detail) {
  test_.simulator.Note(/*node=*/1, static_cast<uint64_t>(number) << 32 ^ detail);
  if (!talks_) return;
  std::fprintf(stderr, "%12lld  player %d  %s %llu\n", static_cast<long long>(Now().nanos()), number, what,
               static_cast<unsigned long long>(detail));
}

// Incarnations.

void FeaturesWorld::Constructing(int number) {
  PlayerRecord& own = players_[number];
  ++own.attempts;
  Say("begins incarnation", number, static_cast<uint64_t>(own.attempts));
  Expect(!own.live && own.terminated == 0, "began before its last incarnation had ended, or after its end", number);
  own.started = own.hook_ran = own.ending = own.stop_asked = false;
}

void FeaturesWorld::Constructed(int number) { players_[number].live = true; }

void FeaturesWorld::Begins(int number) {
  PlayerRecord& own = players_[number];
  Expect(own.live && !own.started, "started twice, or without having been constructed", number);
  own.started = true;
  // What was put aside comes back first.
  Unstashed(number);
}

void FeaturesWorld::Callback(int number, const char* what) {
  PlayerRecord& own = players_[number];
  Say(what, number);
  Expect(own.live && own.started && !own.hook_ran, "ran a callback outside of its incarnation", number);
  Expect(!own.ending, "ran a callback after a failure that ends its incarnation", number);
  Expect(!own.stop_asked, "ran a callback after it had asked for its end", number);
  Expect(!static_cast<LocalCell&>(*own.cell).failure_pending(), "ran a callback that had failed already", number);
  for (const std::stop_token& token : own.tokens) {
    Expect(!token.stop_requested(), "ran a callback though its stop token says that it ends", number);
  }
}

void FeaturesWorld::Ends(int number, const char* what) {
  PlayerRecord& own = players_[number];
  Say(what, number);
  Expect(own.live && own.started && !own.hook_ran, "ran a last hook twice, or before it had started", number);
  Expect(own.coroutines == 0, "ran its last hook while a coroutine of it waits", number);
  for (const std::stop_token& token : own.tokens) {
    Expect(token.stop_requested(), "ends, and its stop token does not say so", number);
  }
  own.tokens.clear();
  own.hook_ran = true;
}

void FeaturesWorld::Destroyed(int number) {
  if (torn_down_) return;
  PlayerRecord& own = players_[number];
  if (!own.live) return;  // its constructor failed
  Say("is destroyed, incarnation", number, static_cast<uint64_t>(own.attempts));
  Expect(own.started && own.hook_ran, "was destroyed without its hooks", number);
  own.live = false;
  own.coroutines = 0;
  own.timers.clear();
  own.watches.clear();
  own.following.clear();
  own.idle_limit.reset();
  for (const std::stop_token& token : own.tokens) {
    Expect(token.stop_requested(), "has ended, and its stop token does not say so", number);
  }
  own.tokens.clear();
  for (StreamRecord& stream : streams_) {
    if (stream.consumer != number || stream.incarnation != own.attempts) continue;
    // The end that nobody has heard.
    if (!stream.ended) {
      Expect(stream.pieces.has_value() ? stream.pieces->cancelled() : stream.slices->cancelled(),
             "has ended, and the sink of its stream was not told", number);
    }
    stream.cancelled = true;
  }
}

OnFailure FeaturesWorld::Decided(int number, const Failure& failure) {
  PlayerRecord& own = players_[number];
  Say("decides on failure", number);
  Expect(!own.ending, "decides again though its incarnation ends", number);
  Expect(!absl::StrContains(failure.status().message(), kFromTheGrave),
         "failed for what a coroutine said that was being ended", number);
  static constexpr OnFailure kDecisions[] = {OnFailure::kRestart, OnFailure::kRestart, OnFailure::kRestart,
                                             OnFailure::kResume,  OnFailure::kResume,  OnFailure::kStop,
                                             OnFailure::kEscalate};
  const OnFailure decision = kDecisions[random_.Below(7)];
  own.ending = decision != OnFailure::kResume || !own.live;
  return decision;
}

void FeaturesWorld::HasTerminated(ActorId id) {
  const int number = by_id_.at(id);
  PlayerRecord& own = players_[number];
  Say("has terminated", number);
  Expect(++own.terminated == 1 && !own.live && !own.cell->alive(), "told of its end twice, or before it", number);
}

// Messages.

void FeaturesWorld::Arrived(int number, const Tag& tag, bool control) {
  Callback(number, "gets a message");
  ++handled_;
  PlayerRecord& own = players_[number];
  if (own.idle_limit.has_value()) own.idle_since = Now();
  MessageRecord& message = messages_[tag.id];
  Say("which is", number, tag.id);
  Expect(message.target == number, "got a message for another", number);
  Expect(message.state == MessageRecord::kTold || message.state == MessageRecord::kPutAside,
         "got a message twice, or one that was not told", number);
  Expect(!Expired(tag.id), "got a message whose asker had given up", number);
  if (!control) Expect(own.reentrant || own.coroutines == 0, "got a message while a coroutine of it waits", number);
  if (message.state == MessageRecord::kPutAside) {
    while (!own.replay.empty() && own.replay.front() != tag.id && Expired(own.replay.front())) own.replay.pop_front();
    Expect(!own.replay.empty() && own.replay.front() == tag.id, "got what it had put aside in another order", number);
    if (!own.replay.empty()) own.replay.pop_front();
  } else if (tag.sender != Tag::kUnordered) {
    uint64_t& last = own.last_from[{tag.sender, control}];
    Expect(tag.id > last, "got a message out of its sender's order", number);
    last = tag.id;
  }
  if (message.state == MessageRecord::kTold && !control) {
    for (uint64_t id : own.replay) Expect(Expired(id), "got a message before those that it had put aside", number);
  }
  message.state = MessageRecord::kHandled;
}

void FeaturesWorld::Refused(int, const Tag&) { ++refused_; }

void FeaturesWorld::StashTried(int number, uint64_t id, const absl::Status& status) {
  PlayerRecord& own = players_[number];
  Say("puts aside", number, id);
  if (status.ok()) {
    Count("stashed");
    messages_[id].state = MessageRecord::kPutAside;
    own.aside.push_back(id);
    return;
  }
  Expect(absl::IsResourceExhausted(status), "could not put a message aside", number);
  const auto held = std::count_if(own.aside.begin(), own.aside.end(), [&](uint64_t id) { return !Expired(id); });
  Expect(held >= static_cast<int64_t>(Calm::kStashLimit), "says that a stash is full which is not", number);
  ++stash_full_;
}

void FeaturesWorld::Unstashed(int number) {
  PlayerRecord& own = players_[number];
  own.replay.insert(own.replay.begin(), own.aside.begin(), own.aside.end());
  own.aside.clear();
}

// Coroutines.

void FeaturesWorld::CoroutineBegan(int number) {
  Count("coroutines");
  ++players_[number].coroutines;
}

void FeaturesWorld::CoroutineGoesOn(int number, int incarnation) {
  PlayerRecord& own = players_[number];
  Say("goes on with a coroutine", number);
  Expect(own.live && own.attempts == incarnation && !own.hook_ran && !own.ending,
         "went on with a coroutine of an incarnation that ends", number);
}

void FeaturesWorld::CoroutineEnded(int number, int incarnation) {
  if (torn_down_) return;
  PlayerRecord& own = players_[number];
  Expect(own.live && own.attempts == incarnation && !own.hook_ran, "ended a coroutine after its incarnation", number);
  --own.coroutines;
}

// What else comes to an incarnation.

void FeaturesWorld::CountItem(int number) {
  ++handled_;
  PlayerRecord& own = players_[number];
  if (own.idle_limit.has_value()) own.idle_since = Now();
}

void FeaturesWorld::Chimed(int number, uint64_t key) {
  Callback(number, "hears a timer");
  ++handled_;
  auto& timers = players_[number].timers;
  auto timer = timers.find(key);
  if (timer == timers.end()) return Expect(false, "heard a timer that was cancelled or another incarnation's", number);
  Expect(Now() >= timer->second.due, "heard a timer too early", number);
  timer->second.due = Now() + timer->second.period;
  if (timer->second.period == absl::ZeroDuration()) timers.erase(timer);
}

void FeaturesWorld::WasIdle(int number) {
  Callback(number, "was idle");
  ++handled_;
  Count("idle timeouts");
  PlayerRecord& own = players_[number];
  Expect(own.idle_limit.has_value(), "was told of an idle timeout that it has not set", number);
  Expect(!own.idle_limit.has_value() || Now() - own.idle_since >= *own.idle_limit, "was told too early that it is idle",
         number);
  own.idle_since = Now();
}

void FeaturesWorld::Noticed(int number, ActorId id) {
  Callback(number, "is told of an end");
  ++handled_;
  const int other = by_id_.at(id);
  Expect(players_[number].watches.erase(other) == 1, "was told twice, or of an end that it does not watch", number);
  Expect(!players_[other].cell->alive(), "was told of an end that has not come", number);
}

void FeaturesWorld::NameIs(int number, const std::string& name, const Address<Calm>& address) {
  Callback(number, "is told of a name");
  ++handled_;
  Count("names told");
  const int holder = address ? by_id_.at(address.id()) : -1;
  auto& following = players_[number].following;
  auto followed = following.find(name);
  if (followed == following.end()) return Expect(false, "was told of a name that it does not follow", number);
  Expect(followed->second != holder, "was told the same of a name twice", number);
  followed->second = holder;
}

StreamRecord* FeaturesWorld::FindStream(int number, StreamId id) {
  for (StreamRecord& stream : streams_) {
    if (stream.consumer == number && stream.id == id) return &stream;
  }
  return nullptr;
}

void FeaturesWorld::Took(int number, StreamId id, uint64_t item, bool slice) {
  Callback(number, "takes an item");
  CountItem(number);
  Count("items");
  StreamRecord* stream = FindStream(number, id);
  if (stream == nullptr) return Expect(false, "got an item of no stream of its own", number);
  PlayerRecord& own = players_[number];
  Expect(own.reentrant || own.coroutines == 0, "got an item while a coroutine of it waits", number);
  Expect(stream->incarnation == own.attempts, "got an item of an earlier incarnation's stream", number);
  Expect(!stream->cancelled && !stream->end_heard, "got an item of a stream that has ended for it", number);
  Expect(item == stream->received && item < stream->pushed && slice == stream->slice, "lost an item, or got one twice",
         number);
  ++stream->received;
}

void FeaturesWorld::StreamEnded(int number, StreamId id, bool finished) {
  Callback(number, "is told of a stream's end");
  CountItem(number);
  StreamRecord* stream = FindStream(number, id);
  if (stream == nullptr) return Expect(false, "was told of the end of no stream of its own", number);
  Expect(stream->incarnation == players_[number].attempts && !stream->cancelled, "was told of an end too late", number);
  Expect(stream->ended && stream->finished == finished, "was told of an end that did not come so", number);
  Expect(stream->received == stream->pushed, "was told of a stream's end before its last item", number);
  Expect(!std::exchange(stream->end_heard, true), "was told twice of a stream's end", number);
}

// The end.

void FeaturesWorld::CheckNames() {
  for (size_t i = 0; i < players_.size(); ++i) {
    for (const auto& [name, told] : players_[i].following) {
      const absl::StatusOr<Address<Calm>> found = test_.system.Lookup<Calm>(name);
      const int holder = found.ok() ? by_id_.at(found->id()) : -1;
      Expect(told == holder, "does not know who has a name that it follows", static_cast<int>(i));
    }
  }
}

// When all waits are over and nobody does anything any more.
void FeaturesWorld::CheckQuiet() {
  for (size_t i = 0; i < players_.size(); ++i) {
    const PlayerRecord& own = players_[i];
    const int number = static_cast<int>(i);
    Expect(own.terminated > 0 || own.live, "neither lives nor has terminated", number);
    if (own.terminated > 0) continue;
    Expect(!own.must_end, "was told to stop or drain and is still there", number);
    Expect(!own.ending && !own.hook_ran, "failed, and its incarnation goes on", number);
    Expect(own.coroutines == 0, "has a coroutine whose wait does not end", number);
    for (uint64_t id : own.replay) Expect(Expired(id), "has not come to what it had put aside", number);
    for (int other : own.watches) {
      Expect(players_[other].terminated == 0, "was not told of an end that it watches", number);
    }
  }
  for (const ActorInfo& info : test_.system.List()) {
    Expect(info.mailbox_depth == 0, "has mail that it does not come to", by_id_.at(info.id));
  }
  for (const StreamRecord& stream : streams_) {
    if (stream.cancelled) continue;
    Expect(stream.received == stream.pushed, "has not taken all items of a stream", stream.consumer);
    Expect(!stream.ended || stream.end_heard || stream.slice, "was not told of a stream's end", stream.consumer);
  }
  Expect(asked_ == answered_, "an ask did not end", -1);
  Expect(!hook_->asked_for, "an end of turn did not come", -1);
  CheckNames();
}

void FeaturesWorld::CheckOver() {
  const ActorSystemStats stats = test_.system.stats();
  Expect(test_.system.terminated() && stats.alive == 0, "the system has not terminated", -1);
  for (size_t i = 0; i < players_.size(); ++i) {
    const PlayerRecord& own = players_[i];
    Expect(own.terminated == 1 && !own.live && own.coroutines == 0, "is not gone after shutdown", static_cast<int>(i));
  }
  Expect(!shutdown_.has_value() || shutdown_->report().has_value(), "the shutdown is not over", -1);
  Expect(asked_ == answered_, "an ask did not end", -1);
  Expect(!hook_->asked_for, "an end of turn did not come", -1);
  CheckMetrics();
  registrations_.clear();
  streams_.clear();
  shutdown_.reset();
  Expect(*live_ == 0, "something is left behind", static_cast<int>(*live_));
}

void FeaturesWorld::CheckMetrics() {
  uint64_t unhandled = 0;
  for (size_t id = 1; id < messages_.size(); ++id) {
    const MessageRecord::State state = messages_[id].state;
    unhandled += state == MessageRecord::kTold || state == MessageRecord::kPutAside ? 1 : 0;
  }
  uint64_t seen = 0;
  for (const auto& [reason, count] : dead_letters_) seen += count;
  const ActorSystemStats stats = test_.system.stats();
  const SystemMetrics metrics = test_.system.Metrics();
  Say("dead letters", -1, stats.dead_letters);
  Say("dead letters that the hook saw", -1, seen);
  Say("dead letters in the metrics", -1, metrics.total.AllDeadLetters());
  Expect(stats.dead_letters == unhandled + stash_full_ + refused_, "a message was neither handled nor a dead letter",
         static_cast<int>(stats.dead_letters - unhandled));
  Expect(stats.dead_letters == seen && stats.dead_letters == metrics.total.AllDeadLetters(),
         "dead letters are counted in two ways", -1);
  Expect(dead_letters_[DeadLetterReason::kStashFull] == stash_full_, "a full stash is no dead letter", -1);
  Expect(dead_letters_[DeadLetterReason::kUnhandled] == refused_, "a refused message is no dead letter", -1);
  Expect(metrics.total.handled == handled_, "metrics and players count the handled messages in two ways",
         static_cast<int>(metrics.total.handled - handled_));
  Expect(metrics.total.restarts == stats.restarts, "restarts are counted in two ways", -1);
  Expect(metrics.total.alive == 0 && metrics.total.mailbox_depth == 0, "metrics know of actors that are gone", -1);
}

}  // namespace troupe::testing
