#include "apps/node/listen_failure.h"

#include <grpcpp/grpcpp.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "apps/node/port_owner.h"
#include "troupe/internal/v1/peer.grpc.pb.h"

namespace troupe {
namespace {

// "troupe-node n1 (pid 812)" when the one who listens there says so; else as far as the system knows.
std::string Owner(const std::string& host_port) {
  auto channel = grpc::CreateChannel(host_port, grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  internal::v1::IdentifyResponse peer;
  if (internal::v1::PeerService::NewStub(channel)->Identify(&context, {}, &peer).ok()) {
    return absl::StrCat("troupe-node ", peer.node_name(), " (pid ", peer.pid(), ")");
  }
  return DescribePortOwner(host_port);
}

absl::Status Explain(int error, const std::string& host_port) {
  const std::string port = host_port.substr(host_port.rfind(':') + 1);
  switch (error) {
    case EADDRINUSE: {
      std::string owner = Owner(host_port);
      return absl::UnavailableError(absl::StrCat("port ", port, " is taken", owner.empty() ? "" : " by ", owner,
                                                 "\n  stop it, or give this node another port with --listen"));
    }
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(absl::StrCat("cannot listen at ", host_port,
                                                     ": this machine has no such address\n  give --listen one of its "
                                                     "own, such as 127.0.0.1:7101"));
    case EACCES:
      return absl::PermissionDeniedError(
          absl::StrCat("cannot listen at ", host_port, ": permission denied\n  give --listen a port of 1024 or above"));
    default:
      return absl::UnavailableError(absl::StrCat("cannot listen at ", host_port, ": ", std::strerror(error)));
  }
}

}  // namespace

absl::Status CheckCanListen(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  std::string host = host_port.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const std::string port = host_port.substr(colon + 1);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (int failed = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return absl::InvalidArgumentError(absl::StrCat("cannot listen at ", host_port, ": ", gai_strerror(failed)));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  int fd = socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Explain(errno, host_port);
  // As gRPC does: connections of a node that has just ended must not keep its successor out.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const bool taken = bind(fd, addresses->ai_addr, addresses->ai_addrlen) == 0 && listen(fd, 1) == 0;
  const int error = errno;
  close(fd);
  return taken ? absl::OkStatus() : Explain(error, host_port);
}

}  // namespace troupe
