#include "cluster/swim/member_table.h"

#include "cluster/swim/test_core.h"
#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

constexpr State kStates[] = {State::kAlive, State::kSuspect, State::kDead, State::kLeft};

Member Held(State state, uint64_t incarnation) {
  return Member{.node = NodeOf("x"), .incarnation = incarnation, .state = state};
}

// The table of member_table.h, said once more: rows are what is held, columns what is heard (alive, suspect, dead,
// left), and in each column older, same, newer. t: take; c: confirm; r: remember.
TEST(Judge, FollowsTheTableForEveryPairOfFacts) {
  const std::string expected[] = {
      "--t -tt -tt -tt",  // alive
      "--t -ct -tt -tt",  // suspect
      "--t --- --- -rr",  // dead
      "--t --- --- ---",  // left
  };
  for (State held : kStates) {
    std::string row;
    for (State heard : kStates) {
      for (uint64_t incarnation : {0, 1, 2}) {
        Member member = Held(held, 1);
        row += "-tcr"[static_cast<int>(Judge(&member, Fact(heard, "x", incarnation)))];
      }
      if (heard != State::kLeft) row += ' ';
    }
    EXPECT_EQ(row, expected[static_cast<int>(held)]);
  }
}

TEST(Judge, TakesNothingButLifeOfAnUnknownMember) {
  for (State heard : kStates) {
    EXPECT_EQ(Judge(nullptr, Fact(heard, "x", 1)), heard == State::kAlive ? Ruling::kTake : Ruling::kIgnore);
  }
}

TEST(Judge, NeverLetsTwoFactsOverrideEachOther) {
  auto overrides = [](State a, uint64_t i, State b, uint64_t j) {
    Member held = Held(b, j);
    Ruling ruling = Judge(&held, Fact(a, "x", i));
    return ruling == Ruling::kTake || ruling == Ruling::kRemember;
  };
  for (State a : kStates) {
    for (State b : kStates) {
      for (uint64_t i : {0, 1, 2}) {
        for (uint64_t j : {0, 1, 2}) EXPECT_FALSE(overrides(a, i, b, j) && overrides(b, j, a, i));
      }
    }
  }
}

TEST(Judge, RemembersALaterDeadRunInSilence) {
  Member held = Held(State::kDead, 5);
  Update heard = Dead("x", 0);
  heard.node.generation = 2;
  EXPECT_EQ(Judge(&held, heard), Ruling::kRemember);
}

TEST(CompareFacts, OrdersByGenerationThenBySmallerIdThenByIncarnation) {
  Member held = Held(State::kAlive, 5);
  Update heard = Alive("x", 0);
  EXPECT_TRUE(CompareFacts(heard, held) < 0);
  heard.node.id = MakeId('y');
  heard.incarnation = 9;
  EXPECT_TRUE(CompareFacts(heard, held) < 0);
  heard.node.id = MakeId('w');
  heard.incarnation = 0;
  EXPECT_TRUE(CompareFacts(heard, held) > 0);
  heard.node.id = MakeId('y');
  heard.node.generation = 2;
  EXPECT_TRUE(CompareFacts(heard, held) > 0);
}

TEST(MemberTable, KeepsTheFirstDeadlineThroughConfirmationsAndPostponement) {
  MemberTable table;
  Instant start = Instant::FromNanos(0);
  table.Put(Held(State::kSuspect, 0), Suspicion(start, "p", absl::Seconds(1), absl::Seconds(4), 1));
  EXPECT_EQ(table.FirstDeadline(), start + absl::Seconds(4));

  EXPECT_TRUE(table.Confirm("x", "q"));
  EXPECT_FALSE(table.Confirm("x", "q"));
  EXPECT_EQ(table.FirstDeadline(), start + absl::Seconds(1));

  table.PostponeSuspicions(start + absl::Seconds(3));
  EXPECT_EQ(table.FirstDeadline(), start + absl::Seconds(3));

  table.Put(Held(State::kAlive, 1), std::nullopt);
  EXPECT_EQ(table.FirstDeadline(), Instant::Never());
  EXPECT_EQ(table.active(), 1u);
}

}  // namespace
}  // namespace troupe::swim
