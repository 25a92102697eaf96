#include "kvstore/rocksdb_storage.h"

#include <glog/logging.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

constexpr char kData = 'd';
constexpr char kRevision = 'r';
constexpr size_t kDataKeyHeader = 3;
constexpr size_t kVersionBytes = 8;

constexpr size_t kBlockCacheBytes = 64 << 20;
// Below the usual limit of 1,024 open files, which sockets share.
constexpr int kMaxOpenFiles = 512;
constexpr size_t kMaxInfoLogBytes = 1 << 20;
constexpr size_t kInfoLogs = 3;

// Stats counts one by one up to here: some milliseconds.
constexpr uint64_t kMaxKeysCounted = 10'000;

std::string ShardKey(char kind, ShardId shard) {
  return {kind, static_cast<char>(shard >> 8), static_cast<char>(shard & 0xff)};
}

std::string DataKey(ShardId shard, std::string_view key) {
  std::string encoded = ShardKey(kData, shard);
  encoded.reserve(kDataKeyHeader + key.size());
  return encoded.append(key);
}

// The first key after all that begin with `prefix`, which is not all 0xff.
std::string EndOfPrefix(std::string prefix) {
  while (static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

void AppendUint64(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// `bytes` has at least eight.
uint64_t DecodeUint64(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string EncodeRecord(const std::string& value, uint64_t version) {
  std::string encoded;
  encoded.reserve(kVersionBytes + value.size());
  AppendUint64(encoded, version);
  return encoded.append(value);
}

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status Malformed(ShardId shard, std::string_view key, std::string_view why) {
  constexpr size_t kShown = 64;
  return absl::DataLossError(absl::StrCat(
      "the record of key \"", absl::Utf8SafeCHexEscape(absl::string_view(key.data(), std::min(key.size(), kShown))),
      key.size() > kShown ? "..." : "", "\" in shard ", shard,
      " is malformed: ", absl::string_view(why.data(), why.size())));
}

// `revision` is the shard's, of the same snapshot.
absl::StatusOr<Record> DecodeRecord(ShardId shard, std::string_view key, std::string_view encoded, uint64_t revision,
                                    bool with_value) {
  if (encoded.size() < kVersionBytes) return Malformed(shard, key, "too short for a version");
  uint64_t version = DecodeUint64(encoded);
  if (version == 0 || version > revision) {
    return Malformed(shard, key, "its version is not one that the shard has given");
  }
  return Record{with_value ? std::string(encoded.substr(kVersionBytes)) : std::string(), version};
}

absl::StatusOr<uint64_t> DecodeRevision(ShardId shard, std::string_view encoded) {
  if (encoded.size() == kVersionBytes) return DecodeUint64(encoded);
  return absl::DataLossError(absl::StrCat("the revision of shard ", shard, " is malformed"));
}

absl::StatusCode CodeOf(const rocksdb::Status& status) {
  switch (status.code()) {
    case rocksdb::Status::kOk:
      return absl::StatusCode::kOk;
    case rocksdb::Status::kNotFound:
      return absl::StatusCode::kNotFound;
    case rocksdb::Status::kCorruption:
      return absl::StatusCode::kDataLoss;
    case rocksdb::Status::kNotSupported:
    case rocksdb::Status::kBusy:
      return absl::StatusCode::kFailedPrecondition;
    case rocksdb::Status::kInvalidArgument:
      return absl::StatusCode::kInvalidArgument;
    case rocksdb::Status::kIOError:
      return status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit
                 ? absl::StatusCode::kResourceExhausted
                 : absl::StatusCode::kInternal;
    case rocksdb::Status::kIncomplete:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kShutdownInProgress:
      return absl::StatusCode::kUnavailable;
    case rocksdb::Status::kTimedOut:
      return absl::StatusCode::kDeadlineExceeded;
    case rocksdb::Status::kAborted:
      return absl::StatusCode::kAborted;
    default:
      return absl::StatusCode::kInternal;
  }
}

// RocksDB has no code of its own for a directory that is open already, only these words.
bool IsLocked(const rocksdb::Status& status) {
  std::string text = status.ToString();
  return status.IsIOError() &&
         (text.find("lock hold by current process") != text.npos || text.find("While lock file") != text.npos);
}

absl::Status MakeStatus(const rocksdb::Status& status, std::string_view doing, const std::string& directory) {
  if (status.ok()) return absl::OkStatus();
  absl::StatusCode code = CodeOf(status);
  std::string text =
      absl::StrCat("cannot ", absl::string_view(doing.data(), doing.size()), " ", directory, ": ", status.ToString());
  if (code == absl::StatusCode::kResourceExhausted) text = absl::StrCat("the disk of ", directory, " is full: ", text);
  return absl::Status(code, text);
}

rocksdb::Options MakeOptions() {
  rocksdb::Options options;
  options.create_if_missing = true;

  // A synced write is never dropped in silence. Recycled log files would leave old records at the end of a new log,
  // where damage could not be told from the end.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.recycle_log_file_num = 0;
  options.paranoid_checks = true;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  bool lz4 = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression) != supported.end();
  options.compression = lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;

  options.max_open_files = kMaxOpenFiles;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_log_file_size = kMaxInfoLogBytes;
  options.keep_log_file_num = kInfoLogs;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

// Else a power failure could take the whole directory, with all that was synced inside it.
rocksdb::Status SyncParent(const std::string& directory) {
  std::string parent = std::filesystem::absolute(directory).lexically_normal().parent_path();
  std::unique_ptr<rocksdb::Directory> handle;
  rocksdb::Status status = rocksdb::Env::Default()->NewDirectory(parent, &handle);
  return status.ok() ? handle->Fsync() : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksDbStorage>> RocksDbStorage::Open(const std::string& directory,
                                                                     IfMissing if_missing) {
  if (if_missing == IfMissing::kFail && access((directory + "/CURRENT").c_str(), F_OK) != 0) {
    return absl::DataLossError(absl::StrCat(
        directory,
        " holds no store, but this node has run before\n  put it back (is a volume not mounted?), or give the "
        "node another --data-dir to start as a new one"));
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(MakeOptions(), directory, &db);
  std::unique_ptr<rocksdb::DB> owned(db);
  if (IsLocked(status))
    return absl::FailedPreconditionError(absl::StrCat(directory, " is open already: ", status.ToString()));
  if (status.ok()) status = SyncParent(directory);
  if (!status.ok()) return MakeStatus(status, "open", directory);
  return std::unique_ptr<RocksDbStorage>(new RocksDbStorage(directory, std::move(owned)));
}

RocksDbStorage::RocksDbStorage(std::string directory, std::unique_ptr<rocksdb::DB> db)
    : directory_(std::move(directory)), db_(std::move(db)) {}

RocksDbStorage::~RocksDbStorage() {
  rocksdb::Status status = db_->Close();
  LOG_IF(WARNING, !status.ok()) << "closing " << directory_ << ": " << status.ToString();
}

absl::Status RocksDbStorage::Commit(const std::vector<ShardBatch>& batches) {
  if (absl::Status failure = Failure(); !failure.ok()) return failure;
  rocksdb::WriteBatch writes;
  for (const ShardBatch& batch : batches) {
    uint64_t revision = 0;
    for (const KeyWrite& write : batch.writes) {
      CHECK_GT(write.revision, revision) << "shard " << batch.shard << " gives a version twice";
      revision = write.revision;
      std::string key = DataKey(batch.shard, write.key);
      rocksdb::Status added =
          write.value.has_value() ? writes.Put(key, EncodeRecord(*write.value, write.revision)) : writes.Delete(key);
      CHECK(added.ok()) << added.ToString();
    }
    if (revision == 0) continue;
    std::string encoded;
    AppendUint64(encoded, revision);
    rocksdb::Status added = writes.Put(ShardKey(kRevision, batch.shard), encoded);
    CHECK(added.ok()) << added.ToString();
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  absl::Status status = ToAbsl(db_->Write(options, &writes), "write to");
  if (!status.ok()) {
    std::lock_guard lock(mutex_);
    if (failure_.ok()) failure_ = status;
    failed_ = true;
  }
  return status;
}

absl::StatusOr<ReadResult> RocksDbStorage::Read(ShardId shard, const std::vector<std::string>& keys) {
  if (absl::Status failure = Failure(); !failure.ok()) return failure;
  std::vector<std::string> encoded_keys;
  encoded_keys.reserve(keys.size() + 1);
  encoded_keys.push_back(ShardKey(kRevision, shard));
  for (const std::string& key : keys) encoded_keys.push_back(DataKey(shard, key));

  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();
  std::vector<std::string> values;
  std::vector<rocksdb::Status> found =
      db_->MultiGet(options, std::vector<rocksdb::Slice>(encoded_keys.begin(), encoded_keys.end()), &values);

  ReadResult result;
  result.records.resize(keys.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].IsNotFound()) continue;
    if (!found[i].ok()) return ToAbsl(found[i], "read");
    if (i == 0) {
      absl::StatusOr<uint64_t> revision = DecodeRevision(shard, values[0]);
      if (!revision.ok()) return revision.status();
      result.revision = *revision;
      continue;
    }
    absl::StatusOr<Record> record = DecodeRecord(shard, keys[i - 1], values[i], result.revision, /*with_value=*/true);
    if (!record.ok()) return record.status();
    result.records[i - 1] = *std::move(record);
  }
  return result;
}

absl::StatusOr<ScanResult> RocksDbStorage::Scan(const ScanRequest& request) {
  if (absl::Status failure = Failure(); !failure.ok()) return failure;
  rocksdb::ManagedSnapshot snapshot(db_.get());
  rocksdb::ReadOptions options;
  options.snapshot = snapshot.snapshot();

  ScanResult result;
  std::string encoded;
  rocksdb::Status found = db_->Get(options, ShardKey(kRevision, request.shard), &encoded);
  if (!found.ok() && !found.IsNotFound()) return ToAbsl(found, "read");
  if (found.ok()) {
    absl::StatusOr<uint64_t> revision = DecodeRevision(request.shard, encoded);
    if (!revision.ok()) return revision.status();
    result.revision = *revision;
  }

  std::string first = DataKey(request.shard, request.prefix);
  const std::string end = EndOfPrefix(first);
  // The smallest key after another one is that key and a zero byte.
  if (request.after.has_value()) {
    first = std::max(first, DataKey(request.shard, *request.after).append(1, '\0'));
  }
  if (first >= end) return result;
  const rocksdb::Slice upper_bound(end);
  options.iterate_upper_bound = &upper_bound;
  std::unique_ptr<rocksdb::Iterator> next(db_->NewIterator(options));
  size_t bytes = 0;
  for (next->Seek(first); next->Valid(); next->Next()) {
    std::string_view key = View(next->key()).substr(kDataKeyHeader);
    absl::StatusOr<Record> record =
        DecodeRecord(request.shard, key, View(next->value()), result.revision, !request.keys_only);
    if (!record.ok()) return record.status();
    bytes += key.size() + record->value.size();
    if (result.entries.size() >= request.max_entries || (!result.entries.empty() && bytes > request.max_bytes)) {
      result.more = true;
      break;
    }
    result.entries.push_back({std::string(key), *std::move(record)});
  }
  if (!next->status().ok()) return ToAbsl(next->status(), "scan");
  return result;
}

absl::StatusOr<StorageStats> RocksDbStorage::Stats() {
  if (absl::Status failure = Failure(); !failure.ok()) return failure;
  const std::string first(1, kData), end = EndOfPrefix(first), end_of_revisions(1, kRevision + 1);
  const rocksdb::Slice upper_bound(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound;
  options.fill_cache = false;
  StorageStats stats;
  std::unique_ptr<rocksdb::Iterator> next(db_->NewIterator(options));
  for (next->Seek(first); next->Valid() && stats.approximate_keys < kMaxKeysCounted; next->Next()) {
    ++stats.approximate_keys;
    stats.approximate_bytes += next->key().size() - kDataKeyHeader;
    stats.approximate_bytes += next->value().size() - std::min(next->value().size(), kVersionBytes);
  }
  if (!next->status().ok()) return ToAbsl(next->status(), "scan");
  if (!next->Valid()) return stats;

  uint64_t keys = 0, revisions = 0, bytes = 0, revision_bytes = 0;
  const std::string property = rocksdb::DB::Properties::kEstimateNumKeys;
  if (!db_->GetIntProperty(property, &keys)) return absl::InternalError("RocksDB does not know " + property);
  // A memtable holds a revision for each batch of writes, up to half of all that is in it.
  db_->GetApproximateMemTableStats(rocksdb::Range(std::string(1, kRevision), end_of_revisions), &revisions,
                                   &revision_bytes);
  rocksdb::Range data(first, end);
  rocksdb::SizeApproximationOptions what;
  what.include_memtables = true;
  rocksdb::Status sized = db_->GetApproximateSizes(what, db_->DefaultColumnFamily(), &data, 1, &bytes);
  if (!sized.ok()) return ToAbsl(sized, "measure");
  stats.approximate_keys = std::max(stats.approximate_keys, keys - std::min(keys, revisions));
  stats.approximate_bytes = std::max(stats.approximate_bytes, bytes);
  return stats;
}

absl::Status RocksDbStorage::Failure() const {
  if (!failed_) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  return failure_;
}

absl::Status RocksDbStorage::ToAbsl(const rocksdb::Status& status, std::string_view doing) const {
  return MakeStatus(status, doing, directory_);
}

}  // namespace troupe
