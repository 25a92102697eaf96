// The one layer between gRPC and the services' logic: turns a call into a request with a timeout, and a Status into a
// gRPC status with its details. No gRPC type passes below it, and its header shows none either.
#ifndef TROUPE_APPS_NODE_GRPC_SERVER_H_
#define TROUPE_APPS_NODE_GRPC_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "apps/node/node.h"
#include "cluster/grpc_transport.h"

namespace troupe {

// Serves troupe.kv.v1, troupe.cluster.v1, troupe.actor.v1, troupe.internal.v1, health and reflection on one port, from
// completion queues with a thread each.
//   Limits: 4,096 calls and 128 MiB of requests at once, 512 MiB with answers; more is refused with RESOURCE_EXHAUSTED.
//   A message has at most 4 MiB.
class GrpcServer {
 public:
  // Takes the port, without serving yet; port 0 takes a free one. kUnavailable says why it cannot be had, and as far as
  // it can be known who has it. The lanes of `transport`, which must outlive this, are served on the same port from
  // now on.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Listen(const std::string& host_port, GrpcTransport& transport);
  ~GrpcServer();

  // host:port that was taken.
  const std::string& address() const;

  // Answers calls from now on. The node must outlive Shutdown.
  void Serve(Node& node);

  // Takes no new calls, lets those under way finish, for at most `timeout`, and stops the transport. False: some did
  // not, and this object must not be destroyed, since they may still come back to it; end the process instead.
  [[nodiscard]] bool Shutdown(absl::Duration timeout);

 private:
  class Impl;
  explicit GrpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace troupe

#endif  // TROUPE_APPS_NODE_GRPC_SERVER_H_
