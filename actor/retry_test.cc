// When to try again: the rules, and asks of an actor that follow them on virtual time.
#include "actor/retry.h"

#include "actor/retry_ask.h"
#include "actor/testkit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using testing::Probe;
using testing::TestSystem;

Instant At(double seconds) { return Instant() + absl::Seconds(seconds); }
absl::Status Down() { return absl::UnavailableError("down"); }

TEST(RetryTest, OnlyFailuresThatDidNothingAreRetriedUnlessTheCallMayHappenTwice) {
  const struct {
    absl::Status failure;
    bool nothing_was_done;
    bool unknown_outcome;
  } kCases[] = {
      {absl::UnavailableError(""), true, true},       {absl::ResourceExhaustedError(""), true, true},
      {absl::DeadlineExceededError(""), false, true}, {absl::UnknownError(""), false, true},
      {absl::InvalidArgumentError(""), false, false}, {absl::NotFoundError(""), false, false},
      {absl::InternalError(""), false, false},        {absl::OkStatus(), false, false},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(IsRetryable(c.failure, RetryOn::kNothingWasDone), c.nothing_was_done) << c.failure;
    EXPECT_EQ(IsRetryable(c.failure, RetryOn::kUnknownOutcome), c.unknown_outcome) << c.failure;
  }
}

TEST(RetryTest, WaitsDoubleUpToTheMaximumAndChanceTakesHalfAtMost) {
  const RetryOptions options{.max_attempts = 6,
                             .initial_wait = absl::Milliseconds(100),
                             .max_wait = absl::Milliseconds(500),
                             .total_timeout = absl::Minutes(1)};
  Duration shortest = absl::InfiniteDuration();
  Duration longest = absl::ZeroDuration();
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    RetryBudget budget;
    Retry retry(options, At(0));
    for (int64_t whole : {100, 200, 400, 500, 500}) {
      std::optional<Duration> wait = retry.WaitAfter(Down(), At(1), budget, random);
      ASSERT_TRUE(wait.has_value());
      EXPECT_LE(*wait, absl::Milliseconds(whole));
      EXPECT_GE(*wait, absl::Milliseconds(whole) / 2);
      if (whole == 100) shortest = std::min(shortest, *wait), longest = std::max(longest, *wait);
    }
    EXPECT_EQ(retry.WaitAfter(Down(), At(1), budget, random), std::nullopt) << "that was the last attempt";
    EXPECT_EQ(retry.attempts(), 6);
  }
  EXPECT_LT(shortest, absl::Milliseconds(55)) << "the whole half is used";
  EXPECT_GT(longest, absl::Milliseconds(95));
}

TEST(RetryTest, NoWaitBeginsThatWouldNotEndInTime) {
  Random random(1);
  RetryBudget budget;
  Retry retry({.max_attempts = 100, .initial_wait = absl::Seconds(4), .max_wait = absl::Seconds(4)}, At(0));
  EXPECT_TRUE(retry.WaitAfter(Down(), At(5.9), budget, random).has_value());
  EXPECT_FALSE(retry.WaitAfter(Down(), At(8.5), budget, random).has_value());
  EXPECT_EQ(retry.AttemptTimeout(At(1)), absl::Seconds(5));
  EXPECT_EQ(retry.AttemptTimeout(At(8)), absl::Seconds(2)) << "an attempt ends with the whole";
}

TEST(RetryTest, TheBudgetKeepsRetriesATenthOfTheCalls) {
  RetryBudget budget(/*percent=*/10, /*max_tokens=*/10);
  int retries = 0;
  for (int call = 0; call < 1000; ++call) {
    budget.CountCall();
    while (budget.Spend()) ++retries;
  }
  EXPECT_EQ(retries, 10 + 99) << "ten saved up, a tenth of the thousand less what the full bucket did not take";
}

TEST(RetryTest, AnEmptyBudgetEndsTheCall) {
  Random random(1);
  RetryBudget budget(/*percent=*/0, /*max_tokens=*/1);
  Retry retry({}, At(0));
  EXPECT_TRUE(retry.WaitAfter(Down(), At(0), budget, random).has_value());
  EXPECT_FALSE(retry.WaitAfter(Down(), At(0), budget, random).has_value());
}

// Fails so many times, then answers with the count of its calls.
struct Charge {
  using Result = int;
};
// A probe stands in for it.
class Till : public Actor<Till> {
 public:
  int Handle(Charge, Context&) { return 0; }
};

struct Buy {
  using Result = int;
};
struct BuyAwaiting {
  using Result = int;
};
struct Fall {};
class Shop : public Actor<Shop> {
 public:
  Shop(Address<Till> till, Retrier retrier) : till_(std::move(till)), retrier_(std::move(retrier)) {}
  void Handle(Buy, Reply<int> reply, Context& context) {
    AskWithRetry(context, till_, Charge{}, retrier_,
                 [reply = std::move(reply)](absl::StatusOr<int> calls) mutable { reply(std::move(calls)); });
  }
  // By a recipient, and awaited.
  Task<int> Handle(BuyAwaiting, Context& context) {
    const Recipient<Charge> till = till_;
    Charge charge;
    const absl::StatusOr<int> calls = co_await AskWithRetry(context, till, charge, retrier_);
    co_return calls.ok() ? *calls : -1;
  }
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }

 private:
  Address<Till> till_;
  Retrier retrier_;
};

const RetryOptions kRetry{.initial_wait = absl::Seconds(1), .max_wait = absl::Seconds(4)};

// A shop on its way to a till that the test is.
struct Purchase {
  explicit Purchase(Retrier retrier)
      : shop(test.system.Spawn<Shop>(till.address(), std::move(retrier))), bought(shop.Ask(Buy{}, absl::Minutes(1))) {}

  // Waits for the shop to ask, and says when that was.
  Instant Refuse(const absl::Status& failure) {
    till.ExpectAsk<Charge>().reply(failure);
    return test.simulator.Now();
  }
  absl::StatusOr<int> Answer() { return test.Await(std::move(bought)); }

  TestSystem test;
  Probe<Till> till{test};
  Address<Shop> shop;
  Future<int> bought;
};

TEST(AskWithRetryTest, AsksAgainAfterRealWaitsUntilItSucceeds) {
  Purchase purchase(Retrier(kRetry, Random(1)));
  const Instant first = purchase.Refuse(Down());
  const Instant second = purchase.Refuse(Down());
  purchase.till.ExpectAsk<Charge>().reply(3);
  const Instant third = purchase.test.simulator.Now();
  EXPECT_EQ(*purchase.Answer(), 3);
  EXPECT_GE(second - first, absl::Milliseconds(500));
  EXPECT_LE(second - first, absl::Milliseconds(1001));
  EXPECT_GE(third - second, absl::Milliseconds(1000));
  EXPECT_LE(third - second, absl::Milliseconds(2001));
}

TEST(AskWithRetryTest, TheLastFailureIsTheAnswer) {
  Purchase purchase(Retrier(kRetry, Random(1)));
  for (int i = 0; i < 4; ++i) purchase.Refuse(Down());
  EXPECT_EQ(purchase.Answer().status(), Down());
  purchase.till.ExpectNoMessage(absl::Minutes(1));
}

TEST(AskWithRetryTest, WhatWillNeverSucceedIsAskedOnce) {
  Purchase purchase(Retrier(kRetry, Random(1)));
  purchase.Refuse(absl::InvalidArgumentError("no such coin"));
  EXPECT_EQ(purchase.Answer().status(), absl::InvalidArgumentError("no such coin"));
  purchase.till.ExpectNoMessage(absl::Minutes(1));
}

TEST(AskWithRetryTest, ACircuitThatOpensSparesThePeer) {
  CircuitBreaker breaker({.failures_to_open = 2, .open = {.initial = absl::Hours(1), .max = absl::Hours(1)}},
                         Random(1));
  Purchase purchase(Retrier(kRetry, Random(1), breaker));
  for (int i = 0; i < 2; ++i) purchase.Refuse(Down());
  absl::Status status = purchase.Answer().status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("keeps failing"));
  purchase.till.ExpectNoMessage(absl::Minutes(1));
}

TEST(AskWithRetryTest, ItMayBeAwaitedAndARecipientBeAsked) {
  TestSystem test;
  Probe<Till> till(test);
  Address<Shop> shop = test.system.Spawn<Shop>(till.address(), Retrier(kRetry, Random(1)));
  Future<int> bought = shop.Ask(BuyAwaiting{}, absl::Minutes(1));
  till.ExpectAsk<Charge>().reply(Down());
  till.ExpectAsk<Charge>().reply(3);
  EXPECT_EQ(*test.Await(std::move(bought)), 3);
  bought = shop.Ask(BuyAwaiting{}, absl::Minutes(1));
  for (int i = 0; i < 4; ++i) till.ExpectAsk<Charge>().reply(Down());
  EXPECT_EQ(*test.Await(std::move(bought)), -1);
}

TEST(AskWithRetryTest, ACallEndsWithTheIncarnationThatMadeIt) {
  Purchase purchase(Retrier(kRetry, Random(1)));
  purchase.Refuse(Down());
  purchase.shop.Tell(Fall{});
  EXPECT_TRUE(absl::IsUnknown(purchase.Answer().status()));
  purchase.till.ExpectNoMessage(absl::Minutes(1));
}

}  // namespace
}  // namespace troupe
