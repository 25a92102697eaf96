#include "apps/cli/arguments.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace troupe {
namespace {

absl::StatusOr<Invocation> Parse(std::string_view line, Source source = Source::kShell) {
  const absl::StatusOr<std::vector<Statement>> statements = Tokenize(line, Semicolon::kIsText);
  EXPECT_TRUE(statements.ok()) << statements.status();
  return ParseArguments(statements->empty() ? Statement() : statements->front(), Settings(), source);
}

// "set(k,v) --if-version=3", or what is wrong.
std::string Seen(std::string_view line, Source source = Source::kShell) {
  const absl::StatusOr<Invocation> invocation = Parse(line, source);
  if (!invocation.ok()) return std::string(invocation.status().message());
  if (invocation->command == nullptr) return "";
  const std::string arguments =
      absl::StrJoin(invocation->arguments, ",", [](std::string* out, const Word& word) { *out += word.text; });
  std::string seen = absl::StrCat(std::string(invocation->command->name), "(", arguments, ")");
  for (const auto& [name, value] : invocation->flags) absl::StrAppend(&seen, " ", name, "=", value.text);
  return seen;
}

TEST(ArgumentsTest, ReadsCommandsWithFlagsAnywhere) {
  struct Row {
    std::string_view line, seen;
  };
  const Row rows[] = {
      {"", ""},
      {"get a", "get(a)"},
      {"get a b c", "get(a,b,c)"},
      {"delete a", "del(a)"},
      {"exit", "quit()"},
      {"list", "list()"},
      {"list u: --limit=3 --keys-only", "list(u:) --keys-only= --limit=3"},
      {"--limit 3 list u:", "list(u:) --limit=3"},
      {"-o json get a", "get(a)"},
      {"-o=json get a", "get(a)"},
      {"--endpoint h:1 get a", "get(a)"},
      {"set k v --if-version 18446744073709551615", "set(k,v) --if-version=18446744073709551615"},
      {"set --if-value=x k v", "set(k,v) --if-value=x"},
      {"set --if-value \"\" k v", "set(k,v) --if-value="},
      {"set k -5", "set(k,-5)"},
      {"set k -.5", "set(k,-.5)"},
      {"set k -", "set(k,-)"},
      {"set k \"--if-absent\"", "set(k,--if-absent)"},
      {"set k -- --if-absent", "set(k,--if-absent)"},
      {"set k \"\"", "set(k,)"},
      {"get \"\\xff\"", "get(\xff)"},
      {"cas k a b", "cas(k,a,b)"},
      {"shards 11", "shards(11)"},
      {"get --help", "get()"},
      {"members", "members()"},
      {"actors --node=n2", "actors() --node=n2"},
      {"kill n2 --node-control=p", "kill(n2)"},
      {"--node-control p start n2", "start(n2)"},
  };
  for (const Row& row : rows) EXPECT_EQ(Seen(row.line), row.seen) << row.line;
}

TEST(ArgumentsTest, SaysWhatIsWrongAndWhatWasMeant) {
  struct Row {
    std::string_view line, message;
  };
  const Row rows[] = {
      {"gte a", "no such command: gte; nearest: get"},
      {"banana", "no such command: banana; try: help"},
      {"\"\"", "no such command: \"\"; try: help"},
      {"\"\\x1b[0m\"", "no such command: \"\\x1b[0m\"; try: help"},
      {"--endpont=x get a", "--endpont: no such flag; nearest: --endpoint"},
      {"kill n2", "no such command: kill; try: help"},
      {"kil n2 --node-control=p", "no such command: kil; try: help"},
      {"--node-control=p kil n2", "no such command: kil; try: help"},
      {"start --help", "no such command: start; try: help"},
      {"--node-contro=p", "--node-contro: no such flag; if it is an argument, put -- before it"},
      {"--node-control=", "--node-control: names no program"},
      {"actors --node=\"\\xff\"", "--node: \"\\xff\" is not UTF-8"},
      {"--keep-goin", "--keep-goin: no such flag; nearest: --keep-going"},
      {"set k v --if-abent", "--if-abent: no such flag; nearest: --if-absent"},
      {"set k -x", "-x: no such flag; if it is an argument, put -- before it"},
      {"get a --limit=3", "--limit: not a flag of get\n  usage: get KEY..."},
      {"--limit=3", "--limit: no command that it could belong to"},
      {"get", "get: KEY is missing\n  usage: get KEY..."},
      {"cas k a", "cas: NEW is missing\n  usage: cas KEY OLD NEW"},
      {"shards 1 2", "shards: one argument too many: \"2\"\n  usage: shards [N]"},
      {"shards one", "shards: N: \"one\" is not a whole number from 0"},
      {"list --limit=-1", "--limit: \"-1\" is not a whole number from 0"},
      {"list --limit=", "--limit: \"\" is not a whole number from 0"},
      {"set k v --if-version=18446744073709551616",
       "--if-version: \"18446744073709551616\" is not a whole number from 0"},
      {"list --keys-only=yes", "--keys-only takes no value"},
      {"list --limit", "--limit: its value is missing: --limit=N"},
      {"set k v --if-absent --if-present", "--if-absent and --if-present exclude each other"},
      {"get a -o jsno", "--output: \"jsno\" is not table, plain, json or raw; nearest: json"},
      {"get a --color=blue", "--color: \"blue\" is not auto, always or never"},
      {"get a --timeout=2", "--timeout: \"2\" is not a time; write it as in 2s or 500ms"},
      {"get a --timeout=0s", "--timeout: 0s is not from 1ms to 1h"},
      {"get a --timeout=inf", "--timeout: inf is not from 1ms to 1h"},
      {"get a --endpoint=", "--endpoint: \"\" has no port; write HOST:PORT, as in 127.0.0.1:7101"},
      {"-c \"get a\" get b", "-c takes no command beside it: get"},
      {"-- get a", "-- needs a command before it"},
      {"actors \"\\xff\"", "actors: NAME-PREFIX: \"\\xff\" is not UTF-8"},
  };
  for (const Row& row : rows) EXPECT_EQ(Seen(row.line), row.message) << row.line;
}

TEST(ArgumentsTest, ALineCannotSayWhatOnlyTheStartCan) {
  EXPECT_EQ(Seen("get a --endpoint=h:1", Source::kLine), "--endpoint: only where the program is started");
  EXPECT_EQ(Seen("get a --node-control=p", Source::kLine), "--node-control: only where the program is started");
  EXPECT_EQ(Seen("get a -c x", Source::kLine), "--command: only where the program is started");
  EXPECT_EQ(Seen("get a --version", Source::kLine), "--version: only where the program is started");
  EXPECT_EQ(Parse("get a -o json --timeout=2s", Source::kLine)->settings.timeout, absl::Seconds(2));
}

TEST(ArgumentsTest, ReadsSettings) {
  const absl::StatusOr<Invocation> all =
      Parse("--endpoint=a:1,[::1]:2 --timeout=1500ms -o json --color=never --keep-going -c \"get a; get b\"");
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->settings.endpoints, (std::vector<std::string>{"a:1", "[::1]:2"}));
  EXPECT_EQ(all->settings.timeout, absl::Milliseconds(1500));
  EXPECT_EQ(all->settings.format, Format::kJson);
  EXPECT_EQ(all->settings.color, ColorMode::kNever);
  EXPECT_TRUE(all->settings.keep_going);
  EXPECT_EQ(all->settings.commands, "get a; get b");
  EXPECT_TRUE(Parse("--version")->settings.version);
  EXPECT_TRUE(Parse("-h")->settings.help);
}

TEST(ArgumentsTest, WordsAfterTwoDashesAndQuotedOnesMeanThemselves) {
  EXPECT_TRUE(Parse("set k -- @x")->arguments[1].literal);
  EXPECT_TRUE(Parse("set k \"@x\"")->arguments[1].literal);
  EXPECT_FALSE(Parse("set k @x")->arguments[1].literal);
}

TEST(ArgumentsTest, JudgesEndpoints) {
  const std::string_view good[] = {"localhost:1", "127.0.0.1:65535", "node-1.example_x.org:7101", "[fe80::1%eth0]:7"};
  for (std::string_view endpoint : good) EXPECT_TRUE(ParseEndpoints(endpoint).ok()) << endpoint;
  struct Row {
    std::string_view endpoint, why;
  };
  const Row bad[] = {
      {"localhost", "\"localhost\" has no port"},
      {":7101", "\":7101\" has no host"},
      {"h:0", "\"h:0\" has no port from 1 to 65535"},
      {"h:65536", "\"h:65536\" has no port from 1 to 65535"},
      {"h:+1", "\"h:+1\" has no port from 1 to 65535"},
      {"h:", "\"h:\" has no port from 1 to 65535"},
      {"::1:7101", "\"::1:7101\" needs [ ] around an IPv6 address"},
      {"http://h:1", "\"http://h:1\" has a character that no host has"},
      {"a b:1", "\"a b:1\" has a character that no host has"},
      {"h:1,", "\"\" has no port"},
  };
  for (const Row& row : bad) {
    EXPECT_EQ(ParseEndpoints(row.endpoint).status().message(),
              absl::StrCat(std::string(row.why), "; write HOST:PORT, as in 127.0.0.1:7101"));
  }
}

TEST(ArgumentsTest, TakesAtMost16Endpoints) {
  const std::vector<std::string> sixteen(16, "h:1");
  EXPECT_EQ(*ParseEndpoints(absl::StrJoin(sixteen, ",")), sixteen);
  EXPECT_EQ(Seen("get a --endpoint=" + absl::StrJoin(sixteen, ",") + ",h:1"),
            "--endpoint: 17 endpoints are too many; give at most 16");
}

TEST(ArgumentsTest, EnvironmentStandsBelowFlagsAndAboveDefaults) {
  const auto environment = [](const char* name) -> const char* {
    if (std::string_view(name) == "TROUPE_ENDPOINT") return "n9:7109";
    if (std::string_view(name) == "TROUPE_TIMEOUT") return "";
    return nullptr;
  };
  const absl::StatusOr<Settings> settings = SettingsFromEnvironment(environment, /*stdout_is_terminal=*/false);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->endpoints, std::vector<std::string>{"n9:7109"});
  EXPECT_EQ(settings->timeout, absl::Seconds(5));
  EXPECT_EQ(settings->format, Format::kPlain);
  const Statement words = {{"status"}, {"--endpoint=a:1"}};
  EXPECT_EQ(ParseArguments(words, *settings, Source::kShell)->settings.endpoints, std::vector<std::string>{"a:1"});

  const auto none = [](const char*) -> const char* { return nullptr; };
  EXPECT_EQ(SettingsFromEnvironment(none, /*stdout_is_terminal=*/true)->format, Format::kTable);
  const auto wrong = [](const char*) { return "7101"; };
  EXPECT_EQ(SettingsFromEnvironment(wrong, true).status().message(),
            "TROUPE_ENDPOINT: \"7101\" has no port; write HOST:PORT, as in 127.0.0.1:7101");
}

}  // namespace
}  // namespace troupe
