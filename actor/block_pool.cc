#include "actor/block_pool.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace troupe::internal {
namespace {

constexpr size_t kSizeClasses = kPooledBytes / kPoolGrain + 1;

// Lies in the first block of a magazine that is with nobody.
struct Magazine {
  PoolBlock* rest;
  Magazine* next;
};
static_assert(sizeof(Magazine) <= kPoolGrain);

// Magazines of one size.
struct Depot {
  std::mutex mutex;
  // Guarded by mutex.
  Magazine* full = nullptr;
  Magazine* partial = nullptr;  // what threads left behind at their ends
};

Depot& DepotOf(size_t size_class) {
  // Never destroyed: threads may end after the static objects.
  static Depot* depots = new Depot[kSizeClasses];
  return depots[size_class];
}

void GiveToDepot(size_t size_class, PoolBlock* blocks, bool full) {
  PoolBlock* rest = blocks->next;
  auto* magazine = new (blocks) Magazine{rest, nullptr};
  Depot& depot = DepotOf(size_class);
  std::lock_guard lock(depot.mutex);
  Magazine*& list = full ? depot.full : depot.partial;
  magazine->next = list;
  list = magazine;
}

uint32_t LengthOf(const PoolBlock* blocks) {
  uint32_t length = 0;
  for (; blocks != nullptr; blocks = blocks->next) ++length;
  return length;
}

// Fills an empty shelf, if there is something.
void TakeFromDepot(size_t size_class, PoolShelf& shelf) {
  Depot& depot = DepotOf(size_class);
  Magazine* magazine = nullptr;
  bool full = false;
  {
    std::lock_guard lock(depot.mutex);
    full = depot.full != nullptr;
    Magazine*& list = full ? depot.full : depot.partial;
    if (list == nullptr) return;
    magazine = std::exchange(list, list->next);
  }
  PoolBlock* rest = magazine->rest;
  shelf.current = new (magazine) PoolBlock{rest};
  // Not counted when that is known: that would touch every block of it.
  shelf.count = full ? kMagazine : LengthOf(shelf.current);
}

PoolBlock* Carve(size_t size_class) {
  const size_t bytes = std::max<size_t>(size_class, 1) * kPoolGrain;
  // Aligned to a cache line, so that blocks of 64 bytes do not straddle two.
  auto* slab = static_cast<char*>(::operator new(bytes* kMagazine, std::align_val_t(64)));
  PoolBlock* blocks = nullptr;
  for (size_t i = kMagazine; i-- > 0;) blocks = new (slab + i * bytes) PoolBlock{blocks};
  return blocks;
}

// Hands over what a thread holds when it ends.
struct AtThreadExit {
  ~AtThreadExit() {
    for (size_t size_class = 0; size_class < kSizeClasses; ++size_class) {
      PoolShelf& shelf = pool_shelves[size_class];
      for (PoolBlock* blocks : {std::exchange(shelf.current, nullptr), std::exchange(shelf.full, nullptr)}) {
        if (blocks != nullptr) GiveToDepot(size_class, blocks, LengthOf(blocks) == kMagazine);
      }
      shelf.count = 0;
    }
  }
};

void HandOverAtThreadExit() {
  thread_local AtThreadExit at_exit;
  (void)at_exit;
}

}  // namespace

constinit thread_local PoolShelf pool_shelves[kSizeClasses];

void* RefillAndAllocate(size_t size_class) {
  PoolShelf& shelf = pool_shelves[size_class];
  shelf.current = std::exchange(shelf.full, nullptr);
  shelf.count = kMagazine;
  if (shelf.current == nullptr) {
    HandOverAtThreadExit();
    TakeFromDepot(size_class, shelf);
    if (shelf.current == nullptr) shelf.current = Carve(size_class);
  }
  PoolBlock* block = shelf.current;
  shelf.current = block->next;
  --shelf.count;
  return block;
}

void PutAwayMagazine(size_t size_class) {
  PoolShelf& shelf = pool_shelves[size_class];
  if (shelf.full != nullptr) {
    GiveToDepot(size_class, shelf.full, /*full=*/true);
  } else {
    HandOverAtThreadExit();
  }
  shelf.full = std::exchange(shelf.current, nullptr);
  shelf.count = 0;
}

void* AllocateFromHeap(size_t bytes) { return ::operator new(bytes, std::align_val_t(kPoolGrain)); }
void FreeToHeap(void* block) { ::operator delete(block, std::align_val_t(kPoolGrain)); }

}  // namespace troupe::internal
