// All features of the actor core together, under many seeds: see features_world.h.
#include <glog/logging.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "actor/features_world.h"
#include "gtest/gtest.h"

namespace troupe::testing {
namespace {

// TROUPE_SEED runs one seed and prints what happens; TROUPE_SEEDS runs so many from 1 on.
TEST(FeaturesSeedsTest, WhateverIsUsedTogetherEachRuleHolds) {
  FLAGS_minloglevel = google::GLOG_ERROR;
  const bool talks = std::getenv("TROUPE_SEED") != nullptr;
  std::map<std::string, uint64_t> counts;
  uint64_t seeds = 0;
  RunSeeds(600, [&](uint64_t seed) {
    ++seeds;
    int64_t live = 0;
    {
      // On the heap: GCC 12 with AddressSanitizer does not align what is on the stack to 64 bytes.
      auto world = std::make_unique<FeaturesWorld>(seed, talks, &live);
      ASSERT_EQ(world->Run(), "");
      for (const auto& [what, count] : world->counts()) counts[what] += count;
      if (seed % 16 == 0) {
        int64_t live_again = 0;
        auto again = std::make_unique<FeaturesWorld>(seed, /*talks=*/false, &live_again);
        again->Run();
        ASSERT_EQ(again->trace_hash(), world->trace_hash()) << "the seed is not one run";
      }
    }
    ASSERT_EQ(live, 0) << "something is left behind";
  });
  if (talks) return;
  // A test in which nothing happens shows nothing.
  for (const auto& [what, count] : counts) {
    EXPECT_GT(count, seeds / 200) << what;
    RecordProperty(what, std::to_string(count));
  }
  EXPECT_GE(counts.size(), 29u);
}

}  // namespace
}  // namespace troupe::testing
