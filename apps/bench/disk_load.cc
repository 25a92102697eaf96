#include "apps/bench/disk_load.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

constexpr size_t kAppendBytes = 128;

}  // namespace

LoadResult RunSyncedAppends(const std::string& directory, absl::Duration duration, const std::atomic<bool>& stop) {
  LoadResult result;
  const std::string path = absl::StrCat(directory, "/append");
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) {
    result.failed = 1;
    result.first_failure = absl::StrCat(path, ": ", std::strerror(errno));
    return result;
  }
  const std::string record(kAppendBytes, 'a');
  const auto start = std::chrono::steady_clock::now();
  const auto end = start + absl::ToChronoNanoseconds(duration);
  auto now = start;
  while (now < end && !stop && result.failed == 0) {
    const auto began = now;
    errno = 0;
    const ssize_t written = write(file, record.data(), record.size());
    const bool done = written == static_cast<ssize_t>(record.size()) && fdatasync(file) == 0;
    now = std::chrono::steady_clock::now();
    if (done) {
      result.latency.Record(static_cast<uint64_t>((now - began) / std::chrono::nanoseconds(1)));
    } else {
      result.failed = 1;
      // A short write leaves no errno; a full disk is what it comes from.
      result.first_failure = absl::StrCat(path, ": ", std::strerror(errno == 0 ? ENOSPC : errno));
    }
  }
  result.seconds = std::chrono::duration<double>(now - start).count();
  close(file);
  unlink(path.c_str());
  return result;
}

void SettleDisk(const std::string& directory) {
  const int opened = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  syncfs(opened);
  close(opened);
}

}  // namespace troupe
