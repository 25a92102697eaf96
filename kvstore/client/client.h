// A cluster over the network.
//
//   Threads:   any; calls of different threads run side by side.
//   Endpoints: a call goes to the node that was reached last, at first to the first of the list. When no connection can
//              be made, and only then, it goes to the next, because then nothing was sent. No write is ever sent twice;
//              a read whose connection breaks is asked once more, of the next node when its own is gone.
//   Limits:    each endpoint may use an equal share of the time that is left to connect. Answers of up to 8 MiB.
#ifndef TROUPE_KVSTORE_CLIENT_CLIENT_H_
#define TROUPE_KVSTORE_CLIENT_CLIENT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kvstore/client/kv_api.h"

namespace troupe {

class Client final : public KvApi {
 public:
  // Each as host:port. There must be at least one. Nothing is connected before the first call.
  explicit Client(std::vector<std::string> endpoints);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() override;

  absl::StatusOr<Entry> Get(std::string_view key, absl::Duration timeout) override;
  absl::StatusOr<Written> Set(std::string_view key, std::string_view value, const Condition& condition,
                              absl::Duration timeout) override;
  absl::StatusOr<Deleted> Delete(std::string_view key, const Condition& condition, absl::Duration timeout) override;
  absl::StatusOr<ListPage> List(const ListQuery& query, absl::Duration timeout) override;

  absl::StatusOr<ClusterStatus> GetStatus(absl::Duration timeout) override;
  absl::StatusOr<MemberList> ListMembers(absl::Duration timeout) override;
  absl::StatusOr<ShardMap> GetShardMap(absl::Duration timeout) override;
  absl::StatusOr<ActorPage> ListActors(const ActorQuery& query, absl::Duration timeout) override;

  // Ends the calls under way with CANCELLED. Calls that begin later are not touched.
  void CancelCalls();

 private:
  class Connections;

  const std::unique_ptr<Connections> connections_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_CLIENT_CLIENT_H_
