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

// Full magazines of one size, except those that threads left behind at their ends.
struct Depot {
  std::mutex mutex;
  Magazine* first = nullptr;  // guarded by mutex
};

Depot& DepotOf(size_t size_class) {
  // Never destroyed: threads may end after the static objects.
  static Depot* depots = new Depot[kSizeClasses];
  return depots[size_class];
}

void GiveToDepot(size_t size_class, PoolBlock* blocks) {
  PoolBlock* rest = blocks->next;
  auto* magazine = new (blocks) Magazine{rest, nullptr};
  Depot& depot = DepotOf(size_class);
  std::lock_guard lock(depot.mutex);
  magazine->next = depot.first;
  depot.first = magazine;
}

PoolBlock* TakeFromDepot(size_t size_class) {
  Depot& depot = DepotOf(size_class);
  Magazine* magazine = nullptr;
  {
    std::lock_guard lock(depot.mutex);
    magazine = depot.first;
    if (magazine == nullptr) return nullptr;
    depot.first = magazine->next;
  }
  PoolBlock* rest = magazine->rest;
  return new (magazine) PoolBlock{rest};
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
        if (blocks != nullptr) GiveToDepot(size_class, blocks);
      }
      shelf.count = 0;
    }
  }
};

void HandOverAtThreadExit() {
  thread_local AtThreadExit at_exit;
  (void)at_exit;
}

uint32_t LengthOf(const PoolBlock* blocks) {
  uint32_t length = 0;
  for (; blocks != nullptr; blocks = blocks->next) ++length;
  return length;
}

}  // namespace

constinit thread_local PoolShelf pool_shelves[kSizeClasses];

void* RefillAndAllocate(size_t size_class) {
  PoolShelf& shelf = pool_shelves[size_class];
  shelf.current = std::exchange(shelf.full, nullptr);
  shelf.count = kMagazine;
  if (shelf.current == nullptr) {
    HandOverAtThreadExit();
    shelf.current = TakeFromDepot(size_class);
    if (shelf.current == nullptr) shelf.current = Carve(size_class);
    shelf.count = LengthOf(shelf.current);
  }
  PoolBlock* block = shelf.current;
  shelf.current = block->next;
  --shelf.count;
  return block;
}

void PutAwayMagazine(size_t size_class) {
  PoolShelf& shelf = pool_shelves[size_class];
  if (shelf.full != nullptr) {
    GiveToDepot(size_class, shelf.full);
  } else {
    HandOverAtThreadExit();
  }
  shelf.full = std::exchange(shelf.current, nullptr);
  shelf.count = 0;
}

void* AllocateFromHeap(size_t bytes) { return ::operator new(bytes, std::align_val_t(kPoolGrain)); }
void FreeToHeap(void* block) { ::operator delete(block, std::align_val_t(kPoolGrain)); }

}  // namespace troupe::internal
