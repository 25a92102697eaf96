// Memory for what comes and goes with every message: blocks of fixed sizes, kept by the thread that freed them.
//
//   Threads:  any thread may allocate, any other may free. Blocks move between threads by magazines of 64 through a
//             central list (Bonwick and Adams, Magazines and Vmem, USENIX 2001, section 3), so that a lock is taken
//             once in 64 times at most.
//   Limits:   blocks over kPooledBytes come from the system's heap. What the pool has taken it keeps.
//
// Under AddressSanitizer everything comes from the system's heap, so that it sees each use after its end.
#ifndef TROUPE_ACTOR_BLOCK_POOL_H_
#define TROUPE_ACTOR_BLOCK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <new>

namespace troupe::internal {

// Blocks are aligned to this.
inline constexpr size_t kPoolGrain = 16;
inline constexpr size_t kPooledBytes = 1024;

struct PoolBlock {
  PoolBlock* next;
};

// The blocks of one size that a thread has at hand: one magazine in use and one full one or none.
struct PoolShelf {
  PoolBlock* current = nullptr;
  PoolBlock* full = nullptr;
  uint32_t count = 0;  // in current
};
inline constexpr uint32_t kMagazine = 64;

extern constinit thread_local PoolShelf pool_shelves[kPooledBytes / kPoolGrain + 1];

void* RefillAndAllocate(size_t size_class);
void PutAwayMagazine(size_t size_class);
void* AllocateFromHeap(size_t bytes);
void FreeToHeap(void* block);

[[gnu::always_inline]] inline void* PoolAllocate(size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  return AllocateFromHeap(bytes);
#else
  if (bytes > kPooledBytes) [[unlikely]] {
    return AllocateFromHeap(bytes);
  }
  const size_t size_class = (bytes + kPoolGrain - 1) / kPoolGrain;
  PoolShelf& shelf = pool_shelves[size_class];
  PoolBlock* block = shelf.current;
  if (block == nullptr) [[unlikely]] {
    return RefillAndAllocate(size_class);
  }
  shelf.current = block->next;
  --shelf.count;
  return block;
#endif
}

// `bytes` as in PoolAllocate.
[[gnu::always_inline]] inline void PoolFree(void* memory, [[maybe_unused]] size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  FreeToHeap(memory);
#else
  if (bytes > kPooledBytes) [[unlikely]] {
    return FreeToHeap(memory);
  }
  const size_t size_class = (bytes + kPoolGrain - 1) / kPoolGrain;
  PoolShelf& shelf = pool_shelves[size_class];
  // Not as soon as it is full, else one block that comes and goes would move it each time.
  if (shelf.count == kMagazine) [[unlikely]] {
    PutAwayMagazine(size_class);
  }
  auto* block = static_cast<PoolBlock*>(memory);
  block->next = shelf.current;
  shelf.current = block;
  ++shelf.count;
#endif
}

// Objects of classes derived from this live in the pool. One that is deleted by a base needs a virtual destructor.
class Pooled {
 public:
  [[gnu::always_inline]] static void* operator new(size_t bytes) { return PoolAllocate(bytes); }
  [[gnu::always_inline]] static void operator delete(void* memory, size_t bytes) { PoolFree(memory, bytes); }
};

// For std::allocate_shared.
template <typename T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <typename U>
  PoolAllocator(const PoolAllocator<U>&) {}
  T* allocate(size_t count) {
    static_assert(alignof(T) <= kPoolGrain);
    return static_cast<T*>(PoolAllocate(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) { PoolFree(memory, count * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_BLOCK_POOL_H_
