#include "cluster/grpc_transport_call.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <utility>

#include "troupe/internal/v1/lanes.grpc.pb.h"

namespace troupe {

struct LaneServer {
  internal::v1::LaneService::AsyncService service;
};

namespace {

using internal::v1::FrameBatch;
using internal::v1::LaneService;

// A little above what LaneLinks waits, so that its reason is the one given.
constexpr int kConnectTimeoutMs = 1200;

class DialledCall final : public LaneCall {
 public:
  DialledCall(const std::string& address, Lane lane, grpc::ServerCompletionQueue& queue) : queue_(queue) {
    // The channel lives as long as its one call, so each dial is a new connection, when and as long as LaneLinks wants:
    // a channel that is kept would redial behind its back, and fail calls until that has come through.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // The time that it takes for one attempt, although not by its name.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    // A proxy of the environment is meant for the web, not for peers.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    arguments.SetMaxReceiveMessageSize(kMaxLaneMessageBytes);
    channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stub_ = LaneService::NewStub(channel_);
    // The peer hears of the stream together with its first batch. The start has no tag then.
    context_.set_initial_metadata_corked(true);
    stream_ = Prepare(lane);
    stream_->StartCall(nullptr);
  }

  void Read(FrameBatch& batch, void* tag) override { stream_->Read(&batch, tag); }
  void Write(const FrameBatch& batch, void* tag) override { stream_->Write(batch, tag); }
  void Cancel() override { context_.TryCancel(); }
  void Finish(const absl::Status&, void* tag) override { stream_->Finish(&outcome_, tag); }
  absl::Status outcome() const override {
    return absl::Status(static_cast<absl::StatusCode>(outcome_.error_code()), outcome_.error_message());
  }
  bool MayGo(void* tag) override {
    if (channel_->GetState(false) != GRPC_CHANNEL_CONNECTING) return true;
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(2 * kConnectTimeoutMs, GPR_TIMESPAN));
    channel_->NotifyOnStateChange(GRPC_CHANNEL_CONNECTING, deadline, &queue_, tag);
    return false;
  }

 private:
  using Stream = grpc::ClientAsyncReaderWriter<FrameBatch, FrameBatch>;

  std::unique_ptr<Stream> Prepare(Lane lane) {
    switch (lane) {
      case Lane::kControl:
        return stub_->PrepareAsyncControl(&context_, &queue_);
      case Lane::kRaft:
        return stub_->PrepareAsyncRaft(&context_, &queue_);
      case Lane::kActors:
        return stub_->PrepareAsyncActors(&context_, &queue_);
      case Lane::kBulk:
        break;
    }
    return stub_->PrepareAsyncBulk(&context_, &queue_);
  }

  grpc::ServerCompletionQueue& queue_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<LaneService::Stub> stub_;
  grpc::ClientContext context_;
  grpc::Status outcome_;
  std::unique_ptr<Stream> stream_;
};

class AcceptedCall final : public LaneCall {
 public:
  AcceptedCall(LaneService::AsyncService& service, Lane lane, grpc::ServerCompletionQueue& queue, void* tag)
      : stream_(&context_) {
    switch (lane) {
      case Lane::kControl:
        service.RequestControl(&context_, &stream_, &queue, &queue, tag);
        break;
      case Lane::kRaft:
        service.RequestRaft(&context_, &stream_, &queue, &queue, tag);
        break;
      case Lane::kActors:
        service.RequestActors(&context_, &stream_, &queue, &queue, tag);
        break;
      case Lane::kBulk:
        service.RequestBulk(&context_, &stream_, &queue, &queue, tag);
        break;
    }
  }

  void Read(FrameBatch& batch, void* tag) override { stream_.Read(&batch, tag); }
  void Write(const FrameBatch& batch, void* tag) override { stream_.Write(batch, tag); }
  void Cancel() override { context_.TryCancel(); }
  void Finish(const absl::Status& farewell, void* tag) override {
    stream_.Finish({static_cast<grpc::StatusCode>(farewell.raw_code()), std::string(farewell.message())}, tag);
  }
  absl::Status outcome() const override { return absl::OkStatus(); }
  bool MayGo(void*) override { return true; }

 private:
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<FrameBatch, FrameBatch> stream_;
};

class Alarm final : public LaneTimer {
 public:
  Alarm(absl::Duration after, grpc::ServerCompletionQueue& queue, void* tag) {
    const gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(absl::ToInt64Nanoseconds(after), GPR_TIMESPAN));
    alarm_.Set(&queue, deadline, tag);
  }

 private:
  grpc::Alarm alarm_;
};

}  // namespace

std::shared_ptr<LaneServer> AddLaneServer(grpc::ServerBuilder& builder) {
  auto server = std::make_shared<LaneServer>();
  builder.RegisterService(&server->service);
  return server;
}

std::unique_ptr<LaneCall> DialLane(const std::string& address, Lane lane, grpc::ServerCompletionQueue& queue) {
  return std::make_unique<DialledCall>(address, lane, queue);
}

std::unique_ptr<LaneCall> AcceptLane(LaneServer& server, Lane lane, grpc::ServerCompletionQueue& queue, void* tag) {
  return std::make_unique<AcceptedCall>(server.service, lane, queue, tag);
}

std::unique_ptr<LaneTimer> StartLaneTimer(absl::Duration after, grpc::ServerCompletionQueue& queue, void* tag) {
  return std::make_unique<Alarm>(after, queue, tag);
}

}  // namespace troupe
