// What the actors of features_world.h send to each other.
#ifndef TROUPE_ACTOR_FEATURES_MESSAGES_H_
#define TROUPE_ACTOR_FEATURES_MESSAGES_H_

#include <cstdint>
#include <utility>

namespace troupe::testing {

// What a coroutine fails with while it is ended: no failure of anybody's any more.
inline constexpr char kFromTheGrave[] = "from the grave";

// Counts what is alive, so that what is lost or ended twice shows.
class Token {
 public:
  Token() = default;
  explicit Token(int64_t* live) : live_(live) { ++*live_; }
  Token(const Token& other) : live_(other.live_) {
    if (live_ != nullptr) ++*live_;
  }
  Token(Token&& other) noexcept : live_(std::exchange(other.live_, nullptr)) {}
  Token& operator=(Token other) noexcept {
    std::swap(live_, other.live_);
    return *this;
  }
  ~Token() {
    if (live_ != nullptr) --*live_;
  }

 private:
  int64_t* live_ = nullptr;
};

// Ids grow in the order of the sends. A sender of -1 stands outside; of one that is kUnordered nothing is known.
struct Tag {
  static constexpr int kUnordered = -2;
  int sender = -1;
  uint64_t id = 0;
  Token token;
};
struct Tagged {
  explicit Tagged(Tag tag) : tag(std::move(tag)) {}
  Tag tag;
};
struct Quick : Tagged {
  using Result = int;  // who handled it
  using Tagged::Tagged;
};
struct Work : Tagged {
  using Result = int;
  using Tagged::Tagged;
};
// Answered later, never, or by another.
struct Question : Tagged {
  using Result = int;
  using Tagged::Tagged;
};
struct Parcel : Tagged {
  using Result = int;
  using Tagged::Tagged;
};
struct Push : Tagged {
  static constexpr bool kControl = true;
  using Tagged::Tagged;
};
struct Rush : Tagged {
  static constexpr bool kControl = true;
  using Tagged::Tagged;
};
struct Chime {
  uint64_t key = 0;
  Token token;
};
// Items of streams: those that are handled at once, and those whose handler waits.
struct Piece {
  uint64_t number = 0;
  Token token;
};
struct Slice {
  uint64_t number = 0;
  Token token;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_FEATURES_MESSAGES_H_
