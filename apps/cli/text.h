// Bytes as text for people and programs. Nothing from here can move a terminal's cursor, whatever the bytes are.
#ifndef TROUPE_APPS_CLI_TEXT_H_
#define TROUPE_APPS_CLI_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace troupe {

// Abseil's functions do not take the standard's views.
inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

bool IsUtf8(std::string_view bytes);

// Printable UTF-8 as it is; the rest as \n \t \r \\ \xHH, which the tokeniser reads back.
std::string Escaped(std::string_view bytes);
// The same in double quotes, with \" inside. Above `max_bytes` the text is cut, and its size in bytes follows.
std::string Quoted(std::string_view bytes, size_t max_bytes = SIZE_MAX);
// Escapes what a terminal would act on, but leaves backslashes: for text that was escaped by its sender.
std::string Harmless(std::string_view text);
// A word that the tokeniser reads as `bytes`: in quotes only where it must be.
std::string AsWord(std::string_view bytes);

// Columns on a terminal, for printable text.
size_t DisplayWidth(std::string_view text);

// 1204311 -> "1,204,311".
std::string Grouped(uint64_t number);
// 48200000 -> "48.2 MB".
std::string SizeText(uint64_t bytes);
// "2 h 14 min", "41 s".
std::string DurationText(absl::Duration duration);
// 1 -> "1 node", 2 -> "2 nodes".
std::string Counted(uint64_t number, std::string_view one, std::string_view many);

// One object of JSON on one line, in the order of the calls.
class JsonObject {
 public:
  // "name", or "name_base64" when the bytes are not UTF-8.
  JsonObject& Bytes(std::string_view name, std::string_view bytes);
  JsonObject& Text(std::string_view name, std::string_view text);
  // As a string: JSON's numbers lose digits above 2^53.
  JsonObject& Id(std::string_view name, uint64_t id);
  JsonObject& Number(std::string_view name, uint64_t number);
  JsonObject& Bool(std::string_view name, bool value);
  JsonObject& Null(std::string_view name);
  // `json` is JSON already.
  JsonObject& Raw(std::string_view name, std::string_view json);

  std::string ToString() const;

 private:
  std::string members_;
};

std::string JsonString(std::string_view utf8);
std::string JsonArray(const std::vector<std::string>& json_items);

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_TEXT_H_
