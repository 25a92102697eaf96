// The service as its callers see it, over a store of 64 shards in memory.
#include "kvstore/kv_service.h"

#include <algorithm>
#include <map>
#include <optional>

#include "actor/deterministic_executor.h"
#include "cluster/lone_node.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/cluster_service.h"
#include "kvstore/limits.h"
#include "kvstore/memory_storage.h"
#include "kvstore/store.h"

namespace troupe {
namespace {

using ::testing::HasSubstr;

class KvServiceTest : public ::testing::Test {
 protected:
  KvServiceTest() {
    cluster_.Start();
    store_ = system_.Spawn<Store>(SpawnOptions{}, &cluster_, map_, &storage_, [](const absl::Status&) {});
    EXPECT_TRUE(cluster_.Register(kStoreName, store_).ok());
    simulator_.RunFor(absl::Seconds(1));
  }

  // Calls a method of the service and runs until it has answered.
  template <typename Response, typename Request, typename S>
  absl::StatusOr<Response> Call(S& service, void (S::*method)(const Request&, Duration, Done<Response>),
                                const Request& request) {
    std::optional<absl::StatusOr<Response>> answer;
    (service.*method)(request, absl::Seconds(5), [&](absl::StatusOr<Response> response) { answer = response; });
    simulator_.RunUntil([&] { return answer.has_value(); }, absl::Seconds(10));
    return *std::move(answer);
  }

  absl::StatusOr<kv::v1::SetResponse> Set(const std::string& key, const std::string& value,
                                          std::optional<kv::v1::Condition> condition = std::nullopt) {
    kv::v1::SetRequest request;
    request.set_key(key);
    request.set_value(value);
    if (condition.has_value()) *request.mutable_condition() = *condition;
    return Call(service_, &KvService::Set, request);
  }
  absl::StatusOr<kv::v1::GetResponse> Get(const std::string& key) {
    kv::v1::GetRequest request;
    request.set_key(key);
    return Call(service_, &KvService::Get, request);
  }
  absl::StatusOr<kv::v1::ListResponse> List(const std::string& prefix, uint32_t page_size,
                                            const std::string& token = "") {
    kv::v1::ListRequest request;
    request.set_prefix(prefix);
    request.set_page_size(page_size);
    request.set_page_token(token);
    return Call(service_, &KvService::List, request);
  }
  static std::optional<kv::v1::KeyState> StateIn(const absl::Status& status) {
    absl::optional<absl::Cord> payload = status.GetPayload(kKeyStateUrl);
    kv::v1::KeyState state;
    if (!payload.has_value() || !state.ParseFromString(std::string(*payload))) return std::nullopt;
    return state;
  }

  Simulator simulator_{1};
  DeterministicExecutor executor_{simulator_, 1};
  MemoryStorage storage_;
  NoPeers transport_;
  ActorSystem system_{executor_};
  NoMemory memory_;
  Cluster cluster_{LoneNode(), system_, transport_, memory_};
  ShardMap map_ = ShardMap::Founding(64);
  Address<Store> store_;
  Router router_{cluster_, map_};
  KvService service_{router_};
  ClusterService cluster_service_{cluster_, router_, NodeFacts{.version = "1.2.3"}};
};

TEST_F(KvServiceTest, EveryReplyAboutAKeyCarriesShardAndRevision) {
  auto set = Set("user:1", "ada");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->shard(), map_.ShardOf("user:1"));
  EXPECT_EQ(set->revision(), set->version());
  auto got = Get("user:1");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->value(), "ada");
  EXPECT_EQ(got->version(), set->version());
  EXPECT_EQ(got->shard(), set->shard());
  EXPECT_EQ(got->revision(), set->revision());
}

TEST_F(KvServiceTest, AMissingKeyIsNotFoundWithItsShardAndRevision) {
  absl::Status status = Get("user:1").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  std::optional<kv::v1::KeyState> state = StateIn(status);
  ASSERT_TRUE(state.has_value());
  EXPECT_FALSE(state->exists());
  EXPECT_EQ(state->shard(), map_.ShardOf("user:1"));
}

TEST_F(KvServiceTest, AFailedConditionTellsTheKeyAsItStands) {
  uint64_t version = Set("k", "red")->version();
  kv::v1::Condition absent;
  absent.set_exists(false);
  absl::Status status = Set("k", "blue", absent).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  std::optional<kv::v1::KeyState> state = StateIn(status);
  ASSERT_TRUE(state.has_value());
  EXPECT_TRUE(state->exists());
  EXPECT_EQ(state->value(), "red");
  EXPECT_EQ(state->version(), version);
}

TEST_F(KvServiceTest, ALargeValueStaysOutOfTheDetails) {
  Set("k", std::string(kMaxValueBytesInDetails + 1, 'x')).value();
  kv::v1::Condition absent;
  absent.set_exists(false);
  std::optional<kv::v1::KeyState> state = StateIn(Set("k", "y", absent).status());
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->value(), "");
  EXPECT_EQ(state->value_size(), kMaxValueBytesInDetails + 1);
}

TEST_F(KvServiceTest, LimitsHoldToTheByte) {
  EXPECT_TRUE(absl::IsInvalidArgument(Set("", "v").status()));
  EXPECT_TRUE(Set(std::string(4096, 'k'), "v").ok());
  absl::Status long_key = Set(std::string(4097, 'k'), "v").status();
  EXPECT_TRUE(absl::IsInvalidArgument(long_key));
  EXPECT_LT(long_key.message().size(), 200u) << "keys in messages are cut";
  EXPECT_TRUE(Set("k", std::string(1 << 20, 'v')).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Set("k", std::string((1 << 20) + 1, 'v')).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Get("").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Set("k", "v", kv::v1::Condition()).status())) << "a condition that says nothing";
}

TEST_F(KvServiceTest, KeysAndValuesMayBeAnyBytes) {
  const std::string key("\x00\xff{\n", 4);
  ASSERT_TRUE(Set(key, std::string("\xc3\x28\x00", 3)).ok());
  EXPECT_EQ(Get(key)->value(), std::string("\xc3\x28\x00", 3));
  EXPECT_EQ(List(key, 10)->entries(0).key(), key);
}

TEST_F(KvServiceTest, DeleteSaysWhetherThereWasAKey) {
  Set("k", "v").value();
  kv::v1::DeleteRequest request;
  request.set_key("k");
  EXPECT_TRUE(Call(service_, &KvService::Delete, request)->deleted());
  EXPECT_FALSE(Call(service_, &KvService::Delete, request)->deleted());
  request.mutable_condition()->set_version(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Call(service_, &KvService::Delete, request).status()));
  request.mutable_condition()->set_exists(false);
  EXPECT_TRUE(absl::IsInvalidArgument(Call(service_, &KvService::Delete, request).status()));
}

TEST_F(KvServiceTest, AListingPagesThroughAllShardsInByteOrder) {
  std::map<std::string, std::string> model;
  for (int i = 0; i < 250; ++i) {
    std::string key = (i % 5 == 0 ? "other:" : "user:") + std::to_string(i);
    ASSERT_TRUE(Set(key, std::to_string(i)).ok());
    if (i % 5 != 0) model[key] = std::to_string(i);
  }
  std::vector<std::pair<std::string, std::string>> listed;
  std::string token;
  int pages = 0;
  do {
    auto page = List("user:", 70, token);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->entries_size(), 70);
    for (const kv::v1::Entry& entry : page->entries()) {
      listed.emplace_back(entry.key(), entry.value());
      EXPECT_EQ(entry.shard(), map_.ShardOf(entry.key()));
      EXPECT_GE(entry.revision(), entry.version());
    }
    token = page->next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(listed, (std::vector<std::pair<std::string, std::string>>(model.begin(), model.end())));
}

TEST_F(KvServiceTest, APageEndsAtTwoMebibytesAndGoesOnFromThere) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Set("k" + std::to_string(i), std::string(1'000'000, 'v')).ok());
  auto first = List("k", 100);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->entries_size(), 2);
  auto second = List("k", 100, first->next_page_token());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->entries(0).key(), "k2");
}

TEST_F(KvServiceTest, TokensOfAnotherListingAreRefused) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Set("k" + std::to_string(i), "v").ok());
  std::string token = List("k", 2)->next_page_token();
  EXPECT_TRUE(absl::IsInvalidArgument(List("other", 2, token).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(List("k", 2, "!!!").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(List("k", 2, "AAAA").status()));
}

TEST_F(KvServiceTest, ManyListingsAtOnceWaitForEachOtherAndTooManyAreRefused) {
  ASSERT_TRUE(Set("k", "v").ok());
  std::vector<absl::StatusCode> codes;
  for (int i = 0; i < 1050; ++i) {
    service_.List({}, absl::Seconds(60), [&](auto response) { codes.push_back(response.status().code()); });
  }
  simulator_.RunUntil([&] { return codes.size() == 1050; }, absl::Seconds(60));
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kResourceExhausted), 1050 - 1024 - 16);
  EXPECT_EQ(std::count(codes.begin(), codes.end(), absl::StatusCode::kOk), 1024 + 16);
  EXPECT_TRUE(List("", 10).ok());
}

TEST_F(KvServiceTest, AStoppedShardIsUnavailableAndTheOthersServe) {
  system_.Lookup<ShardActor>(ShardName(map_.ShardOf("a")))->Stop();
  simulator_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(Get("a").status()));
  EXPECT_TRUE(absl::IsNotFound(Get("b").status()));
  EXPECT_TRUE(absl::IsUnavailable(List("", 10).status()));
  auto status = Call(cluster_service_, &ClusterService::GetStatus, cluster::v1::GetStatusRequest());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->health(), cluster::v1::HEALTH_DEGRADED);
  EXPECT_EQ(status->shards_serving(), 63u);
  EXPECT_EQ(status->problems_size(), 1);
}

TEST_F(KvServiceTest, TheStatusOfAWholeNodeIsGood) {
  Set("a", "v").value();
  auto status = Call(cluster_service_, &ClusterService::GetStatus, cluster::v1::GetStatusRequest());
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->health(), cluster::v1::HEALTH_OK);
  EXPECT_EQ(status->shards_serving(), 64u);
  EXPECT_EQ(status->nodes_may_fail(), 0u);
  EXPECT_EQ(status->approximate_keys(), 1u);
  EXPECT_EQ(status->node().version(), "1.2.3");
}

TEST_F(KvServiceTest, TheShardMapCoversEverySlotOnce) {
  auto map = Call(cluster_service_, &ClusterService::GetShardMap, cluster::v1::GetShardMapRequest());
  ASSERT_TRUE(map.ok());
  ASSERT_EQ(map->shards_size(), 64);
  uint32_t next = 0;
  for (const cluster::v1::Shard& shard : map->shards()) {
    EXPECT_EQ(shard.first_slot(), next);
    EXPECT_EQ(shard.leader(), "n1");
    EXPECT_TRUE(shard.serving());
    next = shard.last_slot() + 1;
  }
  EXPECT_EQ(next, 65536u);
}

TEST(KeyForPeopleTest, EscapesAndCuts) {
  EXPECT_EQ(KeyForPeople("user:1"), "\"user:1\"");
  EXPECT_EQ(KeyForPeople(std::string("\x00\n\"", 3)), "\"\\x00\\n\\\"\"");
  EXPECT_EQ(KeyForPeople(std::string(65, 'k')), "\"" + std::string(64, 'k') + "\"...");
}

}  // namespace
}  // namespace troupe
