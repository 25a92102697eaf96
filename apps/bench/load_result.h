#ifndef TROUPE_APPS_BENCH_LOAD_RESULT_H_
#define TROUPE_APPS_BENCH_LOAD_RESULT_H_

#include <cstdint>
#include <string>

#include "actor/histogram.h"

namespace troupe {

// What one run did. Failed operations are in no other figure.
struct LoadResult {
  // Nanoseconds of each operation that was done.
  Histogram latency;
  uint64_t failed = 0;
  // "UNAVAILABLE: why"; empty when none failed.
  std::string first_failure;
  // From the first operation's begin to the last one's end.
  double seconds = 0;
};

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_LOAD_RESULT_H_
