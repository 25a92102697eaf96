// Whether a peer's message keeps to the limits of config.h. What does not is junk: dropped before any of it is used.
#ifndef TROUPE_CLUSTER_SWIM_WELL_FORMED_H_
#define TROUPE_CLUSTER_SWIM_WELL_FORMED_H_

#include "cluster/swim/message.h"

namespace troupe::swim {

bool IsWellFormed(const Node& node);
bool IsWellFormed(const Update& update);
bool IsWellFormed(const Message& message);

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_WELL_FORMED_H_
