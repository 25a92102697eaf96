#include "kvstore/shard_actor.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kvstore/limits.h"

namespace troupe {
namespace {

// Longer than any disk should take; past it the shard starts over from what the disk holds.
constexpr Duration kCommitTimeout = absl::Seconds(60);

bool Holds(const WriteCondition& condition, const std::optional<Record>& record) {
  struct Visitor {
    const std::optional<Record>& record;
    bool operator()(std::monostate) const { return true; }
    bool operator()(const KeyMustExist& c) const { return record.has_value() == c.exist; }
    bool operator()(const VersionMustBe& c) const { return record.has_value() && record->version == c.version; }
    bool operator()(const ValueMustBe& c) const { return record.has_value() && record->value == c.value; }
  };
  return std::visit(Visitor{record}, condition);
}

// A write that overwrites whatever there is needs no look at the disk.
bool NeedsRecord(const WriteKey& write) {
  return !write.value.has_value() || !std::holds_alternative<std::monostate>(write.condition);
}

size_t BytesOf(const WriteKey& write) {
  const auto* value = std::get_if<ValueMustBe>(&write.condition);
  return write.key.size() + (write.value.has_value() ? write.value->size() : 0) +
         (value == nullptr ? 0 : value->value.size());
}

absl::Status Busy(ShardId shard) {
  return absl::ResourceExhaustedError(
      absl::StrCat("shard ", shard, " has too much waiting; nothing was done, try again in a moment"));
}

}  // namespace

std::string ShardName(ShardId shard) { return absl::StrCat("shard/", shard); }

ShardActor::Round::~Round() {
  for (JudgedWrite& write : judged) {
    write.reply(absl::UnknownError("the shard failed while the write was under way; whether it was done is unknown"));
  }
}

void ShardActor::Started(Context& context) {
  // Writes of an incarnation before this one may still be on their way to the disk. They pass before the fence does.
  context.Then(writer_.Ask(CommitBatch{ShardBatch{shard_, {}}}, kCommitTimeout),
               [this, context](absl::Status fence) mutable {
                 if (!fence.ok()) return context.Fail(std::move(fence));
                 context.RunBlocking([storage = storage_, shard = shard_] { return storage->Read(shard, {}); },
                                     [this, context](absl::StatusOr<ReadResult> loaded) mutable {
                                       if (!loaded.ok()) return context.Fail(loaded.status());
                                       revision_ = loaded->revision;
                                       durable_revision_ = loaded->revision;
                                       ReadRound(context);
                                       WriteRound(context);
                                     });
               });
}

absl::Status ShardActor::CheckMine(std::string_view key) const {
  const uint16_t slot = SlotOf(key);
  if (slots_.first <= slot && slot <= slots_.last) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(ShardName(shard_), " does not hold slot ", slot, "; nothing was done"));
}

// Reads.

void ShardActor::Handle(ReadKey read, Reply<KeyReading> reply, Context& context) {
  if (absl::Status mine = CheckMine(read.key); !mine.ok()) return reply(mine);
  if (reads_.size() >= kMaxWaitingReads) return reply(Busy(shard_));
  reads_.push_back(WaitingRead{std::move(read.key), std::move(reply)});
  ReadRound(context);
}

void ShardActor::ReadRound(Context context) {
  if (reading_ || reads_.empty() || !revision_.has_value()) return;
  reading_ = true;
  // Many may ask for one key; it is read once.
  std::map<std::string, std::vector<Reply<KeyReading>>> replies;
  for (WaitingRead& read : std::exchange(reads_, {})) replies[std::move(read.key)].push_back(std::move(read.reply));
  std::vector<std::string> keys;
  for (const auto& [key, waiting] : replies) keys.push_back(key);
  context.RunBlocking(
      [storage = storage_, shard = shard_, keys = std::move(keys)] { return storage->Read(shard, keys); },
      [this, context, replies = std::move(replies)](absl::StatusOr<ReadResult> read) mutable {
        size_t i = 0;
        for (auto& [key, waiting] : replies) {
          for (Reply<KeyReading>& reply : waiting) {
            if (!read.ok()) {
              reply(read.status());
            } else {
              reply(KeyReading{read->records[i], shard_, read->revision});
            }
          }
          ++i;
        }
        reading_ = false;
        ReadRound(context);
      });
}

void ShardActor::Handle(ScanShard scan, Reply<ScanResult> reply, Context& context) {
  if (scans_ >= kMaxScans) return reply(Busy(shard_));
  ++scans_;
  scan.request.shard = shard_;
  context.RunBlocking([storage = storage_, request = std::move(scan.request)] { return storage->Scan(request); },
                      [this, reply = std::move(reply)](absl::StatusOr<ScanResult> result) mutable {
                        --scans_;
                        reply(std::move(result));
                      });
}

void ShardActor::Handle(GetShardState, Reply<ShardState> reply, Context&) {
  if (!revision_.has_value()) return reply(absl::UnavailableError(absl::StrCat(ShardName(shard_), " is loading")));
  reply(ShardState{shard_, durable_revision_});
}

// Writes.

void ShardActor::Handle(WriteKey write, Reply<WriteOutcome> reply, Context& context) {
  if (absl::Status mine = CheckMine(write.key); !mine.ok()) return reply(mine);
  const size_t bytes = BytesOf(write);
  if (writes_.size() >= kMaxWaitingWrites || write_bytes_ + bytes > kMaxWaitingWriteBytes) return reply(Busy(shard_));
  write_bytes_ += bytes;
  writes_.push_back(WaitingWrite{std::move(write), std::move(reply)});
  WriteRound(context);
}

void ShardActor::WriteRound(Context context) {
  if (writing_ || writes_.empty() || !revision_.has_value()) return;
  writing_ = true;
  write_bytes_ = 0;
  std::vector<WaitingWrite> writes = std::exchange(writes_, {});
  std::set<std::string> needed;
  for (const WaitingWrite& waiting : writes) {
    if (NeedsRecord(waiting.write)) needed.insert(waiting.write.key);
  }
  std::vector<std::string> keys(needed.begin(), needed.end());
  if (keys.empty()) return JudgeAndCommit(std::move(writes), keys, ReadResult{}, context);
  context.RunBlocking([storage = storage_, shard = shard_, keys] { return storage->Read(shard, keys); },
                      [this, context, keys, writes = std::move(writes)](absl::StatusOr<ReadResult> read) mutable {
                        if (read.ok()) return JudgeAndCommit(std::move(writes), keys, *read, context);
                        for (WaitingWrite& waiting : writes) waiting.reply(read.status());
                        writing_ = false;
                        WriteRound(context);
                      });
}

void ShardActor::JudgeAndCommit(std::vector<WaitingWrite> writes, const std::vector<std::string>& keys,
                                const ReadResult& read, Context context) {
  // The keys as they will stand after the writes judged so far.
  std::map<std::string, std::optional<Record>> state;
  for (size_t i = 0; i < keys.size(); ++i) state.emplace(keys[i], read.records[i]);
  Round round;
  ShardBatch batch{shard_, {}};
  for (WaitingWrite& waiting : writes) {
    auto [key, value, condition] = std::move(waiting.write);
    std::optional<Record>& record = state[key];
    WriteOutcome outcome{.condition_held = Holds(condition, record), .shard = shard_};
    if (record.has_value()) {
      outcome.before_bytes = record->value.size();
      const bool small = outcome.before_bytes <= kMaxValueBytesInDetails;
      outcome.before = Record{small ? record->value : "", record->version};
    }
    if (outcome.condition_held && (value.has_value() || record.has_value())) {
      outcome.version = ++*revision_;
      record = value.has_value() ? std::optional(Record{*value, outcome.version}) : std::nullopt;
      batch.writes.push_back(KeyWrite{std::move(key), std::move(value), outcome.version});
    }
    outcome.revision = *revision_;
    round.judged.push_back(JudgedWrite{std::move(outcome), std::move(waiting.reply)});
  }
  auto answer = [this, context, round = std::move(round)](absl::Status committed) mutable {
    // The revision counted above may or may not be on disk: start over.
    if (!committed.ok()) return context.Fail(std::move(committed));
    durable_revision_ = *revision_;
    for (JudgedWrite& write : round.judged) write.reply(std::move(write.outcome));
    writing_ = false;
    WriteRound(context);
  };
  // What such a round answers rests on what was read, which is durable.
  if (batch.writes.empty()) return answer(absl::OkStatus());
  context.Then(writer_.Ask(CommitBatch{std::move(batch)}, kCommitTimeout), std::move(answer));
}

}  // namespace troupe
