// Bytes between nodes: an interface behind which gRPC streams (grpc_transport.h) and the simulator's links stand.
#ifndef TROUPE_CLUSTER_TRANSPORT_H_
#define TROUPE_CLUSTER_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace troupe {

// Each lane has its own connection, so that a snapshot cannot delay a ping.
enum class Lane { kControl, kRaft, kActors, kBulk };
inline constexpr int kLanes = 4;

// Larger frames are refused by both ends.
inline constexpr size_t kMaxFrameBytes = 4 << 20;

// Frames that were lost with a connection, or because none could be made.
struct FrameLoss {
  // All frames up to this number are gone, unless they have arrived.
  uint64_t through = 0;
  // Those from this number on have not left this node.
  uint64_t first_unsent = 0;
  absl::Status reason;
};

// Where frames arrive.
//   Threads: called on the transport's threads, one call at a time for each peer and lane; must be quick and not block.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;

  // A frame of the node that serves at `peer`.
  virtual void OnFrame(const std::string& peer, Lane lane, std::string frame) = 0;

  // Never for the control lane.
  virtual void OnLost(const std::string& peer, Lane lane, const FrameLoss& loss) = 0;
};

//   Peers:   named by the address (host:port) at which they serve, as they advertise it.
//   Threads: any thread may call anything; only Stop blocks.
//   Order:   frames from one node to another keep theirs within a lane, for as long as the connection lasts.
class Transport {
 public:
  virtual ~Transport() = default;

  // Frames arrive at `receiver` from now on, until Stop has returned. Called once.
  virtual void Start(FrameReceiver& receiver) = 0;
  virtual void Stop() = 0;

  // Takes a frame for `peer`, connecting if need be, and gives its number, which only grows for one peer and lane. That
  // promises nothing about its arrival; a frame that is lost with its connection is followed by OnLost, except on the
  // control lane, which drops frames silently, as datagrams are: the oldest when too many wait, and those that waited
  // too long. kResourceExhausted: too much waits already, or the frame is above kMaxFrameBytes.
  virtual absl::StatusOr<uint64_t> Send(const std::string& peer, Lane lane, std::string frame) = 0;

  // Closes the connections to `peer` and drops what waits for it (OnLost tells). A later Send connects anew.
  virtual void Disconnect(const std::string& peer) = 0;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_TRANSPORT_H_
