#ifndef TROUPE_APPS_CLI_NEAREST_H_
#define TROUPE_APPS_CLI_NEAREST_H_

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

// What `word` was probably meant to be: the candidate with the fewest slips (a letter too many, too few, wrong, or two
// swapped) between them, upper and lower case being the same. At most a third of the letters may be slips; failing
// that, the first candidate that begins with `word`. Empty when nothing is near. Of equals, the first.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_NEAREST_H_
