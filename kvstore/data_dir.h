// A node's data directory: who it belongs to, and the lock that keeps a second process out.
//
//   NODE    who this is, in a few lines for people and programs: format, ids, name, role, generation, pid, start
//   PEERS   addresses of the other nodes, a line each: a hint for the next start
//   LOCK    locked (flock) while a process uses the directory; the system lets go of it when the process exits
//   STORE   there since the store was first made
//   state/  the store's
//
// Each error says what happened, with the path, and where something can be done about it says so in a second,
// indented line.
#ifndef TROUPE_KVSTORE_DATA_DIR_H_
#define TROUPE_KVSTORE_DATA_DIR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cluster/node_identity.h"

namespace troupe {

struct DataDirOptions {
  std::string path;
  // Not empty; printable ASCII without '"' and '\'.
  std::string node_name;
  // 16 random bytes as 32 lower-case hex digits, new ones at each call. Asked only when the directory is founded.
  std::function<std::string()> make_id;
  // The wall clock, for people to read.
  absl::Time now;
  // A new directory belongs to a node that joins a cluster, and founds none.
  bool join = false;
};

// Thread-safe.
class DataDir final : public NodeMemory {
 public:
  // Takes the directory for this process until destruction, and raises its generation, durably. Founds it (makes it
  // with mode 0700, and its parents, or takes an empty one) when there is none. Blocks on the disk.
  //   kFailedPrecondition: in use, of a newer format, another node's, or not a directory of ours.
  //   kPermissionDenied, kResourceExhausted (disk full), ...: as errno says.
  //   kDataLoss:           NODE is damaged.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const DataDirOptions& options);

  ~DataDir() override;
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  const std::string& path() const { return path_; }
  // Where the store goes. Not made by Open.
  std::string storage_path() const { return path_ + "/state"; }

  // Made with the directory; they stay.
  const std::string& node_id() const { return node_.node_id; }
  const std::string& node_name() const { return node_.node_name; }
  // Whether this node founded its cluster, and so holds its store.
  bool founder() const { return node_.founder; }

  // As Open found or made them. Empty: it has joined no cluster yet.
  const std::string& cluster_id() const { return opened_cluster_id_; }
  // 1 when founded, higher at each Open.
  uint64_t generation() const { return opened_generation_; }
  // As last saved, without lines that make no sense.
  const std::vector<std::string>& peers() const { return opened_peers_; }

  // Whether this Open made it.
  bool founded() const { return founded_; }

  // Whether a store has been made at storage_path, ever; MarkStoreMade says so from now on, durably. Then a store that
  // is not there has been lost.
  bool store_made() const;
  absl::Status MarkStoreMade() const;

  absl::Status SaveIdentity(const std::string& cluster_id, uint64_t generation) override;
  absl::Status SavePeers(const std::vector<std::string>& addresses) override;

  // What NODE says.
  struct NodeFile {
    std::string cluster_id;  // empty: none yet
    std::string node_id;
    std::string node_name;
    bool founder = true;
    uint64_t generation = 0;
    uint64_t pid = 0;
    std::string started;
  };

 private:
  DataDir() = default;
  std::string node_path() const { return path_ + "/NODE"; }

  // Fixed by Open.
  std::string path_;
  std::string opened_cluster_id_;
  uint64_t opened_generation_ = 0;
  std::vector<std::string> opened_peers_;
  bool founded_ = false;
  int lock_ = -1;

  std::mutex saving_;
  NodeFile node_;  // what may change of it is guarded by saving_
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_DATA_DIR_H_
