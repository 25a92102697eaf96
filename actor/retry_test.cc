// When to try again: the rules, and asks of an actor that follow them on virtual time.
#include "actor/retry.h"

#include "actor/retry_ask.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
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
class Till : public Actor<Till> {
 public:
  Till(int failures, absl::Status failure, std::vector<Instant>* calls)
      : failures_(failures), failure_(std::move(failure)), calls_(calls) {}
  absl::StatusOr<int> Handle(Charge, Context& context) {
    calls_->push_back(context.Now());
    if (static_cast<int>(calls_->size()) <= failures_) return failure_;
    return static_cast<int>(calls_->size());
  }

 private:
  const int failures_;
  const absl::Status failure_;
  std::vector<Instant>* calls_;
};

struct Buy {
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
  void Handle(Fall, Context& context) { context.Fail(absl::InternalError("fell")); }

 private:
  Address<Till> till_;
  Retrier retrier_;
};

const RetryOptions kRetry{.initial_wait = absl::Seconds(1), .max_wait = absl::Seconds(4)};

TEST(AskWithRetryTest, AsksAgainAfterRealWaitsUntilItSucceeds) {
  TestSystem test;
  std::vector<Instant> calls;
  Address<Till> till = test.system.Spawn<Till>(2, Down(), &calls);
  Address<Shop> shop = test.system.Spawn<Shop>(till, Retrier(kRetry, Random(1)));
  EXPECT_EQ(*test.Await(shop.Ask(Buy{}, absl::Minutes(1))), 3);
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_GE(calls[1] - calls[0], absl::Milliseconds(500));
  EXPECT_LE(calls[1] - calls[0], absl::Milliseconds(1001));
  EXPECT_GE(calls[2] - calls[1], absl::Milliseconds(1000));
  EXPECT_LE(calls[2] - calls[1], absl::Milliseconds(2001));
}

TEST(AskWithRetryTest, TheLastFailureIsTheAnswer) {
  TestSystem test;
  std::vector<Instant> calls;
  Address<Till> till = test.system.Spawn<Till>(100, Down(), &calls);
  Address<Shop> shop = test.system.Spawn<Shop>(till, Retrier(kRetry, Random(1)));
  EXPECT_EQ(test.Await(shop.Ask(Buy{}, absl::Minutes(1))).status(), Down());
  EXPECT_EQ(calls.size(), 4u);
}

TEST(AskWithRetryTest, WhatWillNeverSucceedIsAskedOnce) {
  TestSystem test;
  std::vector<Instant> calls;
  Address<Till> till = test.system.Spawn<Till>(100, absl::InvalidArgumentError("no such coin"), &calls);
  Address<Shop> shop = test.system.Spawn<Shop>(till, Retrier(kRetry, Random(1)));
  EXPECT_EQ(test.Await(shop.Ask(Buy{}, absl::Minutes(1))).status(), absl::InvalidArgumentError("no such coin"));
  EXPECT_EQ(calls.size(), 1u);
}

TEST(AskWithRetryTest, ACircuitThatOpensSparesThePeer) {
  TestSystem test;
  std::vector<Instant> calls;
  Address<Till> till = test.system.Spawn<Till>(100, Down(), &calls);
  CircuitBreaker breaker({.failures_to_open = 2, .open = {.initial = absl::Hours(1), .max = absl::Hours(1)}},
                         Random(1));
  Address<Shop> shop = test.system.Spawn<Shop>(till, Retrier(kRetry, Random(1), breaker));
  absl::Status status = test.Await(shop.Ask(Buy{}, absl::Minutes(1))).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("keeps failing"));
  EXPECT_EQ(calls.size(), 2u);
}

TEST(AskWithRetryTest, ACallEndsWithTheIncarnationThatMadeIt) {
  TestSystem test;
  std::vector<Instant> calls;
  Address<Till> till = test.system.Spawn<Till>(100, Down(), &calls);
  Address<Shop> shop = test.system.Spawn<Shop>(till, Retrier(kRetry, Random(1)));
  Future<int> answer = shop.Ask(Buy{}, absl::Minutes(1));
  test.Settle();
  shop.Tell(Fall{});
  EXPECT_TRUE(absl::IsUnknown(test.Await(std::move(answer)).status()));
  test.simulator.RunFor(absl::Minutes(1));
  EXPECT_EQ(calls.size(), 1u);
}

}  // namespace
}  // namespace troupe
