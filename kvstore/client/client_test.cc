#include "kvstore/client/client.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "troupe/actor/v1/actor.grpc.pb.h"
#include "troupe/cluster/v1/cluster.grpc.pb.h"
#include "troupe/internal/v1/peer.pb.h"
#include "troupe/kv/v1/kv.grpc.pb.h"

namespace troupe {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);

// A node that answers every Get by `on_get`, and remembers what it was asked to set.
class FakeNode final : public kv::v1::KvService::Service {
 public:
  using OnGet = std::function<grpc::Status(kv::v1::GetResponse*)>;

  explicit FakeNode(OnGet on_get = {}) : on_get_(std::move(on_get)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~FakeNode() override { Die(); }

  // Its connections break, and its port is closed.
  void Die() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string endpoint() const { return absl::StrCat("127.0.0.1:", port_); }
  const kv::v1::SetRequest& last_set() const { return last_set_; }

  grpc::Status Get(grpc::ServerContext*, const kv::v1::GetRequest*, kv::v1::GetResponse* response) override {
    return on_get_(response);
  }

  grpc::Status Set(grpc::ServerContext*, const kv::v1::SetRequest* request, kv::v1::SetResponse* response) override {
    last_set_ = *request;
    response->set_version(1);
    response->set_shard(11);
    response->set_revision(7);
    return grpc::Status::OK;
  }

 private:
  const OnGet on_get_;
  kv::v1::SetRequest last_set_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

FakeNode::OnGet Answers(std::string value) {
  return [value](kv::v1::GetResponse* response) {
    response->set_value(value);
    response->set_version(2);
    return grpc::Status::OK;
  };
}

FakeNode::OnGet Fails(grpc::Status status) {
  return [status](kv::v1::GetResponse*) { return status; };
}

// A port that nothing listens at, because a socket of ours holds it without listening.
class DeadPort {
 public:
  DeadPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~DeadPort() { close(socket_); }

  // The port accepts connections from now on, but says nothing.
  void Listen() { EXPECT_EQ(listen(socket_, 8), 0); }
  std::string endpoint() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST(ClientTest, CarriesBytesThereAndBack) {
  FakeNode node(Answers(std::string("a\0\xff", 3)));
  Client client({node.endpoint()});

  const absl::StatusOr<KvApi::Entry> entry = client.Get("k", kTimeout);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->value, std::string("a\0\xff", 3));
  EXPECT_EQ(entry->version, 2);

  const absl::StatusOr<KvApi::Written> written = client.Set("\xfe", "new", KvApi::Condition::IfVersion(41), kTimeout);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->shard, 11);
  EXPECT_EQ(node.last_set().key(), "\xfe");
  EXPECT_EQ(node.last_set().condition().version(), 41);
}

TEST(ClientTest, AnUnconditionalSetCarriesNoCondition) {
  FakeNode node;
  Client client({node.endpoint()});
  ASSERT_TRUE(client.Set("k", "v", {}, kTimeout).ok());
  EXPECT_FALSE(node.last_set().has_condition());
  ASSERT_TRUE(client.Set("k", "v", KvApi::Condition::IfAbsent(), kTimeout).ok());
  EXPECT_TRUE(node.last_set().has_condition());
  EXPECT_FALSE(node.last_set().condition().exists());
}

TEST(ClientTest, TellsTheKeyStateOfTheTrailer) {
  kv::v1::KeyState state;
  state.set_exists(true);
  state.set_version(7);
  state.set_value("red");
  state.set_value_size(3);
  internal::v1::StatusDetails details;
  details.set_code(9);
  details.add_details()->PackFrom(state);
  FakeNode node(Fails({grpc::StatusCode::FAILED_PRECONDITION, "differs", details.SerializeAsString()}));
  Client client({node.endpoint()});

  const absl::Status status = client.Get("k", kTimeout).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const std::optional<KvApi::KeyState> seen = KeyStateOf(status);
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->version, 7);
  EXPECT_EQ(seen->value, "red");
  EXPECT_FALSE(seen->value_left_out());
}

TEST(ClientTest, NothingThereIsSaidAtOnceAndByName) {
  DeadPort dead;
  Client client({dead.endpoint()});
  const absl::Time begin = absl::Now();

  const absl::Status status = client.Get("k", kTimeout).status();

  EXPECT_TRUE(NoNodeAnswered(status));
  EXPECT_FALSE(OutcomeUnknown(status));
  EXPECT_EQ(status.message(), absl::StrCat("no node answers at ", dead.endpoint(), " (connection refused)"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));
}

TEST(ClientTest, APortThatSaysNothingUsesUpTheTimeoutAndNoMore) {
  DeadPort silent;
  silent.Listen();
  Client client({silent.endpoint()});
  const absl::Time begin = absl::Now();

  const absl::Status status = client.Get("k", absl::Milliseconds(300)).status();

  EXPECT_TRUE(NoNodeAnswered(status)) << status;
  EXPECT_LT(absl::Now() - begin, absl::Seconds(2));
}

TEST(ClientTest, GoesToTheNextEndpointWhenOneCannotBeReached) {
  DeadPort dead, silent;
  silent.Listen();
  FakeNode node(Answers("v"));
  Client client({dead.endpoint(), silent.endpoint(), node.endpoint()});

  EXPECT_TRUE(client.Get("k", absl::Seconds(1)).ok());
  // It stays with the node that answered: of this call's time, the silent one would take 5 s before it is given up.
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(client.Get("k", absl::Seconds(10)).ok());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(3));
}

TEST(ClientTest, WhenItsNodeDiesReadsAndWritesGoOnAtTheNext) {
  FakeNode first(Answers("of the first")), second(Answers("of the second"));
  Client client({first.endpoint(), second.endpoint()});
  ASSERT_EQ(client.Get("k", kTimeout)->value, "of the first");

  first.Die();

  // Whether or not the client has noticed: a read may be asked twice.
  EXPECT_EQ(client.Get("k", kTimeout)->value, "of the second");
  EXPECT_TRUE(client.Set("k", "v", {}, kTimeout).ok());
  EXPECT_EQ(second.last_set().value(), "v");
}

TEST(ClientTest, AnAnswerOfUnavailableIsNotAskedOfAnotherNode) {
  FakeNode refuses(Fails({grpc::StatusCode::UNAVAILABLE, "shard 11 has no leader"}));
  FakeNode other(Answers("v"));
  Client client({refuses.endpoint(), other.endpoint()});

  const absl::Status status = client.Get("k", kTimeout).status();

  EXPECT_EQ(status, absl::UnavailableError("shard 11 has no leader"));
  EXPECT_FALSE(NoNodeAnswered(status));
  EXPECT_FALSE(OutcomeUnknown(status));
}

// What a node knows of the others.
class FakeClusterNode final : public cluster::v1::ClusterService::Service, public actor::v1::ActorService::Service {
 public:
  FakeClusterNode() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<cluster::v1::ClusterService::Service*>(this));
    builder.RegisterService(static_cast<actor::v1::ActorService::Service*>(this));
    server_ = builder.BuildAndStart();
  }

  std::string endpoint() const { return absl::StrCat("127.0.0.1:", port_); }

  grpc::Status ListMembers(grpc::ServerContext*, const cluster::v1::ListMembersRequest*,
                           cluster::v1::ListMembersResponse* response) override {
    *response = members;
    return grpc::Status::OK;
  }

  grpc::Status ListActors(grpc::ServerContext*, const actor::v1::ListActorsRequest* request,
                          actor::v1::ListActorsResponse* response) override {
    asked = *request;
    *response = actors;
    return grpc::Status::OK;
  }

  cluster::v1::ListMembersResponse members;
  actor::v1::ListActorsRequest asked;
  actor::v1::ListActorsResponse actors;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(ClientTest, MembersComeWithTheirStatesAndWhoseViewItIs) {
  FakeClusterNode node;
  node.members.set_asked("n2");
  for (int state : {1, 2, 3, 4, 9}) {
    node.members.add_members()->set_state(static_cast<cluster::v1::MemberState>(state));
  }
  cluster::v1::MemberInfo& first = *node.members.mutable_members(0);
  first.set_name("n1");
  first.set_address("h:1");
  first.set_node_id("id");
  first.set_generation(7);
  first.set_incarnation(3);
  first.mutable_since()->set_seconds(2);
  first.mutable_since()->set_nanos(500'000'000);
  Client client({node.endpoint()});

  const absl::StatusOr<KvApi::MemberList> list = client.ListMembers(kTimeout);

  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->asked, "n2");
  std::string states;
  for (const KvApi::Member& member : list->members) absl::StrAppend(&states, member.state, " ");
  EXPECT_EQ(states, "alive suspect dead left unknown ");
  const KvApi::Member& member = list->members[0];
  EXPECT_EQ(absl::StrCat(member.name, " ", member.address, " ", member.node_id), "n1 h:1 id");
  EXPECT_EQ(member.generation, 7);
  EXPECT_EQ(member.incarnation, 3);
  EXPECT_EQ(member.since, absl::Milliseconds(2500));
}

TEST(ClientTest, ActorsAreAskedForByNodeAndMissingOnesAreTold) {
  FakeClusterNode node;
  node.actors.add_actors()->set_node("n2");
  node.actors.add_unreachable_nodes("n3");
  node.actors.set_next_page_token("next");
  Client client({node.endpoint()});

  const absl::StatusOr<KvApi::ActorPage> page = client.ListActors({"shard/", "n2", "token"}, kTimeout);

  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(node.asked.name_prefix(), "shard/");
  EXPECT_EQ(node.asked.node(), "n2");
  EXPECT_EQ(node.asked.page_token(), "token");
  EXPECT_EQ(page->actors[0].node, "n2");
  EXPECT_EQ(page->unreachable_nodes, std::vector<std::string>{"n3"});
  EXPECT_EQ(page->next_page_token, "next");
}

// A node whose Get waits until the test lets it go.
class SlowNode {
 public:
  SlowNode() : node([this](kv::v1::GetResponse*) { return Wait(); }) {}
  ~SlowNode() { LetGo(); }

  void LetGo() {
    const std::lock_guard<std::mutex> lock(mutex_);
    go_ = true;
    changed_.notify_all();
  }
  void WaitUntilAsked() {
    std::unique_lock<std::mutex> lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(10), [this] { return asked_; }));
  }

 private:
  grpc::Status Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    asked_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(10), [this] { return go_; });
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  bool go_ = false;

 public:
  FakeNode node;
};

TEST(ClientTest, ALateAnswerIsDeadlineExceededWithAnUnknownOutcome) {
  SlowNode slow;
  Client client({slow.node.endpoint()});

  const absl::Status status = client.Get("k", absl::Milliseconds(300)).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status.message(), absl::StrCat("no answer from ", slow.node.endpoint(), " within 300ms"));
  EXPECT_TRUE(OutcomeUnknown(status));
}

TEST(ClientTest, CancelEndsTheCallsUnderWayAndOnlyThose) {
  SlowNode slow;
  Client client({slow.node.endpoint()});
  absl::Status status;
  std::thread caller([&] { status = client.Get("k", absl::Seconds(10)).status(); });
  slow.WaitUntilAsked();

  client.CancelCalls();
  caller.join();

  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  slow.LetGo();
  EXPECT_TRUE(client.Get("k", kTimeout).ok());
}

// Accepts one connection, speaks just enough HTTP/2 to be taken for a node, and hangs up on the first request.
void HangUpOnTheFirstRequest(int listener) {
  const int peer = accept(listener, nullptr, nullptr);
  const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
  EXPECT_EQ(write(peer, settings, sizeof(settings)), static_cast<ssize_t>(sizeof(settings)));
  std::string seen;
  char buffer[4096];
  while (!absl::StrContains(seen, "KvService")) {
    const ssize_t size = read(peer, buffer, sizeof(buffer));
    if (size <= 0) break;
    seen.append(buffer, static_cast<size_t>(size));
  }
  close(peer);
}

TEST(ClientTest, AConnectionThatBreaksLeavesTheOutcomeUnknown) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::thread node([listener] {
    HangUpOnTheFirstRequest(listener);
    close(listener);
  });
  Client client({absl::StrCat("127.0.0.1:", ntohs(address.sin_port))});

  const absl::Status status = client.Set("k", "v", {}, kTimeout).status();
  node.join();

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_TRUE(OutcomeUnknown(status)) << status;
  EXPECT_FALSE(NoNodeAnswered(status)) << status;
}

}  // namespace
}  // namespace troupe
