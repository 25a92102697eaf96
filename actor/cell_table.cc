#include "actor/cell_table.h"

#include <utility>

namespace troupe {

bool CellTable::Insert(LocalCell& cell, absl::FunctionRef<bool()> wanted) {
  Shard& shard = ShardOf(cell.id());
  std::lock_guard lock(shard.mutex);
  if (!wanted()) return false;
  if (shard.size == shard.buckets.size()) shard.Grow();
  LocalCell*& bucket = shard.BucketOf(cell.id());
  cell.next_in_table_ = std::exchange(bucket, &cell);
  ++shard.size;
  return true;
}

void CellTable::Shard::Grow() {
  std::vector<LocalCell*> old(buckets.size() * 2);
  old.swap(buckets);
  for (LocalCell* cell : old) {
    while (cell != nullptr) {
      LocalCell*& bucket = BucketOf(cell->id());
      LocalCell* next = std::exchange(cell->next_in_table_, bucket);
      bucket = std::exchange(cell, next);
    }
  }
}

void CellTable::Erase(LocalCell& cell) {
  Shard& shard = ShardOf(cell.id());
  std::lock_guard lock(shard.mutex);
  for (LocalCell** link = &shard.BucketOf(cell.id()); *link != nullptr; link = &(*link)->next_in_table_) {
    if (*link != &cell) continue;
    *link = cell.next_in_table_;
    --shard.size;
    return;
  }
}

std::shared_ptr<LocalCell> CellTable::Find(ActorId id) const {
  Shard& shard = const_cast<CellTable*>(this)->ShardOf(id);
  std::lock_guard lock(shard.mutex);
  for (LocalCell* cell = shard.BucketOf(id); cell != nullptr; cell = cell->next_in_table_) {
    if (cell->id() == id) return cell->self();
  }
  return nullptr;
}

std::vector<std::shared_ptr<LocalCell>> CellTable::All() const {
  std::vector<std::shared_ptr<LocalCell>> cells;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    for (LocalCell* cell : shard.buckets) {
      for (; cell != nullptr; cell = cell->next_in_table_) cells.push_back(cell->self());
    }
  }
  return cells;
}

size_t CellTable::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    size += shard.size;
  }
  return size;
}

}  // namespace troupe
