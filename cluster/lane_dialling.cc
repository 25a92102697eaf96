// The rules by which streams come into use and go out of it.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cluster/lane_links.h"

namespace troupe {
namespace {

constexpr size_t kMaxPeers = 1024;
constexpr size_t kMaxAddressBytes = 255;
// Enough for a peer's cancellation to arrive, and well under kDialTimeout, at which the peer would give up.
constexpr Duration kCrossing = absl::Milliseconds(300);
constexpr Duration kMaxRedial = absl::Seconds(1);
constexpr int kSecondsBetweenWarnings = 10;

// host:port, as far as junk must be kept out of logs and maps.
bool IsAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  return address.size() <= kMaxAddressBytes && colon != std::string::npos && colon > 0 && colon + 1 < address.size() &&
         std::all_of(address.begin(), address.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
}

}  // namespace

bool LaneLinks::TakeBatch(const StreamPtr& stream) {
  const internal::v1::FrameBatch& batch = stream->in;
  switch (stream->phase) {
    case Phase::kDialling:
      Opened(stream);
      break;
    case Phase::kGreeting:
      Greet(stream);
      break;
    case Phase::kHeld:
      Junk(stream, "frames before the acceptance");
      break;
    case Phase::kOpen:
      if (batch.has_hello()) Junk(stream, "a second hello");
      break;
    case Phase::kClosing:
      break;
  }
  if (stream->phase == Phase::kClosing) return false;
  const bool too_large = std::any_of(batch.frames().begin(), batch.frames().end(),
                                     [](const std::string& frame) { return frame.size() > kMaxFrameBytes; });
  if (too_large) Junk(stream, "a frame above the limit");
  return !too_large;
}

void LaneLinks::Opened(const StreamPtr& stream) {
  const std::string& peer = stream->in.hello().address();
  if (!IsAddress(peer) || peer == address_) return Junk(stream, "a bad hello");
  stream->peer = peer;
  SetPhase(*stream, Phase::kOpen);
  Link& link = links_.at(stream->link);
  link.redial_after = kMinRedial;
  if (const StreamPtr held = std::exchange(link.held, nullptr)) {
    held->farewell = absl::AbortedError("use the other stream");
    Close(held);
  }
  if (void* write = BeginWrite(stream)) stream->call->Write(stream->out, write);
}

void LaneLinks::Greet(const StreamPtr& stream) {
  const std::string& peer = stream->in.hello().address();
  if (!IsAddress(peer) || peer == address_) return Junk(stream, "a bad hello");
  if (stream->in.frames_size() > 0) return Junk(stream, "frames before the acceptance");
  Link* link = FindOrAdd(peer);
  if (link == nullptr) {
    stream->farewell = absl::ResourceExhaustedError("too many peers");
    return Close(stream);
  }
  stream->link = stream->peer = peer;
  if (link->stream == nullptr || !link->stream->dialled || peer < address_) return Adopt(*link, stream);
  if (const StreamPtr older = std::exchange(link->held, stream)) Close(older);
  SetPhase(*stream, Phase::kHeld);
  SetTimer(stream, kCrossing);
}

void LaneLinks::Adopt(Link& link, const StreamPtr& stream) {
  const StreamPtr replaced = std::exchange(link.stream, stream);
  const StreamPtr held = std::exchange(link.held, nullptr);
  if (held != nullptr && held != stream) Close(held);
  if (replaced != nullptr) {
    NoteLoss(*replaced, nullptr);
    replaced->reason = absl::StrCat(stream->link, " has connected anew");
    Close(replaced);
  }
  SetPhase(*stream, Phase::kOpen);
  link.redial_after = kMinRedial;
  stream->out.mutable_hello()->set_address(address_);
  Fill(*stream, link);
  stream->writing = true;
  stream->call->Write(stream->out, Begin(stream, Event::kWritten));
}

void LaneLinks::Fail(const StreamPtr& stream, const std::string& reason) {
  if (stream->phase == Phase::kDialling) {
    ++stats_.failed_dials;
    Link& link = links_.at(stream->link);
    link.redial_at = Now() + link.redial_after;
    link.redial_after = std::min(2 * link.redial_after, kMaxRedial);
    link.failure = absl::StrCat(stream->link, " cannot be reached");
  }
  Break(stream, reason);
}

void LaneLinks::Break(const StreamPtr& stream, const std::string& reason) {
  const Phase phase = stream->phase;
  if (phase == Phase::kClosing) return;
  stream->reason = reason;
  Close(stream);
  if (phase == Phase::kGreeting) return;
  Link& link = links_.at(stream->link);
  if (phase == Phase::kHeld) {
    link.held = nullptr;
    return;
  }
  link.stream = nullptr;
  if (link.held != nullptr && running_) {
    NoteLoss(*stream, nullptr);
    return Adopt(link, StreamPtr(link.held));
  }
  NoteLoss(*stream, &link.waiting);
  link.waiting.Clear();
  if (link.held == nullptr && link.redial_at <= Now()) Forget(links_.find(stream->link));
}

void LaneLinks::NoteLoss(Stream& stream, const LaneQueue* dropped) {
  if (dropped != nullptr && !dropped->empty()) {
    stream.loss = FrameLoss{.through = dropped->last_number(), .first_unsent = dropped->first_number(), .reason = {}};
  } else if (stream.last_written != 0) {
    stream.loss = FrameLoss{.through = stream.last_written, .first_unsent = stream.last_written + 1, .reason = {}};
  }
}

void LaneLinks::Junk(const StreamPtr& stream, const char* what) {
  ++stats_.junk;
  const std::string from = stream->link.empty() ? "a peer" : stream->link;
  LOG_EVERY_T(WARNING, kSecondsBetweenWarnings) << "closed a connection: " << from << " sent junk: " << what;
  stream->farewell = absl::InvalidArgumentError(what);
  Fail(stream, absl::StrCat(from, " sent junk: ", what));
}

void LaneLinks::Close(const StreamPtr& stream) {
  SetPhase(*stream, Phase::kClosing);
  // With nothing under way the farewell reaches the peer, which a cancelled stream's does not.
  if (stream->dialled || stream->reading || stream->writing) stream->call->Cancel();
}

LaneLinks::Link* LaneLinks::FindOrAdd(const std::string& peer) {
  const auto found = links_.find(peer);
  if (found != links_.end()) return &found->second;
  if (links_.size() >= kMaxPeers) {
    // Those that only remember when to dial again.
    for (auto link = links_.begin(); link != links_.end();) {
      const auto here = link++;
      if (here->second.stream == nullptr && here->second.redial_at <= Now()) Forget(here);
    }
  }
  if (links_.size() >= kMaxPeers) return nullptr;
  return &links_.try_emplace(peer, lane_).first->second;
}

void LaneLinks::Forget(std::map<std::string, Link>::iterator link) {
  stats_.dropped_full += link->second.waiting.dropped_full();
  stats_.dropped_late += link->second.waiting.dropped_late();
  links_.erase(link);
}

}  // namespace troupe
