// Raft's things in words, for transcripts and failed expectations. An entry is "3/t2": index 3, of term 2.
#ifndef TROUPE_KVSTORE_RAFT_TEST_DESCRIBE_H_
#define TROUPE_KVSTORE_RAFT_TEST_DESCRIBE_H_

#include <ostream>
#include <string>
#include <vector>

#include "kvstore/raft/raft.h"

namespace troupe {

template <typename Tag>
void PrintTo(StrongInt<Tag> value, std::ostream* stream) {
  *stream << value.value();
}

namespace raft {

std::string Describe(Role role);
std::string Describe(Refusal refusal);
std::string Describe(const Configuration& configuration);
std::string Describe(const EntryPtr& entry);
std::string Describe(const std::vector<EntryPtr>& entries);
std::string Describe(const SnapshotRef& snapshot);
std::string Describe(const Message& message);

inline void PrintTo(Role role, std::ostream* stream) { *stream << Describe(role); }
inline void PrintTo(Refusal refusal, std::ostream* stream) { *stream << Describe(refusal); }
inline void PrintTo(const Configuration& configuration, std::ostream* stream) { *stream << Describe(configuration); }
inline void PrintTo(const Message& message, std::ostream* stream) { *stream << Describe(message); }

}  // namespace raft
}  // namespace troupe

#endif  // TROUPE_KVSTORE_RAFT_TEST_DESCRIBE_H_
