// The contract of Storage, for each implementation.
#include "kvstore/storage.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/memory_storage.h"
#include "kvstore/rocksdb_storage.h"

namespace troupe {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

enum class Kind { kMemory, kRocksDb };

KeyWrite Put(std::string key, std::string value, uint64_t revision) {
  return {std::move(key), std::move(value), revision};
}
KeyWrite Remove(std::string key, uint64_t revision) { return {std::move(key), std::nullopt, revision}; }

std::vector<std::string> KeysOf(const ScanResult& result) {
  std::vector<std::string> keys;
  for (const ScanResult::Entry& entry : result.entries) keys.push_back(entry.key);
  return keys;
}

class StorageTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    directory_ = absl::StrCat(testing::TempDir(), "/", name);
    std::filesystem::remove_all(directory_);
    Reopen();
  }

  void TearDown() override {
    storage_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Reopen() {
    storage_.reset();
    if (GetParam() == Kind::kMemory) {
      storage_ = std::make_unique<MemoryStorage>(disk_);
      return;
    }
    absl::StatusOr<std::unique_ptr<RocksDbStorage>> opened = RocksDbStorage::Open(directory_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    storage_ = *std::move(opened);
  }

  void Commit(std::vector<ShardBatch> batches) {
    absl::Status status = storage_->Commit(batches);
    ASSERT_TRUE(status.ok()) << status;
  }

  // Keys with the values "value of <key>", revisions from 1 on.
  void Fill(ShardId shard, const std::vector<std::string>& keys) {
    ShardBatch batch{shard, {}};
    for (const std::string& key : keys) batch.writes.push_back(Put(key, "value of " + key, batch.writes.size() + 1));
    Commit({batch});
  }

  ReadResult Read(ShardId shard, const std::vector<std::string>& keys) {
    absl::StatusOr<ReadResult> result = storage_->Read(shard, keys);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(ReadResult{});
  }

  ScanResult Scan(ScanRequest request) {
    absl::StatusOr<ScanResult> result = storage_->Scan(request);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(ScanResult{});
  }

  std::vector<std::string> Scanned(ShardId shard, std::string prefix, std::optional<std::string> after = {}) {
    ScanResult result =
        Scan({.shard = shard, .prefix = prefix, .after = after, .max_entries = 1000, .max_bytes = 1 << 20});
    EXPECT_FALSE(result.more);
    return KeysOf(result);
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::string directory_;
  std::unique_ptr<Storage> storage_;
};

INSTANTIATE_TEST_SUITE_P(Each, StorageTest, testing::Values(Kind::kMemory, Kind::kRocksDb),
                         [](const auto& kind) { return kind.param == Kind::kMemory ? "Memory" : "RocksDb"; });

TEST_P(StorageTest, AnEmptyStoreHasNothing) {
  ReadResult read = Read(7, {"a", "b"});
  EXPECT_EQ(read.revision, 0u);
  EXPECT_THAT(read.records, ElementsAre(std::nullopt, std::nullopt));
  ScanResult scan = Scan({.shard = 7, .max_entries = 10, .max_bytes = 100});
  EXPECT_EQ(scan.revision, 0u);
  EXPECT_THAT(scan.entries, IsEmpty());
  EXPECT_FALSE(scan.more);
}

TEST_P(StorageTest, AReadSeesWhatWasCommitted) {
  Commit({{7, {Put("a", "1", 1), Put("b", "", 2)}}});
  ReadResult read = Read(7, {"b", "none", "a", "b"});
  EXPECT_EQ(read.revision, 2u);
  EXPECT_THAT(read.records, ElementsAre(Record{"", 2}, std::nullopt, Record{"1", 1}, Record{"", 2}));
  EXPECT_EQ(Read(7, {}).revision, 2u);
}

TEST_P(StorageTest, TheLastWriteOfAKeyCounts) {
  Commit({{7, {Put("a", "1", 1)}}});
  Commit({{7, {Put("a", "2", 2), Remove("a", 3), Put("a", "4", 4)}}});
  EXPECT_THAT(Read(7, {"a"}).records, ElementsAre(Record{"4", 4}));
  Commit({{7, {Put("a", "5", 5), Remove("a", 6)}}});
  EXPECT_THAT(Read(7, {"a"}).records, ElementsAre(std::nullopt));
}

TEST_P(StorageTest, ADeleteOfNothingIsAWrite) {
  Commit({{7, {Remove("a", 1)}}});
  EXPECT_EQ(Read(7, {"a"}).revision, 1u);
}

TEST_P(StorageTest, TheRevisionSurvivesDeleteAndReopen) {
  Commit({{7, {Put("a", "1", 1)}}});
  Commit({{7, {Remove("a", 2)}}});
  Reopen();
  EXPECT_EQ(Read(7, {"a"}).revision, 2u);
  EXPECT_THAT(Read(7, {"a"}).records, ElementsAre(std::nullopt));
  Commit({{7, {Put("a", "3", 3)}}});
  Reopen();
  EXPECT_THAT(Read(7, {"a"}).records, ElementsAre(Record{"3", 3}));
}

TEST_P(StorageTest, LargeNumbersKeepTheirBits) {
  Commit({{0xfffe, {Put("a", "1", 0xfedcba9876543210)}}});
  Reopen();
  EXPECT_EQ(Read(0xfffe, {}).revision, 0xfedcba9876543210);
  EXPECT_THAT(Read(0xfffe, {"a"}).records, ElementsAre(Record{"1", 0xfedcba9876543210}));
}

TEST_P(StorageTest, OneCommitWritesManyShards) {
  std::vector<ShardBatch> batches;
  for (ShardId shard = 0; shard < 64; ++shard) batches.push_back({shard, {Put("k", absl::StrCat(shard), shard + 1u)}});
  Commit(batches);
  Reopen();
  for (ShardId shard = 0; shard < 64; ++shard) {
    EXPECT_THAT(Read(shard, {"k"}).records, ElementsAre(Record{absl::StrCat(shard), shard + 1u}));
    EXPECT_EQ(Read(shard, {}).revision, shard + 1u);
  }
}

TEST_P(StorageTest, BatchesOfOneShardApplyInOrder) {
  Commit({{7, {Put("a", "1", 1)}}, {8, {Put("a", "other", 1)}}, {7, {Put("a", "2", 2), Put("b", "3", 3)}}});
  EXPECT_THAT(Read(7, {"a", "b"}).records, ElementsAre(Record{"2", 2}, Record{"3", 3}));
  EXPECT_EQ(Read(7, {}).revision, 3u);
  EXPECT_THAT(Read(8, {"a"}).records, ElementsAre(Record{"other", 1}));
}

TEST_P(StorageTest, ACommitOfNothingChangesNothing) {
  Commit({{7, {Put("a", "1", 1)}}});
  Commit({});
  Commit({{7, {}}, {8, {}}});
  EXPECT_EQ(Read(7, {}).revision, 1u);
  EXPECT_EQ(Read(8, {}).revision, 0u);
}

TEST_P(StorageTest, ScanGivesThePrefixInOrder) {
  Fill(7, {"b", "user:2", "user:10", "a", "user:", "userx", "user"});
  EXPECT_THAT(Scanned(7, ""), ElementsAre("a", "b", "user", "user:", "user:10", "user:2", "userx"));
  EXPECT_THAT(Scanned(7, "user:"), ElementsAre("user:", "user:10", "user:2"));
  EXPECT_THAT(Scanned(7, "user:3"), IsEmpty());
  ScanResult scan = Scan({.shard = 7, .prefix = "user:1", .max_entries = 10, .max_bytes = 1000});
  ASSERT_EQ(scan.entries.size(), 1u);
  EXPECT_EQ(scan.entries[0].record, (Record{"value of user:10", 3}));
  EXPECT_EQ(scan.revision, 7u);
}

TEST_P(StorageTest, ScanBeginsAfterTheGivenKey) {
  Fill(7, {"a", "b1", "b2", "b3", "c"});
  EXPECT_THAT(Scanned(7, "", "b2"), ElementsAre("b3", "c"));
  EXPECT_THAT(Scanned(7, "b", "b1"), ElementsAre("b2", "b3"));
  EXPECT_THAT(Scanned(7, "b", "b11"), ElementsAre("b2", "b3")) << "after a key that does not exist";
  EXPECT_THAT(Scanned(7, "b", "a"), ElementsAre("b1", "b2", "b3")) << "after a key before the prefix";
  EXPECT_THAT(Scanned(7, "b", "c"), IsEmpty()) << "after a key behind the prefix";
  EXPECT_THAT(Scanned(7, "b", "b3"), IsEmpty());
  EXPECT_THAT(Scanned(7, "", ""), ElementsAre("a", "b1", "b2", "b3", "c"));
}

TEST_P(StorageTest, ScanEndsAtMaxEntries) {
  Fill(7, {"a", "b1", "b2", "c"});
  ScanResult scan = Scan({.shard = 7, .max_entries = 3, .max_bytes = 1000});
  EXPECT_THAT(KeysOf(scan), ElementsAre("a", "b1", "b2"));
  EXPECT_TRUE(scan.more);
  EXPECT_FALSE(Scan({.shard = 7, .max_entries = 4, .max_bytes = 1000}).more);
  EXPECT_FALSE(Scan({.shard = 7, .prefix = "b", .max_entries = 2, .max_bytes = 1000}).more) << "c is out of range";
  ScanResult none = Scan({.shard = 7, .max_entries = 0, .max_bytes = 1000});
  EXPECT_THAT(none.entries, IsEmpty());
  EXPECT_TRUE(none.more);
}

TEST_P(StorageTest, ScanEndsBeforeMaxBytesAreExceeded) {
  Commit({{7, {Put("a", "12345", 1), Put("b", "12345", 2), Put("c", "12345", 3)}}});
  ScanResult exact = Scan({.shard = 7, .max_entries = 10, .max_bytes = 12});
  EXPECT_THAT(KeysOf(exact), ElementsAre("a", "b"));
  EXPECT_TRUE(exact.more);
  EXPECT_THAT(KeysOf(Scan({.shard = 7, .max_entries = 10, .max_bytes = 11})), ElementsAre("a"));
  EXPECT_FALSE(Scan({.shard = 7, .max_entries = 10, .max_bytes = 18}).more);
}

TEST_P(StorageTest, ScanGivesTheFirstEntryWhateverItsSize) {
  Commit({{7, {Put("a", std::string(1000, 'x'), 1), Put("b", "", 2)}}});
  ScanResult scan = Scan({.shard = 7, .max_entries = 10, .max_bytes = 0});
  EXPECT_THAT(KeysOf(scan), ElementsAre("a"));
  EXPECT_TRUE(scan.more);
}

TEST_P(StorageTest, ScanOfKeysLeavesValuesOutAndDoesNotCountThem) {
  Commit({{7, {Put("a", std::string(1000, 'x'), 1), Put("b", std::string(1000, 'x'), 2), Put("c", "", 3)}}});
  ScanResult scan = Scan({.shard = 7, .max_entries = 10, .max_bytes = 2, .keys_only = true});
  ASSERT_THAT(KeysOf(scan), ElementsAre("a", "b"));
  EXPECT_EQ(scan.entries[1].record, (Record{"", 2}));
  EXPECT_TRUE(scan.more);
}

TEST_P(StorageTest, KeysAndValuesAreAnyBytes) {
  const std::string zero(1, '\0'), zeros(2, '\0'), high("\xff"), highs("\xff\xff");
  Commit({{7, {Put(highs, zeros, 1), Put(high, high, 2), Put(zero, "", 3), Put(zeros, "", 4), Put("", "e", 5)}}});
  Commit({{7, {Put("a" + zero, "", 6), Put("a", "", 7), Put("a" + high, "", 8)}}});
  Reopen();
  EXPECT_THAT(Read(7, {highs, "", zero}).records, ElementsAre(Record{zeros, 1}, Record{"e", 5}, Record{"", 3}));
  EXPECT_THAT(Scanned(7, ""), ElementsAre("", zero, zeros, "a", "a" + zero, "a" + high, high, highs));
  EXPECT_THAT(Scanned(7, "", ""), ElementsAre(zero, zeros, "a", "a" + zero, "a" + high, high, highs));
  EXPECT_THAT(Scanned(7, "", zero), ElementsAre(zeros, "a", "a" + zero, "a" + high, high, highs));
  EXPECT_THAT(Scanned(7, "a", "a"), ElementsAre("a" + zero, "a" + high));
  EXPECT_THAT(Scanned(7, high), ElementsAre(high, highs));
  EXPECT_THAT(Scanned(7, highs), ElementsAre(highs));
  EXPECT_THAT(Scanned(7, highs + high), IsEmpty());
}

TEST_P(StorageTest, ShardsDoNotSeeEachOther) {
  // Neighbours in number and in bytes, and the last ones of all.
  for (ShardId shard : {0, 1, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xfffe, 0xffff}) {
    Fill(shard, {absl::StrCat("only ", shard), "\xff"});
  }
  for (ShardId shard : {0, 1, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xfffe, 0xffff}) {
    EXPECT_THAT(Scanned(shard, ""), ElementsAre(absl::StrCat("only ", shard), "\xff"));
    EXPECT_THAT(Scanned(shard, "\xff"), ElementsAre("\xff"));
    EXPECT_THAT(Scanned(shard, "", "\xff"), IsEmpty());
  }
  EXPECT_THAT(Scanned(2, ""), IsEmpty());
  EXPECT_THAT(Read(2, {"\xff"}).records, ElementsAre(std::nullopt));
}

TEST_P(StorageTest, StatsAreExactWhenKeysAreFew) {
  EXPECT_EQ(storage_->Stats()->approximate_keys, 0u);
  Commit({{7, {Put("a", "123", 1), Put("b", "", 2), Put("a", "12345", 3)}}, {8, {Put("c", "1", 1), Remove("c", 2)}}});
  Reopen();
  EXPECT_EQ(storage_->Stats()->approximate_keys, 2u);
  EXPECT_EQ(storage_->Stats()->approximate_bytes, 7u);
}

TEST_P(StorageTest, ACommitIsSeenWholeOrNotAtAll) {
  constexpr uint64_t kCommits = 300, kReads = 300;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::atomic<bool> done = false;
  std::atomic<uint64_t> seen = 0;
  auto reader = [&] {
    uint64_t last = 0;
    while (!done) {
      ReadResult read = Read(7, {"left", "right"});
      ScanResult scan = Scan({.shard = 7, .max_entries = 10, .max_bytes = 1000});
      ASSERT_GE(read.revision, last) << "went back in time";
      ASSERT_GE(scan.revision, read.revision);
      last = scan.revision;
      ASSERT_EQ(read.records[0].has_value(), read.records[1].has_value());
      if (!read.records[0].has_value()) continue;
      ASSERT_EQ(read.records[0]->value, read.records[1]->value);
      ASSERT_EQ(read.records[1]->version, read.revision);
      ASSERT_EQ(scan.entries.size(), 2u);
      ASSERT_EQ(scan.entries[0].record.value, scan.entries[1].record.value);
      ASSERT_EQ(scan.entries[1].record.version, scan.revision);
      ++seen;
    }
  };
  std::thread ann(reader), bob(reader);
  for (uint64_t i = 0; (i < kCommits || seen < kReads) && !HasFailure(); ++i) {
    EXPECT_LT(std::chrono::steady_clock::now(), deadline) << seen << " reads so far";
    std::string value = absl::StrCat(i);
    // A commit that also changes another shard, and in which this one stands twice.
    Commit(
        {{7, {Put("left", value, 2 * i + 1)}}, {9, {Put("x", value, i + 1)}}, {7, {Put("right", value, 2 * i + 2)}}});
    EXPECT_EQ(Read(7, {}).revision, 2 * i + 2) << "a read after the commit misses it";
  }
  done = true;
  ann.join();
  bob.join();
}

TEST_P(StorageTest, BehavesLikeAMap) {
  using Model = std::map<std::string, Record>;
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const ShardId base = static_cast<ShardId>(seed * 10);
    Model models[3];
    uint64_t revisions[3] = {};
    auto pick = [&](int below) { return static_cast<int>(random() % below); };
    auto make_key = [&] {
      constexpr char kAlphabet[] = {'\0', 'a', 'b', '\xff'};
      std::string key;
      for (int i = pick(4); i >= 0; --i) key.push_back(kAlphabet[pick(4)]);
      return key;
    };
    for (int step = 0; step < 300; ++step) {
      if (pick(100) == 0) Reopen();
      std::vector<ShardBatch> batches;
      for (int i = pick(4); i > 0; --i) {
        int shard = pick(3);
        ShardBatch& batch = batches.emplace_back(ShardBatch{static_cast<ShardId>(base + shard), {}});
        for (int j = pick(5); j > 0; --j) {
          std::string key = make_key();
          uint64_t revision = revisions[shard] += 1 + pick(2);
          if (pick(3) == 0) {
            batch.writes.push_back(Remove(key, revision));
            models[shard].erase(key);
          } else {
            std::string value(pick(20), 'v');
            batch.writes.push_back(Put(key, value, revision));
            models[shard][key] = Record{value, revision};
          }
        }
      }
      Commit(batches);

      int shard = pick(3);
      const Model& model = models[shard];
      std::string key = make_key();
      ReadResult read = Read(static_cast<ShardId>(base + shard), {key});
      ASSERT_EQ(read.revision, revisions[shard]) << "step " << step;
      ASSERT_EQ(read.records[0], model.contains(key) ? std::optional(model.at(key)) : std::nullopt) << "step " << step;

      ScanRequest request{.shard = static_cast<ShardId>(base + shard),
                          .max_entries = static_cast<size_t>(pick(30)),
                          .max_bytes = static_cast<size_t>(pick(200)),
                          .keys_only = pick(2) == 0};
      if (pick(2) == 0) request.prefix = make_key().substr(0, 2);
      if (pick(2) == 0) request.after = make_key();
      std::vector<std::pair<std::string, Record>> expected;
      bool more = false;
      size_t bytes = 0;
      for (const auto& [key, record] : model) {
        if (key.compare(0, request.prefix.size(), request.prefix) != 0) continue;
        if (request.after.has_value() && key <= *request.after) continue;
        std::string value = request.keys_only ? "" : record.value;
        bytes += key.size() + value.size();
        more = expected.size() == request.max_entries || (!expected.empty() && bytes > request.max_bytes);
        if (more) break;
        expected.push_back({key, Record{value, record.version}});
      }
      ScanResult scan = Scan(request);
      std::vector<std::pair<std::string, Record>> got;
      for (const ScanResult::Entry& entry : scan.entries) got.push_back({entry.key, entry.record});
      ASSERT_TRUE(got == expected) << "step " << step << ": " << got.size() << " entries, not " << expected.size();
      ASSERT_EQ(scan.more, more) << "step " << step;
      ASSERT_EQ(scan.revision, revisions[shard]) << "step " << step;
    }
  }
}

TEST(MemoryStorageTest, AFailedCommitEndsThisStorageAndNotItsDisk) {
  for (auto outcome : {MemoryStorage::FailedCommit::kLost, MemoryStorage::FailedCommit::kWritten}) {
    auto disk = std::make_shared<MemoryDisk>();
    MemoryStorage storage(disk);
    ASSERT_TRUE(storage.Commit({{7, {Put("a", "1", 1)}}}).ok());
    storage.FailNextCommit(absl::ResourceExhaustedError("full"), outcome);
    EXPECT_TRUE(storage.Read(7, {"a"}).ok());
    EXPECT_EQ(storage.Commit({{7, {Put("a", "2", 2)}}}), absl::ResourceExhaustedError("full"));
    EXPECT_EQ(storage.Commit({{7, {Put("a", "3", 3)}}}), absl::ResourceExhaustedError("full"));
    EXPECT_EQ(storage.Read(7, {"a"}).status(), absl::ResourceExhaustedError("full"));
    EXPECT_EQ(storage.Scan({}).status(), absl::ResourceExhaustedError("full"));
    EXPECT_EQ(storage.Stats().status(), absl::ResourceExhaustedError("full"));
    MemoryStorage again(disk);
    EXPECT_EQ(again.Read(7, {})->revision, outcome == MemoryStorage::FailedCommit::kLost ? 1u : 2u);
    EXPECT_TRUE(again.Commit({{7, {Put("a", "4", 4)}}}).ok());
  }
}

TEST(MemoryStorageDeathTest, AVersionGivenTwiceEndsTheProcess) {
  MemoryStorage storage;
  ASSERT_TRUE(storage.Commit({{7, {Put("a", "1", 1)}}}).ok());
  EXPECT_DEATH(storage.Commit({{7, {Put("a", "2", 1)}}}).IgnoreError(), "gives a version twice");
}

}  // namespace
}  // namespace troupe
