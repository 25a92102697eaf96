#include "apps/cli/text.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace troupe {
namespace {

struct Rune {
  char32_t code = 0;
  // Bytes; 0 when no valid character begins here.
  size_t size = 0;
};

// The character that `bytes`, which is not empty, begins with. Overlong forms and surrogates are no characters.
Rune FirstRune(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < size) return {};
  char32_t code = lead & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3f);
  }
  const char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

struct Range {
  char32_t first, last;
};

template <size_t kSize>
bool IsIn(char32_t code, const Range (&ranges)[kSize]) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [code](const Range& range) { return range.first <= code && code <= range.last; });
}

// Controls, and what turns the direction of the text around it.
constexpr Range kUnprintable[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfff9, 0xfffb}};
constexpr Range kNoColumn[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                               {0x64b, 0x65f},   {0x900, 0x902},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                               {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
constexpr Range kTwoColumns[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
                                 {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                                 {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

void AppendEscaped(std::string_view bytes, std::string_view also_escaped, std::string& text) {
  while (!bytes.empty()) {
    const Rune rune = FirstRune(bytes);
    const size_t size = std::max<size_t>(rune.size, 1);
    if (bytes[0] == '\n') {
      text += "\\n";
    } else if (bytes[0] == '\t') {
      text += "\\t";
    } else if (bytes[0] == '\r') {
      text += "\\r";
    } else if (rune.size == 0 || IsIn(rune.code, kUnprintable)) {
      for (const char c : bytes.substr(0, size)) absl::StrAppendFormat(&text, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      if (also_escaped.find(bytes[0]) != std::string_view::npos) text += '\\';
      text += bytes.substr(0, size);
    }
    bytes.remove_prefix(size);
  }
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Rune rune = FirstRune(bytes);
    if (rune.size == 0) return false;
    bytes.remove_prefix(rune.size);
  }
  return true;
}

std::string Escaped(std::string_view bytes) {
  std::string text;
  AppendEscaped(bytes, "\\", text);
  return text;
}

std::string Quoted(std::string_view bytes, size_t max_bytes) {
  std::string_view shown = bytes.substr(0, max_bytes);
  // Not through the middle of a character.
  while (shown.size() < bytes.size() && !shown.empty() && (bytes[shown.size()] & 0xc0) == 0x80) shown.remove_suffix(1);
  std::string text = "\"";
  AppendEscaped(shown, "\\\"", text);
  text += '"';
  if (shown.size() < bytes.size()) absl::StrAppend(&text, "… (", Grouped(bytes.size()), " bytes)");
  return text;
}

std::string Harmless(std::string_view text) {
  std::string harmless;
  AppendEscaped(text, "", harmless);
  return harmless;
}

std::string AsWord(std::string_view bytes) {
  const std::string escaped = Escaped(bytes);
  const bool plain = !bytes.empty() && escaped == bytes && bytes.find_first_of(" ;\"'") == std::string_view::npos &&
                     std::string_view("-@#").find(bytes[0]) == std::string_view::npos;
  return plain ? escaped : Quoted(bytes);
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Rune rune = FirstRune(text);
    width += IsIn(rune.code, kNoColumn) ? 0 : IsIn(rune.code, kTwoColumns) ? 2 : 1;
    text.remove_prefix(std::max<size_t>(rune.size, 1));
  }
  return width;
}

std::string Grouped(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string SizeText(uint64_t bytes) {
  if (bytes < 1000) return Counted(bytes, "byte", "bytes");
  const char* const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double size = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; size >= 999.95 && unit + 1 < std::size(units); ++unit) size /= 1000;
  return absl::StrFormat("%.1f %s", size, units[unit]);
}

std::string DurationText(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 60) return absl::StrCat(seconds, " s");
  if (seconds < 3600) return absl::StrCat(seconds / 60, " min ", seconds % 60, " s");
  if (seconds < 86400) return absl::StrCat(seconds / 3600, " h ", seconds / 60 % 60, " min");
  return absl::StrCat(seconds / 86400, " d ", seconds / 3600 % 24, " h");
}

std::string Counted(uint64_t number, std::string_view one, std::string_view many) {
  return absl::StrCat(Grouped(number), " ", Absl(number == 1 ? one : many));
}

JsonObject& JsonObject::Bytes(std::string_view name, std::string_view bytes) {
  if (IsUtf8(bytes)) return Text(name, bytes);
  return Text(absl::StrCat(Absl(name), "_base64"), absl::Base64Escape(Absl(bytes)));
}

JsonObject& JsonObject::Text(std::string_view name, std::string_view text) { return Raw(name, JsonString(text)); }

JsonObject& JsonObject::Id(std::string_view name, uint64_t id) { return Text(name, absl::StrCat(id)); }

JsonObject& JsonObject::Number(std::string_view name, uint64_t number) { return Raw(name, absl::StrCat(number)); }

JsonObject& JsonObject::Bool(std::string_view name, bool value) { return Raw(name, value ? "true" : "false"); }

JsonObject& JsonObject::Null(std::string_view name) { return Raw(name, "null"); }

JsonObject& JsonObject::Raw(std::string_view name, std::string_view json) {
  absl::StrAppend(&members_, members_.empty() ? "" : ",", JsonString(name), ":", Absl(json));
  return *this;
}

std::string JsonObject::ToString() const { return absl::StrCat("{", members_, "}"); }

std::string JsonString(std::string_view utf8) {
  std::string json = "\"";
  while (!utf8.empty()) {
    const Rune rune = FirstRune(utf8);
    const size_t size = std::max<size_t>(rune.size, 1);
    if (rune.size == 0) {
      json += "\\ufffd";
    } else if (rune.code == '"' || rune.code == '\\') {
      json += '\\';
      json += utf8[0];
    } else if (rune.code == '\n') {
      json += "\\n";
    } else if (rune.code == '\t') {
      json += "\\t";
    } else if (IsIn(rune.code, kUnprintable)) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<uint32_t>(rune.code));
    } else {
      json += utf8.substr(0, size);
    }
    utf8.remove_prefix(size);
  }
  return json + '"';
}

std::string JsonArray(const std::vector<std::string>& json_items) {
  return absl::StrCat("[", absl::StrJoin(json_items, ","), "]");
}

}  // namespace troupe
