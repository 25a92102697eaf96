#include "kvstore/page_merger.h"

#include <algorithm>
#include <utility>

namespace troupe {

PageMerger::PageMerger(int shards, size_t max_entries, size_t max_bytes)
    : max_entries_(max_entries), max_bytes_(max_bytes), sources_(static_cast<size_t>(shards)) {}

std::vector<ShardId> PageMerger::Wanted() const {
  std::vector<ShardId> wanted;
  for (size_t shard = 0; shard < sources_.size() && !full_; ++shard) {
    if (sources_[shard].entries.empty() && sources_[shard].more) wanted.push_back(static_cast<ShardId>(shard));
  }
  return wanted;
}

void PageMerger::Add(ShardId shard, ScanResult chunk) {
  Source& source = sources_[shard];
  source.revision = chunk.revision;
  source.more = chunk.more;
  if (!chunk.entries.empty()) source.after = chunk.entries.back().key;
  std::move(chunk.entries.begin(), chunk.entries.end(), std::back_inserter(source.entries));
  Merge();
}

void PageMerger::Merge() {
  while (Wanted().empty() && !full_) {
    auto smallest = sources_.end();
    for (auto source = sources_.begin(); source != sources_.end(); ++source) {
      if (source->entries.empty()) continue;
      if (smallest == sources_.end() || source->entries.front().key < smallest->entries.front().key) smallest = source;
    }
    if (smallest == sources_.end()) return;  // everything is in the page
    ScanResult::Entry& entry = smallest->entries.front();
    const size_t bytes = entry.key.size() + entry.record.value.size();
    if (page_.size() == max_entries_ || (!page_.empty() && bytes_ + bytes > max_bytes_)) {
      full_ = true;
      return;
    }
    bytes_ += bytes;
    page_.push_back(PageEntry{std::move(entry.key), std::move(entry.record),
                              static_cast<ShardId>(smallest - sources_.begin()), smallest->revision});
    smallest->entries.pop_front();
  }
}

bool PageMerger::more() const {
  return std::any_of(sources_.begin(), sources_.end(), [](const Source& s) { return s.more || !s.entries.empty(); });
}

}  // namespace troupe
