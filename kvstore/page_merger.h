// Merges what shards give of a listing into one page in byte order. Pure.
//
// Each shard gives its keys in order, a chunk at a time. An entry may go into the page only when no shard can still
// come with a smaller key: as long as every shard that has more on its disk has an entry here to compare.
#ifndef TROUPE_KVSTORE_PAGE_MERGER_H_
#define TROUPE_KVSTORE_PAGE_MERGER_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/storage.h"

namespace troupe {

struct PageEntry {
  std::string key;
  Record record;
  ShardId shard = 0;
  uint64_t revision = 0;
};

class PageMerger {
 public:
  // The page ends at max_entries, or before the entry with which it would exceed max_bytes (keys and values); one
  // entry always fits.
  PageMerger(int shards, size_t max_entries, size_t max_bytes);

  // Shards whose next chunk is needed before the page can grow. Empty: the page is done.
  std::vector<ShardId> Wanted() const;

  // Where a wanted shard's next chunk begins: after this key, or at the listing's own beginning.
  const std::optional<std::string>& After(ShardId shard) const { return sources_[shard].after; }

  // Takes a wanted shard's chunk and moves what may go into the page.
  void Add(ShardId shard, ScanResult chunk);

  const std::vector<PageEntry>& page() const { return page_; }
  // Whether keys remain after the page's last one. Only when Wanted is empty.
  bool more() const;

 private:
  struct Source {
    std::deque<ScanResult::Entry> entries;
    uint64_t revision = 0;
    bool more = true;  // on its disk, after the entries that are here
    std::optional<std::string> after;
  };

  void Merge();

  const size_t max_entries_;
  const size_t max_bytes_;
  std::vector<Source> sources_;
  std::vector<PageEntry> page_;
  size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_PAGE_MERGER_H_
