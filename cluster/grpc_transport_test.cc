// Frames and connections between real servers on loopback.
#include "cluster/grpc_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "cluster/grpc_transport_test_node.h"

namespace troupe {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Lane kAllLanes[] = {Lane::kControl, Lane::kRaft, Lane::kActors, Lane::kBulk};

// Connections that these ports have accepted and hold. (A server on 127.0.0.1 may have a socket of either family.)
int ConnectionsTo(const std::set<int>& ports) {
  int connections = 0;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream table(path);
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
      std::istringstream fields(line);
      std::string slot, local, remote, state;
      fields >> slot >> local >> remote >> state;
      const int port = std::stoi(local.substr(local.rfind(':') + 1), nullptr, 16);
      if (state == "01" && ports.count(port) > 0) ++connections;
    }
  }
  return connections;
}

// Sends as often as it takes, since a failed dial is not repeated for a while.
void SendUntilTaken(TestNode& from, const std::string& to, Lane lane, const std::string& frame) {
  ASSERT_TRUE(Eventually([&] { return from.transport().Send(to, lane, frame).ok(); }));
}

std::vector<std::string> Numbered(const std::string& prefix, int count) {
  std::vector<std::string> frames;
  for (int i = 0; i < count; ++i) frames.push_back(absl::StrCat(prefix, i));
  return frames;
}

TEST(GrpcTransportTest, FramesArriveInOrderOnEveryLaneInBothDirections) {
  TestNode a, b;
  // The control lane keeps 64 and no more, so it gets fewer.
  const auto count = [](Lane lane) { return lane == Lane::kControl ? 50 : 5000; };
  for (Lane lane : kAllLanes) {
    for (const std::string& frame : Numbered("to b: ", count(lane))) {
      ASSERT_TRUE(a.transport().Send(b.address(), lane, frame).ok());
    }
    ASSERT_TRUE(b.AwaitFrames(lane, static_cast<size_t>(count(lane))));
    EXPECT_EQ(b.last_peer(), a.address());
    for (const std::string& frame : Numbered("to a: ", count(lane))) {
      ASSERT_TRUE(b.transport().Send(a.address(), lane, frame).ok());
    }
    ASSERT_TRUE(a.AwaitFrames(lane, static_cast<size_t>(count(lane))));
    EXPECT_EQ(b.frames(lane), Numbered("to b: ", count(lane)));
    EXPECT_EQ(a.frames(lane), Numbered("to a: ", count(lane)));
    EXPECT_EQ(a.transport().Stats(lane).frames_out, static_cast<uint64_t>(count(lane)));
    EXPECT_EQ(a.transport().Stats(lane).frames_in, static_cast<uint64_t>(count(lane)));
  }
  // b answered over what a had dialled.
  EXPECT_EQ(ConnectionsTo({a.port()}), 0);
  EXPECT_EQ(ConnectionsTo({b.port()}), 4);
}

TEST(GrpcTransportTest, TheNumbersOfFramesGrow) {
  TestNode a, b;
  const absl::StatusOr<uint64_t> first = a.transport().Send(b.address(), Lane::kRaft, "one");
  const absl::StatusOr<uint64_t> second = a.transport().Send(b.address(), Lane::kRaft, "two");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_LT(0u, *first);
  EXPECT_LT(*first, *second);
}

TEST(GrpcTransportTest, DialsThatCrossEndWithOneConnectionForEachLaneAndLoseNoFrame) {
  for (int round = 0; round < 20; ++round) {
    TestNode a, b;
    const auto send = [](TestNode& from, TestNode& to) {
      for (const std::string& frame : Numbered("", 40)) {
        for (Lane lane : kAllLanes) ASSERT_TRUE(from.transport().Send(to.address(), lane, frame).ok());
      }
    };
    std::thread other([&] { send(b, a); });
    send(a, b);
    other.join();

    for (Lane lane : {Lane::kRaft, Lane::kActors, Lane::kBulk}) {
      ASSERT_TRUE(a.AwaitFrames(lane, 40));
      ASSERT_TRUE(b.AwaitFrames(lane, 40));
      EXPECT_EQ(a.frames(lane), Numbered("", 40));
      EXPECT_EQ(b.frames(lane), Numbered("", 40));
    }
    EXPECT_THAT(a.losses(), IsEmpty());
    EXPECT_THAT(b.losses(), IsEmpty());
    EXPECT_TRUE(Eventually([&] {
      return ConnectionsTo({a.port(), b.port()}) == kLanes;
    })) << "round "
        << round << ", " << ConnectionsTo({a.port()}) << " to a, " << ConnectionsTo({b.port()}) << " to b";
    for (Lane lane : kAllLanes) {
      EXPECT_EQ(a.transport().Stats(lane).connections, 1u);
      EXPECT_EQ(b.transport().Stats(lane).connections, 1u);
    }
  }
}

TEST(GrpcTransportTest, ThreeNodesHoldOneConnectionForEachPair) {
  TestNode a, b, c;
  TestNode* nodes[] = {&a, &b, &c};
  for (TestNode* from : nodes) {
    for (TestNode* to : nodes) {
      if (from == to) continue;
      ASSERT_TRUE(from->transport().Send(to->address(), Lane::kActors, "hello").ok());
    }
  }
  for (TestNode* node : nodes) EXPECT_TRUE(node->AwaitFrames(Lane::kActors, 2));
  EXPECT_TRUE(Eventually([&] { return ConnectionsTo({a.port(), b.port(), c.port()}) == 3; }));
}

TEST(GrpcTransportTest, APeerThatIsNotThereIsReportedQuicklyWithTheReason) {
  TestNode a;
  const std::string nobody = [] { return TestNode().address(); }();
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<uint64_t> number = a.transport().Send(nobody, Lane::kRaft, "anyone?");
  ASSERT_TRUE(number.ok());
  ASSERT_TRUE(a.AwaitLosses(1));

  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
  const TestNode::Loss loss = a.losses()[0];
  EXPECT_EQ(loss.peer, nobody);
  EXPECT_EQ(loss.lane, Lane::kRaft);
  EXPECT_EQ(loss.loss.through, *number);
  EXPECT_EQ(loss.loss.first_unsent, *number);
  EXPECT_EQ(loss.loss.reason.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(loss.loss.reason.message(), nobody + " cannot be reached: connection refused");
}

TEST(GrpcTransportTest, AfterAFailedDialSendRefusesAtOnceForAWhile) {
  TestNode a;
  const std::string nobody = [] { return TestNode().address(); }();
  ASSERT_TRUE(a.transport().Send(nobody, Lane::kRaft, "anyone?").ok());
  ASSERT_TRUE(a.AwaitLosses(1));
  const absl::StatusOr<uint64_t> refused = a.transport().Send(nobody, Lane::kRaft, "anyone?");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(refused.status().message(), nobody + " cannot be reached: connection refused");
  // It is dialled again later.
  SendUntilTaken(a, nobody, Lane::kRaft, "now?");
  EXPECT_TRUE(a.AwaitLosses(2));
}

TEST(GrpcTransportTest, APeerThatDoesNotAnswerIsGivenUpAfterASecond) {
  TestNode a;
  SilentPort frozen;
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(a.transport().Send(frozen.address(), Lane::kActors, "hello?").ok());
  ASSERT_TRUE(a.transport().Send(frozen.address(), Lane::kControl, "ping?").ok());
  ASSERT_TRUE(a.AwaitLosses(1));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(900));
  EXPECT_EQ(a.losses()[0].loss.reason.message(), frozen.address() + " cannot be reached: no answer within 1s");
  // The control lane fails silently, as well.
  EXPECT_TRUE(Eventually([&] { return a.transport().Stats(Lane::kControl).failed_dials == 1; }));
  EXPECT_EQ(a.losses().size(), 1u);
}

TEST(GrpcTransportTest, APeerThatGoesIsReportedWithWhatWasSentToIt) {
  TestNode a;
  auto b = std::make_unique<TestNode>();
  const std::string address = b->address();
  const absl::StatusOr<uint64_t> number = a.transport().Send(address, Lane::kActors, "hello");
  ASSERT_TRUE(number.ok());
  ASSERT_TRUE(b->AwaitFrames(Lane::kActors, 1));
  b = nullptr;
  ASSERT_TRUE(a.AwaitLosses(1));
  EXPECT_EQ(a.losses()[0].loss.through, *number);
  EXPECT_EQ(a.losses()[0].loss.first_unsent, *number + 1);
  EXPECT_THAT(std::string(a.losses()[0].loss.reason.message()), HasSubstr("the connection to " + address + " broke: "));
  EXPECT_TRUE(Eventually([&] { return a.transport().Stats(Lane::kActors).connections == 0; }));
}

TEST(GrpcTransportTest, WhoeverAnsweredOnAConnectionHearsOfItsEndToo) {
  auto a = std::make_unique<TestNode>();
  TestNode b;
  ASSERT_TRUE(a->transport().Send(b.address(), Lane::kActors, "question").ok());
  ASSERT_TRUE(b.AwaitFrames(Lane::kActors, 1));
  ASSERT_TRUE(b.transport().Send(a->address(), Lane::kActors, "answer").ok());
  ASSERT_TRUE(a->AwaitFrames(Lane::kActors, 1));
  const std::string address = a->address();
  a = nullptr;
  ASSERT_TRUE(b.AwaitLosses(1));
  EXPECT_EQ(b.losses()[0].peer, address);
  EXPECT_EQ(b.losses()[0].loss.reason.message(), address + " ended the connection");
}

TEST(GrpcTransportTest, APeerThatComesBackIsReachedAgainByEitherSide) {
  TestNode a;
  auto b = std::make_unique<TestNode>();
  const int port = b->port();
  ASSERT_TRUE(a.transport().Send(b->address(), Lane::kRaft, "first life").ok());
  ASSERT_TRUE(b->AwaitFrames(Lane::kRaft, 1));
  b = nullptr;
  ASSERT_TRUE(a.AwaitLosses(1));

  b = std::make_unique<TestNode>(port);
  SendUntilTaken(a, b->address(), Lane::kRaft, "second life");
  ASSERT_TRUE(b->AwaitFrames(Lane::kRaft, 1));
  b = nullptr;
  ASSERT_TRUE(a.AwaitLosses(2));

  b = std::make_unique<TestNode>(port);
  ASSERT_TRUE(b->transport().Send(a.address(), Lane::kRaft, "third life").ok());
  ASSERT_TRUE(a.AwaitFrames(Lane::kRaft, 1));
  ASSERT_TRUE(a.transport().Send(b->address(), Lane::kRaft, "welcome").ok());
  EXPECT_TRUE(b->AwaitFrames(Lane::kRaft, 1));
  EXPECT_EQ(ConnectionsTo({a.port()}), 1);
}

TEST(GrpcTransportTest, DisconnectClosesTheConnectionsAndALaterSendConnectsAnew) {
  TestNode a, b;
  for (Lane lane : kAllLanes) {
    ASSERT_TRUE(a.transport().Send(b.address(), lane, "hello").ok());
    ASSERT_TRUE(b.AwaitFrames(lane, 1));
  }
  a.transport().Disconnect(b.address());
  EXPECT_TRUE(a.AwaitLosses(3));
  EXPECT_TRUE(Eventually([&] { return ConnectionsTo({a.port(), b.port()}) == 0; }));
  ASSERT_TRUE(a.transport().Send(b.address(), Lane::kRaft, "hello again").ok());
  EXPECT_TRUE(b.AwaitFrames(Lane::kRaft, 2));
}

TEST(GrpcTransportTest, APeerDialledByAnotherNameIsKnownByTheOneItAdvertises) {
  TestNode b;
  TestNode a(0, [](TestNode& node, const std::string& peer, Lane lane, const std::string&) {
    return node.transport().Send(peer, lane, "thanks").ok();
  });
  ASSERT_TRUE(a.transport().Send(absl::StrCat("ipv4:127.0.0.1:", b.port()), Lane::kActors, "join").ok());
  ASSERT_TRUE(b.AwaitFrames(Lane::kActors, 1));
  ASSERT_TRUE(b.transport().Send(a.address(), Lane::kActors, "welcome").ok());
  EXPECT_TRUE(a.AwaitFrames(Lane::kActors, 1));
  EXPECT_EQ(a.last_peer(), b.address());
  EXPECT_TRUE(b.AwaitFrames(Lane::kActors, 2));
  EXPECT_TRUE(Eventually([&] { return ConnectionsTo({a.port(), b.port()}) == 1; }));
}

TEST(GrpcTransportTest, FramesForThisNodeItselfAreRefused) {
  TestNode a;
  EXPECT_EQ(a.transport().Send(a.address(), Lane::kRaft, "me").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace troupe
