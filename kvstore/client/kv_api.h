// What a cluster offers to a program, in plain structs: the calls of troupe.kv.v1, troupe.cluster.v1 and
// troupe.actor.v1. Client makes them over the network; a test brings a class of its own.
//
//   Errors:  the codes of the .proto files. What a code alone cannot say, the functions at the end tell from a status.
//   Waiting: every call blocks until its answer or `timeout` from now, whichever comes first.
#ifndef TROUPE_KVSTORE_CLIENT_KV_API_H_
#define TROUPE_KVSTORE_CLIENT_KV_API_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace troupe {

class KvApi {
 public:
  // A key with its last write, as it was when its shard had `revision`.
  struct Entry {
    std::string key;
    std::string value;
    uint64_t version = 0;
    uint32_t shard = 0;
    uint64_t revision = 0;
  };

  // What comes with NOT_FOUND and FAILED_PRECONDITION. `value` is left out when it has more than 1,024 bytes.
  struct KeyState {
    bool exists = false;
    uint64_t version = 0;
    std::string value;
    uint64_t value_size = 0;
    uint32_t shard = 0;
    uint64_t revision = 0;

    bool value_left_out() const { return value.size() != value_size; }
  };

  // What must be true of a key for a write of it to happen.
  struct Condition {
    enum class Kind { kNone, kAbsent, kPresent, kVersion, kValue };
    Kind kind = Kind::kNone;
    uint64_t version = 0;
    std::string value;

    static Condition IfAbsent() { return {Kind::kAbsent, 0, ""}; }
    static Condition IfPresent() { return {Kind::kPresent, 0, ""}; }
    static Condition IfVersion(uint64_t version) { return {Kind::kVersion, version, ""}; }
    static Condition IfValue(std::string value) { return {Kind::kValue, 0, std::move(value)}; }
  };

  struct Written {
    uint64_t version = 0;
    uint32_t shard = 0;
    uint64_t revision = 0;
  };

  struct Deleted {
    bool existed = false;
    uint32_t shard = 0;
    uint64_t revision = 0;
  };

  struct ListQuery {
    std::string prefix;
    // 0: the server's choice, 100.
    uint32_t page_size = 0;
    // From a page of the same prefix; empty: the first.
    std::string page_token;
    bool keys_only = false;
  };

  struct ListPage {
    std::vector<Entry> entries;
    // Empty: this is the last page.
    std::string next_page_token;
  };

  struct Problem {
    std::string summary;
    std::string remedy;
  };

  struct Node {
    std::string name;
    std::string node_id;
    uint64_t generation = 0;
    std::string address;
    std::string version;
    absl::Duration uptime;
    // Empty: in memory.
    std::string data_dir;
    uint32_t format = 0;
  };

  struct ClusterStatus {
    std::string cluster_id;
    bool healthy = false;
    std::vector<Problem> problems;
    // The one that answered.
    Node node;
    // Those that have not left, and those of them that are alive.
    uint32_t nodes = 0;
    uint32_t nodes_alive = 0;
    uint32_t nodes_may_fail = 0;
    uint32_t shards = 0;
    uint32_t shards_serving = 0;
    uint32_t copies_per_shard = 0;
    uint64_t approximate_keys = 0;
    uint64_t approximate_bytes = 0;
    uint64_t actors = 0;
    uint64_t actor_restarts = 0;
    uint64_t dead_letters = 0;
  };

  struct Member {
    std::string name;
    // "alive", "suspect", "dead", "left"; "unknown" when the server is newer than this library.
    std::string state;
    std::string address;
    std::string node_id;
    uint64_t generation = 0;
    uint64_t incarnation = 0;
    // How long it has been in this state, as the node that answered saw it.
    absl::Duration since;
  };

  struct MemberList {
    std::vector<Member> members;
    // The name of the node that answered, and whose view this is.
    std::string asked;
  };

  struct Shard {
    uint32_t id = 0;
    uint32_t first_slot = 0;
    uint32_t last_slot = 0;
    // Empty: no node serves it.
    std::string leader;
    std::vector<std::string> copies;
    uint64_t revision = 0;
    bool serving = false;
  };

  struct ShardMap {
    uint64_t epoch = 0;
    std::vector<Shard> shards;
  };

  struct ActorInfo {
    uint64_t id = 0;
    std::string name;
    std::string type;
    std::string node;
    // "starting", "running", "restarting", "stopping"; "unknown" when the server is newer than this library.
    std::string state;
    uint64_t parent_id = 0;
    uint32_t mailbox_depth = 0;
    uint32_t mailbox_capacity = 0;
    uint64_t handled = 0;
    uint32_t restarts = 0;
    std::string last_failure;
  };

  struct ActorQuery {
    // Empty: all, also those without a name.
    std::string name_prefix;
    // The name of the node whose actors are wanted; empty: of all.
    std::string node;
    // From a page of the same query; empty: the first.
    std::string page_token;
  };

  struct ActorPage {
    std::vector<ActorInfo> actors;
    std::string next_page_token;
    // Nodes whose actors are missing, because they could not be asked.
    std::vector<std::string> unreachable_nodes;
  };

  virtual ~KvApi() = default;

  virtual absl::StatusOr<Entry> Get(std::string_view key, absl::Duration timeout) = 0;
  virtual absl::StatusOr<Written> Set(std::string_view key, std::string_view value, const Condition& condition,
                                      absl::Duration timeout) = 0;
  virtual absl::StatusOr<Deleted> Delete(std::string_view key, const Condition& condition, absl::Duration timeout) = 0;
  virtual absl::StatusOr<ListPage> List(const ListQuery& query, absl::Duration timeout) = 0;

  virtual absl::StatusOr<ClusterStatus> GetStatus(absl::Duration timeout) = 0;
  virtual absl::StatusOr<MemberList> ListMembers(absl::Duration timeout) = 0;
  virtual absl::StatusOr<ShardMap> GetShardMap(absl::Duration timeout) = 0;
  virtual absl::StatusOr<ActorPage> ListActors(const ActorQuery& query, absl::Duration timeout) = 0;
};

// The state of the key that a NOT_FOUND or FAILED_PRECONDITION is about; none when the status carries none.
std::optional<KvApi::KeyState> KeyStateOf(const absl::Status& status);
absl::Status WithKeyState(absl::Status status, const KvApi::KeyState& state);

// No endpoint could be reached, so nothing was sent. UNAVAILABLE without this is a node's own word.
bool NoNodeAnswered(const absl::Status& status);
absl::Status NoNodeAnsweredError(std::string_view message);

// Whether a write that ended so may have been done all the same.
bool OutcomeUnknown(const absl::Status& status);
// UNAVAILABLE, because the connection broke while the answer was awaited.
absl::Status ConnectionLostError(std::string_view message);

}  // namespace troupe

#endif  // TROUPE_KVSTORE_CLIENT_KV_API_H_
