#include "kvstore/memory_storage.h"

#include <glog/logging.h>

#include <utility>

namespace troupe {

MemoryStorage::MemoryStorage(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) { CHECK(disk_ != nullptr); }

void MemoryStorage::FailNextCommit(absl::Status status, FailedCommit outcome) {
  CHECK(!status.ok());
  std::lock_guard lock(disk_->mutex_);
  next_fault_ = Fault{std::move(status), outcome};
}

absl::Status MemoryStorage::Commit(const std::vector<ShardBatch>& batches) {
  std::lock_guard lock(disk_->mutex_);
  if (!failure_.ok()) return failure_;
  if (next_fault_.has_value()) failure_ = next_fault_->status;
  if (failure_.ok() || next_fault_->outcome == FailedCommit::kWritten) {
    for (const ShardBatch& batch : batches) Apply(batch);
  }
  return failure_;
}

absl::StatusOr<ReadResult> MemoryStorage::Read(ShardId shard, const std::vector<std::string>& keys) {
  std::lock_guard lock(disk_->mutex_);
  if (!failure_.ok()) return failure_;
  ReadResult result;
  result.records.resize(keys.size());
  auto found = disk_->shards_.find(shard);
  if (found == disk_->shards_.end()) return result;
  result.revision = found->second.revision;
  const auto& records = found->second.records;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (auto record = records.find(keys[i]); record != records.end()) result.records[i] = record->second;
  }
  return result;
}

absl::StatusOr<ScanResult> MemoryStorage::Scan(const ScanRequest& request) {
  std::lock_guard lock(disk_->mutex_);
  if (!failure_.ok()) return failure_;
  ScanResult result;
  auto found = disk_->shards_.find(request.shard);
  if (found == disk_->shards_.end()) return result;
  result.revision = found->second.revision;
  const auto& records = found->second.records;

  auto next = request.after.has_value() && *request.after >= request.prefix ? records.upper_bound(*request.after)
                                                                            : records.lower_bound(request.prefix);
  size_t bytes = 0;
  for (; next != records.end() && next->first.starts_with(request.prefix); ++next) {
    const auto& [key, record] = *next;
    bytes += key.size() + (request.keys_only ? 0 : record.value.size());
    if (result.entries.size() >= request.max_entries || (!result.entries.empty() && bytes > request.max_bytes)) {
      result.more = true;
      break;
    }
    result.entries.push_back({key, {request.keys_only ? std::string() : record.value, record.version}});
  }
  return result;
}

absl::StatusOr<StorageStats> MemoryStorage::Stats() {
  std::lock_guard lock(disk_->mutex_);
  if (!failure_.ok()) return failure_;
  StorageStats stats;
  for (const auto& [id, shard] : disk_->shards_) {
    stats.approximate_keys += shard.records.size();
    for (const auto& [key, record] : shard.records) stats.approximate_bytes += key.size() + record.value.size();
  }
  return stats;
}

void MemoryStorage::Apply(const ShardBatch& batch) {
  MemoryDisk::Shard& shard = disk_->shards_[batch.shard];
  for (const KeyWrite& write : batch.writes) {
    CHECK_GT(write.revision, shard.revision) << "shard " << batch.shard << " gives a version twice";
    shard.revision = write.revision;
    if (write.value.has_value()) {
      shard.records[write.key] = Record{*write.value, write.revision};
    } else {
      shard.records.erase(write.key);
    }
  }
}

}  // namespace troupe
