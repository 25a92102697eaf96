#include "cluster/swim/probe_round.h"

#include <map>
#include <set>

#include "gtest/gtest.h"

namespace troupe::swim {
namespace {

TEST(ProbeRound, VisitsEachOnceARoundInAnOrderThatChanges) {
  Random random(1);
  ProbeRound round;
  for (const char* name : {"a", "b", "c", "d", "e"}) round.Add(name, random);
  std::set<std::vector<std::string>> orders;
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> order;
    for (int j = 0; j < 5; ++j) order.push_back(*round.Next(random));
    EXPECT_EQ(std::set<std::string>(order.begin(), order.end()).size(), 5u);
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 10u);
}

TEST(ProbeRound, PutsAJoinerAnywhere) {
  std::set<int> places;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    ProbeRound round;
    for (const char* name : {"a", "b", "c"}) round.Add(name, random);
    round.Add("x", random);
    int place = 0;
    while (*round.Next(random) != "x") ++place;
    places.insert(place);
  }
  EXPECT_EQ(places, (std::set<int>{0, 1, 2, 3}));
}

TEST(ProbeRound, SkipsNobodyWhenOthersComeAndGo) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    ProbeRound round;
    for (const char* name : {"a", "b", "c", "d"}) round.Add(name, random);
    std::map<std::string, int> seen;
    ++seen[*round.Next(random)];
    ++seen[*round.Next(random)];
    std::string gone = seen.begin()->first;
    round.Remove(gone);
    round.Add("x", random);
    for (int i = 0; i < 2; ++i) ++seen[*round.Next(random)];
    // x may stand in the part that is over. Nobody comes twice before the others have come once.
    for (const auto& [name, times] : seen) EXPECT_EQ(times, 1) << name << " seed " << seed;
  }
}

TEST(ProbeRound, OfNobodyIsNull) {
  Random random(1);
  ProbeRound round;
  EXPECT_EQ(round.Next(random), nullptr);
  round.Add("a", random);
  round.Remove("a");
  round.Remove("b");
  EXPECT_EQ(round.Next(random), nullptr);
}

TEST(PickRandom, TakesAllWhenThereAreTooFew) {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<int> picked = PickRandom(std::vector<int>{1, 2}, 3, random);
    EXPECT_EQ(std::set<int>(picked.begin(), picked.end()), (std::set<int>{1, 2}));
  }
}

}  // namespace
}  // namespace troupe::swim
