// What a request may ask for. The public protos state the same numbers.
#ifndef TROUPE_KVSTORE_LIMITS_H_
#define TROUPE_KVSTORE_LIMITS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace troupe {

inline constexpr size_t kMaxKeyBytes = 4096;
inline constexpr size_t kMaxValueBytes = 1 << 20;

inline constexpr size_t kDefaultPageEntries = 100;
inline constexpr size_t kMaxPageEntries = 1000;
// Keys and values of a page together.
inline constexpr size_t kMaxPageBytes = 2 << 20;

// A request without a deadline gets the default; a later one is cut to the maximum.
inline constexpr absl::Duration kDefaultTimeout = absl::Seconds(5);
inline constexpr absl::Duration kMaxTimeout = absl::Seconds(30);

// What a shard holds for callers at once. Past it a request is refused before anything is done.
inline constexpr size_t kMaxWaitingWrites = 1024;
inline constexpr size_t kMaxWaitingWriteBytes = 8 << 20;
inline constexpr size_t kMaxWaitingReads = 1024;
inline constexpr size_t kMaxScans = 16;

// A value this small travels with a failed condition, so that the caller need not ask for it.
inline constexpr size_t kMaxValueBytesInDetails = 1024;

absl::Status CheckKey(std::string_view key);
absl::Status CheckValue(std::string_view value);

// A key as it stands in messages for people: quoted, escaped, and cut to its first 64 bytes.
std::string KeyForPeople(std::string_view key);

}  // namespace troupe

#endif  // TROUPE_KVSTORE_LIMITS_H_
