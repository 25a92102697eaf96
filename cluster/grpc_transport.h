// The transport of real nodes: gRPC streams on the node's one port.
//
// Two nodes hold one connection for each lane that they use, in both directions. It is dialled by whoever sends first;
// of two dials that cross, that of the node with the smaller address stays. A frame's way: Send, lane_queue.h (waits),
// lane_links.h (which stream, and the rules of dialling), grpc_transport_call.h (gRPC), and at the other end the same
// back up to FrameReceiver::OnFrame.
#ifndef TROUPE_CLUSTER_GRPC_TRANSPORT_H_
#define TROUPE_CLUSTER_GRPC_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/transport.h"

namespace grpc {
class ServerBuilder;
}

namespace troupe {

// Of one lane, since the start.
struct LaneStats {
  uint64_t frames_in = 0;
  uint64_t frames_out = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  // Dropped for newer frames, or refused because too much waited.
  uint64_t dropped_full = 0;
  // Waited too long (the control lane's).
  uint64_t dropped_late = 0;
  // Streams that were closed for what came through them: no or a bad hello, a frame above the cap. A few are dials that
  // gave way before their hello.
  uint64_t junk = 0;
  uint64_t failed_dials = 0;
  // Now, with peers that have said hello.
  uint64_t connections = 0;
};

// The order of a life: AddTo, the server is built, SetAddress, Start; Stop, the server's Shutdown, Drain, destruction.
//   Threads: three: the control lane's, that of raft and actors, that of bulk. Callbacks come on them, with no lock
//   held,
//            and may Send and Disconnect, but not Stop.
//   Order:   OnLost may overtake the return of the Send that it is about, and comes after OnFrame of what was received.
//   Limits:  1,024 peers, beyond which Send and connections are refused; 256 streams a lane that have not said hello,
//            within 2 s; lane_queue.h says how much waits. A dial fails after 1 s; after a failed one Send answers
//            kUnavailable with its reason at once, for 100 ms at first and at most 1 s.
class GrpcTransport final : public Transport {
 public:
  GrpcTransport();
  ~GrpcTransport() override;

  // Adds the lanes' service and queues to the node's server, and raises the size of the messages that it takes to what
  // a frame of kMaxFrameBytes needs: do not lower it afterwards. The builder's server must not outlive this object.
  void AddTo(grpc::ServerBuilder& builder);

  // host:port that this node advertises; peers know it by that.
  void SetAddress(std::string address);

  void Start(FrameReceiver& receiver) override;

  // Closes all connections, without OnLost, and takes no new ones. Before the server's Shutdown, which would wait for
  // them.
  void Stop() override;

  // Ends the threads. After the server's Shutdown, since until then it still owes them answers.
  void Drain();

  // Besides what the interface says: kUnavailable shortly after a failed dial, and before Start and after Stop;
  // kInvalidArgument to this node itself.
  absl::StatusOr<uint64_t> Send(const std::string& peer, Lane lane, std::string frame) override;
  void Disconnect(const std::string& peer) override;

  LaneStats Stats(Lane lane) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_GRPC_TRANSPORT_H_
