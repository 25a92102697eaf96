#include "apps/node/grpc_server.h"

#include <glog/logging.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "apps/node/listen_failure.h"
#include "kvstore/limits.h"
#include "troupe/actor/v1/actor.grpc.pb.h"
#include "troupe/cluster/v1/cluster.grpc.pb.h"
#include "troupe/internal/v1/peer.grpc.pb.h"
#include "troupe/kv/v1/kv.grpc.pb.h"

namespace troupe {
namespace {

constexpr int kQueues = 2;
// Calls that may arrive between two looks at a queue without waiting, for each method and queue.
constexpr int kAcceptsAhead = 16;
constexpr int kMaxCallsAtOnce = 4096;
// Of their requests; and of these with the answers that have not left yet.
constexpr size_t kMaxRequestBytesAtOnce = 128 << 20;
constexpr size_t kMaxBytesAtOnce = 512 << 20;
constexpr size_t kSmallAnswer = 4 << 10;
constexpr int kMaxMessageBytes = 4 << 20;
constexpr absl::Duration kQuiet = absl::Milliseconds(50);
constexpr absl::Duration kQuietAtMost = absl::Milliseconds(500);
// For clients to hear that the server goes before it cuts them off.
constexpr absl::Duration kGoodbye = absl::Milliseconds(200);

// Absl's codes are gRPC's, by number. Payloads become the details of a google.rpc.Status.
grpc::Status ToGrpc(const absl::Status& status) {
  const std::string message(status.message());
  internal::v1::StatusDetails details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any& any = *details.add_details();
    any.set_type_url(std::string(url));
    any.set_value(std::string(payload));
  });
  const auto code = static_cast<grpc::StatusCode>(status.raw_code());
  if (details.details_size() == 0) return grpc::Status(code, message);
  details.set_code(status.raw_code());
  details.set_message(message);
  return grpc::Status(code, message, details.SerializeAsString());
}

// What the caller has left, within the limits that all services state.
Duration TimeoutOf(const grpc::ServerContext& context) {
  // Compared as gRPC keeps it: the standard's clock overflows at deadlines of centuries, which clients use for "never".
  const gpr_timespec deadline = context.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) return kDefaultTimeout;
  const gpr_timespec latest = gpr_time_add(gpr_now(deadline.clock_type),
                                           gpr_time_from_seconds(absl::ToInt64Seconds(kMaxTimeout), GPR_TIMESPAN));
  if (gpr_time_cmp(deadline, latest) >= 0) return kMaxTimeout;
  return absl::FromChrono(context.deadline() - std::chrono::system_clock::now());
}

// The services whose health can be asked for; "" is the server as a whole.
std::vector<const char*> ServicesWithHealth() {
  return {"", kv::v1::KvService::service_full_name(), cluster::v1::ClusterService::service_full_name(),
          actor::v1::ActorService::service_full_name()};
}

// What comes out of a completion queue.
class Tag {
 public:
  virtual ~Tag() = default;
  virtual void Proceed(bool ok) = 0;
};

// Counts calls under way, so that the end can wait for them.
class CallCount {
 public:
  // A call whose request has so many bytes. False: it is more than may be; it must leave all the same.
  bool Enter(size_t bytes) {
    std::lock_guard lock(mutex_);
    ++count_;
    ++arrived_;
    bytes_ += bytes;
    changed_.notify_all();
    return count_ <= kMaxCallsAtOnce && bytes_ <= kMaxRequestBytesAtOnce;
  }
  // An answer of so many bytes; they leave with their call. False: it is more than may be, and nothing was counted.
  bool Charge(size_t bytes) {
    std::lock_guard lock(mutex_);
    if (bytes_ + bytes > kMaxBytesAtOnce) return false;
    bytes_ += bytes;
    return true;
  }
  void Leave(size_t bytes) {
    std::lock_guard lock(mutex_);
    bytes_ -= bytes;
    if (--count_ == 0) changed_.notify_all();
  }
  bool AwaitNone(absl::Duration timeout) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [this] { return count_ == 0; });
  }
  // Until no call has arrived for `quiet`, but not longer than `timeout`.
  void AwaitQuiet(absl::Duration quiet, absl::Duration timeout) {
    const absl::Time deadline = absl::Now() + timeout;
    std::unique_lock lock(mutex_);
    for (uint64_t seen = arrived_ - 1; seen != arrived_ && absl::Now() < deadline;) {
      seen = arrived_;
      changed_.wait_for(lock, absl::ToChronoNanoseconds(quiet), [&] { return arrived_ != seen; });
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  int count_ = 0;
  size_t bytes_ = 0;
  uint64_t arrived_ = 0;
};

// How far the server is on its way out.
class AcceptGate {
 public:
  // From then on calls that arrive are refused.
  void StartRefusing() { refusing_ = true; }
  bool refusing() const { return refusing_; }

  // Accepts until the queues go: gRPC aborts on an accept that comes later. False: they are gone.
  template <typename F>
  bool WhileOpen(F accept) {
    std::lock_guard lock(mutex_);
    if (open_) accept();
    return open_;
  }
  void Close() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }

 private:
  std::atomic<bool> refusing_{false};
  std::mutex mutex_;
  bool open_ = true;  // guarded by mutex_
};

// How calls of one method are taken from gRPC and handed to the logic.
template <typename Request, typename Response>
struct Method {
  using Writer = grpc::ServerAsyncResponseWriter<Response>;
  std::function<void(grpc::ServerContext*, Request*, Writer*, grpc::ServerCompletionQueue*, void* tag)> accept;
  std::function<void(const Request&, Duration timeout, Done<Response>)> handle;
};

// One call, from the wait for it to its answer. Owns itself: the queue and the logic each come back to it once.
template <typename Request, typename Response>
class Call final : public Tag {
 public:
  using MethodPtr = std::shared_ptr<const Method<Request, Response>>;

  static void Accept(MethodPtr method, grpc::ServerCompletionQueue* queue, CallCount& count, AcceptGate& gate) {
    auto* call = new Call(std::move(method), queue, count, gate);
    const bool accepting = gate.WhileOpen(
        [call] { call->method_->accept(&call->context_, &call->request_, &call->writer_, call->queue_, call); });
    if (!accepting) delete call;
  }

  void Proceed(bool ok) override {
    if (answered_ || !ok) {
      // Sent, or given up because the server ends.
      if (answered_) count_.Leave(bytes_);
      delete this;
      return;
    }
    answered_ = true;
    bytes_ = request_.ByteSizeLong();
    const bool admitted = count_.Enter(bytes_);
    Accept(method_, queue_, count_, gate_);
    if (gate_.refusing()) return Answer(absl::UnavailableError("this node is stopping; nothing was done"));
    if (!admitted) {
      return Answer(absl::ResourceExhaustedError(
          "this node has too many calls under way; nothing was done, try again in a moment"));
    }
    method_->handle(request_, TimeoutOf(context_), [this](absl::StatusOr<Response> response) { Answer(response); });
  }

 private:
  Call(MethodPtr method, grpc::ServerCompletionQueue* queue, CallCount& count, AcceptGate& gate)
      : method_(std::move(method)), queue_(queue), count_(count), gate_(gate), writer_(&context_) {}

  // From any thread. The queue may end this call's life before Finish has returned, so nothing comes after it.
  void Answer(const absl::StatusOr<Response>& response) {
    if (!response.ok()) return writer_.FinishWithError(ToGrpc(response.status()), this);
    const size_t bytes = response->ByteSizeLong();
    // Answers to writes are small and always fit; a large one is a read's, and may be asked for again.
    if (bytes > kSmallAnswer) {
      if (!count_.Charge(bytes)) {
        return writer_.FinishWithError(
            ToGrpc(absl::ResourceExhaustedError("this node has too many answers under way; try again in a moment")),
            this);
      }
      bytes_ += bytes;
    }
    writer_.Finish(*response, grpc::Status::OK, this);
  }

  const MethodPtr method_;
  grpc::ServerCompletionQueue* const queue_;
  CallCount& count_;
  AcceptGate& gate_;
  bool answered_ = false;  // touched by the queue's thread only
  size_t bytes_ = 0;       // counted for it: the queue's thread's before and after the answer, the answer's between
  grpc::ServerContext context_;
  Request request_;
  typename Method<Request, Response>::Writer writer_;
};

}  // namespace

class GrpcServer::Impl {
 public:
  absl::Status Listen(const std::string& host_port, GrpcTransport& transport);
  void Serve(Node& node);
  bool Shutdown(absl::Duration timeout);
  const std::string& address() const { return address_; }

 private:
  // Begins to accept calls of one method on all queues. `service` and `accept` name gRPC's side of it.
  template <typename Service, typename Request, typename Response, typename Base>
  void Register(Service& service,
                void (Base::*accept)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                                     grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*),
                std::function<void(const Request&, Duration, Done<Response>)> handle);
  void RunQueue(grpc::ServerCompletionQueue& queue);

  kv::v1::KvService::AsyncService kv_;
  cluster::v1::ClusterService::AsyncService cluster_;
  actor::v1::ActorService::AsyncService actors_;
  internal::v1::PeerService::AsyncService peer_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  GrpcTransport* transport_ = nullptr;
  std::string address_;
  std::vector<std::thread> threads_;
  CallCount count_;
  AcceptGate gate_;
};

absl::Status GrpcServer::Impl::Listen(const std::string& host_port, GrpcTransport& transport) {
  absl::Status available = CheckCanListen(host_port);
  if (!available.ok()) return available;
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(host_port, grpc::InsecureServerCredentials(), &port);
  // Else a second node could take the same port, and calls would go to either.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.RegisterService(&kv_);
  builder.RegisterService(&cluster_);
  builder.RegisterService(&actors_);
  builder.RegisterService(&peer_);
  transport.AddTo(builder);
  transport_ = &transport;
  for (int i = 0; i < kQueues; ++i) queues_.push_back(builder.AddCompletionQueue());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    available = CheckCanListen(host_port);
    return available.ok() ? absl::UnavailableError(absl::StrCat("cannot listen at ", host_port)) : available;
  }
  address_ = absl::StrCat(host_port.substr(0, host_port.rfind(':')), ":", port);
  for (const char* service : ServicesWithHealth()) server_->GetHealthCheckService()->SetServingStatus(service, false);
  return absl::OkStatus();
}

template <typename Service, typename Request, typename Response, typename Base>
void GrpcServer::Impl::Register(Service& service,
                                void (Base::*accept)(grpc::ServerContext*, Request*,
                                                     grpc::ServerAsyncResponseWriter<Response>*, grpc::CompletionQueue*,
                                                     grpc::ServerCompletionQueue*, void*),
                                std::function<void(const Request&, Duration, Done<Response>)> handle) {
  auto method = std::make_shared<Method<Request, Response>>();
  method->accept = [&service, accept](auto* context, auto* request, auto* writer, auto* queue, void* tag) {
    (service.*accept)(context, request, writer, queue, queue, tag);
  };
  method->handle = std::move(handle);
  for (auto& queue : queues_) {
    for (int i = 0; i < kAcceptsAhead; ++i) Call<Request, Response>::Accept(method, queue.get(), count_, gate_);
  }
}

void GrpcServer::Impl::Serve(Node& node) {
  using Kv = kv::v1::KvService::AsyncService;
  using ClusterApi = cluster::v1::ClusterService::AsyncService;
  using ActorApi = actor::v1::ActorService::AsyncService;
  using PeerApi = internal::v1::PeerService::AsyncService;
  Register<Kv, kv::v1::GetRequest, kv::v1::GetResponse>(
      kv_, &Kv::RequestGet,
      [&](auto& request, Duration timeout, auto done) { node.kv().Get(request, timeout, std::move(done)); });
  Register<Kv, kv::v1::SetRequest, kv::v1::SetResponse>(
      kv_, &Kv::RequestSet,
      [&](auto& request, Duration timeout, auto done) { node.kv().Set(request, timeout, std::move(done)); });
  Register<Kv, kv::v1::DeleteRequest, kv::v1::DeleteResponse>(
      kv_, &Kv::RequestDelete,
      [&](auto& request, Duration timeout, auto done) { node.kv().Delete(request, timeout, std::move(done)); });
  Register<Kv, kv::v1::ListRequest, kv::v1::ListResponse>(
      kv_, &Kv::RequestList,
      [&](auto& request, Duration timeout, auto done) { node.kv().List(request, timeout, std::move(done)); });
  Register<ClusterApi, cluster::v1::GetStatusRequest, cluster::v1::GetStatusResponse>(
      cluster_, &ClusterApi::RequestGetStatus, [&](auto& request, Duration timeout, auto done) {
        node.cluster_service().GetStatus(request, timeout, std::move(done));
      });
  Register<ClusterApi, cluster::v1::ListMembersRequest, cluster::v1::ListMembersResponse>(
      cluster_, &ClusterApi::RequestListMembers, [&](auto& request, Duration timeout, auto done) {
        node.cluster_service().ListMembers(request, timeout, std::move(done));
      });
  Register<ClusterApi, cluster::v1::GetShardMapRequest, cluster::v1::GetShardMapResponse>(
      cluster_, &ClusterApi::RequestGetShardMap, [&](auto& request, Duration timeout, auto done) {
        node.cluster_service().GetShardMap(request, timeout, std::move(done));
      });
  Register<ActorApi, actor::v1::ListActorsRequest, actor::v1::ListActorsResponse>(
      actors_, &ActorApi::RequestListActors, [&](auto& request, Duration timeout, auto done) {
        node.actor_service().ListActors(request, timeout, std::move(done));
      });
  Register<PeerApi, internal::v1::IdentifyRequest, internal::v1::IdentifyResponse>(
      peer_, &PeerApi::RequestIdentify, [&](auto&, Duration, auto done) {
        internal::v1::IdentifyResponse response;
        response.set_cluster_id(node.identity().cluster_id);
        response.set_node_name(node.identity().name);
        response.set_node_id(node.identity().node_id);
        response.set_generation(node.identity().generation);
        response.set_pid(static_cast<uint32_t>(getpid()));
        done(std::move(response));
      });
  for (auto& queue : queues_) threads_.emplace_back([this, &queue = *queue] { RunQueue(queue); });
  for (const char* service : ServicesWithHealth()) server_->GetHealthCheckService()->SetServingStatus(service, true);
}

void GrpcServer::Impl::RunQueue(grpc::ServerCompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Tag*>(tag)->Proceed(ok);
}

bool GrpcServer::Impl::Shutdown(absl::Duration timeout) {
  server_->GetHealthCheckService()->SetServingStatus(false);
  gate_.StartRefusing();
  // The logic comes back with every answer, also to callers that have gone.
  const bool all_answered = count_.AwaitNone(timeout);
  transport_->Stop();
  if (!all_answered) {
    // Those who still wait hear CANCELLED, which says that the outcome is unknown; a lost connection would not.
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
    return false;
  }
  // What has arrived when gRPC shuts down ends in CANCELLED, which says nothing. Most clients go at the first refusal.
  count_.AwaitQuiet(kQuiet, kQuietAtMost);
  // gRPC waits for clients to hang up, which an idle one need not do.
  server_->Shutdown(absl::ToChronoTime(absl::Now() + kGoodbye));
  if (!count_.AwaitNone(kGoodbye)) return false;
  transport_->Drain();
  gate_.Close();
  for (auto& queue : queues_) queue->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  // A queue must be empty before it goes; without a thread of its own nobody has emptied it yet.
  if (threads_.empty()) {
    for (auto& queue : queues_) RunQueue(*queue);
  }
  threads_.clear();
  return true;
}

GrpcServer::GrpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GrpcServer::~GrpcServer() = default;

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Listen(const std::string& host_port, GrpcTransport& transport) {
  auto impl = std::make_unique<Impl>();
  absl::Status listening = impl->Listen(host_port, transport);
  if (!listening.ok()) return listening;
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(impl)));
}

const std::string& GrpcServer::address() const { return impl_->address(); }
void GrpcServer::Serve(Node& node) { impl_->Serve(node); }
bool GrpcServer::Shutdown(absl::Duration timeout) { return impl_->Shutdown(timeout); }

}  // namespace troupe
