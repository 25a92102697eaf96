// Statuses on the wire.
#ifndef TROUPE_CLUSTER_WIRE_STATUS_H_
#define TROUPE_CLUSTER_WIRE_STATUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace troupe {

// A status's message as a protobuf string can hold it: escaped when it is no UTF-8, which an exception's text need not
// be, and cut to 64 KiB.
std::string ToWireText(absl::string_view text);

// Not OK, whatever the code.
absl::Status FromWireStatus(int32_t code, const std::string& message);

}  // namespace troupe

#endif  // TROUPE_CLUSTER_WIRE_STATUS_H_
