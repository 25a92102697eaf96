#include "cluster/lane_queue.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {

LaneQueue::Limits LaneQueue::LimitsOf(Lane lane) {
  constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
  constexpr size_t kMaxWaitingBytes = 32 << 20;
  if (lane == Lane::kControl) {
    return {.max_frames = 64, .max_bytes = kMaxWaitingBytes, .max_wait = absl::Milliseconds(250), .drop_oldest = true};
  }
  return {.max_frames = kNoLimit,
          .max_bytes = kMaxWaitingBytes,
          .max_wait = absl::InfiniteDuration(),
          .drop_oldest = false};
}

absl::Status LaneQueue::Push(uint64_t number, std::string frame, Instant now) {
  const size_t bytes = frame.size() + kFrameOverhead;
  while (limits_.drop_oldest && !frames_.empty() && !HasRoomFor(bytes)) {
    PopFront();
    ++dropped_full_;
  }
  if (!HasRoomFor(bytes)) {
    ++dropped_full_;
    return absl::ResourceExhaustedError(absl::StrCat(frames_.size(), " frames of ", bytes_, " bytes wait already"));
  }
  bytes_ += bytes;
  frames_.push_back({.number = number, .since = now, .bytes = std::move(frame)});
  return absl::OkStatus();
}

std::vector<LaneQueue::Frame> LaneQueue::TakeBatch(Instant now) {
  std::vector<Frame> batch;
  size_t bytes = 0;
  while (!frames_.empty() && batch.size() < kBatchFrames) {
    Frame& frame = frames_.front();
    if (now - frame.since > limits_.max_wait) {
      ++dropped_late_;
      PopFront();
      continue;
    }
    if (!batch.empty() && bytes + frame.bytes.size() > kBatchBytes) break;
    bytes += frame.bytes.size();
    bytes_ -= frame.bytes.size() + kFrameOverhead;
    batch.push_back(std::move(frame));
    frames_.pop_front();
  }
  return batch;
}

void LaneQueue::Clear() {
  frames_.clear();
  bytes_ = 0;
}

bool LaneQueue::HasRoomFor(size_t bytes) const {
  return frames_.size() < limits_.max_frames && bytes <= limits_.max_bytes && bytes_ <= limits_.max_bytes - bytes;
}

void LaneQueue::PopFront() {
  bytes_ -= frames_.front().bytes.size() + kFrameOverhead;
  frames_.pop_front();
}

}  // namespace troupe
