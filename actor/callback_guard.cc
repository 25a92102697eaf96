#include "actor/callback_guard.h"

#include <glog/logging.h>

#include <bit>
#include <exception>

namespace troupe::internal {

void CallbackGuard::LogFailure() {
  const uint64_t failure = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (!std::has_single_bit(failure)) return;
  try {
    throw;
  } catch (const std::exception& exception) {
    LOG(ERROR) << what_ << " failed (failure " << failure << "): " << exception.what();
  } catch (...) {
    LOG(ERROR) << what_ << " failed (failure " << failure << ") with an exception that is no std::exception";
  }
}

}  // namespace troupe::internal
