#include "cluster/grpc_transport.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <thread>
#include <utility>
#include <vector>

#include "cluster/grpc_transport_call.h"
#include "cluster/lane_links.h"

namespace troupe {
namespace {

constexpr int kQueues = 3;

// A ping waits for nothing, and a snapshot keeps neither Raft nor actors.
int QueueOf(Lane lane) {
  switch (lane) {
    case Lane::kControl:
      return 0;
    case Lane::kRaft:
    case Lane::kActors:
      return 1;
    case Lane::kBulk:
      break;
  }
  return 2;
}

void Run(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<LaneTag*>(tag)->Proceed(ok);
}

}  // namespace

class GrpcTransport::Impl {
 public:
  std::shared_ptr<LaneServer> server;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  std::vector<std::unique_ptr<LaneLinks>> lanes;
  std::vector<std::thread> threads;
  std::string address;
  bool drained = false;

  LaneLinks& Of(Lane lane) {
    CHECK(!lanes.empty()) << "AddTo comes first";
    return *lanes[static_cast<size_t>(lane)];
  }
};

GrpcTransport::GrpcTransport() : impl_(std::make_unique<Impl>()) {}

GrpcTransport::~GrpcTransport() {
  // Without a thread nobody else has emptied the queues, and nothing but that is left to do.
  if (impl_->threads.empty()) Drain();
  CHECK(impl_->drained) << "the transport goes before Drain";
}

void GrpcTransport::AddTo(grpc::ServerBuilder& builder) {
  CHECK(impl_->queues.empty()) << "AddTo is called once";
  impl_->server = AddLaneServer(builder);
  builder.SetMaxReceiveMessageSize(kMaxLaneMessageBytes);
  for (int i = 0; i < kQueues; ++i) impl_->queues.push_back(builder.AddCompletionQueue());
  for (int i = 0; i < kLanes; ++i) {
    const Lane lane = static_cast<Lane>(i);
    impl_->lanes.push_back(std::make_unique<LaneLinks>(lane, *impl_->server, *impl_->queues[QueueOf(lane)]));
  }
}

void GrpcTransport::SetAddress(std::string address) { impl_->address = std::move(address); }

void GrpcTransport::Start(FrameReceiver& receiver) {
  CHECK(!impl_->address.empty()) << "SetAddress comes before Start";
  for (const auto& lane : impl_->lanes) lane->Start(impl_->address, receiver);
  for (const auto& queue : impl_->queues) impl_->threads.emplace_back([&queue = *queue] { Run(queue); });
}

void GrpcTransport::Stop() {
  for (const std::thread& thread : impl_->threads) {
    CHECK(thread.get_id() != std::this_thread::get_id()) << "Stop waits for the callback that calls it";
  }
  for (const auto& lane : impl_->lanes) lane->Stop();
}

void GrpcTransport::Drain() {
  if (std::exchange(impl_->drained, true)) return;
  for (const auto& queue : impl_->queues) queue->Shutdown();
  for (std::thread& thread : impl_->threads) thread.join();
  if (impl_->threads.empty()) {
    for (const auto& queue : impl_->queues) Run(*queue);
  }
}

absl::StatusOr<uint64_t> GrpcTransport::Send(const std::string& peer, Lane lane, std::string frame) {
  return impl_->Of(lane).Send(peer, std::move(frame));
}

void GrpcTransport::Disconnect(const std::string& peer) {
  for (const auto& lane : impl_->lanes) lane->Disconnect(peer);
}

LaneStats GrpcTransport::Stats(Lane lane) const { return impl_->Of(lane).Stats(); }

}  // namespace troupe
