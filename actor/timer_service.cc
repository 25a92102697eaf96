#include "actor/timer_service.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "actor/callback_guard.h"

namespace troupe {

struct alignas(64) internal::TimerShard {
  std::mutex mutex;
  // Guarded by mutex.
  bool stopped = false;
  uint64_t next_id = 1;
  TimerWheel wheel;
  std::unordered_map<uint64_t, TimerService::Callback*> callbacks;  // with a reference each
};

namespace {
constinit internal::CallbackGuard timer_guard("a timer's callback");
}  // namespace

// Of RunAt. Whoever takes it out of its shard's map decides whether it runs.
class TimerService::Callback final : public Deadline {
 public:
  Callback(internal::TimerShard& shard, absl::AnyInvocable<void()> callback)
      : home_(shard), callback_(std::move(callback)) {}

  void Expire(const absl::Status& status) override {
    {
      std::lock_guard lock(home_.mutex);
      if (home_.callbacks.erase(id) == 0) return;
    }
    if (absl::IsDeadlineExceeded(status)) timer_guard.Run(callback_);
    Unref();
  }

  TimerId id = 0;

 private:
  void OnUnreferenced() override { delete this; }

  internal::TimerShard& home_;
  absl::AnyInvocable<void()> callback_;
};

TimerService::TimerService(Instant now) : shards_(new internal::TimerShard[kShards]) {
  // So that the first look does not find a wheel that is years behind.
  FireDue(now);
}

TimerService::~TimerService() = default;

internal::TimerShard& TimerService::OfThisThread() {
  static std::atomic<size_t> next{0};
  static thread_local const size_t shard = next.fetch_add(1) % kShards;
  return shards_[shard];
}

void TimerService::Insert(internal::TimerShard& shard, Deadline& deadline, Instant when) {
  uint64_t tick = TimerWheel::kNever;
  // Rounded up, so that it is never early.
  if (when != Instant::Never()) {
    tick = when.nanos() <= 0 ? 0 : (static_cast<uint64_t>(when.nanos() - 1) >> kTickShift) + 1;
  }
  shard.wheel.Insert(deadline, tick);
  deadline.shard_.store(&shard, std::memory_order_release);
}

void TimerService::CallFor(Instant when) {
  if (when.nanos() >= next_look_.load()) return;
  // Once the thread waits, so that it cannot miss this.
  { std::lock_guard lock(mutex_); }
  changed_.notify_one();
}

bool TimerService::Arm(Deadline& deadline, Instant when) {
  internal::TimerShard& shard = OfThisThread();
  {
    std::lock_guard lock(shard.mutex);
    if (shard.stopped) return false;
    Insert(shard, deadline, when);
  }
  CallFor(when);
  return true;
}

void TimerService::Disarm(Deadline& deadline) {
  internal::TimerShard* shard = deadline.shard_.load(std::memory_order_acquire);
  if (shard == nullptr) return;
  std::lock_guard lock(shard->mutex);
  if (!deadline.armed()) return;
  shard->wheel.Remove(deadline);
  deadline.shard_.store(nullptr, std::memory_order_release);
}

TimerService::TimerId TimerService::RunAt(Instant when, absl::AnyInvocable<void()> callback) {
  internal::TimerShard& shard = OfThisThread();
  auto* timer = new Callback(shard, std::move(callback));
  TimerId id = 0;
  bool stopped = false;
  {
    std::lock_guard lock(shard.mutex);
    id = shard.next_id++ * kShards + static_cast<size_t>(&shard - shards_.get());
    timer->id = id;
    stopped = shard.stopped;
    if (!stopped) {
      shard.callbacks.emplace(id, timer);
      Insert(shard, *timer, when);
    }
  }
  if (stopped) {
    timer->Unref();
  } else {
    CallFor(when);
  }
  return id;
}

bool TimerService::Cancel(TimerId id) {
  internal::TimerShard& shard = shards_[id % kShards];
  Callback* timer = nullptr;
  {
    std::lock_guard lock(shard.mutex);
    auto entry = shard.callbacks.find(id);
    if (entry == shard.callbacks.end()) return false;
    timer = entry->second;
    shard.callbacks.erase(entry);
  }
  Disarm(*timer);
  // Outside the lock: what the callback holds may come back here at its end.
  timer->Unref();
  return true;
}

Instant TimerService::Earliest() {
  uint64_t earliest = TimerWheel::kNever;
  for (size_t i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    earliest = std::min(earliest, shards_[i].wheel.NextTick());
  }
  // The last ticks are past the end of time.
  constexpr uint64_t kEnd = static_cast<uint64_t>(Instant::Never().nanos()) >> kTickShift;
  return earliest > kEnd ? Instant::Never() : Instant::FromNanos(static_cast<int64_t>(earliest << kTickShift));
}

void TimerService::FireDue(Instant now) {
  const uint64_t tick = static_cast<uint64_t>(std::max<int64_t>(now.nanos(), 0)) >> kTickShift;
  for (size_t i = 0; i < kShards; ++i) {
    internal::TimerShard& shard = shards_[i];
    bool more = true;
    while (more) {
      std::lock_guard lock(shard.mutex);
      more = shard.wheel.Advance(tick, kStepsPerLock, [this](TimerWheel::Entry& entry) {
        auto& deadline = static_cast<Deadline&>(entry);
        // Before it counts as disarmed, after which its last owner may end it without another look.
        const bool alive = deadline.TryRef();
        deadline.shard_.store(nullptr, std::memory_order_release);
        if (alive) due_.push_back(&deadline);
      });
    }
  }
  if (due_.empty()) return;
  auto by_tick = [](const Deadline* a, const Deadline* b) { return a->tick() < b->tick(); };
  if (!std::is_sorted(due_.begin(), due_.end(), by_tick)) std::stable_sort(due_.begin(), due_.end(), by_tick);
  End(due_, absl::DeadlineExceededError("no answer before the deadline"));
}

void TimerService::End(std::vector<Deadline*>& ended, const absl::Status& status) {
  for (Deadline* deadline : ended) {
    deadline->Expire(status);
    deadline->Unref();
  }
  ended.clear();
}

void TimerService::Run(const Executor& executor) {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    // Before the wheels are looked at: who comes to one after the look sees this, and calls.
    next_look_.store(Instant::Never().nanos());
    const Instant next = Earliest();
    next_look_.store(next.nanos());
    if (next == Instant::Never()) {
      changed_.wait(lock);
      continue;
    }
    const Instant now = executor.Now();
    if (now < next) {
      changed_.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next.nanos())));
      continue;
    }
    lock.unlock();
    FireDue(now);
    lock.lock();
  }
}

void TimerService::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  std::vector<Deadline*> all;
  for (size_t i = 0; i < kShards; ++i) {
    internal::TimerShard& shard = shards_[i];
    std::lock_guard lock(shard.mutex);
    shard.stopped = true;
    shard.wheel.Clear([&all](TimerWheel::Entry& entry) {
      auto& deadline = static_cast<Deadline&>(entry);
      const bool alive = deadline.TryRef();
      deadline.shard_.store(nullptr, std::memory_order_release);
      if (alive) all.push_back(&deadline);
    });
  }
  End(all, Deadline::ExecutorEnded());
}

}  // namespace troupe
