// One shard of the key space: the only place that decides about its keys.
#ifndef TROUPE_KVSTORE_SHARD_ACTOR_H_
#define TROUPE_KVSTORE_SHARD_ACTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actor/actor.h"
#include "kvstore/commit_writer.h"
#include "kvstore/shard_map.h"
#include "kvstore/storage.h"

namespace troupe {

struct KeyMustExist {
  bool exist = true;  // false: it must not
};
struct VersionMustBe {
  uint64_t version = 0;
};
struct ValueMustBe {
  std::string value;
};
// monostate: none.
using WriteCondition = std::variant<std::monostate, KeyMustExist, VersionMustBe, ValueMustBe>;

// A key as it stood at a revision of its shard.
struct KeyReading {
  std::optional<Record> record;  // none: there is no such key
  ShardId shard = 0;
  uint64_t revision = 0;
};

struct WriteOutcome {
  // False: the condition did not hold, and nothing was written.
  bool condition_held = true;
  // The key before the write; when the condition failed, the key as it stands. A write that needs no look at it (a
  // value, no condition) says none.
  std::optional<Record> before;
  // The size of `before`'s value, which is left out when it is larger than kMaxValueBytesInDetails.
  size_t before_bytes = 0;
  // Of this write; 0 when nothing was written.
  uint64_t version = 0;
  ShardId shard = 0;
  // The shard's with this write.
  uint64_t revision = 0;
};

// Linearizable: it sees every write that was answered before it was asked.
struct ReadKey {
  using Result = KeyReading;
  std::string key;
};

// Answered once it is durable. No value: the key is removed, which writes nothing when there is no such key.
// Errors: kResourceExhausted, nothing was done; kUnknown, the outcome is unknown.
struct WriteKey {
  using Result = WriteOutcome;
  std::string key;
  std::optional<std::string> value;
  WriteCondition condition;
};

struct ScanShard {
  using Result = ScanResult;
  ScanRequest request;  // its shard is ignored
};

struct ShardState {
  ShardId shard = 0;
  uint64_t revision = 0;
};
struct GetShardState {
  using Result = ShardState;
};

// The name under which a shard's actor is registered: "shard/17".
std::string ShardName(ShardId shard);

// Writes go in rounds: what waits is judged in order against what is on disk and against the round's own earlier
// writes, handed to the commit writer as one batch, and answered when that is durable; the next round gathers
// meanwhile. So a condition never rests on a write that may still be lost. Reads gather likewise, one hop to the disk
// for all that wait, and see only what is durable.
class ShardActor : public Actor<ShardActor> {
 public:
  ShardActor(ShardId shard, SlotRange slots, Storage* storage, Address<CommitWriter> writer)
      : shard_(shard), slots_(slots), storage_(storage), writer_(std::move(writer)) {}

  void Started(Context& context);

  void Handle(ReadKey read, Reply<KeyReading> reply, Context& context);
  void Handle(WriteKey write, Reply<WriteOutcome> reply, Context& context);
  void Handle(ScanShard scan, Reply<ScanResult> reply, Context& context);
  void Handle(GetShardState, Reply<ShardState> reply, Context& context);

 private:
  struct WaitingWrite {
    WriteKey write;
    Reply<WriteOutcome> reply;
  };
  struct WaitingRead {
    std::string key;
    Reply<KeyReading> reply;
  };
  struct JudgedWrite {
    WriteOutcome outcome;
    Reply<WriteOutcome> reply;
  };
  // Writes of which nobody knows whether they happened, until they are answered. Ends so when the actor does.
  struct Round {
    Round() = default;
    Round(Round&&) = default;
    ~Round();
    std::vector<JudgedWrite> judged;
  };

  // Whether the key is one of this shard's: a router with another map must not make it a second home.
  absl::Status CheckMine(std::string_view key) const;
  void ReadRound(Context context);
  void WriteRound(Context context);
  void JudgeAndCommit(std::vector<WaitingWrite> writes, const std::vector<std::string>& keys, const ReadResult& read,
                      Context context);

  // Fixed at construction.
  const ShardId shard_;
  const SlotRange slots_;
  Storage* const storage_;
  const Address<CommitWriter> writer_;

  // None until loaded; until then everything waits.
  std::optional<uint64_t> revision_;  // of the last write that was judged
  uint64_t durable_revision_ = 0;
  std::vector<WaitingRead> reads_;
  bool reading_ = false;
  std::vector<WaitingWrite> writes_;
  size_t write_bytes_ = 0;
  bool writing_ = false;
  size_t scans_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_SHARD_ACTOR_H_
