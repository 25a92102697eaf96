// The circuit breaker: each arrow of its diagram, then random histories against rules that look at the whole past.
#include "actor/circuit_breaker.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace troupe {
namespace {

using State = CircuitBreaker::State;

constexpr CircuitBreakerOptions kOptions{.failures_to_open = 3,
                                         .open = {.initial = absl::Seconds(10), .max = absl::Seconds(40)},
                                         .probe_timeout = absl::Seconds(5)};

Instant At(double seconds) { return Instant() + absl::Seconds(seconds); }
absl::Status Down() { return absl::UnavailableError("down"); }

void Fail(CircuitBreaker& breaker, int times, Instant now) {
  for (int i = 0; i < times; ++i) breaker.Record(breaker.Admit(now).value(), Down(), now);
}

TEST(CircuitBreakerTest, OpensAfterSoManyFailuresInARow) {
  CircuitBreaker breaker(kOptions, Random(1));
  Fail(breaker, 2, At(0));
  EXPECT_TRUE(breaker.Admit(At(0)).ok());
  Fail(breaker, 1, At(0));
  EXPECT_EQ(breaker.state(), State::kOpen);
  EXPECT_TRUE(absl::IsUnavailable(breaker.Admit(At(1)).status()));
  EXPECT_EQ(breaker.refused(), 1u);
}

TEST(CircuitBreakerTest, ASuccessForgetsTheFailuresBeforeIt) {
  CircuitBreaker breaker(kOptions, Random(1));
  Fail(breaker, 2, At(0));
  breaker.Record(*breaker.Admit(At(0)), absl::OkStatus(), At(0));
  Fail(breaker, 2, At(0));
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreakerTest, ARefusalOfThePeerIsNoFailureOfThePeer) {
  CircuitBreaker breaker(kOptions, Random(1));
  for (int i = 0; i < 10; ++i) breaker.Record(*breaker.Admit(At(0)), absl::NotFoundError("no such key"), At(0));
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreakerTest, OneProbePassesWhenTheWaitIsOverAndItsSuccessCloses) {
  CircuitBreaker breaker(kOptions, Random(1));
  Fail(breaker, 3, At(0));
  EXPECT_FALSE(breaker.Admit(At(7.9)).ok()) << "chance cuts a fifth of the wait at most";
  absl::StatusOr<CircuitBreaker::Permit> probe = breaker.Admit(At(10));
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(breaker.state(), State::kHalfOpen);
  EXPECT_FALSE(breaker.Admit(At(10)).ok());
  breaker.Record(*probe, absl::OkStatus(), At(11));
  EXPECT_EQ(breaker.state(), State::kClosed);
  EXPECT_TRUE(breaker.Admit(At(11)).ok());
}

TEST(CircuitBreakerTest, EachFailedProbeDoublesTheWaitUpToTheMaximum) {
  CircuitBreaker breaker(kOptions, Random(1));
  Fail(breaker, 3, At(0));
  Instant now = At(10);
  for (double wait : {20, 40, 40}) {
    Fail(breaker, 1, now);
    EXPECT_FALSE(breaker.Admit(now + absl::Seconds(wait * 0.79)).ok());
    now = now + absl::Seconds(wait);
  }
  breaker.Record(*breaker.Admit(now), absl::OkStatus(), now);
  Fail(breaker, 3, now);
  EXPECT_TRUE(breaker.Admit(now + absl::Seconds(10)).ok()) << "a success begins anew";
}

TEST(CircuitBreakerTest, AProbeThatNeverComesBackHasFailed) {
  CircuitBreaker breaker(kOptions, Random(1));
  Fail(breaker, 3, At(0));
  absl::StatusOr<CircuitBreaker::Permit> lost = breaker.Admit(At(10));
  EXPECT_FALSE(breaker.Admit(At(15)).ok());
  EXPECT_EQ(breaker.state(), State::kOpen);
  absl::StatusOr<CircuitBreaker::Permit> probe = breaker.Admit(At(35));
  ASSERT_TRUE(probe.ok());
  breaker.Record(*lost, absl::OkStatus(), At(35));
  EXPECT_EQ(breaker.state(), State::kHalfOpen) << "the lost one comes too late to count";
  breaker.Record(*probe, absl::OkStatus(), At(35));
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreakerTest, CallsFromBeforeItOpenedChangeNothing) {
  CircuitBreaker breaker(kOptions, Random(1));
  absl::StatusOr<CircuitBreaker::Permit> early = breaker.Admit(At(0));
  absl::StatusOr<CircuitBreaker::Permit> other = breaker.Admit(At(0));
  Fail(breaker, 3, At(0));
  breaker.Record(*early, absl::OkStatus(), At(1));
  EXPECT_EQ(breaker.state(), State::kOpen);
  breaker.Record(*breaker.Admit(At(10)), absl::OkStatus(), At(10));
  for (int i = 0; i < 2; ++i) breaker.Record(*breaker.Admit(At(11)), Down(), At(11));
  breaker.Record(*other, Down(), At(11));
  EXPECT_EQ(breaker.state(), State::kClosed);
}

TEST(CircuitBreakerTest, OptionsWithoutSenseAreNamed) {
  CircuitBreakerOptions options = kOptions;
  EXPECT_TRUE(options.Validate().ok());
  options.open.max = absl::Seconds(1);
  EXPECT_EQ(options.Validate().message(), "open.max must not be under open.initial");
}

// The model keeps when each call was made and how those of this epoch ended, and reads the rules off these lists.
class History {
 public:
  enum class Answer { kYes, kNo, kEither };

  // Whether a call at `now` must pass; kEither within the chance of the wait.
  Answer MustPass(Instant now) const {
    if (!open_) return Answer::kYes;
    if (probe_out_) return Answer::kNo;
    if (now >= opened_ + wait_) return Answer::kYes;
    return now < opened_ + wait_ * 0.8 ? Answer::kNo : Answer::kEither;
  }
  bool ProbeLost(Instant now) const { return probe_out_ && now >= made_.back() + kOptions.probe_timeout; }
  State state() const { return !open_ ? State::kClosed : probe_out_ ? State::kHalfOpen : State::kOpen; }

  size_t Make(Instant now) {
    made_.push_back(now);
    probe_out_ = open_;
    return made_.size() - 1;
  }
  void Opened(Instant now) {
    wait_ = open_ ? std::min(wait_ * 2, kOptions.open.max) : kOptions.open.initial;
    opened_ = now;
    BeginEpoch(/*open=*/true);
  }
  void End(size_t call, bool failed, Instant now) {
    if (call < epoch_ || (open_ && !probe_out_)) return;
    if (open_) return failed ? Opened(now) : BeginEpoch(/*open=*/false);
    outcomes_.push_back(failed);
    size_t tail = 0;
    while (tail < outcomes_.size() && outcomes_[outcomes_.size() - 1 - tail]) ++tail;
    if (tail >= static_cast<size_t>(kOptions.failures_to_open)) Opened(now);
  }

 private:
  void BeginEpoch(bool open) {
    open_ = open;
    probe_out_ = false;
    epoch_ = made_.size();
    outcomes_.clear();
  }

  bool open_ = false;
  bool probe_out_ = false;  // then it is the call made last
  Instant opened_;
  Duration wait_;
  std::vector<Instant> made_;
  size_t epoch_ = 0;            // calls before this one do not count any more
  std::vector<bool> outcomes_;  // of this epoch, in the order of their ends
};

TEST(CircuitBreakerTest, AgreesWithTheHistoryOfAllCalls) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    CircuitBreaker breaker(kOptions, Random(seed + 1));
    History history;
    std::vector<std::pair<size_t, CircuitBreaker::Permit>> under_way;
    Instant now;
    const uint64_t failing = 200 + random.Below(700);
    for (int step = 0; step < 300; ++step) {
      now = now + absl::Milliseconds(random.Below(random.PerMille(200) ? 15000 : 500));
      if (!under_way.empty() && random.PerMille(500)) {
        const size_t which = random.Below(under_way.size());
        const bool failed = random.PerMille(failing);
        breaker.Record(under_way[which].second, failed ? Down() : absl::OkStatus(), now);
        history.End(under_way[which].first, failed, now);
        under_way.erase(under_way.begin() + which);
      } else {
        if (history.ProbeLost(now)) history.Opened(now);
        const History::Answer must_pass = history.MustPass(now);
        absl::StatusOr<CircuitBreaker::Permit> permit = breaker.Admit(now);
        if (must_pass != History::Answer::kEither) {
          ASSERT_EQ(permit.ok(), must_pass == History::Answer::kYes) << "step " << step;
        }
        if (permit.ok()) under_way.emplace_back(history.Make(now), *permit);
      }
      ASSERT_EQ(breaker.state(), history.state()) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace troupe
