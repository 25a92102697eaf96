// Names that can be taken back, who follows them, and addresses of other kinds.
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "actor/actor.h"
#include "actor/random.h"
#include "actor/recipient.h"
#include "actor/test_actors.h"
#include "actor/thread_executor.h"
#include "actor/weak_address.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

bool Known(TestSystem& test, std::string_view name) { return test.system.Lookup<Notebook>(name).ok(); }

TEST(RegistrationTest, TakesItsNameBackByHandAndOnce) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  absl::StatusOr<Registration> registration = test.system.Claim("notebook", notebook);
  ASSERT_TRUE(registration.ok());
  EXPECT_EQ(*test.system.Lookup<Notebook>("notebook"), notebook);
  EXPECT_EQ(registration->name(), "notebook");
  EXPECT_TRUE(registration->Release());
  EXPECT_FALSE(Known(test, "notebook"));
  EXPECT_FALSE(registration->Release());
}

TEST(RegistrationTest, ItsEndTakesTheNameBackAndKeepLeavesItToTheActor) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  {
    absl::StatusOr<Registration> registration = test.system.Claim("short", notebook);
    absl::StatusOr<Registration> kept = test.system.Claim("long", notebook);
    (*std::move(kept)).Keep();
    EXPECT_TRUE(Known(test, "short"));
  }
  EXPECT_FALSE(Known(test, "short"));
  EXPECT_TRUE(Known(test, "long"));
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(Known(test, "long"));
}

TEST(RegistrationTest, AnActorThatNeverBeganGetsNone) {
  TestSystem test;
  test.system.BeginShutdown();
  Address<Notebook> late = test.system.Spawn<Notebook>();
  EXPECT_TRUE(absl::IsFailedPrecondition(test.system.Register("late", late)));
  EXPECT_FALSE(Known(test, "late"));
}

TEST(RegistrationTest, AnOldOneCannotRemoveANewOwnersNorTheSameOwnersNextOne) {
  TestSystem test;
  Address<Notebook> first = test.system.Spawn<Notebook>();
  absl::StatusOr<Registration> old = test.system.Claim("notebook", first);
  first.Stop();
  test.Settle();
  Address<Notebook> second = test.system.Spawn<Notebook>();
  absl::StatusOr<Registration> next = test.system.Claim("notebook", second);
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(old->Release());
  EXPECT_EQ(*test.system.Lookup<Notebook>("notebook"), second);
  ASSERT_TRUE(next->Release());
  absl::StatusOr<Registration> again = test.system.Claim("notebook", second);
  EXPECT_FALSE(next->Release());
  EXPECT_TRUE(Known(test, "notebook"));
}

TEST(RegistrationTest, MayOutliveItsSystem) {
  absl::StatusOr<Registration> registration;
  {
    TestSystem test;
    registration = test.system.Claim("notebook", test.system.Spawn<Notebook>());
    ASSERT_TRUE(registration.ok());
  }
  EXPECT_FALSE(registration->Release());
}

TEST(NamesTest, AnActorMayHaveSeveralAndIsCalledByTheFirst) {
  TestSystem test;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  absl::StatusOr<Registration> first = test.system.Claim("first", notebook);
  ASSERT_TRUE(test.system.Register("second", notebook).ok());
  EXPECT_EQ(notebook.label(), "first");
  EXPECT_EQ(test.system.List().front().name, "first");
  first->Release();
  EXPECT_EQ(notebook.label(), "second");
  EXPECT_EQ(*test.system.Lookup<Notebook>("second"), notebook);
  notebook.Stop();
  test.Settle();
  EXPECT_FALSE(Known(test, "second"));
  EXPECT_EQ(notebook.label(), "second") << "for those who ask what it was";
}

struct FollowIt {
  std::string name;
};
struct UnfollowIt {
  std::string name;
};
struct Waver {
  std::string name;
};
struct Trip {};
// Notes who has the names that it follows, by id; 0 for nobody.
class Heir : public Actor<Heir> {
 public:
  explicit Heir(std::vector<uint64_t>* told) : told_(told) {}
  void Handle(FollowIt follow, Context& context) { context.FollowName<Notebook>(follow.name); }
  void Handle(UnfollowIt unfollow, Context& context) { context.UnfollowName<Notebook>(unfollow.name); }
  void Handle(Waver waver, Context& context) {
    context.FollowName<Notebook>(waver.name);
    context.UnfollowName<Notebook>(waver.name);
  }
  void Handle(NameChanged<Notebook> changed, Context&) {
    told_->push_back(changed.address ? changed.address.id().value : 0);
  }
  void Handle(Trip, Context& context) { context.Fail(absl::InternalError("tripped")); }

 private:
  std::vector<uint64_t>* told_;
};

class FollowNameTest : public ::testing::Test {
 protected:
  TestSystem test_;
  std::vector<uint64_t> told_;
  Address<Heir> heir_ = test_.system.Spawn<Heir>(&told_);
  Address<Notebook> king_ = test_.system.Spawn<Notebook>();
};

TEST_F(FollowNameTest, TellsNowAndAtEachChange) {
  heir_.Tell(FollowIt{"crown"});
  heir_.Tell(FollowIt{"crown"});
  test_.Settle();
  EXPECT_THAT(told_, ElementsAre(0)) << "following twice is following once";
  ASSERT_TRUE(test_.system.Register("crown", king_).ok());
  ASSERT_TRUE(test_.system.Register("orb", king_).ok());
  test_.Settle();
  king_.Stop();
  test_.Settle();
  Address<Notebook> queen = test_.system.Spawn<Notebook>();
  absl::StatusOr<Registration> reign = test_.system.Claim("crown", queen);
  reign->Release();
  test_.Settle();
  EXPECT_THAT(told_, ElementsAre(0, king_.id().value, 0, queen.id().value, 0));
}

TEST_F(FollowNameTest, BeginsWithWhoHasTheNameAlready) {
  ASSERT_TRUE(test_.system.Register("crown", king_).ok());
  heir_.Tell(FollowIt{"crown"});
  test_.Settle();
  EXPECT_THAT(told_, ElementsAre(king_.id().value));
}

TEST_F(FollowNameTest, AnActorOfAnotherTypeIsNobodyAndNoNews) {
  heir_.Tell(FollowIt{"crown"});
  absl::StatusOr<Registration> usurped = test_.system.Claim("crown", heir_);
  test_.Settle();
  usurped->Release();
  test_.Settle();
  EXPECT_THAT(told_, ElementsAre(0));
}

TEST_F(FollowNameTest, UnfollowTakesBackWhatIsOnItsWay) {
  heir_.Tell(Waver{"crown"});
  test_.Settle();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FollowNameTest, EndsWithUnfollowAndWithTheIncarnation) {
  heir_.Tell(FollowIt{"crown"});
  heir_.Tell(UnfollowIt{"crown"});
  ASSERT_TRUE(test_.system.Register("crown", king_).ok());
  test_.Settle();
  heir_.Tell(FollowIt{"orb"});
  test_.Settle();
  told_.clear();
  heir_.Tell(Trip{});
  test_.Settle();
  ASSERT_TRUE(test_.system.Register("orb", king_).ok());
  test_.Settle();
  EXPECT_THAT(told_, IsEmpty());
  heir_.Tell(FollowIt{"orb"});
  test_.Settle();
  EXPECT_THAT(told_, ElementsAre(king_.id().value)) << "the next incarnation follows for itself";
}

TEST(FollowNameSeedsTest, WhatItIsToldIsTheHistoryFromSomePointOn) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    TestSystem test(seed);
    Random random(seed);
    std::vector<uint64_t> told, history = {0};
    Address<Heir> heir = test.system.Spawn<Heir>(&told);
    std::optional<Registration> held;
    Address<Notebook> holder;
    for (int step = 0; step < 20; ++step) {
      if (step == 5) heir.Tell(FollowIt{"crown"});
      const uint64_t choice = random.Below(4);
      if (choice == 0 && !Known(test, "crown")) {
        holder = test.system.Spawn<Notebook>();
        held = *test.system.Claim("crown", holder);
        history.push_back(holder.id().value);
      } else if (choice == 1 && held.has_value()) {
        if (held->Release()) history.push_back(0);
      } else if (choice == 2 && holder) {
        holder.Stop();
        // The name ends in the holder's turn.
        if (Known(test, "crown")) {
          test.simulator.RunUntil([&] { return !Known(test, "crown"); }, absl::Seconds(1));
          history.push_back(0);
        }
      } else {
        test.simulator.Step();
      }
    }
    test.Settle();
    ASSERT_FALSE(told.empty()) << "seed " << seed;
    ASSERT_LE(told.size(), history.size()) << "seed " << seed;
    EXPECT_EQ(told, std::vector(history.end() - static_cast<std::ptrdiff_t>(told.size()), history.end()))
        << "seed " << seed;
  }
}

struct GetTold {
  using Result = std::vector<uint64_t>;
};
class Chronicler : public Actor<Chronicler> {
 public:
  void Started(Context& context) { context.FollowName<Notebook>("crown"); }
  void Handle(NameChanged<Notebook> changed, Context&) {
    told_.push_back(changed.address ? changed.address.id().value : 0);
  }
  std::vector<uint64_t> Handle(GetTold, Context&) { return told_; }

 private:
  std::vector<uint64_t> told_;
};

TEST(FollowNameThreadsTest, AllAreToldTheSameHistoryHoweverManyGiveAndTakeTheName) {
  ActorSystem system;
  std::vector<Address<Chronicler>> chroniclers;
  for (int i = 0; i < 4; ++i) {
    chroniclers.push_back(system.Spawn<Chronicler>());
    ASSERT_TRUE(chroniclers.back().Ask(GetTold{}).Wait().ok()) << "it follows";
  }
  std::vector<std::thread> pretenders;
  std::atomic<int> reigns{0};
  for (int p = 0; p < 4; ++p) {
    pretenders.emplace_back([&, p] {
      for (int i = 0; i < 2'000; ++i) {
        Address<Notebook> pretender = system.Spawn<Notebook>();
        absl::StatusOr<Registration> reign = system.Claim("crown", pretender);
        if (!reign.ok()) continue;
        reigns.fetch_add(1);
        if ((i + p) % 2 == 0) continue;  // taken back at the end of the round
        pretender.Stop();
        (*std::move(reign)).Keep();
      }
    });
  }
  for (std::thread& pretender : pretenders) pretender.join();
  Address<Notebook> last = system.Spawn<Notebook>();
  while (!system.Register("crown", last).ok()) {
    std::this_thread::yield();  // the last one of them is still ending
  }
  std::vector<std::vector<uint64_t>> told;
  for (const Address<Chronicler>& chronicler : chroniclers) {
    // Another thread may still be telling.
    do {
      told.push_back(*chronicler.Ask(GetTold{}).Wait());
      if (told.back().back() != last.id().value) told.pop_back();
    } while (told.size() < static_cast<size_t>(&chronicler - chroniclers.data()) + 1);
  }
  EXPECT_EQ(told.front().size(), 2u * static_cast<size_t>(reigns.load()) + 2) << "nobody at first, and the last one";
  for (const std::vector<uint64_t>& one : told) EXPECT_EQ(one, told.front());
  EXPECT_TRUE(system.Shutdown(absl::Seconds(30)).ok());
}

// Another type that takes notes.
class Diary : public Actor<Diary> {
 public:
  explicit Diary(std::vector<std::string>* entries) : entries_(entries) {}
  void Handle(Note note, Context&) { entries_->push_back(std::move(note.text)); }

 private:
  std::vector<std::string>* entries_;
};

TEST(RecipientTest, ReachesActorsOfDifferentTypesAndTellsThemApart) {
  TestSystem test;
  std::vector<std::string> entries;
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  Address<Diary> diary = test.system.Spawn<Diary>(&entries);
  const std::vector<Recipient<Note>> recipients = {notebook, diary};
  for (const Recipient<Note>& recipient : recipients) EXPECT_TRUE(recipient.Tell(Note{"rain"}));
  EXPECT_THAT(*test.Await(notebook.Ask(ReadNotes{})), ElementsAre("rain"));
  EXPECT_THAT(entries, ElementsAre("rain"));
  EXPECT_EQ(recipients[0], Recipient<Note>(notebook));
  EXPECT_FALSE(recipients[0] == recipients[1]);
  EXPECT_EQ(recipients[1].id(), diary.id());
  EXPECT_EQ(recipients[1].label(), diary.label());
  EXPECT_TRUE(recipients[1].alive());
  EXPECT_FALSE(Recipient<Note>());
}

TEST(RecipientTest, AnAskEndsAsThatOfAnAddress) {
  TestSystem test;
  Recipient<Crash> crash = test.system.Spawn<Notebook>();
  EXPECT_TRUE(absl::IsInternal(test.Await(crash.Ask(Crash{})).status()));
  Address<Notebook> gone = test.system.Spawn<Notebook>();
  gone.Stop();
  test.Settle();
  EXPECT_TRUE(absl::IsUnavailable(test.Await(Recipient<ReadNotes>(gone).Ask(ReadNotes{})).status()));
  EXPECT_FALSE(Recipient<Note>(gone).Tell(Note{"lost"}));
}

// Asks, tells and forwards through a recipient in each of the ways that an address has.
struct Relay {
  using Result = std::vector<std::string>;
};
class Clerk : public Actor<Clerk> {
 public:
  explicit Clerk(const Address<Notebook>& notebook) : notes_(notebook), reader_(notebook) {}
  Task<> Handle(Relay, Reply<std::vector<std::string>> reply, Context&) {
    const absl::Status told = co_await notes_.TellWait("waited for room");
    const absl::Status within = co_await notes_.TellWithin(absl::Seconds(1), "for a second");
    if (!told.ok() || !within.ok()) co_return;
    absl::StatusOr<std::vector<std::string>> notes = co_await reader_.AskWithin(absl::Seconds(1));
    if (notes.ok() && notes->size() == 2) reader_.Forward(ReadNotes{}, std::move(reply));
  }

 private:
  const Recipient<Note> notes_;
  const Recipient<ReadNotes> reader_;
};

TEST(RecipientTest, WaitsForRoomAsksWithinATimeAndForwardsAsAnAddressDoes) {
  TestSystem test;
  Address<Clerk> clerk = test.system.Spawn<Clerk>(test.system.Spawn<Notebook>());
  absl::StatusOr<std::vector<std::string>> notes = test.Await(clerk.Ask(Relay{}));
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_THAT(*notes, ElementsAre("waited for room", "for a second"));
}

template <typename A, typename M>
concept ConvertsTo = std::convertible_to<Address<A>, Recipient<M>>;
static_assert(ConvertsTo<Diary, Note> && !ConvertsTo<Diary, Crash>);

TEST(WeakAddressTest, LeadsToAnActorThatIsAliveThoughNobodyElseHoldsItsAddress) {
  TestSystem test;
  WeakAddress<Notebook> weak = test.system.Spawn<Notebook>();
  test.Settle();
  ASSERT_TRUE(weak.Lock());
  EXPECT_TRUE(weak.Lock().Tell(Note{"still here"}));
  weak.Lock().Stop();
  test.Settle();
  EXPECT_FALSE(weak.Lock());
  EXPECT_FALSE(WeakAddress<Notebook>().Lock());
}

TEST(WeakAddressTest, KeepsNotEvenTheNamePlate) {
  TestSystem test;
  Address<Notebook> strong = test.system.Spawn<Notebook>();
  WeakAddress<Notebook> weak = strong;
  std::weak_ptr<Cell> plate = strong.cell();
  strong.Stop();
  test.Settle();
  EXPECT_FALSE(plate.expired()) << "an address keeps it";
  EXPECT_FALSE(weak.Lock()) << "of an actor that has terminated";
  strong = Address<Notebook>();
  EXPECT_TRUE(plate.expired());
}

}  // namespace
}  // namespace troupe
