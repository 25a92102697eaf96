// What one shard decides: conditions, versions, rounds, overload, and what it does when the disk fails.
#include "kvstore/shard_actor.h"

#include <algorithm>
#include <optional>

#include "actor/deterministic_executor.h"
#include "gtest/gtest.h"
#include "kvstore/limits.h"
#include "kvstore/memory_storage.h"
#include "kvstore/store.h"

namespace troupe {
namespace {

constexpr SlotRange kAllSlots{0, 65535};

// Counts what reaches the disk.
class CountingStorage final : public Storage {
 public:
  absl::Status Commit(const std::vector<ShardBatch>& batches) override {
    ++commits;
    for (const ShardBatch& batch : batches) writes += batch.writes.size();
    return memory.Commit(batches);
  }
  absl::StatusOr<ReadResult> Read(ShardId shard, const std::vector<std::string>& keys) override {
    ++reads;
    return memory.Read(shard, keys);
  }
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request) override { return memory.Scan(request); }
  absl::StatusOr<StorageStats> Stats() override { return memory.Stats(); }

  MemoryStorage memory;
  int commits = 0;
  size_t writes = 0;
  int reads = 0;
};

class ShardActorTest : public ::testing::Test {
 protected:
  explicit ShardActorTest(uint64_t seed = 1) : simulator_(seed), executor_(simulator_, 1) {
    writer_ = system_.Spawn<CommitWriter>(SpawnOptions{.mailbox_capacity = 4096}, &storage_,
                                          [this](const absl::Status& reason) { exit_reason_ = reason; });
    shard_ =
        system_.Spawn<ShardActor>(SpawnOptions{.mailbox_capacity = 4096}, ShardId{7}, kAllSlots, &storage_, writer_);
    simulator_.RunFor(absl::Seconds(1));
    storage_.reads = 0;
  }

  template <typename R>
  Outcome<R> Await(Future<R> future) {
    std::optional<Outcome<R>> outcome;
    std::move(future).Then([&](Outcome<R> result) { outcome = std::move(result); });
    simulator_.RunUntil([&] { return outcome.has_value(); }, absl::Hours(1));
    return *std::move(outcome);
  }
  Future<WriteOutcome> AskSet(std::string key, std::string value, WriteCondition condition = {}) {
    return shard_.Ask(WriteKey{std::move(key), std::move(value), std::move(condition)});
  }
  WriteOutcome Set(std::string key, std::string value, WriteCondition condition = {}) {
    return Await(AskSet(std::move(key), std::move(value), std::move(condition))).value();
  }
  WriteOutcome Delete(std::string key, WriteCondition condition = {}) {
    return Await(shard_.Ask(WriteKey{std::move(key), std::nullopt, std::move(condition)})).value();
  }
  KeyReading Get(std::string key) { return Await(shard_.Ask(ReadKey{std::move(key)})).value(); }

  Simulator simulator_;
  DeterministicExecutor executor_;
  CountingStorage storage_;
  std::optional<absl::Status> exit_reason_;
  ActorSystem system_{executor_};
  Address<CommitWriter> writer_;
  Address<ShardActor> shard_;
};

TEST_F(ShardActorTest, AKeyOfAnotherShardGetsNoSecondHomeHere) {
  const uint16_t slot = SlotOf("k");
  const auto spawn = [&](SlotRange slots) { return system_.Spawn<ShardActor>(ShardId{8}, slots, &storage_, writer_); };
  for (const SlotRange& others :
       {SlotRange{0, static_cast<uint16_t>(slot - 1)}, SlotRange{static_cast<uint16_t>(slot + 1), 65535}}) {
    Address<ShardActor> shard = spawn(others);
    EXPECT_TRUE(absl::IsUnavailable(Await(shard.Ask(WriteKey{"k", "v", {}})).status()));
    EXPECT_TRUE(absl::IsUnavailable(Await(shard.Ask(ReadKey{"k"})).status()));
  }
  EXPECT_EQ(storage_.writes, 0u);
  EXPECT_TRUE(Await(spawn({slot, slot}).Ask(WriteKey{"k", "v", {}})).ok());
}

TEST_F(ShardActorTest, ASetIsReadWithItsVersionShardAndRevision) {
  WriteOutcome set = Set("k", "v");
  KeyReading got = Get("k");
  EXPECT_EQ(got.record, (Record{"v", set.version}));
  EXPECT_EQ(got.shard, 7);
  EXPECT_EQ(got.revision, set.revision);
  EXPECT_EQ(Get("other").record, std::nullopt);
}

TEST_F(ShardActorTest, VersionsGrowAlsoAcrossADelete) {
  uint64_t first = Set("k", "1").version;
  uint64_t second = Set("k", "2").version;
  WriteOutcome deleted = Delete("k");
  uint64_t third = Set("k", "3").version;
  EXPECT_TRUE(deleted.before.has_value());
  EXPECT_LT(first, second);
  EXPECT_LT(second, deleted.revision);
  EXPECT_LT(deleted.revision, third);
}

TEST_F(ShardActorTest, DeletingNothingWritesNothing) {
  Set("k", "v");
  int commits = storage_.commits;
  WriteOutcome deleted = Delete("other");
  EXPECT_TRUE(deleted.condition_held);
  EXPECT_EQ(deleted.before, std::nullopt);
  EXPECT_EQ(deleted.version, 0u);
  EXPECT_EQ(storage_.commits, commits);
}

TEST_F(ShardActorTest, EachConditionHoldsWhenItShould) {
  const struct {
    const char* what;
    bool key_exists;
    WriteCondition condition;
    bool holds;
  } kCases[] = {
      {"must exist, does", true, KeyMustExist{true}, true},
      {"must exist, does not", false, KeyMustExist{true}, false},
      {"must not exist, does", true, KeyMustExist{false}, false},
      {"must not exist, does not", false, KeyMustExist{false}, true},
      {"value, same", true, ValueMustBe{"v"}, true},
      {"value, other", true, ValueMustBe{"w"}, false},
      {"value, no key", false, ValueMustBe{"v"}, false},
      {"empty value, no key", false, ValueMustBe{""}, false},
      {"version, other", true, VersionMustBe{999}, false},
      {"version 0, no key", false, VersionMustBe{0}, false},
  };
  for (const auto& c : kCases) {
    Delete("k");
    if (c.key_exists) Set("k", "v");
    WriteOutcome outcome = Set("k", "new", c.condition);
    EXPECT_EQ(outcome.condition_held, c.holds) << c.what;
    EXPECT_EQ(outcome.before.has_value(), c.key_exists) << c.what;
    std::optional<Record> now = Get("k").record;
    EXPECT_EQ(now.has_value() && now->value == "new", c.holds) << c.what;
  }
  uint64_t version = Set("k", "v").version;
  EXPECT_TRUE(Set("k", "new", VersionMustBe{version}).condition_held);
  EXPECT_FALSE(Set("k", "newer", VersionMustBe{version}).condition_held);
}

TEST_F(ShardActorTest, OfManyThatCreateAKeyExactlyOneWins) {
  int winners = 0;
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    AskSet("k", std::to_string(i), KeyMustExist{false}).Then([&](absl::StatusOr<WriteOutcome> outcome) {
      winners += outcome.value().condition_held;
      ++answers;
    });
  }
  simulator_.RunUntil([&] { return answers == 100; }, absl::Seconds(10));
  EXPECT_EQ(answers, 100);
  EXPECT_EQ(winners, 1);
}

TEST_F(ShardActorTest, WritesThatWaitShareOneCommit) {
  int answers = 0;
  for (int i = 0; i < 100; ++i) AskSet("k" + std::to_string(i), "v").Then([&](auto) { ++answers; });
  simulator_.RunUntil([&] { return answers == 100; }, absl::Seconds(10));
  EXPECT_EQ(storage_.writes, 100u);
  EXPECT_LT(storage_.commits, 5);
  EXPECT_EQ(storage_.reads, 0) << "an unconditional set needs no look at the disk";
}

TEST_F(ShardActorTest, ReadsThatWaitShareOneHop) {
  Set("k", "v");
  int answers = 0;
  for (int i = 0; i < 100; ++i) shard_.Ask(ReadKey{"k"}).Then([&](auto) { ++answers; });
  simulator_.RunUntil([&] { return answers == 100; }, absl::Seconds(10));
  EXPECT_EQ(answers, 100);
  EXPECT_LT(storage_.reads, 5);
}

TEST_F(ShardActorTest, TooMuchWaitingIsRefusedBeforeAnythingIsDone) {
  std::vector<absl::StatusCode> codes;
  size_t asked = kMaxWaitingWrites + 500;
  for (size_t i = 0; i < asked; ++i) {
    AskSet("k" + std::to_string(i), "v").Then([&](absl::StatusOr<WriteOutcome> outcome) {
      codes.push_back(outcome.status().code());
    });
  }
  simulator_.RunUntil([&] { return codes.size() == asked; }, absl::Seconds(10));
  const auto refused =
      static_cast<size_t>(std::count(codes.begin(), codes.end(), absl::StatusCode::kResourceExhausted));
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(storage_.writes, asked - refused);
}

TEST_F(ShardActorTest, AFailedCommitEndsTheProcessAndAnswersNobodyWithOk) {
  storage_.memory.FailNextCommit(absl::DataLossError("disk gone"));
  absl::StatusOr<WriteOutcome> outcome = Await(AskSet("k", "v"));
  EXPECT_TRUE(absl::IsUnknown(outcome.status())) << outcome.status();
  ASSERT_TRUE(exit_reason_.has_value());
  EXPECT_EQ(*exit_reason_, absl::DataLossError("disk gone"));
}

// A shard that falls between handing its writes over and their commit must not count from before them.
TEST(ShardRestartTest, ARestartedShardCountsOnFromWhatItsFormerSelfWrote) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Simulator simulator(seed);
    DeterministicExecutor executor(simulator, 1);
    auto disk = std::make_shared<MemoryDisk>();
    MemoryStorage storage(disk);
    ActorSystem system(executor);
    Address<CommitWriter> writer = system.Spawn<CommitWriter>(&storage, [](const absl::Status&) {});
    // MemoryStorage CHECKs that revisions of a shard only grow: a second incarnation that read too early would die
    // of it.
    auto spawn = [&] { return system.Spawn<ShardActor>(ShardId{7}, kAllSlots, &storage, writer); };
    Address<ShardActor> first = spawn();
    simulator.RunFor(absl::Milliseconds(simulator.StreamFor("pause").Below(5)));
    for (int i = 0; i < 20; ++i) first.Ask(WriteKey{"k" + std::to_string(i), "v", {}}).Then([](auto) {});
    simulator.RunFor(absl::Microseconds(simulator.StreamFor("moment").Below(1000)));
    first.Stop();
    Address<ShardActor> second = spawn();
    std::optional<absl::StatusOr<WriteOutcome>> outcome;
    second.Ask(WriteKey{"after", "v", {}}).Then([&](absl::StatusOr<WriteOutcome> o) { outcome = std::move(o); });
    simulator.RunFor(absl::Seconds(1));
    ASSERT_TRUE(outcome.has_value() && outcome->ok()) << "seed " << seed;
    EXPECT_EQ((*outcome)->revision, storage.Read(7, {})->revision) << "seed " << seed;
  }
}

}  // namespace
}  // namespace troupe
