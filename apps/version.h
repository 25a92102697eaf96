#ifndef TROUPE_APPS_VERSION_H_
#define TROUPE_APPS_VERSION_H_

namespace troupe {

// The product's.
inline constexpr char kProductVersion[] = "0.1.0";

}  // namespace troupe

#endif  // TROUPE_APPS_VERSION_H_
