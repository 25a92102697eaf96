#ifndef TROUPE_APPS_NODE_PORT_OWNER_H_
#define TROUPE_APPS_NODE_PORT_OWNER_H_

#include <string>

namespace troupe {

// Who keeps this machine from listening at `host_port` (HOST:PORT, TCP), such as "pid 812 (redis-server)". Empty when
// nobody does or it cannot be known: another user's process shows its sockets to root alone, one in another container
// to nobody. Reads all of /proc, so it belongs on the way to an error message only.
std::string DescribePortOwner(const std::string& host_port);

}  // namespace troupe

#endif  // TROUPE_APPS_NODE_PORT_OWNER_H_
