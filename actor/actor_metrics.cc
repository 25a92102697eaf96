#include "actor/actor_metrics.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "actor/actor_kind.h"
#include "actor/actor_system.h"

namespace troupe {

uint64_t ActorMetrics::AllDeadLetters() const {
  return std::accumulate(dead_letters.begin(), dead_letters.end(), uint64_t{0});
}

void ActorMetrics::Add(const ActorMetrics& other) {
  alive += other.alive;
  mailbox_depth += other.mailbox_depth;
  mailbox_high_mark = std::max(mailbox_high_mark, other.mailbox_high_mark);
  handled += other.handled;
  restarts += other.restarts;
  for (size_t i = 0; i < dead_letters.size(); ++i) dead_letters[i] += other.dead_letters[i];
  handling_nanos.Add(other.handling_nanos);
}

namespace {

// As in "850ns", "1.2us" or "30.5ms".
std::string ShortTime(Duration time) {
  const double nanos = absl::ToDoubleNanoseconds(time);
  if (nanos < 1e3) return absl::StrFormat("%.0fns", nanos);
  if (nanos < 1e6) return absl::StrFormat("%.1fus", nanos / 1e3);
  return nanos < 1e9 ? absl::StrFormat("%.1fms", nanos / 1e6) : absl::StrFormat("%.1fs", nanos / 1e9);
}

}  // namespace

std::string SystemMetrics::ToText(size_t most) const {
  std::string text = absl::StrFormat("%-40s %9s %9s %9s %12s %9s %8s %9s %9s\n", "name", "alive", "waiting", "most",
                                     "handled", "p50", "p99", "restarts", "dead");
  auto add = [&text](const ActorMetrics& row) {
    absl::StrAppendFormat(&text, "%-40s %9d %9d %9d %12d %9s %8s %9d %9d\n", row.name, row.alive, row.mailbox_depth,
                          row.mailbox_high_mark, row.handled, ShortTime(row.HandlingTime(50)),
                          ShortTime(row.HandlingTime(99)), row.restarts, row.AllDeadLetters());
  };
  add(total);
  const size_t shown = std::min(most, by_name.size());
  for (size_t i = 0; i < shown; ++i) add(by_name[i]);
  if (shown < by_name.size()) absl::StrAppend(&text, "and ", by_name.size() - shown, " more\n");
  return text;
}

namespace internal {
namespace {

// Not the thread's id: those of a pool's workers may all be alike in their low bits.
size_t ShardOfThread(size_t shards) {
  static std::atomic<size_t> threads{0};
  constinit thread_local size_t number = 0;
  if (number == 0) number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  return number % shards;
}

}  // namespace

size_t NextTypeSlot() {
  static std::atomic<size_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

ActorKind::Times& ActorKind::times() {
  if (Times* times = times_.load(std::memory_order_acquire)) return *times;
  auto mine = std::make_unique<Times>();
  Times* theirs = nullptr;
  if (times_.compare_exchange_strong(theirs, mine.get(), std::memory_order_acq_rel)) return *mine.release();
  return *theirs;
}

void ActorKind::RecordHandling(Duration time) {
  const int64_t nanos = std::max<int64_t>(absl::ToInt64Nanoseconds(time), 0);
  times()[Buckets::BucketOf(static_cast<uint64_t>(nanos))].fetch_add(1, std::memory_order_relaxed);
}

void ActorKind::AddEnded(uint64_t handled, uint32_t restarts, uint32_t mailbox_high_mark) {
  if (handled > 0) ended_[ShardOfThread(ended_.size())].handled.fetch_add(handled, std::memory_order_relaxed);
  if (restarts > 0) restarts_.fetch_add(restarts, std::memory_order_relaxed);
  uint32_t mark = mailbox_high_mark_.load(std::memory_order_relaxed);
  while (mailbox_high_mark > mark &&
         !mailbox_high_mark_.compare_exchange_weak(mark, mailbox_high_mark, std::memory_order_relaxed)) {
  }
}

void ActorKind::Absorb(const ActorKind& apart) {
  for (size_t i = 0; i < dead_letters_.size(); ++i) {
    dead_letters_[i].fetch_add(apart.dead_letters_[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  const Times* theirs = apart.times_.load(std::memory_order_acquire);
  if (theirs == nullptr) return;
  Times& ours = times();
  for (size_t i = 0; i < ours.size(); ++i) {
    if (const uint64_t count = (*theirs)[i].load(std::memory_order_relaxed)) {
      ours[i].fetch_add(count, std::memory_order_relaxed);
    }
  }
}

void ActorKind::AddTo(ActorMetrics& metrics) const {
  for (const Shard& shard : ended_) metrics.handled += shard.handled.load(std::memory_order_relaxed);
  metrics.restarts += restarts_.load(std::memory_order_relaxed);
  metrics.mailbox_high_mark =
      std::max<uint64_t>(metrics.mailbox_high_mark, mailbox_high_mark_.load(std::memory_order_relaxed));
  for (size_t i = 0; i < dead_letters_.size(); ++i) {
    metrics.dead_letters[i] += dead_letters_[i].load(std::memory_order_relaxed);
  }
  const Times* times = times_.load(std::memory_order_acquire);
  if (times == nullptr) return;
  for (size_t i = 0; i < times->size(); ++i) {
    if (const uint64_t count = (*times)[i].load(std::memory_order_relaxed))
      metrics.handling_nanos.AddToBucket(i, count);
  }
}

ActorKind& ActorKinds::Add(size_t type_slot, const std::type_info& type) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<ActorKind>& kind = kinds_[type_slot];
  if (kind == nullptr) kind = std::make_unique<ActorKind>(TypeName(type));
  if (type_slot < kDirect) direct_[type_slot].store(kind.get(), std::memory_order_release);
  return *kind;
}

MetricsRows::MetricsRows(ActorKinds& kinds) {
  std::lock_guard lock(kinds.mutex_);
  for (const auto& [slot, kind] : kinds.kinds_) RowOf(*kind);
}

ActorMetrics& MetricsRows::RowOf(const ActorKind& type) {
  if (&type != last_) {
    auto [place, is_new] = places_.emplace(&type, rows_.size());
    if (is_new) AddRow(type);
    last_ = &type;
    last_place_ = place->second;
  }
  return rows_[last_place_];
}

ActorMetrics& MetricsRows::AddRow(const ActorKind& registered) {
  ActorMetrics& row = rows_.emplace_back();
  row.name = registered.name();
  registered.AddTo(row);
  return row;
}

SystemMetrics MetricsRows::Finish() && {
  SystemMetrics metrics;
  metrics.total.name = "all actors";
  // The types of which nothing can be told.
  std::erase_if(rows_, [](const ActorMetrics& row) {
    return row.alive + row.handled + row.restarts + row.AllDeadLetters() == 0;
  });
  for (const ActorMetrics& row : rows_) metrics.total.Add(row);
  metrics.by_name = std::move(rows_);
  std::sort(metrics.by_name.begin(), metrics.by_name.end(), [](const ActorMetrics& a, const ActorMetrics& b) {
    return std::pair(b.handled, std::string_view(a.name)) < std::pair(a.handled, std::string_view(b.name));
  });
  return metrics;
}

}  // namespace internal
}  // namespace troupe
