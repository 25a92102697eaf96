// What the transport does with junk, with peers that are slow or gone half way, under load, and at its end.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "cluster/grpc_transport.h"
#include "cluster/grpc_transport_test_node.h"
#include "troupe/internal/v1/lanes.grpc.pb.h"

namespace troupe {
namespace {

using internal::v1::FrameBatch;
using internal::v1::LaneService;
using ::testing::ElementsAre;

FrameBatch Hello(const std::string& address) {
  FrameBatch batch;
  batch.mutable_hello()->set_address(address);
  return batch;
}

FrameBatch Frames(std::initializer_list<std::string> frames) {
  FrameBatch batch;
  for (const std::string& frame : frames) batch.add_frames(frame);
  return batch;
}

// A peer of which each word is the test's.
class StubPeer {
 public:
  explicit StubPeer(const TestNode& node) : StubPeer(Connect(node)) {}
  // Several can share a connection.
  explicit StubPeer(std::shared_ptr<LaneService::Stub> connection) : stub_(std::move(connection)) {
    context_.set_deadline(std::chrono::system_clock::now() + kPatience);
    stream_ = stub_->Raft(&context_);
  }
  ~StubPeer() { context_.TryCancel(); }

  static std::shared_ptr<LaneService::Stub> Connect(const TestNode& node) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    return LaneService::NewStub(grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", node.port()),
                                                          grpc::InsecureChannelCredentials(), arguments));
  }

  bool Write(const FrameBatch& batch) { return stream_->Write(batch); }
  bool Read(FrameBatch& batch) { return stream_->Read(&batch); }
  // Reads until the end, and says which.
  grpc::StatusCode End() {
    FrameBatch ignored;
    while (stream_->Read(&ignored)) {
    }
    return stream_->Finish().error_code();
  }

 private:
  const std::shared_ptr<LaneService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<FrameBatch, FrameBatch>> stream_;
};

TEST(GrpcTransportJunkTest, AWellBehavedStubIsServed) {
  TestNode node;
  StubPeer peer(node);
  FrameBatch batch;
  ASSERT_TRUE(peer.Write(Hello("10.0.0.1:1")));
  ASSERT_TRUE(peer.Read(batch));
  EXPECT_EQ(batch.hello().address(), node.address());
  ASSERT_TRUE(peer.Write(Frames({"one", "two"})));
  ASSERT_TRUE(node.AwaitFrames(Lane::kRaft, 2));
  EXPECT_EQ(node.last_peer(), "10.0.0.1:1");
  EXPECT_EQ(node.transport().Stats(Lane::kRaft).junk, 0u);
}

TEST(GrpcTransportJunkTest, StreamsThatBreakTheRulesAreClosedAndCounted) {
  FrameBatch eager = Hello("10.0.0.1:1");
  eager.add_frames("too early");
  struct Case {
    const char* name;
    std::vector<FrameBatch> batches;
  } cases[] = {
      {"frames without a hello", {Frames({"frame"})}},
      {"an empty batch", {FrameBatch()}},
      {"an address without a port", {Hello("10.0.0.1")}},
      {"an address with a line break", {Hello("10.0.0.1\n:1")}},
      {"an address of 300 bytes", {Hello(std::string(300, 'a') + ":1")}},
      {"frames before the acceptance", {eager}},
      {"a second hello", {Hello("10.0.0.1:1"), Hello("10.0.0.1:1")}},
      {"a frame a byte above the limit", {Hello("10.0.0.1:1"), Frames({std::string(kMaxFrameBytes + 1, 'x')})}},
      {"a first message of 5 MiB", {Frames({std::string(5 << 20, 'x')})}},
  };
  TestNode node;
  uint64_t junk = 0;
  for (const Case& c : cases) {
    StubPeer peer(node);
    FrameBatch acceptance;
    for (const FrameBatch& batch : c.batches) {
      peer.Write(batch);
      if (c.batches.size() == 1 || &batch != &c.batches.front()) continue;
      ASSERT_TRUE(peer.Read(acceptance)) << c.name;
    }
    EXPECT_NE(peer.End(), grpc::StatusCode::DEADLINE_EXCEEDED) << c.name;
    ++junk;
    EXPECT_TRUE(Eventually([&] { return node.transport().Stats(Lane::kRaft).junk == junk; })) << c.name;
  }
  EXPECT_TRUE(node.frames(Lane::kRaft).empty());
  // It works as before.
  TestNode other;
  ASSERT_TRUE(other.transport().Send(node.address(), Lane::kRaft, "hello").ok());
  EXPECT_TRUE(node.AwaitFrames(Lane::kRaft, 1));
}

TEST(GrpcTransportJunkTest, AStreamThatSaysNothingIsClosedAfterTwoSeconds) {
  TestNode node;
  StubPeer peer(node);
  EXPECT_EQ(peer.End(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(node.transport().Stats(Lane::kRaft).junk, 1u);
}

TEST(GrpcTransportJunkTest, AtMost256StreamsMayOweTheirHello) {
  TestNode node;
  // On one connection they arrive in their order. Again if it took so long that the first of them were given up.
  EXPECT_TRUE(Eventually([&] {
    const std::shared_ptr<LaneService::Stub> connection = StubPeer::Connect(node);
    std::vector<std::unique_ptr<StubPeer>> peers;
    for (int i = 0; i < 256; ++i) peers.push_back(std::make_unique<StubPeer>(connection));
    StubPeer late(connection);
    return late.End() == grpc::StatusCode::RESOURCE_EXHAUSTED;
  }));
}

TEST(GrpcTransportJunkTest, GarbageOnThePortHarmsNobody) {
  TestNode node, other;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(node.port()));
  ASSERT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string garbage(100000, '\x7f');
  ASSERT_GT(::send(socket, garbage.data(), garbage.size(), MSG_NOSIGNAL), 0);
  char answer = 0;
  while (::recv(socket, &answer, 1, 0) > 0) {
  }
  ::close(socket);
  ASSERT_TRUE(other.transport().Send(node.address(), Lane::kRaft, "hello").ok());
  EXPECT_TRUE(node.AwaitFrames(Lane::kRaft, 1));
}

TEST(GrpcTransportLimitsTest, FramesAboveTheLimitAreRefusedAndThoseAtItArrive) {
  TestNode a, b;
  EXPECT_EQ(a.transport().Send(b.address(), Lane::kBulk, std::string(kMaxFrameBytes + 1, 'x')).status().code(),
            absl::StatusCode::kResourceExhausted);
  const std::string largest(kMaxFrameBytes, 'x');
  ASSERT_TRUE(a.transport().Send(b.address(), Lane::kBulk, largest).ok());
  ASSERT_TRUE(b.AwaitFrames(Lane::kBulk, 1));
  EXPECT_EQ(b.frames(Lane::kBulk)[0], largest);
}

TEST(GrpcTransportLimitsTest, APeerBeyond1024IsRefusedUntilAnotherGoes) {
  TestNode node(0, nullptr, "10.0.0.1:1");
  std::vector<std::unique_ptr<StubPeer>> peers;
  const std::shared_ptr<LaneService::Stub> connection = StubPeer::Connect(node);
  FrameBatch batch;
  for (int i = 1; i <= 1024; ++i) {
    peers.push_back(std::make_unique<StubPeer>(connection));
    ASSERT_TRUE(peers.back()->Write(Hello(absl::StrCat("10.0.0.2:", i))));
    ASSERT_TRUE(peers.back()->Read(batch));
  }
  StubPeer late(connection);
  ASSERT_TRUE(late.Write(Hello("10.0.0.2:1025")));
  EXPECT_EQ(late.End(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(node.transport().Send("10.0.0.2:1025", Lane::kRaft, "frame").status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(node.transport().Send("10.0.0.2:1024", Lane::kRaft, "frame").ok());
  peers.pop_back();
  EXPECT_TRUE(Eventually([&] { return node.transport().Send("10.0.0.2:1025", Lane::kRaft, "frame").ok(); }));
}

TEST(GrpcTransportLimitsTest, AReceiverThatDoesNotKeepUpFillsItsOwnQueueAndDelaysNoOtherLane) {
  std::mutex gate;
  gate.lock();
  TestNode b(0, [&](TestNode&, const std::string&, Lane lane, const std::string&) {
    if (lane == Lane::kBulk) std::lock_guard wait(gate);
    return true;
  });
  TestNode a;
  const std::string mebibyte(1 << 20, 'x');
  // Besides what waits here, gRPC and the kernel hold a little.
  size_t taken = 0;
  absl::Status status;
  while (status = a.transport().Send(b.address(), Lane::kBulk, mebibyte).status(), status.ok()) {
    ++taken;
    ASSERT_LT(taken, 200u);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(a.transport().Stats(Lane::kBulk).dropped_full, 1u);
  for (Lane lane : {Lane::kControl, Lane::kRaft, Lane::kActors}) {
    ASSERT_TRUE(a.transport().Send(b.address(), lane, "still here?").ok());
    EXPECT_TRUE(b.AwaitFrames(lane, 1));
  }
  gate.unlock();
  EXPECT_TRUE(b.AwaitFrames(Lane::kBulk, taken));
}

TEST(GrpcTransportLimitsTest, AConnectionFromAPeerThatCannotBeDialledIsUsed) {
  // Its own dial hangs; its address is the smaller one, so the peer's stream is held first.
  TestNode node(0, nullptr, "10.0.0.1:1");
  SilentPort silent;
  ASSERT_TRUE(node.transport().Send(silent.address(), Lane::kRaft, "question").ok());
  const absl::Time start = absl::Now();
  StubPeer peer(node);
  ASSERT_TRUE(peer.Write(Hello(silent.address())));
  FrameBatch batch;
  ASSERT_TRUE(peer.Read(batch));
  // Not only when the dial is given up.
  EXPECT_LT(absl::Now() - start, absl::Milliseconds(900));
  EXPECT_EQ(batch.hello().address(), "10.0.0.1:1");
  EXPECT_THAT(batch.frames(), ElementsAre("question"));
  EXPECT_TRUE(node.losses().empty());
}

TEST(GrpcTransportLimitsTest, APeersNewerConnectionReplacesTheOlder) {
  TestNode node(0, nullptr, "10.0.0.1:1");
  FrameBatch batch;
  StubPeer first(node);
  ASSERT_TRUE(first.Write(Hello("10.0.0.2:1")));
  ASSERT_TRUE(first.Read(batch));
  ASSERT_TRUE(node.transport().Send("10.0.0.2:1", Lane::kRaft, "to the first").ok());
  ASSERT_TRUE(first.Read(batch));

  StubPeer second(node);
  ASSERT_TRUE(second.Write(Hello("10.0.0.2:1")));
  ASSERT_TRUE(second.Read(batch));
  EXPECT_EQ(first.End(), grpc::StatusCode::CANCELLED);
  ASSERT_TRUE(node.AwaitLosses(1));
  EXPECT_EQ(node.losses()[0].loss.reason.message(), "10.0.0.2:1 has connected anew");
  ASSERT_TRUE(node.transport().Send("10.0.0.2:1", Lane::kRaft, "to the second").ok());
  ASSERT_TRUE(second.Read(batch));
  EXPECT_THAT(batch.frames(), ElementsAre("to the second"));
}

TEST(GrpcTransportStopTest, NothingIsCalledBackAfterStopWhileTrafficFlows) {
  for (int round = 0; round < 30; ++round) {
    std::atomic<bool> stopped{false};
    std::atomic<int> late{0};
    TestNode a(0, [&](TestNode& node, const std::string& peer, Lane lane, const std::string& frame) {
      if (stopped) ++late;
      (void)node.transport().Send(peer, lane, frame);
      return false;
    });
    TestNode b(0, [](TestNode& node, const std::string& peer, Lane lane, const std::string& frame) {
      (void)node.transport().Send(peer, lane, frame);
      return lane == Lane::kActors;
    });
    std::atomic<bool> enough{false};
    std::vector<std::thread> senders;
    for (int i = 0; i < kLanes; ++i) {
      senders.emplace_back([&, lane = static_cast<Lane>(i)] {
        for (int sent = 0; !enough && sent < 20000; ++sent) (void)a.transport().Send(b.address(), lane, "frame");
      });
    }
    // Also before, and in the middle of, the first dials.
    EXPECT_TRUE(round % 3 == 0 || b.AwaitFrames(Lane::kActors, static_cast<size_t>(round)));
    a.transport().Stop();
    stopped = true;
    EXPECT_EQ(a.transport().Send(b.address(), Lane::kRaft, "frame").status().code(), absl::StatusCode::kUnavailable);
    enough = true;
    for (std::thread& sender : senders) sender.join();
    a.End();
    EXPECT_EQ(late, 0);
    EXPECT_TRUE(a.losses().empty());
  }
}

TEST(GrpcTransportStopTest, ATransportThatNeverStartedEndsToo) {
  GrpcTransport transport;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  transport.AddTo(builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(transport.Send("127.0.0.1:1", Lane::kRaft, "frame").status().code(), absl::StatusCode::kUnavailable);
  transport.Stop();
  server->Shutdown();
  transport.Drain();
}

// How long pings take on `lane` while 100 MB go over the bulk lane, each a frame there and one back, sorted.
std::vector<absl::Duration> RoundTripsDuringATransfer(Lane lane) {
  constexpr size_t kTransfer = 100;
  const std::string mebibyte(1 << 20, 'x');
  std::mutex mutex;
  std::vector<absl::Duration> round_trips;
  TestNode b(0, [&](TestNode& node, const std::string& peer, Lane from, const std::string& frame) {
    if (frame.size() < 100) CHECK(node.transport().Send(peer, from, frame).ok());
    return frame.size() >= 100;
  });
  // A ping carries the time at which it left.
  TestNode a(0, [&](TestNode&, const std::string&, Lane, const std::string& ping) {
    int64_t sent = 0;
    CHECK(absl::SimpleAtoi(ping, &sent));
    std::lock_guard lock(mutex);
    round_trips.push_back(absl::Now() - absl::FromUnixNanos(sent));
    return false;
  });
  std::atomic<bool> done{false};
  size_t pings = 0;
  std::thread pinger([&] {
    while (!done) {
      if (a.transport().Send(b.address(), lane, absl::StrCat(absl::GetCurrentTimeNanos())).ok()) ++pings;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  for (size_t sent = 0; sent < kTransfer;) {
    if (a.transport().Send(b.address(), Lane::kBulk, mebibyte).ok()) {
      ++sent;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  EXPECT_TRUE(b.AwaitFrames(Lane::kBulk, kTransfer));
  done = true;
  pinger.join();
  // The control lane may drop pings, but must not have.
  EXPECT_TRUE(Eventually([&] {
    std::lock_guard lock(mutex);
    return round_trips.size() == pings;
  }));
  std::lock_guard lock(mutex);
  std::sort(round_trips.begin(), round_trips.end());
  CHECK_GT(round_trips.size(), 5u);
  return round_trips;
}

TEST(GrpcTransportIsolationTest, ALargeTransferDoesNotDelayPings) {
  const std::vector<absl::Duration> control = RoundTripsDuringATransfer(Lane::kControl);
  // Proof that this test can fail: behind the transfer they do wait.
  const std::vector<absl::Duration> bulk = RoundTripsDuringATransfer(Lane::kBulk);
  const absl::Duration p99 = control[control.size() * 99 / 100];
  const absl::Duration bulk_median = bulk[bulk.size() / 2];
  RecordProperty("control_p99", absl::FormatDuration(p99));
  RecordProperty("bulk_median", absl::FormatDuration(bulk_median));
  std::cout << control.size() << " pings: median " << control[control.size() / 2] << ", p99 " << p99
            << "; on the bulk lane: median " << bulk_median << ", p99 " << bulk[bulk.size() * 99 / 100] << "\n";
  // An idle machine with two cores needs 10 ms; one that runs three times as many threads has been seen at 58 ms.
  EXPECT_LT(p99, absl::Milliseconds(100));
  EXPECT_GT(bulk_median, control[control.size() / 2] * 5);
}

}  // namespace
}  // namespace troupe
