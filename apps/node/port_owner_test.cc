#include "apps/node/port_owner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

// A socket bound to a port that the kernel chose; it holds the port but listens only when told to.
class BoundSocket {
 public:
  explicit BoundSocket(const char* address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in name = {};
    name.sin_family = AF_INET;
    inet_pton(AF_INET, address, &name.sin_addr);
    socklen_t size = sizeof(name);
    bound_ = bind(fd_, reinterpret_cast<sockaddr*>(&name), size) == 0 &&
             getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &size) == 0;
    port_ = ntohs(name.sin_port);
  }
  ~BoundSocket() { close(fd_); }

  bool Listen() { return bound_ && listen(fd_, 1) == 0; }
  int port() const { return port_; }

 private:
  int fd_;
  bool bound_ = false;
  int port_ = 0;
};

std::string ThisProcess() {
  std::string command;
  std::ifstream comm("/proc/self/comm");
  std::getline(comm, command);
  return absl::StrCat("pid ", getpid(), " (", command, ")");
}

TEST(PortOwnerTest, NamesTheProcessThatListens) {
  BoundSocket socket("127.0.0.1");
  ASSERT_TRUE(socket.Listen());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("127.0.0.1:", socket.port())), ThisProcess());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("localhost:", socket.port())), ThisProcess());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("0.0.0.0:", socket.port())), ThisProcess());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("[::]:", socket.port())), ThisProcess());
}

TEST(PortOwnerTest, AListenerOnEveryAddressKeepsEachOneTaken) {
  BoundSocket socket("0.0.0.0");
  ASSERT_TRUE(socket.Listen());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("127.0.0.1:", socket.port())), ThisProcess());
}

TEST(PortOwnerTest, AListenerOnAnotherAddressIsNotInTheWay) {
  BoundSocket socket("127.0.0.2");
  ASSERT_TRUE(socket.Listen());
  EXPECT_EQ(DescribePortOwner(absl::StrCat("127.0.0.1:", socket.port())), "");
  EXPECT_EQ(DescribePortOwner(absl::StrCat("127.0.0.2:", socket.port())), ThisProcess());
}

TEST(PortOwnerTest, NobodyOwnsAPortWithoutAListener) {
  BoundSocket socket("127.0.0.1");
  EXPECT_EQ(DescribePortOwner(absl::StrCat("127.0.0.1:", socket.port())), "");
}

TEST(PortOwnerTest, WhatIsNoPortHasNoOwner) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:0", ":", "127.0.0.1:-1"}) {
    EXPECT_EQ(DescribePortOwner(text), "") << text;
  }
}

}  // namespace
}  // namespace troupe
