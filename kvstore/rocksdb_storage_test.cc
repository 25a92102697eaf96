// What RocksDbStorage promises beyond the contract in storage_test.cc: damage is said, never answered.
#include "kvstore/rocksdb_storage.h"

#include <rocksdb/db.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::HasSubstr;

constexpr ShardId kShard = 7;

class RocksDbStorageTest : public testing::Test {
 protected:
  RocksDbStorageTest() { std::filesystem::remove_all(directory_); }
  ~RocksDbStorageTest() override {
    storage_.reset();
    std::filesystem::remove_all(directory_);
  }

  absl::Status Open() {
    storage_.reset();
    absl::StatusOr<std::unique_ptr<RocksDbStorage>> opened = RocksDbStorage::Open(directory_);
    if (opened.ok()) storage_ = *std::move(opened);
    return opened.status();
  }

  absl::Status Put(const std::string& key, const std::string& value) {
    ++revision_;
    return storage_->Commit({{kShard, {{key, value, revision_}}}});
  }

  // key-0 to key-99 with values of 100 bytes, a Commit each; closed afterwards.
  void WriteHundredAndClose() {
    ASSERT_TRUE(Open().ok());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(Put(absl::StrCat("key-", i), ValueOf(i)).ok());
    storage_.reset();
  }

  static std::string ValueOf(int i) { return absl::StrCat(i, std::string(100, 'v')); }

  // The largest file whose name ends so.
  std::string FileWith(const std::string& suffix) {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
      if (!absl::EndsWith(entry.path().string(), suffix)) continue;
      if (found.empty() || entry.file_size() > std::filesystem::file_size(found)) found = entry.path();
    }
    EXPECT_NE(found, "") << "no " << suffix << " in " << directory_;
    return found;
  }

  static void FlipByte(const std::string& path, std::streamoff offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    char byte = static_cast<char>(file.get());
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 0x10));
    ASSERT_TRUE(file.flush().good());
  }

  // Past our own encoding, into the database itself.
  void WriteRaw(const std::string& key, const std::string& value) {
    storage_.reset();
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory_, &db).ok());
    std::unique_ptr<rocksdb::DB> owned(db);
    ASSERT_TRUE(db->Put({}, key, value).ok());
  }

  const std::string directory_ = absl::StrCat(testing::TempDir(), "/rocksdb_storage_test");
  std::unique_ptr<RocksDbStorage> storage_;
  uint64_t revision_ = 0;
};

TEST_F(RocksDbStorageTest, TheLayoutOfFormat1IsFixed) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(storage_->Commit({{0x0102, {{"key", "value", 0x0304}}}}).ok());
  storage_.reset();
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open({}, directory_, &db).ok());
  std::unique_ptr<rocksdb::DB> owned(db);
  std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  it->SeekToFirst();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key().ToString(), std::string("d\1\2key", 6));
  EXPECT_EQ(it->value().ToString(), std::string("\0\0\0\0\0\0\3\4value", 13));
  it->Next();
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key().ToString(), std::string("r\1\2", 3));
  EXPECT_EQ(it->value().ToString(), std::string("\0\0\0\0\0\0\3\4", 8));
  it->Next();
  EXPECT_FALSE(it->Valid());
}

TEST_F(RocksDbStorageTest, ADirectoryIsOpenedOnce) {
  ASSERT_TRUE(Open().ok());
  absl::Status second = RocksDbStorage::Open(directory_).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition) << second;
  EXPECT_THAT(second.ToString(), HasSubstr(directory_));
  EXPECT_TRUE(Open().ok()) << "the lock outlived its owner";
}

TEST_F(RocksDbStorageTest, AFlippedByteInTheMiddleOfTheLogFailsOpen) {
  WriteHundredAndClose();
  std::string log = FileWith(".log");
  FlipByte(log, static_cast<std::streamoff>(std::filesystem::file_size(log) / 2));
  absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.ToString(), HasSubstr(directory_));
}

TEST_F(RocksDbStorageTest, AnIncompleteRecordAtTheEndOfTheLogIsWhatACrashLeaves) {
  WriteHundredAndClose();
  std::string log = FileWith(".log");
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 20);
  ASSERT_TRUE(Open().ok());
  absl::StatusOr<ReadResult> read = storage_->Read(kShard, {"key-98", "key-99"});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->revision, 99u);
  EXPECT_TRUE(read->records[0].has_value());
  EXPECT_FALSE(read->records[1].has_value());
}

TEST_F(RocksDbStorageTest, AFlippedByteInATableIsNeverAnswered) {
  WriteHundredAndClose();
  ASSERT_TRUE(Open().ok()) << "moves the log into a table";
  storage_.reset();
  std::string table = FileWith(".sst");
  const std::string backup = table + ".whole";
  std::filesystem::copy_file(table, backup);
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back(absl::StrCat("key-", i));

  int refused = 0;
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(table));
  for (std::streamoff offset = 0; offset < size; offset += size / 24) {
    SCOPED_TRACE(absl::StrCat("offset ", offset, " of ", size));
    FlipByte(table, offset);
    absl::Status status = Open();
    if (status.ok()) {
      absl::StatusOr<ReadResult> read = storage_->Read(kShard, keys);
      absl::StatusOr<ScanResult> scan = storage_->Scan({.shard = kShard, .max_entries = 1000, .max_bytes = 1 << 20});
      // Some bytes carry nothing (statistics); then every answer must be right.
      if (read.ok() && scan.ok()) {
        for (int i = 0; i < 100; ++i) ASSERT_EQ(read->records[i], (Record{ValueOf(i), i + 1u}));
        ASSERT_EQ(scan->entries.size(), 100u);
      }
      status = read.ok() ? scan.status() : read.status();
    }
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      ++refused;
    }
    storage_.reset();
    ASSERT_EQ(FileWith(".sst"), table) << "compacted under the test";
    std::filesystem::copy_file(backup, table, std::filesystem::copy_options::overwrite_existing);
  }
  EXPECT_GE(refused, 5);
}

TEST_F(RocksDbStorageTest, AMalformedRecordIsNamed) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("good", "1").ok());
  WriteRaw(std::string("d\0\7bad\n", 7), "short");
  ASSERT_TRUE(Open().ok());
  absl::Status read = storage_->Read(kShard, {"good", "bad\n"}).status();
  EXPECT_EQ(read.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(read.message()), HasSubstr("\"bad\\n\" in shard 7"));
  absl::Status scan = storage_->Scan({.shard = kShard, .max_entries = 9, .max_bytes = 99}).status();
  EXPECT_EQ(scan.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(scan.message()), HasSubstr("\"bad\\n\" in shard 7"));
  EXPECT_TRUE(storage_->Read(kShard, {"good"}).ok()) << "damage is not a reason to refuse the rest";
}

TEST_F(RocksDbStorageTest, AVersionFromTheFutureIsDamage) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("good", "1").ok());
  WriteRaw(std::string("d\0\7new", 6), std::string("\0\0\0\0\0\0\0\2value", 13));
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(storage_->Read(kShard, {"new"}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RocksDbStorageTest, AMalformedRevisionIsDamage) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("good", "1").ok());
  WriteRaw(std::string("r\0\7", 3), "seven b");
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(storage_->Read(kShard, {}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(storage_->Scan({.shard = kShard}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RocksDbStorageTest, AFailedCommitRefusesEveryLaterCall) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Put("before", "1").ok());
  // The log cannot grow past 64 KiB.
  signal(SIGXFSZ, SIG_IGN);
  rlimit usual;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  const rlimit low = {.rlim_cur = 64 << 10, .rlim_max = usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  absl::Status failed = Put("big", std::string(1 << 20, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &usual), 0);

  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(Put("after", "2"), failed);
  EXPECT_EQ(storage_->Read(kShard, {"before"}).status(), failed);
  EXPECT_EQ(storage_->Scan({.shard = kShard}).status(), failed);
  EXPECT_EQ(storage_->Stats().status(), failed);
  ASSERT_TRUE(Open().ok());
  absl::StatusOr<ReadResult> read = storage_->Read(kShard, {"before"});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->records[0], (Record{"1", 1}));
}

TEST_F(RocksDbStorageTest, StatsOfManyKeysAreEstimates) {
  ASSERT_TRUE(Open().ok());
  constexpr uint64_t kKeys = 30'000;
  for (uint64_t i = 0; i < kKeys;) {
    ShardBatch batch{kShard, {}};
    for (int j = 0; j < 100; ++j, ++i) batch.writes.push_back({absl::StrCat("key-", i), ValueOf(7), i + 1});
    ASSERT_TRUE(storage_->Commit({batch}).ok());
  }
  for (const char* when : {"in memory", "in a table"}) {
    absl::StatusOr<StorageStats> stats = storage_->Stats();
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_GE(stats->approximate_keys, kKeys * 9 / 10) << when;
    EXPECT_LE(stats->approximate_keys, kKeys * 11 / 10) << when;
    EXPECT_GE(stats->approximate_bytes, kKeys * 10) << when;
    EXPECT_LE(stats->approximate_bytes, kKeys * 300) << when;
    ASSERT_TRUE(Open().ok());
  }
}

}  // namespace
}  // namespace troupe
