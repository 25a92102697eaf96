#include "kvstore/client/client.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "kvstore/client/wire.h"
#include "troupe/actor/v1/actor.grpc.pb.h"
#include "troupe/cluster/v1/cluster.grpc.pb.h"
#include "troupe/internal/v1/peer.pb.h"
#include "troupe/kv/v1/kv.grpc.pb.h"

namespace troupe {
namespace {

// A page of 2 MiB may end with one value of 1 MiB; the rest is room for keys and for servers with larger limits.
constexpr int kMaxMessageBytes = 8 << 20;
// How often a wait for a connection looks whether it was cancelled.
constexpr absl::Duration kCancelCheck = absl::Milliseconds(50);
// After an UNAVAILABLE: how long a broken connection may take to show.
constexpr absl::Duration kBreakShows = absl::Milliseconds(20);

struct Connection {
  explicit Connection(std::shared_ptr<grpc::Channel> channel)
      : channel(channel), kv(channel), cluster(channel), actors(channel) {}

  const std::shared_ptr<grpc::Channel> channel;
  kv::v1::KvService::Stub kv;
  cluster::v1::ClusterService::Stub cluster;
  actor::v1::ActorService::Stub actors;
};

std::shared_ptr<Connection> NewConnection(const std::string& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Channels share connections by default, and with them the backoff of an earlier failure.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A proxy meant for the web does not lead to the cluster.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return std::make_shared<Connection>(
      grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments));
}

// Why a channel in TRANSIENT_FAILURE is so: "connection refused". Only a call that fails can tell.
std::string ReasonOfFailure(Connection& connection) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kBreakShows));
  cluster::v1::GetStatusResponse response;
  const grpc::Status status = connection.cluster.GetStatus(&context, {}, &response);
  const std::string& message = status.error_message();
  // "failed to connect to all addresses; last error: ...: Connection refused"
  const size_t colon = message.rfind(": ");
  const std::string reason = colon == std::string::npos ? message : message.substr(colon + 2);
  if (status.ok() || reason.empty() || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return "no answer";
  return absl::StrCat(absl::AsciiStrToLower(reason.substr(0, 1)), reason.substr(1));
}

absl::Status ToAbsl(const grpc::Status& status) {
  // The codes are the same numbers.
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  internal::v1::StatusDetails details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : details.details()) {
      result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
    }
  }
  return result;
}

}  // namespace

class Client::Connections {
 public:
  explicit Connections(std::vector<std::string> endpoints)
      : endpoints_(std::move(endpoints)), connections_(endpoints_.size()) {
    CHECK(!endpoints_.empty()) << "a client needs an endpoint";
  }

  // Runs `rpc(connection, context)` on the first endpoint that can be reached.
  template <typename Rpc>
  absl::Status Call(absl::Duration timeout, Rpc rpc) {
    const absl::Time deadline = absl::Now() + timeout;
    const uint64_t cancels = cancels_.load();
    const size_t first = preferred_.load();
    std::vector<std::string> failures;
    for (size_t i = 0; i < endpoints_.size(); ++i) {
      const size_t index = (first + i) % endpoints_.size();
      const absl::Time now = absl::Now();
      const absl::Time connect_by = now + std::max(absl::ZeroDuration(), deadline - now) / (endpoints_.size() - i);
      std::string failure;
      const std::shared_ptr<Connection> connection = Connect(index, connect_by, cancels, failure);
      if (cancels_.load() != cancels) return absl::CancelledError("cancelled before it was sent");
      if (connection == nullptr) {
        failures.push_back(absl::StrCat(endpoints_[index], " (", failure, ")"));
        continue;
      }
      preferred_.store(index);
      return Send(*connection, endpoints_[index], timeout, deadline, cancels, rpc);
    }
    return NoNodeAnsweredError(absl::StrCat("no node answers at ", absl::StrJoin(failures, ", ")));
  }

  // For what changes nothing: asked once more when the connection breaks. A node that has restarted meanwhile leaves
  // behind one that looks good until it is used.
  template <typename Rpc>
  absl::Status CallTwice(absl::Duration timeout, Rpc rpc) {
    const absl::Time deadline = absl::Now() + timeout;
    const absl::Status first = Call(timeout, rpc);
    if (!absl::IsUnavailable(first) || !OutcomeUnknown(first)) return first;
    return Call(deadline - absl::Now(), rpc);
  }

  void CancelCalls() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++cancels_;
    for (grpc::ClientContext* context : under_way_) context->TryCancel();
  }

 private:
  // A connection that is up; null, and why in `failure`, when there is none by `deadline` or a cancel.
  std::shared_ptr<Connection> Connect(size_t index, absl::Time deadline, uint64_t cancels, std::string& failure) {
    const absl::Time begin = absl::Now();
    const std::shared_ptr<Connection> connection = Prepared(index);
    grpc::Channel& channel = *connection->channel;
    while (true) {
      const grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
      if (state == GRPC_CHANNEL_READY) return connection;
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
        failure = ReasonOfFailure(*connection);
        return nullptr;
      }
      const absl::Time now = absl::Now();
      if (now >= deadline || cancels_.load() != cancels) {
        failure = absl::StrCat("no answer in ", absl::FormatDuration(absl::Trunc(now - begin, absl::Milliseconds(1))));
        return nullptr;
      }
      channel.WaitForStateChange(state, absl::ToChronoTime(std::min(deadline, now + kCancelCheck)));
    }
  }

  // A channel that failed waits before it tries again; a new one tries at once.
  std::shared_ptr<Connection> Prepared(size_t index) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Connection>& connection = connections_[index];
    if (connection == nullptr || connection->channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE) {
      connection = NewConnection(endpoints_[index]);
    }
    return connection;
  }

  template <typename Rpc>
  absl::Status Send(Connection& connection, const std::string& endpoint, absl::Duration timeout, absl::Time deadline,
                    uint64_t cancels, Rpc rpc) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    if (!Enter(context, cancels)) return absl::CancelledError("cancelled before it was sent");
    const grpc::Status status = rpc(connection, &context);
    Leave(context);
    if (status.ok()) return absl::OkStatus();
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && status.error_message() == "Deadline Exceeded") {
      return absl::DeadlineExceededError(
          absl::StrCat("no answer from ", endpoint, " within ", absl::FormatDuration(timeout)));
    }
    if (status.error_code() == grpc::StatusCode::CANCELLED && cancels_.load() == cancels) {
      return ConnectionLostError(absl::StrCat(endpoint, " ended the call, as a node does that stops"));
    }
    // A node that says UNAVAILABLE stays connected, so a connection that breaks now was the cause.
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE &&
        connection.channel->WaitForStateChange(GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + kBreakShows))) {
      return ConnectionLostError(
          absl::StrCat("the connection to ", endpoint, " broke before the answer (", status.error_message(), ")"));
    }
    return ToAbsl(status);
  }

  bool Enter(grpc::ClientContext& context, uint64_t cancels) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (cancels_.load() != cancels) return false;
    under_way_.insert(&context);
    return true;
  }

  void Leave(grpc::ClientContext& context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    under_way_.erase(&context);
  }

  const std::vector<std::string> endpoints_;
  // Index of the endpoint that answered last.
  std::atomic<size_t> preferred_{0};
  // Counts CancelCalls, so that a call can see whether one came since it began.
  std::atomic<uint64_t> cancels_{0};

  std::mutex mutex_;
  // Guarded by mutex_. One for each endpoint, null before its first use.
  std::vector<std::shared_ptr<Connection>> connections_;
  std::set<grpc::ClientContext*> under_way_;
};

namespace {

template <typename Request>
void FillCondition(const KvApi::Condition& condition, Request& request) {
  if (condition.kind != KvApi::Condition::Kind::kNone) Fill(condition, request.mutable_condition());
}

}  // namespace

Client::Client(std::vector<std::string> endpoints)
    : connections_(std::make_unique<Connections>(std::move(endpoints))) {}

Client::~Client() = default;

absl::StatusOr<KvApi::Entry> Client::Get(std::string_view key, absl::Duration timeout) {
  kv::v1::GetRequest request;
  request.set_key(key.data(), key.size());
  kv::v1::GetResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.kv.Get(context, request, &response);
      });
  if (!status.ok()) return status;
  return Entry{std::string(key), std::move(*response.mutable_value()), response.version(), response.shard(),
               response.revision()};
}

absl::StatusOr<KvApi::Written> Client::Set(std::string_view key, std::string_view value, const Condition& condition,
                                           absl::Duration timeout) {
  kv::v1::SetRequest request;
  request.set_key(key.data(), key.size());
  request.set_value(value.data(), value.size());
  FillCondition(condition, request);
  kv::v1::SetResponse response;
  const absl::Status status = connections_->Call(timeout, [&](Connection& connection, grpc::ClientContext* context) {
    return connection.kv.Set(context, request, &response);
  });
  if (!status.ok()) return status;
  return Written{response.version(), response.shard(), response.revision()};
}

absl::StatusOr<KvApi::Deleted> Client::Delete(std::string_view key, const Condition& condition,
                                              absl::Duration timeout) {
  kv::v1::DeleteRequest request;
  request.set_key(key.data(), key.size());
  FillCondition(condition, request);
  kv::v1::DeleteResponse response;
  const absl::Status status = connections_->Call(timeout, [&](Connection& connection, grpc::ClientContext* context) {
    return connection.kv.Delete(context, request, &response);
  });
  if (!status.ok()) return status;
  return Deleted{response.deleted(), response.shard(), response.revision()};
}

absl::StatusOr<KvApi::ListPage> Client::List(const ListQuery& query, absl::Duration timeout) {
  kv::v1::ListRequest request;
  request.set_prefix(query.prefix);
  request.set_page_size(query.page_size);
  request.set_page_token(query.page_token);
  request.set_keys_only(query.keys_only);
  kv::v1::ListResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.kv.List(context, request, &response);
      });
  if (!status.ok()) return status;
  ListPage page;
  for (kv::v1::Entry& entry : *response.mutable_entries()) {
    page.entries.push_back({std::move(*entry.mutable_key()), std::move(*entry.mutable_value()), entry.version(),
                            entry.shard(), entry.revision()});
  }
  page.next_page_token = response.next_page_token();
  return page;
}

absl::StatusOr<KvApi::ClusterStatus> Client::GetStatus(absl::Duration timeout) {
  cluster::v1::GetStatusResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.cluster.GetStatus(context, {}, &response);
      });
  if (!status.ok()) return status;
  return FromWire(response);
}

absl::StatusOr<KvApi::MemberList> Client::ListMembers(absl::Duration timeout) {
  cluster::v1::ListMembersResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.cluster.ListMembers(context, {}, &response);
      });
  if (!status.ok()) return status;
  MemberList list;
  list.asked = response.asked();
  for (const cluster::v1::MemberInfo& wire : response.members()) list.members.push_back(FromWire(wire));
  return list;
}

absl::StatusOr<KvApi::ShardMap> Client::GetShardMap(absl::Duration timeout) {
  cluster::v1::GetShardMapResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.cluster.GetShardMap(context, {}, &response);
      });
  if (!status.ok()) return status;
  ShardMap map;
  map.epoch = response.epoch();
  for (const cluster::v1::Shard& wire : response.shards()) map.shards.push_back(FromWire(wire));
  return map;
}

absl::StatusOr<KvApi::ActorPage> Client::ListActors(const ActorQuery& query, absl::Duration timeout) {
  actor::v1::ListActorsRequest request;
  request.set_name_prefix(query.name_prefix);
  request.set_node(query.node);
  request.set_page_token(query.page_token);
  // The most a page may have: a listing is always read to its end.
  request.set_page_size(1000);
  actor::v1::ListActorsResponse response;
  const absl::Status status =
      connections_->CallTwice(timeout, [&](Connection& connection, grpc::ClientContext* context) {
        return connection.actors.ListActors(context, request, &response);
      });
  if (!status.ok()) return status;
  ActorPage page;
  for (const actor::v1::ActorInfo& wire : response.actors()) page.actors.push_back(FromWire(wire));
  page.next_page_token = response.next_page_token();
  page.unreachable_nodes.assign(response.unreachable_nodes().begin(), response.unreachable_nodes().end());
  return page;
}

void Client::CancelCalls() { connections_->CancelCalls(); }

}  // namespace troupe
