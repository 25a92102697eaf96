// A world of actors that use everything an actor can do side by side: coroutines, stash, batches, streams, timers,
// names, drains, all kinds of mailboxes and supervisors. They fail and are stopped at random meanwhile, and report what
// happens to them to a model that knows what must and what must not follow. For features_seeds_test.
//
// supervision_world.h has the finer model of failures, restarts and who must end when; this one has that of messages
// and of what belongs to an incarnation.
#ifndef TROUPE_ACTOR_FEATURES_WORLD_H_
#define TROUPE_ACTOR_FEATURES_WORLD_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "actor/actor.h"
#include "actor/coordinated_shutdown.h"
#include "actor/features_player.h"
#include "actor/stream.h"
#include "actor/test_actors.h"

namespace troupe::testing {

struct MessageRecord {
  enum State : uint8_t { kTold, kPutAside, kHandled, kNeverTold } state = kTold;
  int target = 0;
  Instant deadline = Instant::Never();
};

struct PlayerRecord {
  struct Timer {
    TimerId id = 0;
    Duration period;  // zero: once
    Instant due;
  };

  bool reentrant = false;
  Address<Calm> calm;  // one of the two
  Address<Juggler> juggler;
  std::shared_ptr<Cell> cell;
  int depth = 0;

  int attempts = 0;
  bool live = false;
  bool started = false;
  bool hook_ran = false;
  bool ending = false;      // a failure that ends the incarnation
  bool stop_asked = false;  // by itself
  bool must_end = false;
  int terminated = 0;
  std::deque<uint64_t> aside;   // the stash
  std::deque<uint64_t> replay;  // to be handled before any other message
  std::map<std::pair<int, bool>, uint64_t> last_from;

  // Of this incarnation.
  int coroutines = 0;
  std::map<uint64_t, Timer> timers;
  std::set<int> watches;
  std::map<std::string, std::optional<int>> following;  // whom it was told of
  std::optional<Duration> idle_limit;
  Instant idle_since;
  std::vector<std::stop_token> tokens;
};

struct StreamRecord {
  int consumer = 0;
  int incarnation = 0;
  StreamId id = 0;
  bool automatic = true;
  bool slice = false;                       // the ends of such streams have no handler
  std::optional<StreamSink<Piece>> pieces;  // one of the two, until its end
  std::optional<StreamSink<Slice>> slices;
  uint64_t pushed = 0;
  uint64_t received = 0;
  uint64_t requested = 0;
  bool cancelled = false;
  bool ended = false;  // by its sink
  bool finished = false;
  bool end_heard = false;
};

class FeaturesWorld {
 public:
  // `live` counts what the world has made; it must be 0 when the world is gone.
  FeaturesWorld(uint64_t seed, bool talks, int64_t* live);
  ~FeaturesWorld();

  // Runs it to the end, and gives the first rule that was broken, or nothing.
  std::string Run();
  uint64_t trace_hash() const { return test_.simulator.trace_hash(); }
  // How often each thing happened, so that a test which tests nothing shows.
  const std::map<std::string, uint64_t>& counts() const { return counts_; }

  // What players report (features_rules.cc). Each checks whether it may happen.
  void Constructing(int number);
  void Constructed(int number);
  void Destroyed(int number);
  void Begins(int number);
  void Callback(int number, const char* what);
  void Ends(int number, const char* what);
  void Arrived(int number, const Tag& tag, bool control);
  void Refused(int number, const Tag& tag);
  void StashTried(int number, uint64_t id, const absl::Status& status);
  void Unstashed(int number);
  void Chimed(int number, uint64_t key);
  void WasIdle(int number);
  void Noticed(int number, ActorId other);
  void NameIs(int number, const std::string& name, const Address<Calm>& address);
  void Took(int number, StreamId stream, uint64_t item, bool slice);
  void StreamEnded(int number, StreamId stream, bool finished);
  void CoroutineBegan(int number);
  void CoroutineGoesOn(int number, int incarnation);
  void CoroutineEnded(int number, int incarnation);
  OnFailure Decided(int number, const Failure& failure);
  void Expect(bool rule, const char* broken, int number);
  void Count(const char* what) { ++counts_[what]; }
  void CountItem(int number);

  // What players do (features_world.cc).
  bool Spend() { return energy_-- > 0; }
  void MayFail(int number, const char* where, LocalCell* cell);
  Tag NewTag(int sender, int target, Instant deadline = Instant::Never());
  void NeverTold(uint64_t id) { messages_[id].state = MessageRecord::kNeverTold; }
  void Told(uint64_t id) { messages_[id].state = MessageRecord::kTold; }
  void Tell(int sender, int target);
  Future<int> Ask(int sender, int target, Duration timeout);
  void CheckOutcome(int target, const absl::StatusOr<int>& outcome);
  void AskPlainly(int sender, int target);
  void Stop(int target);
  void Drain(int target);
  void ClaimName(int target, std::vector<Registration>* keep);
  void Feed();
  int Prepare(int parent);
  void Adopt(int number, std::shared_ptr<Cell> cell);
  SpawnOptions DrawOptions(int number);
  // Most often one that is alive.
  int AnyPlayer() {
    int number = 0;
    for (int draws = 0; draws < 4; ++draws) {
      number = static_cast<int>(random_.Below(players_.size()));
      if (players_[number].terminated == 0) break;
    }
    return number;
  }
  std::string AnyName() { return std::string(1, static_cast<char>('a' + random_.Below(3))); }
  template <typename F>
  auto With(int number, F f) {
    PlayerRecord& player = players_[number];
    return player.reentrant ? f(player.juggler) : f(player.calm);
  }
  StreamRecord* AnyStream() { return streams_.empty() ? nullptr : &streams_[random_.Below(streams_.size())]; }
  template <typename T>
  void PushItem(StreamRecord& stream, std::optional<StreamSink<T>>& sink);
  StreamRecord& NewStream() { return streams_.emplace_back(); }
  Token NewToken() { return Token(live_); }
  uint64_t NewKey() { return next_key_++; }
  PlayerRecord& player(int number) { return players_[number]; }
  Random& random() { return random_; }
  Instant Now() const { return test_.simulator.Now(); }
  // What is asked for at an end of turn.
  std::shared_ptr<EndOfTurnHook> Hook();

 private:
  class Spy;
  class BatchHook : public EndOfTurnHook {
   public:
    void EndOfTurn() override { asked_for = false; }
    bool asked_for = false;
  };

  void Say(const char* what, int number, uint64_t detail = 0);
  void SpawnOutside();
  void ActOutside();
  void BeginShutdown();
  void HoldUp(int target);
  void LetAllGo();
  StreamRecord* FindStream(int number, StreamId id);
  bool Expired(uint64_t id) const { return messages_[id].deadline <= test_.simulator.Now(); }
  void HasTerminated(ActorId id);
  void CheckQuiet();
  void CheckNames();
  void CheckOver();
  void CheckMetrics();

  int64_t* const live_;
  TestSystem test_;
  const bool talks_;
  Random random_;
  std::shared_ptr<Spy> spy_;
  std::shared_ptr<BatchHook> hook_;
  std::deque<PlayerRecord> players_;  // by number; never moves
  std::map<ActorId, int> by_id_;
  std::deque<MessageRecord> messages_{1};  // by id
  std::deque<StreamRecord> streams_;
  std::vector<Registration> registrations_;
  std::optional<CoordinatedShutdown> shutdown_;
  std::map<DeadLetterReason, uint64_t> dead_letters_;
  std::map<std::string, uint64_t> counts_;
  std::string broken_;
  int energy_ = 0;
  uint64_t crash_per_mille_ = 0;
  uint64_t next_key_ = 1;
  uint64_t handled_ = 0;  // calls of handlers, one for each message of a batch
  uint64_t stash_full_ = 0;
  uint64_t refused_ = 0;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  bool shutting_down_ = false;
  bool held_up_ = false;  // somebody, so that phases may be late
  bool torn_down_ = false;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_FEATURES_WORLD_H_
