// Why a port cannot be had: gRPC does not say.
#ifndef TROUPE_APPS_NODE_LISTEN_FAILURE_H_
#define TROUPE_APPS_NODE_LISTEN_FAILURE_H_

#include <string>

#include "absl/status/status.h"

namespace troupe {

// Takes `host_port` for a moment and lets it go again. kUnavailable: taken, with its owner's name where that can be
// known (the node's, if it is one of ours); kInvalidArgument: no such host, or none of this machine's addresses;
// kPermissionDenied. Each with what to do about it in a second, indented line. May block for a second.
absl::Status CheckCanListen(const std::string& host_port);

}  // namespace troupe

#endif  // TROUPE_APPS_NODE_LISTEN_FAILURE_H_
