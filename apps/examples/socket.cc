#include "apps/examples/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::string WithoutControlCharacters(std::string line) {
  std::erase_if(line, [](unsigned char c) { return c < ' ' || c == 127; });
  return line;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Socket>> Socket::Listen(int port) {
  auto listener = std::make_shared<Socket>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  setsockopt(listener->descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const sockaddr_in address = Loopback(port);
  if (bind(listener->descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener->descriptor_, /*backlog=*/16) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot listen at 127.0.0.1:", port));
  }
  return listener;
}

Socket::~Socket() { close(descriptor_); }

int Socket::port() const {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

absl::StatusOr<std::shared_ptr<Socket>> Socket::Accept() {
  int accepted = -1;
  do {
    accepted = accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
  } while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (accepted >= 0) return std::make_shared<Socket>(accepted);
  if (errno == EINVAL) return absl::OutOfRangeError("it listens no more");
  return absl::ErrnoToStatus(errno, "accept");
}

absl::StatusOr<std::string> Socket::ReadLine() {
  for (;;) {
    const size_t end = unread_.find('\n');
    if (std::min(end, unread_.size()) > kMaxLine) return absl::InvalidArgumentError("a line is too long");
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return WithoutControlCharacters(std::move(line));
    }
    char buffer[kMaxLine];
    const ssize_t got = read(descriptor_, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 && unread_.empty()) return absl::OutOfRangeError("the connection has ended");
    if (got <= 0) return WithoutControlCharacters(std::exchange(unread_, {}));
    unread_.append(buffer, static_cast<size_t>(got));
  }
}

bool Socket::Send(std::string_view text) {
  return send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

void Socket::HangUp() { shutdown(descriptor_, SHUT_RDWR); }
