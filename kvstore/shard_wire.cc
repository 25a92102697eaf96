#include "kvstore/shard_wire.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "kvstore/limits.h"
#include "kvstore/shard_actor.h"
#include "kvstore/store.h"
#include "troupe/internal/v1/shard.pb.h"

namespace troupe {
namespace {

namespace pb = internal::v1;

void ToProto(Record record, pb::ShardRecord& out) {
  out.set_value(std::move(record.value));
  out.set_version(record.version);
}

Record FromProto(pb::ShardRecord& record) { return Record{std::move(*record.mutable_value()), record.version()}; }

// No shard has a larger number, so a larger one is nobody's.
absl::StatusOr<ShardId> ShardFromProto(uint32_t shard) {
  if (shard > std::numeric_limits<ShardId>::max()) return absl::InvalidArgumentError("there is no such shard");
  return static_cast<ShardId>(shard);
}

struct ConditionToProto {
  pb::ShardWriteKey& out;
  void operator()(std::monostate) const {}
  void operator()(const KeyMustExist& condition) const { out.set_must_exist(condition.exist); }
  void operator()(const VersionMustBe& condition) const { out.set_version_must_be(condition.version); }
  void operator()(ValueMustBe& condition) const { out.set_value_must_be(std::move(condition.value)); }
};

}  // namespace

template <>
struct WireFormat<ReadKey> {
  using Proto = pb::ShardReadKey;
  static constexpr std::string_view kName = "kv.ReadKey";
  static Proto ToProto(ReadKey read) {
    Proto out;
    out.set_key(std::move(read.key));
    return out;
  }
  static absl::StatusOr<ReadKey> FromProto(Proto proto) {
    // A node checks what its clients ask; this is for one that does not.
    if (absl::Status valid = CheckKey(proto.key()); !valid.ok()) return valid;
    return ReadKey{std::move(*proto.mutable_key())};
  }
};

template <>
struct WireFormat<KeyReading> {
  using Proto = pb::ShardKeyReading;
  static Proto ToProto(KeyReading reading) {
    Proto out;
    if (reading.record.has_value()) troupe::ToProto(*std::move(reading.record), *out.mutable_record());
    out.set_shard(reading.shard);
    out.set_revision(reading.revision);
    return out;
  }
  static absl::StatusOr<KeyReading> FromProto(Proto proto) {
    absl::StatusOr<ShardId> shard = ShardFromProto(proto.shard());
    if (!shard.ok()) return shard.status();
    KeyReading reading{std::nullopt, *shard, proto.revision()};
    if (proto.has_record()) reading.record = troupe::FromProto(*proto.mutable_record());
    return reading;
  }
};

template <>
struct WireFormat<WriteKey> {
  using Proto = pb::ShardWriteKey;
  static constexpr std::string_view kName = "kv.WriteKey";
  static Proto ToProto(WriteKey write) {
    Proto out;
    out.set_key(std::move(write.key));
    if (write.value.has_value()) out.set_value(*std::move(write.value));
    std::visit(ConditionToProto{out}, write.condition);
    return out;
  }
  static absl::StatusOr<WriteKey> FromProto(Proto proto) {
    absl::Status valid = CheckKey(proto.key());
    if (valid.ok()) valid = CheckValue(proto.value());
    if (!valid.ok()) return valid;
    WriteKey write{std::move(*proto.mutable_key()), std::nullopt, {}};
    if (proto.has_value()) write.value = std::move(*proto.mutable_value());
    switch (proto.condition_case()) {
      case Proto::kMustExist:
        write.condition = KeyMustExist{proto.must_exist()};
        break;
      case Proto::kVersionMustBe:
        write.condition = VersionMustBe{proto.version_must_be()};
        break;
      case Proto::kValueMustBe:
        write.condition = ValueMustBe{std::move(*proto.mutable_value_must_be())};
        break;
      case Proto::CONDITION_NOT_SET:
        break;
    }
    return write;
  }
};

template <>
struct WireFormat<WriteOutcome> {
  using Proto = pb::ShardWriteOutcome;
  static Proto ToProto(WriteOutcome outcome) {
    Proto out;
    out.set_condition_held(outcome.condition_held);
    if (outcome.before.has_value()) troupe::ToProto(*std::move(outcome.before), *out.mutable_before());
    out.set_before_bytes(outcome.before_bytes);
    out.set_version(outcome.version);
    out.set_shard(outcome.shard);
    out.set_revision(outcome.revision);
    return out;
  }
  static absl::StatusOr<WriteOutcome> FromProto(Proto proto) {
    absl::StatusOr<ShardId> shard = ShardFromProto(proto.shard());
    if (!shard.ok()) return shard.status();
    WriteOutcome outcome{.condition_held = proto.condition_held(),
                         .before = std::nullopt,
                         .before_bytes = proto.before_bytes(),
                         .version = proto.version(),
                         .shard = *shard,
                         .revision = proto.revision()};
    if (proto.has_before()) outcome.before = troupe::FromProto(*proto.mutable_before());
    return outcome;
  }
};

template <>
struct WireFormat<ScanShard> {
  using Proto = pb::ShardScan;
  static constexpr std::string_view kName = "kv.ScanShard";
  static Proto ToProto(ScanShard scan) {
    Proto out;
    out.set_prefix(std::move(scan.request.prefix));
    if (scan.request.after.has_value()) out.set_after(*std::move(scan.request.after));
    out.set_max_entries(scan.request.max_entries);
    out.set_max_bytes(scan.request.max_bytes);
    out.set_keys_only(scan.request.keys_only);
    return out;
  }
  static absl::StatusOr<ScanShard> FromProto(Proto proto) {
    ScanShard scan{ScanRequest{.prefix = std::move(*proto.mutable_prefix()),
                               .max_entries = std::min<size_t>(proto.max_entries(), kMaxPageEntries),
                               .max_bytes = std::min<size_t>(proto.max_bytes(), kMaxPageBytes),
                               .keys_only = proto.keys_only()}};
    if (proto.has_after()) scan.request.after = std::move(*proto.mutable_after());
    return scan;
  }
};

template <>
struct WireFormat<ScanResult> {
  using Proto = pb::ShardScanResult;
  static Proto ToProto(ScanResult result) {
    Proto out;
    out.set_revision(result.revision);
    for (ScanResult::Entry& entry : result.entries) {
      pb::ShardScanEntry& to = *out.add_entries();
      to.set_key(std::move(entry.key));
      troupe::ToProto(std::move(entry.record), *to.mutable_record());
    }
    out.set_more(result.more);
    return out;
  }
  static absl::StatusOr<ScanResult> FromProto(Proto proto) {
    ScanResult result{.revision = proto.revision(), .entries = {}, .more = proto.more()};
    for (pb::ShardScanEntry& entry : *proto.mutable_entries()) {
      result.entries.push_back({std::move(*entry.mutable_key()), troupe::FromProto(*entry.mutable_record())});
    }
    return result;
  }
};

template <>
struct WireFormat<GetShardState> {
  using Proto = pb::ShardGetState;
  static constexpr std::string_view kName = "kv.GetShardState";
  static Proto ToProto(GetShardState) { return {}; }
  static absl::StatusOr<GetShardState> FromProto(Proto) { return GetShardState{}; }
};

template <>
struct WireFormat<ShardState> {
  using Proto = pb::ShardStateReport;
  static Proto ToProto(ShardState state) {
    Proto out;
    out.set_shard(state.shard);
    out.set_revision(state.revision);
    return out;
  }
  static absl::StatusOr<ShardState> FromProto(Proto proto) {
    absl::StatusOr<ShardId> shard = ShardFromProto(proto.shard());
    if (!shard.ok()) return shard.status();
    return ShardState{*shard, proto.revision()};
  }
};

template <>
struct WireFormat<GetStorageStats> {
  using Proto = pb::StoreGetStats;
  static constexpr std::string_view kName = "kv.GetStorageStats";
  static Proto ToProto(GetStorageStats) { return {}; }
  static absl::StatusOr<GetStorageStats> FromProto(Proto) { return GetStorageStats{}; }
};

template <>
struct WireFormat<StorageStats> {
  using Proto = pb::StoreStats;
  static Proto ToProto(StorageStats stats) {
    Proto out;
    out.set_approximate_keys(stats.approximate_keys);
    out.set_approximate_bytes(stats.approximate_bytes);
    return out;
  }
  static absl::StatusOr<StorageStats> FromProto(Proto proto) {
    return StorageStats{proto.approximate_keys(), proto.approximate_bytes()};
  }
};

void ExposeStore(Cluster& cluster) {
  cluster.Expose<ShardActor, ReadKey, WriteKey, ScanShard, GetShardState>();
  cluster.Expose<Store, GetStorageStats>();
}

}  // namespace troupe
