#include "actor/placed_executor.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "actor/future.h"

namespace troupe {

class PinnedThreads::Thread final : public PlacedExecutor {
 public:
  explicit Thread(Executor& home) : PlacedExecutor(home) {}
  ~Thread() override { Join(); }

  void Begin(PinnedThreads& threads, std::string_view name) {
    thread_ = std::thread([this, &threads, name = std::string(name.substr(0, 15))] {
      pthread_setname_np(pthread_self(), name.c_str());
      threads.Run(*this);
    });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

  void Schedule(Runnable& runnable) override {
    runnable_ = &runnable;
    Set(kReady);
  }
  void Retire() override { Set(kEnd); }
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) override { hooks_.Add(std::move(hook)); }
  void Stop() override { Set(kEnd); }

  // Gives turns until the end.
  void Run(int messages_per_turn) {
    for (;;) {
      const uint32_t seen = word_.fetch_and(~kReady, std::memory_order_acq_rel);
      if ((seen & kEnd) != 0) break;
      if ((seen & kReady) != 0) {
        runnable_->RunTurn(messages_per_turn);
        if (hooks_.pending()) hooks_.AfterTurn();
      } else if (hooks_.pending()) {
        hooks_.Run();
      } else {
        word_.wait(0, std::memory_order_acquire);
      }
    }
    hooks_.Run();
  }

 private:
  static constexpr uint32_t kReady = 1;
  static constexpr uint32_t kEnd = 2;

  void Set(uint32_t bit) {
    word_.fetch_or(bit, std::memory_order_acq_rel);
    word_.notify_one();
  }

  std::atomic<uint32_t> word_{0};
  Runnable* runnable_ = nullptr;  // when kReady
  EndOfTurnHooks hooks_;          // of the thread
  std::thread thread_;
};

PinnedThreads::PinnedThreads(Executor& home, int limit, int messages_per_turn)
    : home_(home), limit_(limit), messages_per_turn_(messages_per_turn) {}

PinnedThreads::~PinnedThreads() {
  StopTurns();
  Join();
}

absl::StatusOr<Executor*> PinnedThreads::Start(std::string_view name) {
  std::lock_guard lock(mutex_);
  if (stopped_) return absl::UnavailableError("the executor has stopped");
  if (threads_.size() >= static_cast<size_t>(limit_)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", limit_, " pinned actors already; ThreadExecutorOptions::pinned_limit says how many"));
  }
  auto thread = std::make_unique<Thread>(home_);
  try {
    thread->Begin(*this, name);
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("no thread for a pinned actor: ", error.what()));
  }
  threads_.push_back(std::move(thread));
  return threads_.back().get();
}

void PinnedThreads::Run(Thread& thread) {
  internal::AllowWaiting();
  thread.Run(messages_per_turn_);
  std::unique_ptr<Thread> joined;  // outside the lock
  std::lock_guard lock(mutex_);
  // Its actor may not know yet, and still schedule.
  if (stopped_) return;
  auto own = std::find_if(threads_.begin(), threads_.end(), [&](const auto& other) { return other.get() == &thread; });
  joined = std::exchange(ended_, std::move(*own));
  threads_.erase(own);
}

void PinnedThreads::StopTurns() {
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const auto& thread : threads_) thread->Stop();
}

void PinnedThreads::Join() {
  // Nothing comes or goes any more.
  for (const auto& thread : threads_) thread->Join();
  if (ended_ != nullptr) ended_->Join();
}

}  // namespace troupe
