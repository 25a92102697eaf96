// SWIM's messages as protobuf.
#ifndef TROUPE_CLUSTER_SWIM_WIRE_H_
#define TROUPE_CLUSTER_SWIM_WIRE_H_

#include <string>

#include "absl/status/statusor.h"
#include "cluster/swim/message.h"

namespace troupe {

std::string EncodeSwimMessage(const swim::Message& message);

// kInvalidArgument: no message of ours looks so.
absl::StatusOr<swim::Message> DecodeSwimMessage(const std::string& bytes);

}  // namespace troupe

#endif  // TROUPE_CLUSTER_SWIM_WIRE_H_
