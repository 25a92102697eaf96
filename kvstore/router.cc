#include "kvstore/router.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kvstore/limits.h"

namespace troupe {
namespace {

// What one shard reads ahead for a page. Most of what 64 shards read for a page is thrown away, so a chunk is small;
// a shard that runs dry is asked again.
constexpr size_t kChunkBytes = 64 << 10;

constexpr int kMaxListings = 16;
constexpr size_t kMaxListingsWaiting = 1024;

size_t ChunkEntries(size_t page_entries, int shards) {
  return std::max<size_t>(8, 2 * page_entries / static_cast<size_t>(shards));
}

}  // namespace

template <typename M>
Future<ResultOf<M>> Router::AskShard(ShardId shard, M message, Duration timeout) {
  absl::StatusOr<Address<ShardActor>> actor = cluster_.Lookup<ShardActor>(ShardName(shard));
  if (!actor.ok()) {
    return ResolvedFuture<ResultOf<M>>(absl::UnavailableError(
        absl::StrCat(ShardName(shard), " cannot be reached (", actor.status().message(), "); nothing was done")));
  }
  return actor->Ask(std::move(message), timeout);
}

std::string Router::WhereIs(const std::string& key) const {
  const std::string shard = ShardName(map_.ShardOf(key));
  const std::optional<Directory::Holder> holder = cluster_.Find(shard);
  return holder.has_value() ? absl::StrCat(shard, " on ", holder->node.name) : shard;
}

Future<KeyReading> Router::Read(std::string key, Duration timeout) {
  const ShardId shard = map_.ShardOf(key);
  return AskShard(shard, ReadKey{std::move(key)}, timeout);
}

Future<WriteOutcome> Router::Write(WriteKey write, Duration timeout) {
  const ShardId shard = map_.ShardOf(write.key);
  return AskShard(shard, std::move(write), timeout);
}

// One List under way. Answers of shards come on many threads; the mutex makes them one at a time.
class Router::Listing : public std::enable_shared_from_this<Listing> {
 public:
  Listing(Router& router, PageRequest request, Instant deadline, Reply<Page> reply)
      : router_(router),
        request_(std::move(request)),
        deadline_(deadline),
        merger_(router.map_.size(), request_.max_entries, kMaxPageBytes),
        reply_(std::move(reply)) {}

  // When its last shard has answered, also after its caller's deadline: until then it holds memory.
  ~Listing() {
    if (begun_) router_.ListingEnded();
  }

  void Begin() {
    begun_ = true;
    Advance();
  }

 private:
  // Asks every shard that the page waits for, or answers when there is none.
  void Advance() {
    // Its caller has given up while it waited.
    if (router_.cluster_.system().executor().Now() >= deadline_) return;
    std::unique_lock lock(mutex_);
    std::vector<ShardId> wanted = merger_.Wanted();
    if (wanted.empty()) {
      Page page{merger_.page(), merger_.more()};
      lock.unlock();
      return reply_(std::move(page));
    }
    outstanding_ = wanted.size();
    std::vector<std::pair<ShardId, ScanShard>> questions;
    for (ShardId shard : wanted) {
      const std::optional<std::string>& after = merger_.After(shard);
      questions.emplace_back(
          shard, ScanShard{ScanRequest{.shard = shard,
                                       .prefix = request_.prefix,
                                       .after = after.has_value() ? after : request_.after,
                                       .max_entries = ChunkEntries(request_.max_entries, router_.map_.size()),
                                       .max_bytes = kChunkBytes,
                                       .keys_only = request_.keys_only}});
    }
    lock.unlock();
    const Duration left = deadline_ - router_.cluster_.system().executor().Now();
    for (auto& [shard, question] : questions) {
      router_.AskShard(shard, std::move(question), left)
          .Then([self = shared_from_this(), shard = shard](absl::StatusOr<ScanResult> chunk) {
            self->Take(shard, std::move(chunk));
          });
    }
  }

  void Take(ShardId shard, absl::StatusOr<ScanResult> chunk) {
    bool last = false;
    {
      std::lock_guard lock(mutex_);
      if (!chunk.ok()) {
        if (failure_.ok()) failure_ = chunk.status();
      } else {
        merger_.Add(shard, *std::move(chunk));
      }
      last = --outstanding_ == 0;
    }
    // All answers of a round are in, so nobody else touches it now.
    if (!last) return;
    if (!failure_.ok()) return reply_(failure_);
    Advance();
  }

  Router& router_;
  const PageRequest request_;
  const Instant deadline_;
  bool begun_ = false;

  std::mutex mutex_;
  // Guarded by mutex_.
  PageMerger merger_;
  size_t outstanding_ = 0;
  absl::Status failure_;
  Reply<Page> reply_;
};

Future<Page> Router::List(PageRequest request, Duration timeout) {
  Executor& executor = cluster_.system().executor();
  const Instant deadline = executor.Now() + timeout;
  auto [page, reply] = MakeFuture<Page>(executor, deadline);
  auto listing = std::make_shared<Listing>(*this, std::move(request), deadline, std::move(reply));
  {
    std::lock_guard lock(mutex_);
    if (listings_ == kMaxListings) {
      if (listings_waiting_.size() == kMaxListingsWaiting) {
        return ResolvedFuture<Page>(absl::ResourceExhaustedError("too many listings wait here; try again in a moment"));
      }
      listings_waiting_.push_back(std::move(listing));
      return std::move(page);
    }
    ++listings_;
  }
  listing->Begin();
  return std::move(page);
}

void Router::ListingEnded() {
  std::shared_ptr<Listing> next;
  {
    std::lock_guard lock(mutex_);
    if (listings_waiting_.empty()) {
      --listings_;
      return;
    }
    next = std::move(listings_waiting_.front());
    listings_waiting_.pop_front();
  }
  next->Begin();
}

Future<std::vector<std::optional<ShardState>>> Router::States(Duration timeout) {
  using States = std::vector<std::optional<ShardState>>;
  struct Gathering {
    std::mutex mutex;
    States states;
    size_t outstanding;
    Reply<States> reply;
  };
  // Each question has its deadline; the whole needs none of its own.
  auto [states, reply] = MakeFuture<States>(cluster_.system().executor(), Instant::Never());
  auto gathering = std::make_shared<Gathering>();
  gathering->states.resize(static_cast<size_t>(map_.size()));
  gathering->outstanding = gathering->states.size();
  gathering->reply = std::move(reply);
  for (ShardId shard = 0; shard < map_.size(); ++shard) {
    AskShard(shard, GetShardState{}, timeout).Then([gathering, shard](absl::StatusOr<ShardState> answer) {
      bool last = false;
      {
        std::lock_guard lock(gathering->mutex);
        if (answer.ok()) gathering->states[shard] = *answer;
        last = --gathering->outstanding == 0;
      }
      if (last) gathering->reply(std::move(gathering->states));
    });
  }
  return std::move(states);
}

}  // namespace troupe
