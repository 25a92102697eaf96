// Supervision and shutdown under many seeds: trees of actors that fail in every callback, see supervision_world.h.
#include <glog/logging.h>

#include <cstdlib>
#include <string>

#include "actor/supervision_world.h"
#include "gtest/gtest.h"

namespace troupe::testing {
namespace {

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// TROUPE_SEED runs one seed and prints what happens; TROUPE_SEEDS runs so many from 1 on.
TEST(SupervisionSeedsTest, WhateverFailsAndWhenEachRuleHolds) {
  FLAGS_minloglevel = google::GLOG_ERROR;
  const uint64_t only = Environment("TROUPE_SEED", 0);
  const uint64_t seeds = Environment("TROUPE_SEEDS", 1000);
  std::array<uint64_t, kPlaces.size()> failures{};
  uint64_t group_restarts = 0;
  for (uint64_t seed = only == 0 ? 1 : only; seed <= (only == 0 ? seeds : only); ++seed) {
    World world(seed, /*talks=*/only != 0);
    ASSERT_EQ(world.Run(), "") << "again: TROUPE_SEED=" << seed << " bazel run //actor:supervision_seeds_test";
    if (seed % 16 == 0) {
      World again(seed, /*talks=*/false);
      again.Run();
      ASSERT_EQ(again.trace_hash(), world.trace_hash()) << "seed " << seed << " is not one run";
    }
    for (size_t i = 0; i < failures.size(); ++i) failures[i] += world.failures()[i];
    group_restarts += world.group_restarts();
  }
  if (only != 0) return;
  // A test that fails nowhere shows nothing.
  for (size_t i = 0; i < failures.size(); ++i) {
    EXPECT_GT(failures[i], seeds / 20) << "failures in " << kPlaces[i];
    RecordProperty(std::string(kPlaces[i]), std::to_string(failures[i]));
  }
  EXPECT_GT(group_restarts, seeds / 20);
}

}  // namespace
}  // namespace troupe::testing
