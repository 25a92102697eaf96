#include "apps/cli/session.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "apps/cli/fake_api.h"
#include "apps/cli/help.h"

namespace troupe {
namespace {

using std::string_literals::operator""s;

// What a command left behind: output, error output, exit code.
struct Seen {
  std::string out, err;
  int code = 0;

  bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Seen& seen) {
  return stream << "\nout: " << seen.out << "\nerr: " << seen.err << "\ncode: " << seen.code;
}

class SessionTest : public testing::Test {
 protected:
  Seen Do(std::string_view commands, std::istream* values = nullptr) {
    return Run(values, [&](Session& session) { return session.ExecuteText(commands); });
  }

  Seen Script(const std::string& text) {
    std::istringstream lines(text);
    return Run(nullptr, [&](Session& session) { return session.ExecuteScript(lines); });
  }

  template <typename Body>
  Seen Run(std::istream* values, Body body) {
    std::ostringstream out, err;
    Console console{.out = out, .err = err, .values = values};
    Session session(api_, console, settings_);
    const ExitCode code = body(session);
    return {out.str(), err.str(), static_cast<int>(code)};
  }

  FakeApi api_;
  Settings settings_;
};

TEST_F(SessionTest, GetPrintsOneValueInEveryFormat) {
  api_.Put("k", "Ada \"L\"\n\xff");
  EXPECT_EQ(Do("get k"), (Seen{"\"Ada \\\"L\\\"\\n\\xff\"\n", "", 0}));
  EXPECT_EQ(Do("get k -o plain"), (Seen{"Ada \"L\"\\n\\xff\n", "", 0}));
  EXPECT_EQ(Do("get k -o raw"), (Seen{"Ada \"L\"\n\xff", "", 0}));
  EXPECT_EQ(
      Do("get k -o json"),
      (Seen{"{\"key\":\"k\",\"value_base64\":\"QWRhICJMIgr/\",\"version\":\"1\",\"shard\":11,\"revision\":\"1\"}\n", "",
            0}));
}

TEST_F(SessionTest, GetPrintsSeveralKeysALineEach) {
  api_.Put("a", "1");
  api_.Put("bc", "two");
  EXPECT_EQ(Do("get a x bc"),
            (Seen{"KEY  VALUE  VERSION\na    \"1\"          1\nbc   \"two\"        2\n", "\"x\": (not found)\n", 1}));
  EXPECT_EQ(Do("get a x bc -o plain"), (Seen{"a\t1\nbc\ttwo\n", "\"x\": (not found)\n", 1}));
  EXPECT_EQ(Do("get bc a -o raw"), (Seen{"two1", "", 0}));
  EXPECT_EQ(Do("get x a -o json"),
            (Seen{"{\"key\":\"x\",\"value\":null,\"shard\":11,\"revision\":\"2\"}\n"
                  "{\"key\":\"a\",\"value\":\"1\",\"version\":\"1\",\"shard\":11,\"revision\":\"1\"}\n",
                  "", 1}));
  EXPECT_EQ(Do("get x"), (Seen{"", "(not found)\n", 1}));
}

TEST_F(SessionTest, SetSaysOkWithVersionAndShard) {
  EXPECT_EQ(Do("set user:1 \"Ada Lovelace\""), (Seen{"OK  version 1   shard 11\n", "", 0}));
  EXPECT_EQ(Do("set user:1 b -o plain"), (Seen{"OK  version 2   shard 11\n", "", 0}));
  EXPECT_EQ(Do("set user:1 c -o json"),
            (Seen{"{\"key\":\"user:1\",\"ok\":true,\"version\":\"3\",\"shard\":11,\"revision\":\"3\"}\n", "", 0}));
  EXPECT_EQ(api_.entries["user:1"].value, "c");
}

TEST_F(SessionTest, AConditionThatDoesNotHoldIsNoWithItsReason) {
  for (int i = 0; i < 7; ++i) api_.Put("color", "red");
  struct Row {
    std::string_view command, answer;
  };
  const Row rows[] = {
      {"cas color blue green", "no: the value is \"red\" (version 7), not \"blue\"\n"},
      {"cas none blue green", "no: the key does not exist\n"},
      {"set color x --if-value=blue", "no: the value is \"red\" (version 7), not \"blue\"\n"},
      {"set color x --if-absent", "no: the key exists, the value is \"red\" (version 7)\n"},
      {"set none x --if-present", "no: the key does not exist\n"},
      {"set color x --if-version=3", "no: the version is 7, not 3\n"},
      {"set color x --if-absent -o json",
       "{\"key\":\"color\",\"ok\":false,\"exists\":true,\"value\":\"red\",\"version\":\"7\",\"shard\":11,"
       "\"revision\":\"7\"}\n"},
      {"cas none a b -o json",
       "{\"key\":\"none\",\"ok\":false,\"exists\":false,\"version\":\"0\",\"shard\":11,\"revision\":\"7\"}\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(Do(row.command), (Seen{std::string(row.answer), "", 1})) << row.command;
  EXPECT_EQ(api_.entries["color"].value, "red");
  EXPECT_EQ(Do("cas color red green").code, 0);
  EXPECT_EQ(Do("set color blue --if-version=8").code, 0);
  EXPECT_EQ(Do("set new x --if-absent").code, 0);
  EXPECT_EQ(Do("set new y --if-present").code, 0);
}

TEST_F(SessionTest, ALargeValueThatWasLeftOutIsToldByItsSize) {
  api_.Put("k", std::string(2000, 'x'));
  EXPECT_EQ(Do("cas k a b"), (Seen{"no: the value is another, of 2,000 bytes (version 1), not \"a\"\n", "", 1}));
  EXPECT_EQ(Do("cas k a b -o json"),
            (Seen{"{\"key\":\"k\",\"ok\":false,\"exists\":true,\"value_size\":2000,\"version\":\"1\",\"shard\":11,"
                  "\"revision\":\"1\"}\n",
                  "", 1}));
}

TEST_F(SessionTest, DelSaysWhetherAllWereThere) {
  for (const char* key : {"a", "b", "c", "d"}) api_.Put(key, "");
  EXPECT_EQ(Do("del a"), (Seen{"OK  removed\n", "", 0}));
  EXPECT_EQ(Do("del a"), (Seen{"no: the key does not exist\n", "", 1}));
  EXPECT_EQ(Do("del a b"), (Seen{"no: 1 of 2 removed; \"a\" does not exist\n", "", 1}));
  EXPECT_EQ(Do("del c d"), (Seen{"OK  2 removed\n", "", 0}));
  EXPECT_EQ(Do("del c -o json"), (Seen{"{\"key\":\"c\",\"deleted\":false,\"shard\":11,\"revision\":\"8\"}\n", "", 1}));
}

TEST_F(SessionTest, ListAlignsByColumnsOfTheScreen) {
  api_.Put("日本", "x");
  api_.Put("e", "long value");
  EXPECT_EQ(
      Do("list"),
      (Seen{"KEY   VALUE         VERSION\ne     \"long value\"        2\n日本  \"x\"                 1\n", "", 0}));
  EXPECT_EQ(Do("list -o plain"), (Seen{"e\tlong value\t2\n日本\tx\t1\n", "", 0}));
  EXPECT_EQ(Do("list e --keys-only"), (Seen{"KEY  VERSION\ne          2\n", "", 0}));
  EXPECT_EQ(Do("list e --keys-only -o plain"), (Seen{"e\n", "", 0}));
  EXPECT_EQ(Do("list e --keys-only -o json"),
            (Seen{"{\"key\":\"e\",\"version\":\"2\",\"shard\":11,\"revision\":\"2\"}\n", "", 0}));
  EXPECT_EQ(Do("list none"), (Seen{"", "", 0}));
}

TEST_F(SessionTest, ListGoesThroughPagesUpToItsLimit) {
  for (int i = 100; i < 350; ++i) api_.Put(absl::StrCat("k", i), "v");
  api_.page_limit = 7;
  const auto lines = [](const Seen& seen) { return std::count(seen.out.begin(), seen.out.end(), '\n'); };

  const Seen ten = Do("list --limit=10 --keys-only -o plain");
  EXPECT_EQ(lines(ten), 10);
  EXPECT_EQ(ten.err, "10 shown, more: --after=k109\n");
  EXPECT_EQ(api_.last_query.page_size, 3);
  EXPECT_EQ(Do("list --limit=1 --keys-only -o plain --after=k109").out, "k110\n");

  EXPECT_EQ(lines(Do("list -o plain")), 100);
  const Seen all = Do("list --limit=0 -o plain");
  EXPECT_EQ(lines(all), 250);
  EXPECT_EQ(all.err, "");
  EXPECT_EQ(Do("list k34 --limit=10").err, "");
}

TEST_F(SessionTest, ShardsShowWhoServesWhat) {
  api_.map.epoch = 3;
  api_.map.shards = {{0, 0, 1023, "n1", {"n1", "n2"}, 41, true}, {1, 1024, 2047, "", {"n1"}, 0, false}};
  EXPECT_EQ(Do("shards"), (Seen{"SHARD  SLOTS      LEADER  COPIES  REVISION\n"
                                "    0  0000-03ff  n1      n1 n2         41\n"
                                "    1  0400-07ff  -       n1             0  not serving\n",
                                "0 nodes may fail: one copy of some shards\n", 0}));
  EXPECT_EQ(Do("shards 0 -o plain"), (Seen{"0\t0000-03ff\tn1\tn1 n2\t41\n", "", 0}));
  EXPECT_EQ(Do("shards 1 -o json"), (Seen{"{\"shard\":1,\"first_slot\":1024,\"last_slot\":2047,\"leader\":\"\","
                                          "\"copies\":[\"n1\"],\"revision\":\"0\",\"serving\":false,\"epoch\":\"3\"}\n",
                                          "", 0}));
  EXPECT_EQ(Do("shards 9"), (Seen{"", "no: there is no shard 9 among the 2\n", 1}));
}

TEST_F(SessionTest, ActorsAreReadToTheLastPage) {
  api_.page_limit = 1;
  api_.actors = {{1, "shard/0", "ShardActor", "n1", "running", 0, 0, 1024, 12, 0, ""},
                 {20, "", "Writer", "n2", "restarting", 1, 3, 8, 4, 2, "disk full"}};
  EXPECT_EQ(Do("actors -o plain"), (Seen{"n1\t1\tshard/0\tShardActor\trunning\t0/1024\t12\t0\n"
                                         "n2\t20\t-\tWriter\trestarting\t3/8\t4\t2\tdisk full\n",
                                         "", 0}));
  EXPECT_EQ(Do("actors shard/"), (Seen{"NODE  ID  NAME     TYPE        STATE    MAILBOX  HANDLED  RESTARTS\n"
                                       "n1     1  shard/0  ShardActor  running   0/1024       12         0\n",
                                       "", 0}));
  EXPECT_EQ(Do("actors --node=n2 -o plain").out, "n2\t20\t-\tWriter\trestarting\t3/8\t4\t2\tdisk full\n");
  EXPECT_EQ(Do("actors shard/ -o json").out,
            "{\"id\":\"1\",\"name\":\"shard/0\",\"type\":\"ShardActor\",\"node\":\"n1\",\"state\":\"running\","
            "\"parent_id\":\"0\",\"mailbox_depth\":0,\"mailbox_capacity\":1024,\"handled\":\"12\",\"restarts\":0,"
            "\"last_failure\":\"\"}\n");
}

TEST_F(SessionTest, ActorsThatAreMissingAreToldAndOfTheOnlyNodeAnError) {
  api_.page_limit = 1;
  api_.actors = {{1, "a", "A", "n1", "running", 0, 0, 8, 0, 0, ""}, {1, "b", "B", "n2", "running", 0, 0, 8, 0, 0, ""}};
  api_.unreachable_nodes = {"n4", "n3"};
  EXPECT_EQ(Do("actors -o plain"), (Seen{"n1\t1\ta\tA\trunning\t0/8\t0\t0\nn2\t1\tb\tB\trunning\t0/8\t0\t0\n",
                                         "note: n3, n4 cannot be asked now; their actors are missing here\n", 0}));
  api_.unreachable_nodes = {"n3"};
  EXPECT_EQ(Do("actors --node=n3"), (Seen{"", "error: n3 cannot be asked now; its actors are missing here\n", 4}));
}

TEST_F(SessionTest, MembersShowWhoIsAliveInTheEyesOfTheOneAsked) {
  api_.members = {{{"n1", "dead", "127.0.0.1:7101", "id1", 1, 0, absl::Seconds(41)},
                   {"n2", "alive", "127.0.0.1:7102", "id2", 12, 3, absl::Minutes(134)}},
                  "n2"};
  EXPECT_EQ(Do("members"), (Seen{"NAME  STATE  ADDRESS         GENERATION       SINCE\n"
                                 "n1    dead   127.0.0.1:7101           1        41 s\n"
                                 "n2    alive  127.0.0.1:7102          12  2 h 14 min  asked\n",
                                 "", 0}));
  EXPECT_EQ(Do("members -o plain"),
            (Seen{"n1\tdead\t127.0.0.1:7101\t1\t41 s\nn2\talive\t127.0.0.1:7102\t12\t2 h 14 min\n", "", 0}));
  EXPECT_EQ(Do("members -o json"),
            (Seen{"{\"name\":\"n1\",\"state\":\"dead\",\"address\":\"127.0.0.1:7101\",\"node_id\":\"id1\","
                  "\"generation\":\"1\",\"incarnation\":\"0\",\"since_seconds\":41}\n"
                  "{\"name\":\"n2\",\"state\":\"alive\",\"address\":\"127.0.0.1:7102\",\"node_id\":\"id2\","
                  "\"generation\":\"12\",\"incarnation\":\"3\",\"since_seconds\":8040}\n",
                  "", 0}));
}

TEST_F(SessionTest, MembersThatDoNotAnswerStandOutInColor) {
  api_.members = {{{"n1", "alive", "h:1", "", 1, 0, {}},
                   {"n2", "suspect", "h:2", "", 1, 0, {}},
                   {"n3", "dead", "h:3", "", 1, 0, {}},
                   {"n4", "left", "h:4", "", 1, 0, {}}},
                  "n1"};
  settings_.color = ColorMode::kAlways;
  EXPECT_EQ(Do("members").out,
            "\x1b[1mNAME  STATE    ADDRESS  GENERATION  SINCE\x1b[0m\n"
            "n1    alive    h:1               1    0 s  asked\n"
            "\x1b[33mn2    suspect  h:2               1    0 s\x1b[0m\n"
            "\x1b[31mn3    dead     h:3               1    0 s\x1b[0m\n"
            "n4    left     h:4               1    0 s\n");
  EXPECT_EQ(Do("members -o plain").out.find('\x1b'), std::string::npos);
}

// A program for --node-control.
std::string ControlProgram(const std::string& body) {
  const std::string path = testing::TempDir() + "/control";
  std::ofstream(path) << "#!/bin/sh\n" << body;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

TEST_F(SessionTest, KillAndStartAreWhatTheControlProgramDoes) {
  settings_.node_control = ControlProgram("echo \"$# $1 $2\"\n");
  EXPECT_EQ(Do("kill n2; start 'n 2'"), (Seen{"2 kill n2\n2 start n 2\n", "", 0}));
  EXPECT_EQ(Do("kill"), (Seen{"", "error: kill: NODE is missing\n  usage: kill NODE\n", 2}));
}

TEST_F(SessionTest, AControlProgramFailsInItsOwnWords) {
  settings_.node_control = ControlProgram("echo half; echo 'error: n2 is dead already' >&2; exit 1\n");
  EXPECT_EQ(Do("kill n2"), (Seen{"half\n", "error: n2 is dead already\n", 5}));
  settings_.node_control = ControlProgram("exit 7\n");
  EXPECT_EQ(Do("kill n2"), (Seen{"", "error: " + settings_.node_control + " kill n2 ended with 7\n", 5}));
  settings_.node_control = ControlProgram("echo 'it took long' >&2\n");
  EXPECT_EQ(Do("kill n2"), (Seen{"", "it took long\n", 0}));
  settings_.node_control = "/no/such";
  EXPECT_EQ(Do("start n2"), (Seen{"", "error: cannot run /no/such: No such file or directory\n", 2}));
}

TEST_F(SessionTest, KillAndStartAreThereOnlyWithAControlProgram) {
  EXPECT_EQ(Do("kill n2"), (Seen{"", "error: no such command: kill; try: help\n", 2}));
  EXPECT_EQ(Do("help kill").code, 2);
  EXPECT_EQ(Do("help").out.find("kill"), std::string::npos);
  EXPECT_EQ(Do("help").out.find("--node-control"), std::string::npos);
  settings_.node_control = "/no/such";
  EXPECT_EQ(Do("help kill").code, 0);
  EXPECT_NE(Do("help").out.find("kill NODE"), std::string::npos);
  EXPECT_NE(Do("help").out.find("--node-control=PROGRAM"), std::string::npos);
}

TEST_F(SessionTest, StatusTellsTheHealthInSentencesAndInItsExitCode) {
  api_.status = {"c0ffee", true, {},        {"n1", "id", 3, "127.0.0.1:7101", "0.1.0", absl::Minutes(134), "d/n1", 1},
                 3,        2,    0,         64,
                 64,       1,    1'204'311, 48'200'000,
                 214,      1,    0};
  EXPECT_EQ(Do("status"), (Seen{"Cluster    c0ffee, 3 nodes, 2 alive\n"
                                "Health     ok\n"
                                "Tolerance  0 nodes may fail: one copy of each shard\n"
                                "Data       64 shards x 1 copy, all serving, 48.2 MB, about 1,204,311 keys\n"
                                "Node       n1 at 127.0.0.1:7101, version 0.1.0, up 2 h 14 min, start 3, data in d/n1 "
                                "(format 1)\n"
                                "Actors     214 alive, 1 restart, 0 dead letters\n",
                                "", 0}));
  api_.status.healthy = false;
  api_.status.problems = {{"shard 7 has no leader", "start n2 again"}};
  const Seen bad = Do("status");
  EXPECT_EQ(bad.code, 6);
  EXPECT_NE(bad.out.find("Health     degraded\n"), std::string::npos);
  EXPECT_NE(bad.out.find("Problem    shard 7 has no leader\n  remedy   start n2 again\n"), std::string::npos);
  const Seen json = Do("status -o json");
  EXPECT_EQ(json.code, 6);
  EXPECT_EQ(json.out,
            "{\"cluster_id\":\"c0ffee\",\"health\":\"degraded\",\"problems\":[{\"summary\":\"shard 7 has no leader\","
            "\"remedy\":\"start n2 again\"}],\"node\":{\"name\":\"n1\",\"node_id\":\"id\",\"generation\":\"3\","
            "\"address\":\"127.0.0.1:7101\",\"version\":\"0.1.0\",\"uptime_seconds\":8040,\"data_dir\":\"d/n1\","
            "\"format\":1},\"nodes\":3,\"nodes_alive\":2,\"nodes_may_fail\":0,\"shards\":64,\"shards_serving\":64,"
            "\"copies_per_shard\":1,"
            "\"approximate_keys\":\"1204311\",\"approximate_bytes\":\"48200000\",\"actors\":\"214\","
            "\"actor_restarts\":\"1\",\"dead_letters\":\"0\"}\n");
}

TEST_F(SessionTest, EveryFailureHasItsTextAndItsCode) {
  const std::string unknown = "\n  whether it was written is unknown; get shows what is there now\n";
  struct Row {
    absl::Status failure;
    std::string command, err;
    int code;
  };
  const Row rows[] = {
      {NoNodeAnsweredError("no node answers at h:1 (connection refused)"), "set k v",
       "error: no node answers at h:1 (connection refused)\n  start one: troupe-node --name=n1 --data-dir=DIR     or "
       "point elsewhere: --endpoint=HOST:PORT or TROUPE_ENDPOINT\n",
       3},
      {absl::UnavailableError("shard 11 has no leader"), "set k v", "error: shard 11 has no leader\n", 4},
      {ConnectionLostError("the connection broke"), "set k v", "error: the connection broke" + unknown, 4},
      {ConnectionLostError("the connection broke"), "get k", "error: the connection broke\n", 4},
      {absl::DeadlineExceededError("no answer from h:1 within 5s"), "del k",
       "error: no answer from h:1 within 5s" + unknown, 4},
      {absl::DeadlineExceededError("no answer from h:1 within 5s"), "list", "error: no answer from h:1 within 5s\n", 4},
      {absl::InvalidArgumentError("the key is empty"), "get \"\"", "error: the key is empty\n", 5},
      {absl::ResourceExhaustedError("too much waits"), "cas k a b", "error: too much waits\n", 5},
      {absl::InternalError("\x1b[31m\\x00"), "get a b", "error: \"a\": \\x1b[31m\\x00\n", 5},
      {absl::UnimplementedError(""), "shards", "error: UNIMPLEMENTED\n", 5},
      {absl::CancelledError("cancelled"), "actors", "error: interrupted\n", 130},
      {absl::UnavailableError("it stops"), "status", "error: it stops\n", 4},
  };
  for (const Row& row : rows) {
    api_.failure = row.failure;
    EXPECT_EQ(Do(row.command), (Seen{"", row.err, row.code}));
  }
}

TEST_F(SessionTest, ValuesComeFromFilesAndStandardInput) {
  const std::string path = testing::TempDir() + "/value";
  std::ofstream(path, std::ios::binary) << "a\0\n\xff"s;
  EXPECT_EQ(Do("set k @" + path).code, 0);
  EXPECT_EQ(api_.entries["k"].value, "a\0\n\xff"s);

  std::istringstream input("in\n");
  EXPECT_EQ(Do("set k -", &input).code, 0);
  EXPECT_EQ(api_.entries["k"].value, "in\n");

  EXPECT_EQ(Do("set k \"@x\"; set l -- -; set m @").code, 0);
  EXPECT_EQ(api_.entries["k"].value, "@x");
  EXPECT_EQ(api_.entries["l"].value, "-");
  EXPECT_EQ(api_.entries["m"].value, "@");

  EXPECT_EQ(Do("set k -").err, "error: -: no value can be read from standard input here; for a dash write \"-\"\n");
  EXPECT_EQ(Do("set k @/no/such"),
            (Seen{"",
                  "error: cannot read the file \"/no/such\": No such file or directory; for a value with @ put it in "
                  "quotes or after --\n",
                  2}));
  EXPECT_EQ(Do("set k @/").code, 2);
  EXPECT_EQ(Do("set k @/dev/zero"),
            (Seen{"", "error: a value has at most 1,048,576 bytes, and this one has more\n", 5}));
}

TEST_F(SessionTest, TextStopsAtTheFirstNoAndEndsWithItsCode) {
  EXPECT_EQ(Do("set a 1; get b; set c 3"), (Seen{"OK  version 1   shard 11\n", "(not found)\n", 1}));
  EXPECT_EQ(Do("gte a; set c 3"), (Seen{"", "error: no such command: gte; nearest: get\n", 2}));
  EXPECT_EQ(Do("get \"a"), (Seen{"", "error: column 5: the quote is never closed\n", 2}));
  EXPECT_EQ(Do("quit; get a"), (Seen{"", "", 0}));
  settings_.keep_going = true;
  EXPECT_EQ(Do("get b; gte; get a -o plain"),
            (Seen{"1\n", "(not found)\nerror: no such command: gte; nearest: get\n", 1}));
  api_.failure = absl::CancelledError("cancelled");
  EXPECT_EQ(Do("get a; get a").err, "error: interrupted\n");
}

TEST_F(SessionTest, TextOfTheCommandLineIsRun) {
  settings_.commands = "set a 1; get a";
  EXPECT_EQ(Do(*settings_.commands), (Seen{"OK  version 1   shard 11\n\"1\"\n", "", 0}));
}

TEST_F(SessionTest, AScriptNamesTheLine) {
  api_.Put("other", "");
  EXPECT_EQ(Script("# a script\n\nset a \"1;2\"\r\nget a"), (Seen{"OK  version 2   shard 11\n\"1;2\"\n", "", 0}));
  EXPECT_EQ(Script("get a\n\ngte a\nget a\n"),
            (Seen{"\"1;2\"\n", "line 3: error: no such command: gte; nearest: get\n", 2}));
  EXPECT_EQ(Script("set b 'x\nget a\n"), (Seen{"", "line 1: error: column 7: the quote is never closed\n", 2}));
  EXPECT_EQ(Script("get x\nget a\n"),
            (Seen{"", "line 1: (not found)\nline 1: stopped here, exit code 1; --keep-going goes on\n", 1}));
  EXPECT_EQ(Script("quit\nget x\n"), (Seen{"", "", 0}));
  settings_.keep_going = true;
  EXPECT_EQ(Script("get x\ngte\nget a\n"),
            (Seen{"\"1;2\"\n", "line 1: (not found)\nline 2: error: no such command: gte; nearest: get\n", 1}));
}

TEST_F(SessionTest, HelpKnowsEveryCommandAndTopic) {
  for (const std::string& topic : HelpTopics(NodeControl::kNone)) {
    const Seen seen = Do("help " + topic);
    EXPECT_EQ(seen.code, 0) << topic;
    EXPECT_NE(seen.out, "") << topic;
    EXPECT_EQ(seen.err, "") << topic;
    EXPECT_LE(std::count(seen.out.begin(), seen.out.end(), '\n'), 24) << topic;
    EXPECT_NE(HelpOverview(NodeControl::kNone).find(topic), std::string::npos) << topic << " is named nowhere";
  }
  EXPECT_EQ(Do("set --help").out, Do("help set").out);
  EXPECT_EQ(Do("help").out, HelpOverview(NodeControl::kNone));
  const std::string overview = HelpOverview(NodeControl::kNone);
  EXPECT_LE(std::count(overview.begin(), overview.end(), '\n'), 24);
  EXPECT_EQ(Do("help sett"), (Seen{"", "error: no help on \"sett\"; nearest: set\n", 2}));
  EXPECT_NE(Do("help exit-codes").out.find("  130  interrupted"), std::string::npos);
}

TEST_F(SessionTest, CommandsWaitAsLongAsTheySay) {
  Do("get a");
  EXPECT_EQ(api_.last_timeout, absl::Seconds(5));
  Do("get a --timeout=2s");
  EXPECT_EQ(api_.last_timeout, absl::Seconds(2));
}

TEST_F(SessionTest, ColorIsOnlyThereWhenItIsWanted) {
  settings_.color = ColorMode::kAlways;
  EXPECT_EQ(Do("gte").err, "\x1b[31merror:\x1b[0m no such command: gte; nearest: get\n");
  EXPECT_EQ(Do("get nothing --color=never").err, "(not found)\n");
  EXPECT_EQ(Do("get nothing --color=auto").err, "(not found)\n");
}

TEST_F(SessionTest, OkIsNeverInColorSoThatProgramsFindIt) {
  settings_.color = ColorMode::kAlways;
  EXPECT_EQ(Do("set a 1").out, "OK  version 1   shard 11\n");
}

TEST(ColorTest, FollowsTheEnvironmentThenTheTerminal) {
  using Variables = std::map<std::string, std::string>;
  const auto by_default = [](const Variables& variables, bool is_terminal) {
    return ColorByDefault(
        [&](const char* name) {
          const auto found = variables.find(name);
          return found == variables.end() ? nullptr : found->second.c_str();
        },
        is_terminal);
  };
  EXPECT_TRUE(by_default({{"TERM", "xterm"}}, true));
  EXPECT_FALSE(by_default({{"TERM", "xterm"}}, false));
  EXPECT_FALSE(by_default({{"TERM", "dumb"}}, true));
  EXPECT_FALSE(by_default({{"NO_COLOR", "1"}, {"FORCE_COLOR", "1"}}, true));
  EXPECT_TRUE(by_default({{"NO_COLOR", ""}}, true));
  EXPECT_TRUE(by_default({{"FORCE_COLOR", "1"}}, false));
}

TEST_F(SessionTest, OutputThatCannotBeWrittenIsAnError) {
  std::ofstream full("/dev/full");
  std::ostringstream err;
  Console console{.out = full, .err = err};
  Session session(api_, console, settings_);
  EXPECT_EQ(session.ExecuteText("help"), ExitCode::kUsage);
  EXPECT_EQ(err.str(), "error: the output cannot be written\n");
}

}  // namespace
}  // namespace troupe
