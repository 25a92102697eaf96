#include "apps/cli/nearest.h"

#include <algorithm>
#include <cstddef>

namespace troupe {
namespace {

// Longer words are data in the wrong place, not slips, and the table below grows with them.
constexpr size_t kMaxWordBytes = 64;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool Same(char a, char b) { return Lower(a) == Lower(b); }

// Damerau-Levenshtein, where no letter is touched twice ("optimal string alignment").
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = above[j - 1] + (Same(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, changed});
      const bool swapped = i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

bool BeginsWith(std::string_view whole, std::string_view start) {
  return whole.size() >= start.size() && std::equal(start.begin(), start.end(), whole.begin(), Same);
}

}  // namespace

std::string Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() < 2 || word.size() > kMaxWordBytes) return "";
  const std::string* nearest = nullptr;
  size_t fewest = kMaxWordBytes;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(word, candidate);
    const size_t allowed = std::max<size_t>(1, std::min(word.size(), candidate.size()) / 3);
    if (distance <= allowed && distance < fewest) {
      nearest = &candidate;
      fewest = distance;
    }
  }
  if (nearest != nullptr) return *nearest;
  for (const std::string& candidate : candidates) {
    if (BeginsWith(candidate, word)) return candidate;
  }
  return "";
}

}  // namespace troupe
