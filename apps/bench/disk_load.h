#ifndef TROUPE_APPS_BENCH_DISK_LOAD_H_
#define TROUPE_APPS_BENCH_DISK_LOAD_H_

#include <atomic>
#include <string>

#include "absl/time/time.h"
#include "apps/bench/load_result.h"

namespace troupe {

// Appends 128 bytes to a file of its own in `directory` and calls fdatasync, again and again: the least that a durable
// write of a key and its value can cost there. The file is removed again. Ends early once `stop` is set or an append
// failed.
LoadResult RunSyncedAppends(const std::string& directory, absl::Duration duration, const std::atomic<bool>& stop);

// Writes out what waits in memory for the disk of `directory`, so that it does not slow down what is measured next.
void SettleDisk(const std::string& directory);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_DISK_LOAD_H_
