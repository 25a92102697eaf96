// Who has which name in an actor system, and who is told when that changes.
#ifndef TROUPE_ACTOR_NAME_TABLE_H_
#define TROUPE_ACTOR_NAME_TABLE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/address.h"

namespace troupe {

class LocalCell;
class NameTable;

// Told to who follows a name (Context::FollowName<A>): now, and at each change. Without an address nobody has the name,
// or one that is no A.
template <typename A>
struct NameChanged {
  // A follower that misses one would not know; there are as many as there are registrations.
  static constexpr bool kControl = true;
  std::string name;
  Address<A> address;
};

// A name that an actor has, in the hand of whoever gave it: the only one who can take it back. Its end takes the name
// back; Keep leaves it to the actor. Either way the name ends with the actor, and a registration that has ended is no
// danger to a later one of the same name. Any thread; may outlive the system.
class [[nodiscard]] Registration {
 public:
  Registration() = default;
  Registration(Registration&& other) noexcept = default;
  Registration& operator=(Registration&& other) noexcept {
    if (this != &other) {
      Release();
      table_ = std::move(other.table_);
      name_ = std::move(other.name_);
      token_ = std::exchange(other.token_, 0);
    }
    return *this;
  }
  ~Registration() { Release(); }

  const std::string& name() const { return name_; }
  // Takes the name back now. False: it had ended already.
  bool Release();
  void Keep() && { table_.reset(); }

 private:
  friend class ActorSystem;
  Registration(std::weak_ptr<NameTable> table, std::string name, uint64_t token)
      : table_(std::move(table)), name_(std::move(name)), token_(token) {}

  std::weak_ptr<NameTable> table_;
  std::string name_;
  uint64_t token_ = 0;
};

// One actor that follows one name, for one of its incarnations.
struct NameFollower {
  std::string name;
  const std::type_info* type;
  std::weak_ptr<LocalCell> cell;
  std::unique_ptr<Envelope> (*make)(const std::string& name, std::shared_ptr<Cell> holder);

  // Guarded by the table.
  bool told = false;
  ActorId told_of;  // 0: nobody

  // Touched only in the actor's turn.
  bool ended = false;
};

//   Threads:  any thread may call anything. No lock is held while an actor is told something.
//   Ordering: what one follower is told is in the order of the changes, and no two in a row say the same.
//   Limits:   a name has 1 to 255 bytes; an actor may have several.
class NameTable {
 public:
  // The token of the registration. kAlreadyExists: the name is taken. kFailedPrecondition: the actor has terminated.
  absl::StatusOr<uint64_t> Claim(const std::string& name, const std::shared_ptr<LocalCell>& cell);
  // False: this registration has ended.
  bool Release(const std::string& name, uint64_t token);
  // For an actor that terminates: the names that it had.
  void ReleaseAll(ActorId owner, const std::vector<std::string>& names);
  absl::StatusOr<std::shared_ptr<Cell>> Lookup(std::string_view name, const std::type_info& type) const;

  void Follow(std::shared_ptr<NameFollower> follower);
  void Unfollow(const NameFollower& follower);

  // For the system's end: nobody has a name or is told anything any more.
  void Clear();

 private:
  struct Holder {
    std::shared_ptr<LocalCell> cell;
    uint64_t token = 0;
  };
  struct News {
    std::shared_ptr<NameFollower> follower;
    std::shared_ptr<LocalCell> holder;
  };

  // Takes the lock, and gives it back while it tells.
  void TellNews(std::unique_lock<std::mutex> lock);
  // With the lock.
  void Changed(const std::string& name);
  void AddNews(const std::shared_ptr<NameFollower>& follower);

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  uint64_t next_token_ = 1;
  std::map<std::string, Holder, std::less<>> holders_;
  std::multimap<std::string, std::shared_ptr<NameFollower>> followers_;
  std::deque<News> news_;
  bool telling_ = false;  // somebody goes through the news
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_NAME_TABLE_H_
