// One gRPC stream of a lane, the same to work with whichever end opened it. No rule is here: see lane_links.h. No gRPC
// header is here either: they cost seconds a file.
#ifndef TROUPE_CLUSTER_GRPC_TRANSPORT_CALL_H_
#define TROUPE_CLUSTER_GRPC_TRANSPORT_CALL_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cluster/transport.h"
#include "troupe/internal/v1/lanes.pb.h"

namespace grpc {
class ServerBuilder;
class ServerCompletionQueue;
}  // namespace grpc

namespace troupe {

// The receive limit of both ends: a batch with a frame of kMaxFrameBytes must pass.
inline constexpr int kMaxLaneMessageBytes = static_cast<int>(kMaxFrameBytes) + (64 << 10);

//   Threads: gRPC's: a read and a write may be started side by side, and Cancel at any time.
//   Tags:    each operation comes back once on the call's queue, as LaneTag*, also when it fails; what it works on must
//            live until then, and so must the call.
class LaneCall {
 public:
  virtual ~LaneCall() = default;

  // At most one of each at a time.
  virtual void Read(internal::v1::FrameBatch& batch, void* tag) = 0;
  virtual void Write(const internal::v1::FrameBatch& batch, void* tag) = 0;
  // What is under way fails soon.
  virtual void Cancel() = 0;
  // The last operation, when no write is under way. The end that accepted says `farewell` to the other.
  virtual void Finish(const absl::Status& farewell, void* tag) = 0;
  // After Finish, at the end that dialled: what ended the call. OK at the other, which is not told.
  virtual absl::Status outcome() const = 0;
  // Asked once, when Finish has come back. False: the call must live until `tag` does, since it still connects.
  // gRPC 1.51 never closes a connection that comes about after its channel has gone.
  virtual bool MayGo(void* tag) = 0;
};

// The lanes' service on a server.
struct LaneServer;
std::shared_ptr<LaneServer> AddLaneServer(grpc::ServerBuilder& builder);

// A stream to the node at `address`, over a connection of its own that ends with the call. It is opened by the first
// Write; that one and the Read fail when it cannot be.
std::unique_ptr<LaneCall> DialLane(const std::string& address, Lane lane, grpc::ServerCompletionQueue& queue);

// Takes the next stream that a peer opens. `tag` comes back when there is one, or when the server shuts down.
std::unique_ptr<LaneCall> AcceptLane(LaneServer& server, Lane lane, grpc::ServerCompletionQueue& queue, void* tag);

// Gives `tag` back after that time, or as failed as soon as the timer goes.
class LaneTimer {
 public:
  virtual ~LaneTimer() = default;
};
std::unique_ptr<LaneTimer> StartLaneTimer(absl::Duration after, grpc::ServerCompletionQueue& queue, void* tag);

}  // namespace troupe

#endif  // TROUPE_CLUSTER_GRPC_TRANSPORT_CALL_H_
