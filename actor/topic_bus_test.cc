// The topic bus, on a deterministic executor.
#include "actor/topic_bus.h"

#include "absl/strings/str_cat.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestSystem;

struct Order {
  int number = 0;
};
using Bus = TopicBus<Order>;

struct Quit {};
struct Fall {};
class Auditor : public Actor<Auditor> {
 public:
  explicit Auditor(std::vector<std::string>* heard) : heard_(heard) {}
  void Handle(Published<Order> published, Context&) {
    heard_->push_back(absl::StrCat(published.topic, " ", published.message->number));
  }
  void Handle(Quit, Context& context) { context.Stop(); }
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }

 private:
  std::vector<std::string>* heard_;
};

class TopicBusTest : public ::testing::Test {
 protected:
  Address<Auditor> SpawnAuditor(std::vector<std::string>* heard) { return test_.system.Spawn<Auditor>(heard); }
  absl::Status Subscribe(std::string pattern, const Address<Auditor>& auditor) {
    return test_.Await(bus_.Ask(Bus::Subscribe(std::move(pattern), auditor)));
  }
  void Publish(std::string topic, int number) {
    bus_.Tell(Bus::Publish{std::move(topic), Order{number}});
    test_.Settle();
  }
  TopicBusStats Stats() { return *test_.Await(bus_.Ask(Bus::GetStats{})); }

  uint64_t HandledByBus() { return test_.system.Find(bus_.id())->Info().handled; }

  TestSystem test_;
  Address<Bus> bus_ = test_.system.Spawn<Bus>();
  std::vector<std::string> heard_;
};

TEST_F(TopicBusTest, ExactAndPatternSubscribersBothGetAMessage) {
  std::vector<std::string> by_pattern;
  ASSERT_TRUE(Subscribe("orders.eu.created", SpawnAuditor(&heard_)).ok());
  ASSERT_TRUE(Subscribe("orders.*.created", SpawnAuditor(&by_pattern)).ok());
  Publish("orders.eu.created", 1);
  Publish("orders.us.created", 2);
  EXPECT_THAT(heard_, ElementsAre("orders.eu.created 1"));
  EXPECT_THAT(by_pattern, ElementsAre("orders.eu.created 1", "orders.us.created 2"));
}

TEST_F(TopicBusTest, ASubscriberGetsAMessageOnceHoweverManyPatternsMatch) {
  Address<Auditor> auditor = SpawnAuditor(&heard_);
  for (const char* pattern : {"orders.eu", "orders.*", "orders.#", "#", "#"}) {
    ASSERT_TRUE(Subscribe(pattern, auditor).ok());
  }
  Publish("orders.eu", 1);
  EXPECT_THAT(heard_, ElementsAre("orders.eu 1"));
  EXPECT_EQ(Stats().subscriptions, 4u);
  EXPECT_EQ(Stats().subscribers, 1u);
}

TEST_F(TopicBusTest, AThousandSubscribersAllGetIt) {
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Subscribe("orders.#", SpawnAuditor(&heard_)).ok());
  EXPECT_EQ(*test_.Await(bus_.Ask(Bus::Publish{"orders.eu", Order{1}})), 1000u);
  test_.Settle();
  EXPECT_EQ(heard_.size(), 1000u);
}

TEST_F(TopicBusTest, OnePublishersOrderHolds) {
  ASSERT_TRUE(Subscribe("#", SpawnAuditor(&heard_)).ok());
  for (int i = 1; i <= 3; ++i) bus_.Tell(Bus::Publish{"orders", Order{i}});
  test_.Settle();
  EXPECT_THAT(heard_, ElementsAre("orders 1", "orders 2", "orders 3"));
}

TEST_F(TopicBusTest, UnsubscribeTakesBackOnePatternOnly) {
  Address<Auditor> auditor = SpawnAuditor(&heard_);
  ASSERT_TRUE(Subscribe("orders.eu", auditor).ok());
  ASSERT_TRUE(Subscribe("bills.eu", auditor).ok());
  EXPECT_TRUE(test_.Await(bus_.Ask(Bus::Unsubscribe("orders.eu", auditor))).ok());
  EXPECT_TRUE(absl::IsNotFound(test_.Await(bus_.Ask(Bus::Unsubscribe("orders.eu", auditor)))));
  Publish("orders.eu", 1);
  Publish("bills.eu", 2);
  EXPECT_THAT(heard_, ElementsAre("bills.eu 2"));
  EXPECT_TRUE(test_.Await(bus_.Ask(Bus::Unsubscribe("bills.eu", auditor))).ok());
  EXPECT_EQ(Stats().subscribers, 0u);
}

TEST_F(TopicBusTest, ASubscriberThatTerminatesIsRemovedWithAllItsPatterns) {
  Address<Auditor> auditor = SpawnAuditor(&heard_);
  ASSERT_TRUE(Subscribe("orders.#", auditor).ok());
  ASSERT_TRUE(Subscribe("bills.#", auditor).ok());
  auditor.Tell(Quit{});
  test_.Settle();
  EXPECT_EQ(Stats().subscribers, 0u);
  EXPECT_EQ(Stats().subscriptions, 0u);
  Publish("orders.eu", 1);
  EXPECT_EQ(Stats().unheard, 1u);
  EXPECT_EQ(Stats().dropped, 0u);
}

TEST_F(TopicBusTest, WhoHasNoPatternLeftIsNotWatchedAnyMore) {
  Address<Auditor> auditor = SpawnAuditor(&heard_);
  ASSERT_TRUE(Subscribe("orders.#", auditor).ok());
  ASSERT_TRUE(test_.Await(bus_.Ask(Bus::Unsubscribe("orders.#", auditor))).ok());
  const uint64_t handled = HandledByBus();
  auditor.Tell(Quit{});
  test_.Settle();
  EXPECT_EQ(HandledByBus(), handled) << "no notice of its end";
}

TEST_F(TopicBusTest, OneThatHadTerminatedBeforeIsRemovedToo) {
  Address<Auditor> auditor = SpawnAuditor(&heard_);
  auditor.Tell(Quit{});
  test_.Settle();
  ASSERT_TRUE(Subscribe("orders.#", auditor).ok());
  test_.Settle();
  EXPECT_EQ(Stats().subscribers, 0u);
}

TEST_F(TopicBusTest, WhatAFullMailboxRefusesIsCountedAndHoldsUpNobody) {
  std::vector<std::string> slow_heard;
  Address<Auditor> slow = test_.system.Spawn<Auditor>(
      SpawnOptions{.mailbox_capacity = 2, .restart_backoff = {.initial = absl::Hours(1)}}, &slow_heard);
  ASSERT_TRUE(Subscribe("orders", slow).ok());
  ASSERT_TRUE(Subscribe("orders", SpawnAuditor(&heard_)).ok());
  slow.Tell(Fall{});  // its mailbox waits for the end of the backoff
  test_.Settle();
  for (int i = 1; i <= 5; ++i) Publish("orders", i);
  EXPECT_EQ(heard_.size(), 5u);
  EXPECT_THAT(slow_heard, IsEmpty());
  EXPECT_EQ(Stats().delivered, 7u);
  EXPECT_EQ(Stats().dropped, 3u);
  EXPECT_EQ(test_.system.stats().dead_letters, 3u);
}

TEST_F(TopicBusTest, WhatIsLostIsCountedWhateverTheMailboxesPolicy) {
  uint64_t dropped = 0;
  for (Overflow overflow : {Overflow::kReject, Overflow::kDropNewest, Overflow::kDropOldest}) {
    std::vector<std::string> heard;
    Address<Auditor> paused =
        test_.system.Spawn<Auditor>(SpawnOptions{.mailbox_capacity = 1, .overflow = overflow}, &heard);
    ASSERT_TRUE(Subscribe("orders", paused).ok());
    test_.Settle();
    test_.Pause(paused);
    const TopicBusStats before = Stats();
    size_t had_room = 0;
    for (int i = 1; i <= 5; ++i) had_room += *test_.Await(bus_.Ask(Bus::Publish{"orders", Order{i}}));
    EXPECT_EQ(had_room, 1u);
    EXPECT_EQ(Stats().delivered - before.delivered, 1u);
    EXPECT_EQ(Stats().dropped - before.dropped, 4u);
    dropped += 4;
    EXPECT_EQ(test_.system.stats().dead_letters, dropped);
    test_.Resume(paused);
    test_.Settle();
    EXPECT_THAT(heard, ElementsAre(overflow == Overflow::kDropOldest ? "orders 5" : "orders 1"));
    ASSERT_TRUE(test_.Await(bus_.Ask(Bus::Unsubscribe("orders", paused))).ok());
  }
}

TEST_F(TopicBusTest, AMessageToOneSubscriberIsToldToItsAddressAndNoOtherHearsIt) {
  std::vector<std::string> others_heard;
  Address<Auditor> one = SpawnAuditor(&heard_);
  ASSERT_TRUE(Subscribe("orders.#", one).ok());
  ASSERT_TRUE(Subscribe("orders.#", SpawnAuditor(&others_heard)).ok());
  Publish("orders.eu", 1);
  one.Tell(Published<Order>{"orders.eu", std::make_shared<const Order>(Order{2})});
  test_.Settle();
  EXPECT_THAT(heard_, ElementsAre("orders.eu 1", "orders.eu 2"));
  EXPECT_THAT(others_heard, ElementsAre("orders.eu 1"));
  EXPECT_EQ(Stats().published, 1u);
}

TEST_F(TopicBusTest, UnsubscribeTakesTheRecipientThatSubscribeTook) {
  const Recipient<Published<Order>> subscriber = SpawnAuditor(&heard_);
  ASSERT_TRUE(test_.Await(bus_.Ask(Bus::Subscribe("orders.#", subscriber))).ok());
  EXPECT_TRUE(test_.Await(bus_.Ask(Bus::Unsubscribe("orders.#", subscriber))).ok());
  EXPECT_EQ(Stats().subscribers, 0u);
}

TEST_F(TopicBusTest, MalformedTopicsAndPatternsAreAnAnswer) {
  EXPECT_TRUE(absl::IsInvalidArgument(Subscribe("orders..eu", SpawnAuditor(&heard_))));
  EXPECT_TRUE(absl::IsInvalidArgument(test_.Await(bus_.Ask(Bus::Publish{"orders.*", Order{}})).status()));
  EXPECT_EQ(Stats().malformed, 1u);
  EXPECT_EQ(Stats().published, 0u);
  EXPECT_EQ(Stats().subscribers, 0u);
}

}  // namespace
}  // namespace troupe
