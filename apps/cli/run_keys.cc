#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "apps/cli/run.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

using Effect = Printer::Effect;

constexpr size_t kMaxValueBytes = 1 << 20;
// The server gives no larger pages.
constexpr uint64_t kMaxPageSize = 1000;
constexpr uint64_t kDefaultLimit = 100;
// Of a value that stands in a table or a sentence.
constexpr size_t kMaxShownBytes = 60;

// At most one byte more than a value may have, so that /dev/zero has an end.
std::string ReadBytes(std::istream& in) {
  std::string bytes(kMaxValueBytes + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(in.gcount()));
  return bytes;
}

absl::StatusOr<std::string> BytesOf(const Word& word, Console& console) {
  if (word.literal || word.text.empty()) return word.text;
  if (word.text == "-") {
    if (console.values == nullptr) {
      return absl::InvalidArgumentError("-: no value can be read from standard input here; for a dash write \"-\"");
    }
    return ReadBytes(*std::exchange(console.values, nullptr));
  }
  if (word.text[0] != '@' || word.text.size() == 1) return word.text;
  std::ifstream file(word.text.substr(1), std::ios::binary);
  std::string bytes;
  if (file) bytes = ReadBytes(file);
  // A directory opens, but cannot be read.
  if (file || file.eof()) return bytes;
  return absl::InvalidArgumentError(absl::StrCat("cannot read the file ", Quoted(word.text.substr(1)), ": ",
                                                 std::strerror(errno),
                                                 "; for a value with @ put it in quotes or after --"));
}

// The bytes that an argument stands for; else the exit code, and why has been said.
std::pair<std::string, ExitCode> ValueOf(Run run, size_t argument) {
  absl::StatusOr<std::string> value = BytesOf(run.invocation.arguments[argument], run.print.console());
  if (!value.ok()) {
    const absl::string_view why = value.status().message();
    return {"", run.print.Error({why.data(), why.size()}, ExitCode::kUsage)};
  }
  if (value->size() > kMaxValueBytes) {
    const std::string why =
        absl::StrCat("a value has at most ", Grouped(kMaxValueBytes), " bytes, and this one has more");
    return {"", run.print.Error(why, ExitCode::kRefused)};
  }
  return {*std::move(value), ExitCode::kDone};
}

bool IsText(Format format) { return format != Format::kJson; }

std::string EntryJson(const KvApi::Entry& entry, bool with_value) {
  JsonObject json;
  json.Bytes("key", entry.key);
  if (with_value) json.Bytes("value", entry.value);
  return json.Id("version", entry.version).Number("shard", entry.shard).Id("revision", entry.revision).ToString();
}

void PrintMissing(Run run, const std::string& key, const absl::Status& status, bool one_of_several) {
  if (run.print.format() == Format::kJson) {
    JsonObject json;
    json.Bytes("key", key).Null("value");
    if (const auto state = KeyStateOf(status)) json.Number("shard", state->shard).Id("revision", state->revision);
    run.print.Line(json.ToString());
  } else {
    run.print.Note(one_of_several ? absl::StrCat(Quoted(key, kMaxShownBytes), ": (not found)") : "(not found)");
  }
}

// "the value is "red" (version 7)".
std::string ValueNow(const KvApi::KeyState& state) {
  const std::string value = state.value_left_out() ? absl::StrCat("another, of ", Grouped(state.value_size), " bytes")
                                                   : Quoted(state.value, kMaxShownBytes);
  return absl::StrCat("the value is ", value, " (version ", state.version, ")");
}

std::string WhyNot(const KvApi::Condition& condition, const KvApi::KeyState& state) {
  using Kind = KvApi::Condition::Kind;
  if (!state.exists) return "the key does not exist";
  switch (condition.kind) {
    case Kind::kAbsent:
      return absl::StrCat("the key exists, ", ValueNow(state));
    case Kind::kVersion:
      return absl::StrCat("the version is ", state.version, ", not ", condition.version);
    case Kind::kValue:
      return absl::StrCat(ValueNow(state), ", not ", Quoted(condition.value, kMaxShownBytes));
    default:
      return ValueNow(state);
  }
}

ExitCode PrintConditionFailed(Run run, const std::string& key, const KvApi::Condition& condition,
                              const absl::Status& status) {
  const std::optional<KvApi::KeyState> state = KeyStateOf(status);
  if (IsText(run.print.format())) {
    const absl::string_view message = status.message();
    run.print.No(state ? WhyNot(condition, *state) : Harmless({message.data(), message.size()}));
    return ExitCode::kNo;
  }
  JsonObject json;
  json.Bytes("key", key).Bool("ok", false);
  if (state) {
    json.Bool("exists", state->exists);
    if (state->exists && state->value_left_out()) json.Number("value_size", state->value_size);
    if (state->exists && !state->value_left_out()) json.Bytes("value", state->value);
    json.Id("version", state->version).Number("shard", state->shard).Id("revision", state->revision);
  }
  run.print.Line(json.ToString());
  return ExitCode::kNo;
}

ExitCode Write(Run run, const std::string& value, const KvApi::Condition& condition) {
  const std::string& key = run.invocation.arguments[0].text;
  const auto written = run.api.Set(key, value, condition, run.invocation.settings.timeout);
  if (written.status().code() == absl::StatusCode::kFailedPrecondition) {
    return PrintConditionFailed(run, key, condition, written.status());
  }
  if (!written.ok()) return run.print.Failed(written.status(), Effect::kWrites);
  if (IsText(run.print.format())) {
    run.print.Ok(absl::StrCat("version ", written->version, "   shard ", written->shard));
  } else {
    JsonObject json;
    json.Bytes("key", key).Bool("ok", true).Id("version", written->version);
    run.print.Line(json.Number("shard", written->shard).Id("revision", written->revision).ToString());
  }
  return ExitCode::kDone;
}

}  // namespace

ExitCode RunGet(Run run) {
  const std::vector<Word>& keys = run.invocation.arguments;
  const bool several = keys.size() > 1;
  const Format format = run.print.format();
  ExitCode code = ExitCode::kDone;
  Table table({{"KEY"}, {"VALUE"}, {"VERSION", true}});
  for (const Word& word : keys) {
    const auto entry = run.api.Get(word.text, run.invocation.settings.timeout);
    if (entry.status().code() == absl::StatusCode::kNotFound) {
      PrintMissing(run, word.text, entry.status(), several);
      code = ExitCode::kNo;
    } else if (!entry.ok()) {
      table.Print(run.print);
      return run.print.Failed(entry.status(), Effect::kReads, several ? word.text : "");
    } else if (format == Format::kJson) {
      run.print.Line(EntryJson(*entry, /*with_value=*/true));
    } else if (format == Format::kRaw) {
      run.print.Bytes(entry->value);
    } else if (format == Format::kPlain) {
      run.print.Line(several ? absl::StrCat(Escaped(entry->key), "\t", Escaped(entry->value)) : Escaped(entry->value));
    } else if (several) {
      table.Add({Escaped(entry->key), Quoted(entry->value), absl::StrCat(entry->version)});
    } else {
      run.print.Line(Quoted(entry->value));
    }
  }
  table.Print(run.print);
  return code;
}

ExitCode RunSet(Run run) {
  const auto [value, code] = ValueOf(run, 1);
  if (code != ExitCode::kDone) return code;
  KvApi::Condition condition;
  if (run.invocation.Has("--if-absent")) condition = KvApi::Condition::IfAbsent();
  if (run.invocation.Has("--if-present")) condition = KvApi::Condition::IfPresent();
  if (run.invocation.Has("--if-version")) {
    condition = KvApi::Condition::IfVersion(run.invocation.NumberOf("--if-version", 0));
  }
  if (run.invocation.Has("--if-value")) {
    condition = KvApi::Condition::IfValue(run.invocation.flags.find("--if-value")->second.text);
  }
  return Write(run, value, condition);
}

ExitCode RunCas(Run run) {
  const auto [before, before_code] = ValueOf(run, 1);
  if (before_code != ExitCode::kDone) return before_code;
  const auto [after, after_code] = ValueOf(run, 2);
  if (after_code != ExitCode::kDone) return after_code;
  return Write(run, after, KvApi::Condition::IfValue(before));
}

ExitCode RunDel(Run run) {
  const std::vector<Word>& keys = run.invocation.arguments;
  const bool several = keys.size() > 1;
  std::vector<std::string> missing;
  for (const Word& word : keys) {
    const auto deleted = run.api.Delete(word.text, {}, run.invocation.settings.timeout);
    if (!deleted.ok()) return run.print.Failed(deleted.status(), Effect::kWrites, several ? word.text : "");
    if (!deleted->existed) missing.push_back(Quoted(word.text, kMaxShownBytes));
    if (run.print.format() == Format::kJson) {
      JsonObject json;
      json.Bytes("key", word.text).Bool("deleted", deleted->existed);
      run.print.Line(json.Number("shard", deleted->shard).Id("revision", deleted->revision).ToString());
    }
  }
  if (IsText(run.print.format())) {
    const size_t removed = keys.size() - missing.size();
    if (missing.empty()) {
      run.print.Ok(several ? absl::StrCat(Grouped(removed), " removed") : "removed");
    } else if (several) {
      run.print.No(absl::StrCat(Grouped(removed), " of ", Grouped(keys.size()), " removed; ", missing[0],
                                missing.size() > 1 ? " and others do not exist" : " does not exist"));
    } else {
      run.print.No("the key does not exist");
    }
  }
  return missing.empty() ? ExitCode::kDone : ExitCode::kNo;
}

ExitCode RunList(Run run) {
  const Invocation& invocation = run.invocation;
  const uint64_t limit = invocation.NumberOf("--limit", kDefaultLimit);
  KvApi::ListQuery query;
  query.keys_only = invocation.Has("--keys-only");
  if (!invocation.arguments.empty()) query.prefix = invocation.arguments[0].text;
  if (invocation.Has("--after")) query.page_token = invocation.flags.find("--after")->second.text;
  Table table = query.keys_only ? Table({{"KEY"}, {"VERSION", true}}) : Table({{"KEY"}, {"VALUE"}, {"VERSION", true}});
  for (uint64_t shown = 0;;) {
    query.page_size = static_cast<uint32_t>(limit == 0 ? kMaxPageSize : std::min(limit - shown, kMaxPageSize));
    const auto page = run.api.List(query, invocation.settings.timeout);
    if (!page.ok()) return run.print.Failed(page.status(), Effect::kReads);
    for (const KvApi::Entry& entry : page->entries) {
      const std::string key = Escaped(entry.key), version = absl::StrCat(entry.version);
      if (run.print.format() == Format::kJson) {
        run.print.Line(EntryJson(entry, !query.keys_only));
      } else if (run.print.format() != Format::kTable) {
        run.print.Line(query.keys_only ? key : absl::StrCat(key, "\t", Escaped(entry.value), "\t", version));
      } else if (query.keys_only) {
        table.Add({key, version});
      } else {
        table.Add({key, Quoted(entry.value, kMaxShownBytes), version});
      }
    }
    table.Print(run.print);
    shown += page->entries.size();
    if (page->next_page_token.empty()) return ExitCode::kDone;
    if (limit != 0 && shown >= limit) {
      run.print.Note(absl::StrCat(Grouped(shown), " shown, more: --after=", Harmless(page->next_page_token)));
      return ExitCode::kDone;
    }
    if (page->next_page_token == query.page_token) {
      return run.print.Error("the server gives the same page again and again", ExitCode::kRefused);
    }
    query.page_token = page->next_page_token;
  }
}

}  // namespace troupe
