#include "actor/stream_core.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "actor/local_cell.h"

namespace troupe::internal {
namespace {

constexpr uint64_t kWithoutEnd = std::numeric_limits<uint64_t>::max();

class Announcement final : public LocalCell::Signal {
 public:
  explicit Announcement(StreamId id) : id_(id) {}
  void Run(LocalCell& cell) override { cell.OnStreamReady(id_); }

 private:
  const StreamId id_;
};

}  // namespace

StreamCore::StreamCore(Executor& executor, size_t capacity) : executor_(executor), capacity_(capacity) {
  CHECK_GT(capacity, 0u) << "a stream without a buffer can hand nothing over";
}

absl::Status StreamCore::Refusal() const {
  if (end_.has_value()) return absl::FailedPreconditionError("this stream has been ended by its sink");
  if (cancelled_) return absl::UnavailableError("nobody takes this stream's items any more");
  if (!MayPush()) return absl::ResourceExhaustedError("the actor has not asked for more of this stream yet");
  return absl::OkStatus();
}

Future<void> StreamCore::Ready(Instant deadline) {
  {
    std::lock_guard lock(mutex_);
    absl::Status refusal = Refusal();
    if (!absl::IsResourceExhausted(refusal)) return ResolvedFuture<void>(std::move(refusal));
  }
  // Outside the lock, since a stopped executor ends it at once.
  auto [future, reply] = MakeFuture<void>(executor_, deadline);
  std::unique_lock lock(mutex_);
  absl::Status refusal = Refusal();
  if (absl::IsResourceExhausted(refusal)) {
    std::swap(waiter_, reply);
    refusal = absl::ResourceExhaustedError("a later wait for the same stream took this one's place");
  }
  lock.unlock();
  reply(std::move(refusal));
  return std::move(future);
}

void StreamCore::End(absl::Status reason) {
  std::unique_lock lock(mutex_);
  if (cancelled_ || end_.has_value()) return;
  end_ = std::move(reason);
  Reply<void> waiter = std::move(waiter_);
  absl::Status refusal = Refusal();
  Announce(std::move(lock));
  waiter(std::move(refusal));
}

bool StreamCore::cancelled() const {
  std::lock_guard lock(mutex_);
  return cancelled_;
}

void StreamCore::Open(const std::shared_ptr<LocalCell>& consumer, StreamId id, StreamDemand demand) {
  {
    std::unique_lock lock(mutex_);
    consumer_ = consumer;
    id_ = id;
    demand_ = demand;
    if (end_.has_value()) return Announce(std::move(lock));
  }
  if (demand == StreamDemand::kAutomatic) Request(kWithoutEnd);
}

void StreamCore::Request(uint64_t items) {
  std::unique_lock lock(mutex_);
  asked_ += std::min(items, kWithoutEnd - asked_);
  WakeSink(std::move(lock));
}

void StreamCore::NotePush(std::unique_lock<std::mutex> lock) {
  ++waiting_;
  if (demand_ == StreamDemand::kOnRequest) --asked_;
  Announce(std::move(lock));
}

bool StreamCore::NoteTake() {
  --waiting_;
  if (waiting_ > 0 || end_.has_value()) return false;
  announced_ = false;
  return true;
}

void StreamCore::WakeSink(std::unique_lock<std::mutex> lock) {
  if (!waiter_.asked() || !MayPush() || waiting_ > capacity_ / 2) return;
  Reply<void> waiter = std::move(waiter_);
  lock.unlock();
  waiter(absl::OkStatus());
}

void StreamCore::NoteCancel(std::unique_lock<std::mutex> lock) {
  cancelled_ = !end_.has_value() || waiting_ > 0;
  waiting_ = 0;
  Reply<void> waiter = std::move(waiter_);
  absl::Status refusal = Refusal();
  lock.unlock();
  waiter(std::move(refusal));
}

void StreamCore::Announce(std::unique_lock<std::mutex> lock) {
  if (id_ == 0 || announced_) return;
  announced_ = true;
  const StreamId id = id_;
  const std::shared_ptr<LocalCell> consumer = consumer_.lock();
  lock.unlock();
  if (consumer != nullptr) consumer->PostSignal(std::make_unique<Announcement>(id));
}

}  // namespace troupe::internal
