// A node's data directory: who it belongs to, and the lock that keeps a second process out.
//
//   NODE    who this is, in a few lines for people and programs: format, ids, name, generation, pid, start
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
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace troupe {

struct DataDirOptions {
  std::string path;
  // Not empty; printable ASCII without '"' and '\'.
  std::string node_name;
  // 16 random bytes as 32 lower-case hex digits, new ones at each call. Asked only when the directory is founded.
  std::function<std::string()> make_id;
  // The wall clock, for people to read.
  absl::Time now;
};

// Thread-safe, as nothing changes after Open.
class DataDir {
 public:
  // Takes the directory for this process until destruction, and raises its generation, durably. Founds it (makes it
  // with mode 0700, and its parents, or takes an empty one) when there is none. Blocks on the disk.
  //   kFailedPrecondition: in use, of a newer format, another node's, or not a directory of ours.
  //   kPermissionDenied, kResourceExhausted (disk full), ...: as errno says.
  //   kDataLoss:           NODE is damaged.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const DataDirOptions& options);

  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  const std::string& path() const { return path_; }
  // Where the store goes. Not made by Open.
  std::string storage_path() const { return path_ + "/state"; }

  // Both are made with the directory and stay.
  const std::string& cluster_id() const { return cluster_id_; }
  const std::string& node_id() const { return node_id_; }
  const std::string& node_name() const { return node_name_; }

  // 1 when founded, higher at each Open.
  uint64_t generation() const { return generation_; }

  // Whether this Open made it.
  bool founded() const { return founded_; }

  // Whether a store has been made at storage_path, ever; MarkStoreMade says so from now on, durably. Then a store that
  // is not there has been lost.
  bool store_made() const;
  absl::Status MarkStoreMade() const;

 private:
  DataDir() = default;

  std::string path_;
  std::string cluster_id_;
  std::string node_id_;
  std::string node_name_;
  uint64_t generation_ = 0;
  bool founded_ = false;
  int lock_ = -1;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_DATA_DIR_H_
