// What is logged, for tests.
#ifndef TROUPE_ACTOR_LOG_LINES_H_
#define TROUPE_ACTOR_LOG_LINES_H_

#include <glog/logging.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

// The lines that are logged while it lives, by any thread.
class LogLines : public google::LogSink {
 public:
  LogLines() { google::AddLogSink(this); }
  ~LogLines() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity, const char*, const char*, int, const struct tm*, const char* message,
            size_t length) override {
    std::lock_guard lock(mutex_);
    lines_.emplace_back(message, length);
  }
  // Those since the last call.
  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_LOG_LINES_H_
