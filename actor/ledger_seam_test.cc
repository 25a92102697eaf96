// One seam: an Address does not know whether a LocalCell or another layer's Cell stands behind it. A cell of this
// test's own serves an actor of a second system over a link that is slow and can be cut, as cluster/ does in earnest
// (tests/sim/remote_actors_test.cc); what is claimed holds for near and far alike.
#include <map>
#include <typeindex>

#include "actor/actor.h"
#include "actor/recipient.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using testing::FailPolitely;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;
using testing::Urgent;

constexpr Duration kDelay = absl::Milliseconds(5);

// What is on its way when the link is cut is lost, and dies there.
class Link {
 public:
  explicit Link(Simulator& simulator) : simulator_(simulator) {}
  void Send(absl::AnyInvocable<void()> arrive) {
    simulator_.At(simulator_.Now() + kDelay, /*node=*/0, Simulator::Kind::kEvent,
                  [this, arrive = std::move(arrive)]() mutable {
                    if (up_) arrive();
                  });
  }
  void Cut() { up_ = false; }
  bool up() const { return up_; }

 private:
  Simulator& simulator_;
  bool up_ = true;
};

// Calls back when an actor over there is gone.
class Herald final : public Cell {
 public:
  Herald(Executor& executor, std::function<void(absl::Status)> told) : executor_(executor), told_(std::move(told)) {}
  void NotifyTerminated(ActorId, absl::Status reason) override { told_(std::move(reason)); }
  bool Deliver(std::unique_ptr<Envelope>) override { return false; }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  ActorId id() const override { return ActorId{uint64_t{1} << 62}; }
  bool alive() const override { return true; }
  std::string label() const override { return "a herald"; }
  Executor& executor() override { return executor_; }

 private:
  Executor& executor_;
  std::function<void(absl::Status)> told_;
};

// An actor of the other system, as this one sees it.
class FarCell final : public Cell {
 public:
  FarCell(Link& link, Executor& here, std::shared_ptr<Cell> there)
      : link_(link), executor_(here), there_(std::move(there)) {
    Carry<Note>();
    Carry<ReadNotes>();
    Carry<Crash>();
    Carry<FailPolitely>();
  }

  bool Deliver(std::unique_ptr<Envelope> envelope) override {
    if (!link_.up()) return Refuse(*envelope, absl::UnavailableError("no way to the other node"));
    auto carrier = carriers_.find(envelope->type());
    if (carrier == carriers_.end()) return Refuse(*envelope, absl::UnimplementedError("no wire form"));
    std::unique_ptr<Envelope> copy = carrier->second(*envelope);
    link_.Send([there = there_, copy = std::move(copy)]() mutable { there->Deliver(std::move(copy)); });
    return true;
  }
  void Stop() override {
    link_.Send([there = there_] { there->Stop(); });
  }
  void AddWatcher(std::shared_ptr<Cell> watcher) override {
    if (watches_->terminated.has_value()) return watcher->NotifyTerminated(id(), *watches_->terminated);
    if (!link_.up()) return watcher->NotifyTerminated(id(), absl::UnavailableError("no way to the other node"));
    watches_->watchers.emplace(watcher->id(), watcher);
    if (herald_ != nullptr) return;
    herald_ = std::make_shared<Herald>(there_->executor(),
                                       [&link = link_, weak = std::weak_ptr(watches_), id = id()](absl::Status reason) {
                                         link.Send([weak, id, reason = std::move(reason)] {
                                           if (std::shared_ptr<Watches> watches = weak.lock()) watches->End(id, reason);
                                         });
                                       });
    link_.Send([there = there_, herald = herald_] { there->AddWatcher(herald); });
  }
  void RemoveWatcher(ActorId watcher) override { watches_->watchers.erase(watcher); }
  void NotifyTerminated(ActorId, absl::Status) override {}
  ActorId id() const override { return ActorId{uint64_t{1} << 63 | there_->id().value}; }
  bool alive() const override { return !watches_->terminated.has_value(); }
  std::string label() const override { return there_->label() + " over there"; }
  Executor& executor() override { return executor_; }

  void OnTerminated(const absl::Status& reason) { watches_->End(id(), reason); }

 private:
  struct Watches {
    void End(ActorId who, const absl::Status& reason) {
      terminated = reason;
      for (const auto& [id, watcher] : std::exchange(watchers, {})) watcher->NotifyTerminated(who, reason);
    }
    std::map<ActorId, std::shared_ptr<Cell>> watchers;
    std::optional<absl::Status> terminated;
  };

  bool Refuse(Envelope& envelope, const absl::Status& status) {
    envelope.Fail(status);
    return false;
  }

  // Takes the message out and makes an envelope for over there, whose answer comes back over the link.
  template <typename M>
  void Carry() {
    using R = ResultOf<M>;
    carriers_[typeid(M)] = [this](Envelope& envelope) -> std::unique_ptr<Envelope> {
      Reply<R> back = static_cast<MessageEnvelope<M>&>(envelope).TakeReply();
      Reply<R> answer;
      if (back.asked()) {
        auto [future, reply] = MakeFuture<R>(there_->executor(), envelope.deadline);
        std::move(future).Then([&link = link_, back = std::move(back)](Outcome<R> outcome) mutable {
          link.Send([back = std::move(back), outcome = std::move(outcome)]() mutable { back(std::move(outcome)); });
        });
        answer = std::move(reply);
      }
      auto copy = std::make_unique<HandlerEnvelope<Notebook, M>>(std::move(*static_cast<M*>(envelope.message())),
                                                                 std::move(answer));
      copy->deadline = envelope.deadline;
      return copy;
    };
  }

  Link& link_;
  Executor& executor_;
  const std::shared_ptr<Cell> there_;
  std::map<std::type_index, std::function<std::unique_ptr<Envelope>(Envelope&)>> carriers_;
  const std::shared_ptr<Watches> watches_ = std::make_shared<Watches>();
  std::shared_ptr<Herald> herald_;
};

struct WatchThis {
  Address<Notebook> actor;
};
struct UnwatchThis {
  Address<Notebook> actor;
};
class Observer : public Actor<Observer> {
 public:
  explicit Observer(std::vector<Terminated>* seen) : seen_(seen) {}
  void Handle(WatchThis watch, Context& context) { context.Watch(watch.actor); }
  void Handle(UnwatchThis unwatch, Context& context) { context.Unwatch(unwatch.actor); }
  void Handle(Terminated terminated, Context&) { seen_->push_back(std::move(terminated)); }

 private:
  std::vector<Terminated>* seen_;
};

enum class Where { kNear, kFar };

class SeamTest : public ::testing::TestWithParam<Where> {
 protected:
  Address<Notebook> Spawn(SpawnOptions options = {}) {
    return GetParam() == Where::kNear ? here_.system.Spawn<Notebook>(options) : SpawnFar(options);
  }
  Address<Notebook> SpawnFar(SpawnOptions options = {}) {
    far_ = std::make_shared<FarCell>(link_, here_.executor, there_.Spawn<Notebook>(options).cell());
    return Address<Notebook>(far_);
  }
  // Long enough for what is on its way.
  void Settle() { here_.simulator.RunFor(absl::Milliseconds(50)); }
  // One that reads no mail for a long time.
  Address<Notebook> SpawnDeaf(size_t mailbox_capacity) {
    Address<Notebook> deaf =
        Spawn({.mailbox_capacity = mailbox_capacity, .restart_backoff = {.initial = absl::Minutes(1)}});
    deaf.Tell(Crash{});
    Settle();
    return deaf;
  }

  TestSystem here_;
  // Outlives the other system, whose end answers what is still asked there.
  Link link_{here_.simulator};
  DeterministicExecutor there_executor_{here_.simulator, /*node=*/2};
  ActorSystem there_{there_executor_};
  std::shared_ptr<FarCell> far_;
  std::vector<Terminated> seen_;
  Address<Observer> observer_ = here_.system.Spawn<Observer>(&seen_);
};
INSTANTIATE_TEST_SUITE_P(Where, SeamTest, ::testing::Values(Where::kNear, Where::kFar),
                         [](const auto& info) { return info.param == Where::kNear ? std::string("Near") : "Far"; });

TEST_P(SeamTest, TellsArriveInTheirOrderAndAnAskIsAnsweredWithWhatTheyDid) {
  Address<Notebook> notebook = Spawn();
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(std::to_string(i));
    EXPECT_TRUE(notebook.Tell(Note{sent.back()}));
    Settle();
  }
  EXPECT_EQ(*here_.Await(notebook.Ask(ReadNotes{})), sent);
  EXPECT_TRUE(here_.Await(notebook.Ask(Note{"more"})).ok()) << "an ask without a result is answered too";
}

TEST_P(SeamTest, ARecipientReachesTheActorWithoutItsType) {
  Recipient<Note> notes = Spawn();
  Recipient<ReadNotes> reader = Address<Notebook>(notes.cell());
  EXPECT_TRUE(notes.Tell(Note{"1"}));
  Settle();
  EXPECT_TRUE(here_.Await(notes.Ask(Note{"2"})).ok());
  EXPECT_THAT(*here_.Await(reader.Ask(ReadNotes{})), ElementsAre("1", "2"));
}

TEST_P(SeamTest, TwoActorsOfOneTypeAreToldApart) {
  Address<Notebook> one = Spawn();
  Address<Notebook> two = Spawn();
  EXPECT_NE(one.id(), two.id());
  one.Tell(Note{"for one"});
  two.Tell(Note{"for two"});
  Settle();
  EXPECT_THAT(*here_.Await(one.Ask(ReadNotes{})), ElementsAre("for one"));
  EXPECT_THAT(*here_.Await(two.Ask(ReadNotes{})), ElementsAre("for two"));
}

TEST_P(SeamTest, AHandlersFailureIsTheAskersError) {
  Address<Notebook> notebook = Spawn();
  EXPECT_THAT(std::string(here_.Await(notebook.Ask(Crash{})).status().message()), HasSubstr("ink spilled"));
  EXPECT_EQ(here_.Await(notebook.Ask(FailPolitely{})).status(), absl::DataLossError("page torn"));
  EXPECT_TRUE(here_.Await(notebook.Ask(Note{"it goes on"})).ok());
}

TEST_P(SeamTest, AFullMailboxIsResourceExhausted) {
  Address<Notebook> deaf = SpawnDeaf(/*mailbox_capacity=*/1);
  deaf.Tell(Note{"fills it"});
  Settle();
  absl::Status status = here_.Await(deaf.Ask(ReadNotes{})).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

TEST_P(SeamTest, ATerminatedActorIsUnavailable) {
  Address<Notebook> notebook = Spawn();
  notebook.Stop();
  Settle();
  absl::Status status = here_.Await(notebook.Ask(ReadNotes{})).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("has terminated"));
}

TEST_P(SeamTest, TheDeadlineEndsAnAskThatNobodyAnswers) {
  Address<Notebook> deaf = SpawnDeaf(/*mailbox_capacity=*/10);
  const Instant start = here_.simulator.Now();
  absl::Status status = here_.Await(deaf.Ask(ReadNotes{}, absl::Milliseconds(300))).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_EQ(here_.simulator.Now() - start, absl::Milliseconds(300));
}

TEST_P(SeamTest, AWatchTellsOnceWithTheReason) {
  Address<Notebook> notebook = Spawn({.on_failure = OnFailure::kStop});
  for (int i = 0; i < 2; ++i) observer_.Tell(WatchThis{notebook});
  Settle();
  EXPECT_THAT(seen_, IsEmpty());
  notebook.Tell(Crash{});
  Settle();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].id, notebook.id());
  EXPECT_THAT(std::string(seen_[0].reason.message()), HasSubstr("ink spilled"));
  EXPECT_FALSE(notebook.alive());
}

TEST_P(SeamTest, AWatchOnOneThatIsGoneAlreadyTellsToo) {
  Address<Notebook> notebook = Spawn();
  notebook.Stop();
  Settle();
  observer_.Tell(WatchThis{notebook});
  Settle();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_TRUE(seen_[0].reason.ok());
}

TEST_P(SeamTest, UnwatchTakesItBack) {
  Address<Notebook> notebook = Spawn();
  observer_.Tell(WatchThis{notebook});
  Settle();
  observer_.Tell(UnwatchThis{notebook});
  Settle();
  notebook.Stop();
  Settle();
  EXPECT_THAT(seen_, IsEmpty());
}

// Passes what it is asked on to a notebook, and tells it with patience.
struct WriteDown {
  using Result = std::string;
  std::string text;
};
class Clerk : public Actor<Clerk> {
 public:
  explicit Clerk(Address<Notebook> notebook) : notebook_(std::move(notebook)) {}
  void Handle(ReadNotes question, Reply<std::vector<std::string>> reply, Context&) {
    notebook_.Forward(question, std::move(reply));
  }
  void Handle(Note note, Reply<void> reply, Context&) { notebook_.Forward(std::move(note), std::move(reply)); }
  void Handle(Crash crash, Reply<std::string> reply, Context&) { notebook_.Forward(crash, std::move(reply)); }
  Task<std::string> Handle(WriteDown order, Context&) {
    absl::Status told = co_await notebook_.TellWithin<Note>(absl::Seconds(1), order.text);
    co_return told.ToString();
  }

 private:
  Address<Notebook> notebook_;
};

TEST_P(SeamTest, AForwardedQuestionIsAnsweredToItsFirstAskerAndAForwardedTellIsATell) {
  Address<Clerk> clerk = here_.system.Spawn<Clerk>(Spawn());
  EXPECT_TRUE(clerk.Tell(Note{"told"}));
  Settle();
  EXPECT_TRUE(here_.Await(clerk.Ask(Note{"asked"})).ok());
  EXPECT_THAT(*here_.Await(clerk.Ask(ReadNotes{})), ElementsAre("told", "asked"));
  EXPECT_THAT(std::string(here_.Await(clerk.Ask(Crash{})).status().message()), HasSubstr("ink spilled"));
}

TEST_P(SeamTest, AForwardedQuestionKeepsItsAskersDeadline) {
  Address<Notebook> deaf = SpawnDeaf(/*mailbox_capacity=*/10);
  Address<Clerk> clerk = here_.system.Spawn<Clerk>(deaf);
  const Instant start = here_.simulator.Now();
  absl::Status status = here_.Await(clerk.Ask(Note{"too late"}, absl::Milliseconds(300)));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_EQ(here_.simulator.Now() - start, absl::Milliseconds(300));
  here_.simulator.RunFor(absl::Minutes(2));
  EXPECT_THAT(*here_.Await(deaf.Ask(ReadNotes{})), IsEmpty()) << "it was not handled once nobody waited";
}

TEST_P(SeamTest, AQuestionForwardedToOneThatIsGoneIsUnavailable) {
  Address<Notebook> notebook = Spawn();
  notebook.Stop();
  Settle();
  absl::Status status = here_.Await(here_.system.Spawn<Clerk>(notebook).Ask(ReadNotes{})).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_P(SeamTest, ATellThatWaitsForRoomArrivesWhereThereIsRoom) {
  Address<Notebook> notebook = Spawn();
  EXPECT_EQ(*here_.Await(here_.system.Spawn<Clerk>(notebook).Ask<WriteDown>("patient")), "OK");
  Settle();
  EXPECT_THAT(*here_.Await(notebook.Ask(ReadNotes{})), ElementsAre("patient"));
}

// What only a far actor can do to its friends. The statuses are those of cluster/remote_actors.h.

class FarSeamTest : public SeamTest {};
INSTANTIATE_TEST_SUITE_P(Where, FarSeamTest, ::testing::Values(Where::kFar),
                         [](const auto&) { return std::string("Far"); });

TEST_P(FarSeamTest, WithoutAWayThereATellIsRefusedAndAnAskIsUnavailable) {
  Address<Notebook> notebook = Spawn();
  link_.Cut();
  EXPECT_FALSE(notebook.Tell(Note{"into the void"}));
  const Instant start = here_.simulator.Now();
  EXPECT_TRUE(absl::IsUnavailable(here_.Await(notebook.Ask(ReadNotes{})).status()));
  EXPECT_EQ(here_.simulator.Now(), start);
}

TEST_P(FarSeamTest, ATellThatWouldWaitForRoomDoesNotWaitForAMailboxThatIsNotSeenFromHere) {
  Address<Clerk> clerk = here_.system.Spawn<Clerk>(SpawnDeaf(/*mailbox_capacity=*/1));
  const Instant start = here_.simulator.Now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*here_.Await(clerk.Ask<WriteDown>("refused there, if at all")), "OK");
  link_.Cut();
  EXPECT_THAT(*here_.Await(clerk.Ask<WriteDown>("no way")), HasSubstr("UNAVAILABLE"));
  EXPECT_EQ(here_.simulator.Now(), start);
}

TEST_P(FarSeamTest, AQuestionOrAnAnswerThatIsLostOnItsWayIsUnknown) {
  for (Duration until_cut : {kDelay / 2, kDelay * 3 / 2}) {
    Link link(here_.simulator);
    Address<Notebook> notebook(std::make_shared<FarCell>(link, here_.executor, there_.Spawn<Notebook>().cell()));
    Future<std::vector<std::string>> answer = notebook.Ask(ReadNotes{}, absl::Seconds(60));
    const Instant start = here_.simulator.Now();
    here_.simulator.RunFor(until_cut);
    link.Cut();
    EXPECT_TRUE(absl::IsUnknown(here_.Await(std::move(answer)).status()));
    EXPECT_LE(here_.simulator.Now() - start, 2 * kDelay);
  }
}

TEST_P(FarSeamTest, AMessageWithoutAWireFormIsUnimplementedAtOnce) {
  Address<Notebook> notebook = Spawn();
  EXPECT_FALSE(notebook.Tell(Urgent{"no form"}));
  EXPECT_TRUE(absl::IsUnimplemented(here_.Await(notebook.Ask(Urgent{"no form"}))));
}

TEST_P(FarSeamTest, TheDeathOfANodeEndsTheWatchesOnItsActors) {
  Address<Notebook> notebook = Spawn();
  observer_.Tell(WatchThis{notebook});
  Settle();
  link_.Cut();
  far_->OnTerminated(absl::UnavailableError("the node is dead"));
  Settle();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(seen_[0].reason));
}

TEST_P(FarSeamTest, AFarActorTakesNoNameHere) {
  EXPECT_TRUE(absl::IsInvalidArgument(here_.system.Register("far", Spawn())));
}

}  // namespace
}  // namespace troupe
