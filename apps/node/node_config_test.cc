#include "apps/node/node_config.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

// A machine with these variables and files.
struct Machine {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  absl::StatusOr<ParsedConfig> Parse(const std::vector<std::string>& args) const {
    return ParseNodeConfig(
        args,
        [this](const std::string& name) -> std::optional<std::string> {
          auto found = variables.find(name);
          if (found == variables.end()) return std::nullopt;
          return found->second;
        },
        [this](const std::string& path) -> absl::StatusOr<std::string> {
          auto found = files.find(path);
          if (found == files.end()) return absl::NotFoundError("No such file or directory");
          return found->second;
        });
  }

  std::string Error(const std::vector<std::string>& args) const {
    absl::StatusOr<ParsedConfig> parsed = Parse(args);
    if (parsed.ok()) return "(accepted)";
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(parsed.status().message());
  }

  std::string FileError(const std::string& text) {
    files["a.toml"] = text;
    return Error({"--config=a.toml"});
  }
};

TEST(NodeConfigTest, WithoutAnythingItIsTheDefaults) {
  absl::StatusOr<ParsedConfig> parsed = Machine().Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedConfig::Action::kRun);
  EXPECT_EQ(parsed->config.name, "n1");
  EXPECT_EQ(parsed->config.listen, "127.0.0.1:7101");
  EXPECT_EQ(parsed->config.data_dir, "./troupe-data/n1");
  EXPECT_EQ(parsed->config.log_level, "info");
}

TEST(NodeConfigTest, AFlagOutranksTheEnvironmentAndThatTheFile) {
  Machine machine;
  machine.files["a.toml"] = "name = \"f\"\nlisten = \"f:1\"\ndata-dir = \"f\"\n";
  machine.variables = {{"TROUPE_CONFIG", "a.toml"}, {"TROUPE_LISTEN", "e:1"}, {"TROUPE_DATA_DIR", "e"}};
  absl::StatusOr<ParsedConfig> parsed = machine.Parse({"--data-dir", "flag"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config.name, "f");
  EXPECT_EQ(parsed->config.listen, "e:1");
  EXPECT_EQ(parsed->config.data_dir, "flag");
  EXPECT_THAT(parsed->origins, ElementsAre(Pair("advertise", "default"), Pair("data-dir", "flag --data-dir"),
                                           Pair("join", "default"), Pair("listen", "env TROUPE_LISTEN"),
                                           Pair("log-level", "default"), Pair("name", "file a.toml:1")));
}

TEST(NodeConfigTest, TheConfigFlagOutranksItsVariable) {
  Machine machine{{{"TROUPE_CONFIG", "a.toml"}}, {{"a.toml", "name = \"a\""}, {"b.toml", "name = \"b\""}}};
  EXPECT_EQ(machine.Parse({"--config=b.toml"})->config.name, "b");
}

TEST(NodeConfigTest, AnEmptyVariableIsNone) {
  Machine machine{{{"TROUPE_NAME", ""}, {"TROUPE_CONFIG", ""}}, {}};
  absl::StatusOr<ParsedConfig> parsed = machine.Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->origins.at("name"), "default");
}

TEST(NodeConfigTest, TheDefaultDirectoryBearsTheName) {
  EXPECT_EQ(Machine().Parse({"--name=n7"})->config.data_dir, "./troupe-data/n7");
}

TEST(NodeConfigTest, PrintedSettingsAreAFileThatGivesThemAgain) {
  Machine machine{{{"TROUPE_DATA_DIR", "/srv/\"a\"\\\t\xc3\xa4"}, {"TROUPE_CONFIG", "a\n.toml"}},
                  {{"a\n.toml", "log-level = \"error\"\n"}}};
  absl::StatusOr<ParsedConfig> first =
      machine.Parse({"--name=n2", "--join=a:1,b:2", "--advertise=n2:0", "--print-config"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->action, ParsedConfig::Action::kPrintConfig);
  const std::string printed = PrintNodeConfig(*first);

  Machine other;
  other.files["printed"] = printed;
  absl::StatusOr<ParsedConfig> second = other.Parse({"--config=printed"});
  ASSERT_TRUE(second.ok()) << second.status() << "\n" << printed;
  EXPECT_EQ(second->config.name, first->config.name);
  EXPECT_EQ(second->config.listen, first->config.listen);
  EXPECT_EQ(second->config.data_dir, first->config.data_dir);
  EXPECT_EQ(second->config.advertise, "n2:0");
  EXPECT_THAT(second->config.join, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(second->config.log_level, "error");
  EXPECT_EQ(PrintNodeConfig(*Machine{{{"TROUPE_DATA_DIR", "/srv/a"}}, {}}.Parse({"--name=n1"})),
            "name = \"n1\"                 # flag --name\n"
            "listen = \"127.0.0.1:7101\"   # default\n"
            "advertise = \"\"              # default\n"
            "join = \"\"                   # default\n"
            "data-dir = \"/srv/a\"         # env TROUPE_DATA_DIR\n"
            "log-level = \"info\"          # default\n");
}

TEST(NodeConfigTest, HelpAndVersionAreGivenWhateverElseIsWrong) {
  EXPECT_EQ(Machine().Parse({"--nonsense", "--help"})->action, ParsedConfig::Action::kHelp);
  EXPECT_EQ(Machine().Parse({"-h"})->action, ParsedConfig::Action::kHelp);
  EXPECT_EQ(Machine().Parse({"--version"})->action, ParsedConfig::Action::kVersion);
}

TEST(NodeConfigTest, HelpFitsAScreenAndKnowsEveryFlag) {
  const std::string help(NodeHelp());
  EXPECT_LE(std::count(help.begin(), help.end(), '\n'), 24);
  for (const char* word : {"--name=", "--listen=", "--advertise=", "--join=", "TROUPE_JOIN",
                           "--data-dir=", "--log-level=", "--config=", "--print-config", "--version", "--help",
                           "TROUPE_LOG_LEVEL", "TROUPE_CONFIG"}) {
    EXPECT_THAT(help, HasSubstr(word));
  }
}

TEST(NodeConfigTest, AWrongFlagIsNamedWithWhatWasMeant) {
  const Machine machine;
  EXPECT_EQ(machine.Error({"--data-dri=/x"}), "--data-dri: no such flag; nearest: --data-dir");
  EXPECT_EQ(machine.Error({"--data_dir", "/x"}), "--data_dir: no such flag; nearest: --data-dir");
  EXPECT_EQ(machine.Error({"-name=n1"}), "-name: no such flag; nearest: --name");
  EXPECT_THAT(machine.Error({"--zzzzzzzz"}), StartsWith("--zzzzzzzz: no such flag; there are: --name, --listen"));
  EXPECT_EQ(machine.Error({"--name"}), "--name: needs a value: --name=NAME");
  EXPECT_EQ(machine.Error({"--listen="}), "--listen: needs a value: --listen=HOST:PORT");
  EXPECT_EQ(machine.Error({"--name", "--listen=a:1"}), "--name: needs a value: --name=NAME");
  EXPECT_EQ(machine.Error({"--name=a", "--name=a"}), "--name: given twice");
  EXPECT_EQ(machine.Error({"--print-config=yes"}), "--print-config: takes no value");
  EXPECT_EQ(machine.Error({"start"}), "\"start\": every argument of troupe-node is a flag; see --help");
  EXPECT_EQ(machine.Error({"--"}), "\"--\": every argument of troupe-node is a flag; see --help");
}

TEST(NodeConfigTest, AWrongKeyInTheFileIsNamedWithItsPlace) {
  Machine machine;
  EXPECT_EQ(machine.FileError("\n  data_dri = \"x\"\n"), "a.toml:2:3: unknown key \"data_dri\"; nearest: \"data-dir\"");
  EXPECT_EQ(machine.FileError("name = \"n1\"\n[listen_on]\nport = 1\n"),
            "a.toml:2:2: unknown key \"listen_on\"; there are: name, listen, advertise, join, data-dir, log-level");
  EXPECT_THAT(machine.FileError("zz = 1\nname = 7\n"), StartsWith("a.toml:1:1: unknown key \"zz\""));
}

TEST(NodeConfigTest, AValueOfTheWrongTypeIsNamedWithItsPlace) {
  Machine machine;
  EXPECT_EQ(machine.FileError("name = 7\n"), "a.toml:1:8: \"name\" must be a string, not an integer");
  EXPECT_EQ(machine.FileError("listen = [\"a:1\"]\n"), "a.toml:1:10: \"listen\" must be a string, not an array");
  EXPECT_EQ(machine.FileError("[name]\n"), "a.toml:1:1: \"name\" must be a string, not a table");
}

TEST(NodeConfigTest, BrokenTomlIsNamedWithItsPlace) {
  Machine machine;
  EXPECT_THAT(machine.FileError("name = \"n1\"\nlisten = \n"), StartsWith("a.toml:2:"));
  EXPECT_THAT(machine.FileError("name = \"n1\nlisten = \"a:1\"\n"), StartsWith("a.toml:1:"));
  EXPECT_THAT(machine.FileError("name = \"a\"\nname = \"b\"\n"), StartsWith("a.toml:2:"));
  EXPECT_THAT(machine.FileError("name = \"\xff\"\n"), StartsWith("a.toml:1:"));
}

TEST(NodeConfigTest, AFileThatCannotBeReadIsNamedWithWhoAskedForIt) {
  Machine machine;
  EXPECT_EQ(machine.Error({"--config=b.toml"}), "--config: cannot read \"b.toml\": No such file or directory");
  machine.variables["TROUPE_CONFIG"] = "c.toml";
  EXPECT_EQ(machine.Error({}), "TROUPE_CONFIG: cannot read \"c.toml\": No such file or directory");
}

TEST(NodeConfigTest, AListenAddressIsAHostAndAPort) {
  for (const char* good : {"127.0.0.1:7101", "0.0.0.0:0", "[::1]:65535", "[::]:1", "node-1.example.org:7101"}) {
    EXPECT_TRUE(Machine().Parse({std::string("--listen=") + good}).ok()) << good;
  }
  for (const char* bad : {"7101", "127.0.0.1", "127.0.0.1:", ":7101", "a:65536", "a:99999999999", "a:+1", "a:1x",
                          "::1:7101", "[::1]", "[]:1", "[host]:1", "a b:1", "[::1]x:1", "unix:/tmp/x:1"}) {
    EXPECT_THAT(Machine().Error({std::string("--listen=") + bad}), HasSubstr("is not HOST:PORT")) << bad;
  }
  EXPECT_THAT(Machine().Error({"--listen=7101"}), StartsWith("--listen: \"7101\" is not HOST:PORT with a port from"));
}

TEST(NodeConfigTest, NodesToJoinComeAsAListOrByOne) {
  EXPECT_THAT(Machine().Parse({})->config.join, ElementsAre());
  EXPECT_THAT(Machine().Parse({"--join=a:1,[::1]:2", "--join", "node-3.example:3"})->config.join,
              ElementsAre("a:1", "[::1]:2", "node-3.example:3"));
  Machine machine{{{"TROUPE_JOIN", "e:1,e:2"}}, {{"a.toml", "join = \"f:1\"\n"}, {"b.toml", "join = \"\"\n"}}};
  EXPECT_THAT(machine.Parse({"--config=a.toml"})->config.join, ElementsAre("e:1", "e:2"));
  EXPECT_THAT(machine.Parse({"--join=a:1"})->config.join, ElementsAre("a:1"));
  machine.variables.clear();
  EXPECT_THAT(machine.Parse({"--config=a.toml"})->config.join, ElementsAre("f:1"));
  EXPECT_THAT(machine.Parse({"--config=b.toml"})->config.join, ElementsAre());
}

TEST(NodeConfigTest, ANodeToJoinThatIsNoneIsNamedAlone) {
  const std::string wrong = " is not HOST:PORT with a port from 1 to 65535, such as 127.0.0.1:7101";
  EXPECT_EQ(Machine().Error({"--join=a:1,b"}), "--join: \"b\"" + wrong);
  EXPECT_EQ(Machine().Error({"--join=a:1", "--join=b:0"}), "--join: \"b:0\"" + wrong);
  EXPECT_EQ(Machine().Error({"--join=a:1,"}), "--join: \"\"" + wrong);
  EXPECT_EQ(Machine().Error({"--join="}), "--join: needs a value: --join=HOST:PORT,...");
  std::string many = "a:1";
  for (int i = 0; i < 15; ++i) many += ",a:1";
  EXPECT_EQ(Machine().Parse({"--join=" + many})->config.join.size(), 16);
  EXPECT_EQ(Machine().Error({"--join=" + many + ",a:1"}), "--join: 17 addresses are too many; give at most 16");
}

TEST(NodeConfigTest, AnAdvertisedAddressIsOneThatCanBeCalled) {
  EXPECT_EQ(Machine().Parse({"--advertise=n1.example:0"})->config.advertise, "n1.example:0");
  EXPECT_THAT(Machine().Error({"--advertise=n1.example"}), StartsWith("--advertise: \"n1.example\" is not HOST:PORT"));
  for (const char* wildcard : {"0.0.0.0:7101", "[::]:7101", "[0:0::0]:0"}) {
    EXPECT_EQ(Machine().Error({std::string("--advertise=") + wildcard}),
              std::string("--advertise: \"") + wildcard +
                  "\" is no address that another node could call; name one of this machine's");
  }
}

TEST(NodeConfigTest, OthersCallWhatIsAdvertisedOrElseWhereItListens) {
  struct Row {
    const char *advertise, *listening, *address;
  };
  const Row rows[] = {
      {"", "127.0.0.1:7101", "127.0.0.1:7101"}, {"", "[::1]:7101", "[::1]:7101"},
      {"", "0.0.0.0:7101", "host-a:7101"},      {"", "[::]:7101", "host-a:7101"},
      {"n1:80", "0.0.0.0:7101", "n1:80"},       {"n1:0", "0.0.0.0:7101", "n1:7101"},
      {"[::1]:00", "[::]:7101", "[::1]:7101"},  {"10.0.0.1:80", "127.0.0.1:7101", "10.0.0.1:80"},
  };
  for (const Row& row : rows) {
    NodeConfig config;
    config.advertise = row.advertise;
    EXPECT_EQ(AdvertisedAddress(config, row.listening, "host-a"), row.address) << row.advertise << row.listening;
  }
}

TEST(NodeConfigTest, ANameKeepsItsRule) {
  EXPECT_TRUE(Machine().Parse({"--name=0a-b_c.d"}).ok());
  EXPECT_TRUE(Machine().Parse({"--name=" + std::string(63, 'a')}).ok());
  for (const std::string& bad : {std::string(64, 'a'), std::string("N1"), std::string("a/b"), std::string(".."),
                                 std::string("_a"), std::string("a b"), std::string("\xc3\xa4")}) {
    EXPECT_THAT(Machine().Error({"--name=" + bad}), HasSubstr("is no name: 1 to 63 of a-z 0-9 - _ .")) << bad;
  }
}

TEST(NodeConfigTest, ALogLevelIsOneOfTheList) {
  EXPECT_EQ(Machine().Error({"--log-level=warnin"}),
            "--log-level: \"warnin\" is none of debug, info, warning, error; nearest: warning");
  EXPECT_EQ(Machine().Error({"--log-level=7"}), "--log-level: \"7\" is none of debug, info, warning, error");
}

TEST(NodeConfigTest, AWrongValueIsNamedByWhereItCameFrom) {
  Machine machine;
  machine.variables["TROUPE_NAME"] = "N1";
  EXPECT_THAT(machine.Error({}), StartsWith("TROUPE_NAME: \"N1\" is no name"));
  machine.variables.clear();
  machine.files["a.toml"] = "listen = \"x\"\n";
  EXPECT_THAT(machine.Error({"--config=a.toml"}), StartsWith("a.toml:1:10: listen: \"x\" is not HOST:PORT"));
  // Also where a flag outranks it: a mistake that waits in the file is no help to anyone.
  EXPECT_THAT(machine.Error({"--config=a.toml", "--listen=a:1"}), StartsWith("a.toml:1:10: listen: \"x\""));
}

TEST(NodeConfigTest, AFileIsReadWhole) {
  const std::string directory = std::getenv("TEST_TMPDIR");
  std::ofstream(directory + "/whole.toml") << "name = \"n3\"\n";
  std::ofstream(directory + "/empty.toml") << "";
  EXPECT_EQ(*ReadWholeFile(directory + "/whole.toml"), "name = \"n3\"\n");
  EXPECT_EQ(*ReadWholeFile(directory + "/empty.toml"), "");
  EXPECT_EQ(ReadWholeFile(directory + "/none.toml").status().message(), "No such file or directory");
  EXPECT_EQ(ReadWholeFile(directory).status().message(), "Is a directory");
}

}  // namespace
}  // namespace troupe
