// A node that has a transport, a server on loopback, and a memory of what it was told.
#ifndef TROUPE_CLUSTER_GRPC_TRANSPORT_TEST_NODE_H_
#define TROUPE_CLUSTER_GRPC_TRANSPORT_TEST_NODE_H_

#include <glog/logging.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cluster/grpc_transport.h"

namespace grpc {
class Server;
}  // namespace grpc

namespace troupe {

inline constexpr std::chrono::seconds kPatience(20);

class TestNode final : public FrameReceiver {
 public:
  // On the transport's thread, for each frame, before it is remembered. False: forget it.
  using Hook = std::function<bool(TestNode& node, const std::string& peer, Lane lane, const std::string& frame)>;

  struct Loss {
    std::string peer;
    Lane lane;
    FrameLoss loss;
  };

  // Port 0 takes a free one. An empty `advertised` is where it serves.
  explicit TestNode(int port = 0, Hook hook = nullptr, std::string advertised = "");
  ~TestNode() override;

  void End();

  const std::string& address() const { return address_; }
  int port() const { return port_; }
  GrpcTransport& transport() { return transport_; }

  void OnFrame(const std::string& peer, Lane lane, std::string frame) override {
    if (hook_ != nullptr && !hook_(*this, peer, lane, frame)) return;
    std::lock_guard lock(mutex_);
    frames_[static_cast<size_t>(lane)].push_back(std::move(frame));
    peers_.push_back(peer);
    changed_.notify_all();
  }

  void OnLost(const std::string& peer, Lane lane, const FrameLoss& loss) override {
    std::lock_guard lock(mutex_);
    losses_.push_back({peer, lane, loss});
    changed_.notify_all();
  }

  std::vector<std::string> frames(Lane lane) const {
    std::lock_guard lock(mutex_);
    return frames_[static_cast<size_t>(lane)];
  }
  std::vector<Loss> losses() const {
    std::lock_guard lock(mutex_);
    return losses_;
  }
  std::string last_peer() const {
    std::lock_guard lock(mutex_);
    return peers_.empty() ? "" : peers_.back();
  }

  // False: not within kPatience.
  [[nodiscard]] bool AwaitFrames(Lane lane, size_t count) {
    return Await([&] { return frames_[static_cast<size_t>(lane)].size() >= count; });
  }
  [[nodiscard]] bool AwaitLosses(size_t count) {
    return Await([&] { return losses_.size() >= count; });
  }

 private:
  template <typename Condition>
  bool Await(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }

  const Hook hook_;
  GrpcTransport transport_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  std::string address_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<std::string> frames_[kLanes];
  std::vector<std::string> peers_;
  std::vector<Loss> losses_;
};

// A port at which somebody listens and never answers, like a process that is frozen.
class SilentPort {
 public:
  SilentPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    CHECK_EQ(::listen(socket_, 16), 0);
    socklen_t size = sizeof address;
    CHECK_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~SilentPort() { ::close(socket_); }
  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

// Looks again and again, for what nobody tells of. False: not within kPatience.
template <typename Condition>
[[nodiscard]] bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    never.wait_for(lock, std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace troupe

#endif  // TROUPE_CLUSTER_GRPC_TRANSPORT_TEST_NODE_H_
