#include "apps/bench/comparison.h"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(ComparisonTest, IsToTheBetterPeerInTheConfigurationThatIsBestForIt) {
  Comparison nanos{.ours = {40, 50, 90}};
  nanos.peers["erlang"] = {{"one", {700, 800, 900}}, {"two", {400, 500, 3000}}};
  nanos.peers["caf"] = {{"one", {600, 1, 600}}};
  EXPECT_EQ(nanos.PeersBest("erlang").median, 500);
  EXPECT_EQ(nanos.PeersBest("caf").median, 600);
  EXPECT_EQ(nanos.Ratio(), 10);
  Comparison rate{.less_is_better = false, .ours = {12}};
  rate.peers["erlang"] = {{"one", {2}}, {"two", {3}}};
  rate.peers["caf"] = {{"one", {1}}};
  EXPECT_EQ(rate.Ratio(), 4);
}

TEST(ComparisonTest, WithoutPeersThereIsNoRatio) {
  const Comparison alone{.must = 50, .must_ratio = 7, .ours = {51}};
  EXPECT_EQ(alone.Ratio(), 0);
  EXPECT_EQ(alone.PeersBest("caf").median, 0);
  EXPECT_FALSE(alone.holds());
}

TEST(ComparisonTest, AFigureHoldsByItselfOrByItsRatio) {
  Comparison nanos{.must = 50, .must_ratio = 7, .ours = {60}};
  nanos.peers["caf"] = {{"one", {419}}};
  EXPECT_FALSE(nanos.holds());
  nanos.peers["caf"] = {{"one", {420}}};
  EXPECT_TRUE(nanos.holds());
  nanos.ours = {50};
  nanos.peers.clear();
  EXPECT_TRUE(nanos.holds());
  // Memory has no ratio to save it.
  Comparison bytes{.must = 300, .ours = {301}};
  bytes.peers["caf"] = {{"one", {3000}}};
  EXPECT_FALSE(bytes.holds());
  const Comparison rate{.less_is_better = false, .must = 5, .ours = {5}};
  EXPECT_TRUE(rate.holds());
}

}  // namespace
}  // namespace troupe
