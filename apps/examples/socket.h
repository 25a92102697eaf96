// TCP on 127.0.0.1 by calls that block: what the chat server needs of it.
#ifndef TROUPE_APPS_EXAMPLES_SOCKET_H_
#define TROUPE_APPS_EXAMPLES_SOCKET_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

//   Threads: one blocks in Accept or ReadLine; any may call the rest.
class Socket {
 public:
  static constexpr size_t kMaxLine = 1000;

  // Port 0: one that is free.
  static absl::StatusOr<std::shared_ptr<Socket>> Listen(int port);

  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(const Socket&) = delete;
  ~Socket();

  int port() const;

  // Blocks until somebody connects. kOutOfRange: HangUp was called.
  absl::StatusOr<std::shared_ptr<Socket>> Accept();

  // Blocks until a line is there, and gives it without its end and without control characters. kOutOfRange: there is
  // no more. kInvalidArgument: it is longer than kMaxLine. The last one may lack its end.
  absl::StatusOr<std::string> ReadLine();

  // Never blocks. The kernel's buffer for this socket is the queue and its size the limit. False: the other side has
  // not read what is in it, or is gone; a part of the text may be on its way.
  bool Send(std::string_view text);

  // Ends the connection, and wakes whoever blocks.
  void HangUp();

 private:
  const int descriptor_;
  std::string unread_;  // of the thread that reads
};

#endif  // TROUPE_APPS_EXAMPLES_SOCKET_H_
