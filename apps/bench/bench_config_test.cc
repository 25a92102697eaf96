#include "apps/bench/bench_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace troupe {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const std::vector<std::string>& args) {
  absl::StatusOr<BenchConfig> config = ParseBenchConfig(args);
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(BenchConfigTest, HasDefaultsForAllButTheBenchmark) {
  absl::StatusOr<BenchConfig> config = ParseBenchConfig({"kv"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->json);
  EXPECT_EQ(config->seconds, absl::Seconds(2));
  EXPECT_EQ(config->runs, 5);
  EXPECT_EQ(config->endpoint, "");
}

TEST(BenchConfigTest, TakesValuesWithAndWithoutEqualsSign) {
  absl::StatusOr<BenchConfig> config =
      ParseBenchConfig({"--json", "kv", "--seconds=0.5", "--runs", "3", "--endpoint=[::1]:7101"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->json);
  EXPECT_EQ(config->seconds, absl::Milliseconds(500));
  EXPECT_EQ(config->runs, 3);
  EXPECT_EQ(config->endpoint, "[::1]:7101");
}

TEST(BenchConfigTest, NamesWhatItDoesNotKnow) {
  EXPECT_EQ(ErrorOf({}), "which benchmark? there is: kv raft actors");
  EXPECT_EQ(ErrorOf({"disk"}), "no such benchmark: \"disk\"; there is: kv raft actors");
  EXPECT_EQ(ErrorOf({"kv", "--second=1"}), "no such flag: \"--second\"; nearest: --seconds");
  EXPECT_EQ(ErrorOf({"kv", "kv"}), "one benchmark at a time: \"kv\"");
  EXPECT_EQ(ErrorOf({"raft", "--endpoint=[::1]:7101"}),
            "--endpoint: belongs to kv; raft measures the core in this process");
}

TEST(BenchConfigTest, QuickAndPeersBelongToActors) {
  absl::StatusOr<BenchConfig> config = ParseBenchConfig({"actors", "--quick", "--peers=.troupe/peers"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->quick);
  EXPECT_EQ(config->peers, ".troupe/peers");
  EXPECT_EQ(ErrorOf({"kv", "--quick"}), "--quick: belongs to actors");
  EXPECT_EQ(ErrorOf({"raft", "--peers=x"}), "--peers: belongs to actors");
  EXPECT_THAT(ErrorOf({"actors", "--peers=it's"}), HasSubstr("must be a directory without a quote"));
}

TEST(BenchConfigTest, SaysWhatAValueMustBe) {
  for (const char* seconds : {"--seconds=0", "--seconds=nan", "--seconds=-1", "--seconds=2s", "--seconds="}) {
    EXPECT_THAT(ErrorOf({"kv", seconds}), HasSubstr("must be a number from 0.05 to 3600"));
  }
  for (const char* runs : {"--runs=0", "--runs=1.5", "--runs=1001", "--runs=99999999999"}) {
    EXPECT_THAT(ErrorOf({"kv", runs}), HasSubstr("must be a whole number from 1 to 1000"));
  }
  for (const char* endpoint : {"--endpoint=", "--endpoint=host", "--endpoint=:1", "--endpoint=host:70000"}) {
    EXPECT_THAT(ErrorOf({"kv", endpoint}), HasSubstr("must be HOST:PORT"));
  }
  EXPECT_EQ(ErrorOf({"kv", "--runs"}), "--runs needs a value");
  EXPECT_EQ(ErrorOf({"kv", "--json=yes"}), "--json takes no value");
}

}  // namespace
}  // namespace troupe
