#include "apps/bench/load_generator.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "actor/random.h"
#include "troupe/internal/v1/peer.grpc.pb.h"
#include "troupe/kv/v1/kv.grpc.pb.h"

namespace troupe {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr int kKeys = 100'000;
constexpr size_t kValueBytes = 100;
// Values are cut from this many random bytes.
constexpr size_t kValuePoolBytes = 1 << 20;
// Many more than in any timed case, because only that they get there soon counts.
constexpr int kCallersOfSetAllKeys = 512;
constexpr std::chrono::milliseconds kLookAtStopEvery(200);
constexpr int kSilentLooksAllowed = 50;
constexpr char kNoAnswer[] = "no call was answered for 10 s";

std::string Describe(const grpc::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code())), ": ",
                      status.error_message());
}

// Runs the closed loop over calls of one method.
template <typename Response>
class ClosedLoop {
 public:
  using Reader = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>;
  using Begin = std::function<Reader(grpc::ClientContext*, grpc::CompletionQueue*)>;
  using WantsMore = std::function<bool(SteadyTime now)>;

  ClosedLoop(int callers, Begin begin, WantsMore wants_more, const std::atomic<bool>& stop)
      : begin_(std::move(begin)), wants_more_(std::move(wants_more)), stop_(stop), callers_(callers) {}

  LoadResult Run() {
    const SteadyTime start = std::chrono::steady_clock::now();
    SteadyTime now = start;
    for (Caller& caller : callers_) BeginNext(caller, now);
    int silent_looks = 0;
    while (under_way_ > 0) {
      void* tag = nullptr;
      bool ok = false;
      if (queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kLookAtStopEvery) !=
          grpc::CompletionQueue::GOT_EVENT) {
        if (stop_ || ++silent_looks >= kSilentLooksAllowed) GiveUp();
        continue;
      }
      silent_looks = 0;
      now = std::chrono::steady_clock::now();
      auto& caller = *static_cast<Caller*>(tag);
      End(caller, now);
      BeginNext(caller, now);
    }
    result_.seconds = std::chrono::duration<double>(now - start).count();
    return std::move(result_);
  }

 private:
  struct Caller {
    std::optional<grpc::ClientContext> context;
    Response response;
    grpc::Status status;
    Reader reader;
    SteadyTime began;
  };

  void BeginNext(Caller& caller, SteadyTime now) {
    if (given_up_ || stop_ || !wants_more_(now)) return;
    caller.context.emplace();
    caller.began = now;
    caller.reader = begin_(&*caller.context, &queue_);
    caller.reader->Finish(&caller.response, &caller.status, &caller);
    ++under_way_;
  }

  void End(Caller& caller, SteadyTime now) {
    --under_way_;
    if (caller.status.ok()) {
      result_.latency.Record(static_cast<uint64_t>((now - caller.began) / std::chrono::nanoseconds(1)));
    } else if (++result_.failed == 1) {
      result_.first_failure = given_up_ ? kNoAnswer : Describe(caller.status);
    }
  }

  void GiveUp() {
    given_up_ = true;
    for (Caller& caller : callers_) {
      if (caller.context.has_value()) caller.context->TryCancel();
    }
  }

  const Begin begin_;
  const WantsMore wants_more_;
  const std::atomic<bool>& stop_;
  // Above the callers: their calls must be gone before it is.
  grpc::CompletionQueue queue_;
  std::vector<Caller> callers_;
  int under_way_ = 0;
  bool given_up_ = false;
  LoadResult result_;
};

}  // namespace

class LoadGenerator::Impl {
 public:
  Impl(const std::string& endpoint, const std::atomic<bool>& stop)
      : endpoint_(endpoint),
        stop_(stop),
        channel_(grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials())),
        kv_(kv::v1::KvService::NewStub(channel_)),
        peer_(internal::v1::PeerService::NewStub(channel_)) {
    for (int i = 0; i < kKeys; ++i) keys_.push_back(absl::StrFormat("bench:%010d", i));
    while (value_pool_.size() < kValuePoolBytes) value_pool_.push_back(static_cast<char>(random_.Below(256)));
  }

  absl::StatusOr<int> Connect(absl::Duration timeout) {
    const auto deadline = absl::ToChronoTime(absl::Now() + timeout);
    if (!channel_->WaitForConnected(deadline)) {
      return absl::UnavailableError(absl::StrCat("nothing answers at ", endpoint_, "; is a troupe-node there?"));
    }
    grpc::ClientContext context;
    context.set_deadline(deadline);
    internal::v1::IdentifyResponse response;
    const grpc::Status status = peer_->Identify(&context, {}, &response);
    if (!status.ok()) {
      return absl::UnavailableError(absl::StrCat("what answers at ", endpoint_, " is no node of ours (",
                                                 Describe(status), "); give the address of a troupe-node"));
    }
    return static_cast<int>(response.pid());
  }

  LoadResult SetAllKeys() {
    size_t next = 0;
    auto begin = [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
      return BeginSet(keys_[next++], context, queue);
    };
    auto wants_more = [&](SteadyTime) { return next < keys_.size(); };
    return ClosedLoop<kv::v1::SetResponse>(kCallersOfSetAllKeys, begin, wants_more, stop_).Run();
  }

  LoadResult Run(CallKind kind, int callers, absl::Duration duration) {
    const SteadyTime end = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(duration);
    auto wants_more = [end](SteadyTime now) { return now < end; };
    switch (kind) {
      case CallKind::kEcho: {
        auto begin = [this](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          return peer_->AsyncIdentify(context, {}, queue);
        };
        return ClosedLoop<internal::v1::IdentifyResponse>(callers, begin, wants_more, stop_).Run();
      }
      case CallKind::kGet: {
        auto begin = [this](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
          get_.set_key(AnyKey());
          return kv_->AsyncGet(context, get_, queue);
        };
        return ClosedLoop<kv::v1::GetResponse>(callers, begin, wants_more, stop_).Run();
      }
      case CallKind::kSet:
        break;
    }
    auto begin = [this](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
      return BeginSet(AnyKey(), context, queue);
    };
    return ClosedLoop<kv::v1::SetResponse>(callers, begin, wants_more, stop_).Run();
  }

 private:
  const std::string& AnyKey() { return keys_[random_.Below(keys_.size())]; }

  ClosedLoop<kv::v1::SetResponse>::Reader BeginSet(const std::string& key, grpc::ClientContext* context,
                                                   grpc::CompletionQueue* queue) {
    set_.set_key(key);
    set_.set_value(value_pool_.data() + random_.Below(kValuePoolBytes - kValueBytes), kValueBytes);
    return kv_->AsyncSet(context, set_, queue);
  }

  const std::string endpoint_;
  const std::atomic<bool>& stop_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<kv::v1::KvService::Stub> kv_;
  const std::unique_ptr<internal::v1::PeerService::Stub> peer_;
  std::vector<std::string> keys_;
  std::string value_pool_;
  Random random_{1};
  // One for all callers: gRPC has encoded a request before it returns.
  kv::v1::GetRequest get_;
  kv::v1::SetRequest set_;
};

LoadGenerator::LoadGenerator(const std::string& endpoint, const std::atomic<bool>& stop)
    : impl_(std::make_unique<Impl>(endpoint, stop)) {}

LoadGenerator::~LoadGenerator() = default;

absl::StatusOr<int> LoadGenerator::Connect(absl::Duration timeout) { return impl_->Connect(timeout); }

LoadResult LoadGenerator::SetAllKeys() { return impl_->SetAllKeys(); }

LoadResult LoadGenerator::Run(CallKind kind, int callers, absl::Duration duration) {
  return impl_->Run(kind, callers, duration);
}

}  // namespace troupe
