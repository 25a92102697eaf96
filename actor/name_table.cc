#include "actor/name_table.h"

#include "absl/strings/str_cat.h"
#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

bool Registration::Release() {
  std::shared_ptr<NameTable> table = std::exchange(table_, {}).lock();
  return table != nullptr && table->Release(name_, token_);
}

absl::StatusOr<uint64_t> NameTable::Claim(const std::string& name, const std::shared_ptr<LocalCell>& cell) {
  if (name.empty() || name.size() > 255) return absl::InvalidArgumentError("a name has 1 to 255 bytes");
  if (cell == nullptr) return absl::InvalidArgumentError("only an actor of this process can be registered here");
  std::unique_lock lock(mutex_);
  if (holders_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("the name ", name, " is taken"));
  // With the lock, so that nobody sees a name that is not to be. A cell's own lock is a leaf.
  if (!cell->AddName(name)) return absl::FailedPreconditionError(absl::StrCat(cell->label(), " has terminated"));
  const uint64_t token = next_token_++;
  holders_.emplace(name, Holder{cell, token});
  Changed(name);
  TellNews(std::move(lock));
  return token;
}

bool NameTable::Release(const std::string& name, uint64_t token) {
  std::shared_ptr<LocalCell> holder;  // destroyed outside the lock
  std::unique_lock lock(mutex_);
  auto entry = holders_.find(name);
  if (entry == holders_.end() || entry->second.token != token) return false;
  holder = std::move(entry->second.cell);
  holder->RemoveName(name);
  holders_.erase(entry);
  Changed(name);
  TellNews(std::move(lock));
  return true;
}

void NameTable::ReleaseAll(ActorId owner, const std::vector<std::string>& names) {
  std::unique_lock lock(mutex_);
  for (const std::string& name : names) {
    auto entry = holders_.find(name);
    if (entry == holders_.end() || entry->second.cell->id() != owner) continue;
    holders_.erase(entry);
    Changed(name);
  }
  TellNews(std::move(lock));
}

absl::StatusOr<std::shared_ptr<Cell>> NameTable::Lookup(std::string_view name, const std::type_info& type) const {
  std::lock_guard lock(mutex_);
  auto entry = holders_.find(name);
  if (entry == holders_.end()) {
    return absl::NotFoundError(absl::StrCat("no actor has the name ", absl::string_view(name.data(), name.size())));
  }
  const LocalCell& cell = *entry->second.cell;
  if (cell.actor_type() != type) {
    return absl::FailedPreconditionError(
        absl::StrCat("the actor ", entry->first, " is a ", TypeName(cell.actor_type()), ", not a ", TypeName(type)));
  }
  return entry->second.cell;
}

void NameTable::Follow(std::shared_ptr<NameFollower> follower) {
  std::unique_lock lock(mutex_);
  AddNews(follower);
  followers_.emplace(follower->name, std::move(follower));
  TellNews(std::move(lock));
}

void NameTable::Unfollow(const NameFollower& follower) {
  std::lock_guard lock(mutex_);
  for (auto [entry, end] = followers_.equal_range(follower.name); entry != end; ++entry) {
    if (entry->second.get() != &follower) continue;
    followers_.erase(entry);
    return;
  }
}

void NameTable::Clear() {
  decltype(holders_) holders;
  decltype(followers_) followers;
  decltype(news_) news;
  std::lock_guard lock(mutex_);
  holders.swap(holders_);
  followers.swap(followers_);
  news.swap(news_);
}

void NameTable::Changed(const std::string& name) {
  for (auto [entry, end] = followers_.equal_range(name); entry != end; ++entry) AddNews(entry->second);
}

void NameTable::AddNews(const std::shared_ptr<NameFollower>& follower) {
  auto entry = holders_.find(follower->name);
  std::shared_ptr<LocalCell> holder;
  if (entry != holders_.end() && entry->second.cell->actor_type() == *follower->type) holder = entry->second.cell;
  const ActorId id = holder == nullptr ? ActorId() : holder->id();
  if (follower->told && follower->told_of == id) return;
  follower->told = true;
  follower->told_of = id;
  news_.push_back(News{follower, std::move(holder)});
}

// By one thread at a time, in order. Who comes meanwhile leaves its news to that one.
void NameTable::TellNews(std::unique_lock<std::mutex> lock) {
  if (telling_) return;
  telling_ = true;
  while (!news_.empty()) {
    News news = std::move(news_.front());
    news_.pop_front();
    lock.unlock();
    if (std::shared_ptr<LocalCell> cell = news.follower->cell.lock()) {
      cell->NotifyNameChanged(news.follower, std::move(news.holder));
    }
    news = News();
    lock.lock();
  }
  telling_ = false;
}

}  // namespace troupe
