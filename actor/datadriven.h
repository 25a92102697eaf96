// Conversations as text: a script beside the code says what to do and what is seen.
//
//   # Comments tell the plot.
//   command arguments
//   another
//   ----
//   what the commands said, up to the first empty line
//
// A difference is a failed test that shows both. With TROUPE_REWRITE=1, under `bazel run`, the file in the source tree
// is written anew instead; the diff is what to review:
//   TROUPE_REWRITE=1 bazel run //the/package:script_test
#ifndef TROUPE_ACTOR_DATADRIVEN_H_
#define TROUPE_ACTOR_DATADRIVEN_H_

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace troupe {

// Carries out one command line; the answer has a newline after each line, and no empty line.
using ScriptCommand = std::function<std::string(const std::string&)>;

// The script as it would be with what the commands say now. A command without a transcript gets an empty one.
inline std::string PlayScript(const std::string& script, const ScriptCommand& command) {
  std::istringstream lines(script);
  std::string played;
  std::string said;
  bool in_block = false;
  bool in_transcript = false;
  auto end_block = [&] {
    if (in_block && !in_transcript) played += "----\n";
    if (in_block) played += said;
    said.clear();
    in_block = in_transcript = false;
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      end_block();
      played += "\n";
    } else if (in_transcript) {
      continue;
    } else if (line == "----") {
      in_transcript = true;
      played += "----\n";
    } else {
      played += line + "\n";
      if (line[0] == '#') continue;
      in_block = true;
      said += command(line);
    }
  }
  end_block();
  return played;
}

// `path` is from the root of the tree.
inline void CheckScript(const std::string& path, const ScriptCommand& command) {
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  const std::string script((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string played = PlayScript(script, command);
  const char* source = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (source != nullptr && std::getenv("TROUPE_REWRITE") != nullptr) {
    std::ofstream(std::string(source) + "/" + path) << played;
    return;
  }
  EXPECT_EQ(script, played) << path << ": the transcript differs";
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_DATADRIVEN_H_
