// A slow disk for tests. Loaded before a program's libraries, it lets no fdatasync begin while the file exists that
// HOLD_SYNCS_WHILE names.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int fdatasync(int fd) {
  constexpr useconds_t kLookAgain = 1000;
  const char* const file = std::getenv("HOLD_SYNCS_WHILE");
  while (file != nullptr && access(file, F_OK) == 0) usleep(kLookAgain);
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
