#include "kvstore/data_dir.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

// 2026-11-20T12:00:00Z.
const absl::Time kNoon = absl::FromUnixSeconds(1795176000);

class DataDirTest : public testing::Test {
 protected:
  DataDirTest() {
    fs::remove_all(root_);
    fs::create_directory(root_);
  }
  ~DataDirTest() override { fs::remove_all(root_); }

  absl::StatusOr<std::unique_ptr<DataDir>> Open(const std::string& name = "n1") { return OpenAt(path_, name); }

  absl::StatusOr<std::unique_ptr<DataDir>> OpenAt(const std::string& path, const std::string& name = "n1") {
    return DataDir::Open({.path = path,
                          .node_name = name,
                          .make_id = [this] { return absl::StrFormat("%032x", ++ids_); },
                          .now = kNoon});
  }

  // Opens and closes again.
  void Found() {
    absl::Status status = Open().status();
    ASSERT_TRUE(status.ok()) << status;
  }

  std::string NodeText() {
    std::stringstream text;
    text << std::ifstream(path_ + "/NODE").rdbuf();
    return text.str();
  }

  void Write(const std::string& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

  // The error of an Open of this directory after `from` in NODE was replaced by `to`.
  absl::Status OpenEdited(const std::string& from, const std::string& to) {
    fs::remove_all(path_);
    Found();
    std::string text = NodeText();
    EXPECT_THAT(text, HasSubstr(from));
    Write(path_ + "/NODE", absl::StrReplaceAll(text, {{from, to}}));
    return Open().status();
  }

  const std::string root_ = absl::StrCat(testing::TempDir(), "/data_dir_test");
  const std::string path_ = root_ + "/deep/n1";
  int ids_ = 0;
};

TEST_F(DataDirTest, FoundsAMissingDirectoryForItsOwnerAlone) {
  absl::StatusOr<std::unique_ptr<DataDir>> dir = Open();
  ASSERT_TRUE(dir.ok()) << dir.status();
  EXPECT_TRUE((*dir)->founded());
  EXPECT_EQ((*dir)->path(), path_);
  EXPECT_EQ((*dir)->storage_path(), path_ + "/state");
  EXPECT_EQ((*dir)->cluster_id(), "00000000000000000000000000000001");
  EXPECT_EQ((*dir)->node_id(), "00000000000000000000000000000002");
  EXPECT_EQ((*dir)->node_name(), "n1");
  EXPECT_EQ((*dir)->generation(), 1u);
  for (const std::string& made : {root_ + "/deep", path_}) {
    EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all) << made;
  }
}

TEST_F(DataDirTest, WritesWhoItIsForPeopleToRead) {
  Found();
  EXPECT_EQ(NodeText(), absl::StrCat("# Who this data belongs to. Written by troupe-node at each start; "
                                     "not to be edited.\n"
                                     "format = 2\n"
                                     "cluster_id = \"00000000000000000000000000000001\"\n"
                                     "node_id = \"00000000000000000000000000000002\"\n"
                                     "node_name = \"n1\"\n"
                                     "role = \"founder\"\n"
                                     "generation = 1\n"
                                     "pid = ",
                                     getpid(),
                                     "\n"
                                     "started = \"2026-11-20T12:00:00Z\"\n"));
  EXPECT_FALSE(fs::exists(path_ + "/NODE.tmp"));
}

TEST_F(DataDirTest, EachOpenRaisesTheGenerationAndKeepsTheIds) {
  Found();
  Found();
  absl::StatusOr<std::unique_ptr<DataDir>> dir = OpenAt(path_ + "//");
  ASSERT_TRUE(dir.ok()) << dir.status();
  EXPECT_FALSE((*dir)->founded());
  EXPECT_EQ((*dir)->path(), path_);
  EXPECT_EQ((*dir)->cluster_id(), "00000000000000000000000000000001");
  EXPECT_EQ((*dir)->node_id(), "00000000000000000000000000000002");
  EXPECT_EQ((*dir)->generation(), 3u);
}

TEST_F(DataDirTest, ANodeThatJoinsFoundsNothingAndRemembersWhatItIsTold) {
  const DataDirOptions options{.path = path_,
                               .node_name = "n2",
                               .make_id = [] { return std::string(32, 'a'); },
                               .now = absl::UnixEpoch(),
                               .join = true};
  {
    std::unique_ptr<DataDir> dir = DataDir::Open(options).value();
    EXPECT_TRUE(dir->founded());
    EXPECT_FALSE(dir->founder());
    EXPECT_EQ(dir->cluster_id(), "");
    EXPECT_EQ(dir->node_id(), std::string(32, 'a'));
  }
  {
    // Its process ended before it was let in.
    std::unique_ptr<DataDir> dir = DataDir::Open(options).value();
    EXPECT_EQ(dir->cluster_id(), "");
    EXPECT_TRUE(dir->SaveIdentity(std::string(32, 'c'), 7).ok());
    EXPECT_TRUE(dir->SavePeers({"127.0.0.1:7101", "[::1]:7103"}).ok());
  }
  std::unique_ptr<DataDir> dir = DataDir::Open(options).value();
  EXPECT_FALSE(dir->founder());
  EXPECT_EQ(dir->cluster_id(), std::string(32, 'c'));
  EXPECT_EQ(dir->generation(), 8u);
  EXPECT_THAT(dir->peers(), testing::ElementsAre("127.0.0.1:7101", "[::1]:7103"));
}

TEST_F(DataDirTest, OneThatHasJoinedNothingMayTakeAnotherNameOrFound) {
  DataDirOptions options{
      .path = path_, .node_name = "n2", .make_id = [] { return std::string(32, 'a'); }, .now = kNoon, .join = true};
  ASSERT_TRUE(DataDir::Open(options).ok());
  options.node_name = "n3";
  EXPECT_EQ(DataDir::Open(options).value()->node_name(), "n3");
  options.join = false;
  std::unique_ptr<DataDir> dir = DataDir::Open(options).value();
  EXPECT_TRUE(dir->founder());
  EXPECT_EQ(dir->cluster_id(), std::string(32, 'a'));
  EXPECT_EQ(dir->generation(), 3u);
}

TEST_F(DataDirTest, JunkAmongThePeersIsLeftOut) {
  Found();
  Write(path_ + "/PEERS", absl::StrCat("\xff\x01:1\n\nn2:7102\nno port\n\"n3:7103\"\n"));
  EXPECT_THAT(Open().value()->peers(), testing::ElementsAre("n2:7102"));
  Write(path_ + "/PEERS", std::string(1 << 20, ':'));
  EXPECT_THAT(Open().value()->peers(), testing::IsEmpty());
}

TEST_F(DataDirTest, ADirectoryOfFormat1IsAFoundersAndBecomesFormat2) {
  Found();
  Write(path_ + "/NODE", absl::StrReplaceAll(NodeText(), {{"format = 2", "format = 1"}, {"role = \"founder\"\n", ""}}));
  std::unique_ptr<DataDir> dir = Open().value();
  EXPECT_TRUE(dir->founder());
  EXPECT_EQ(dir->cluster_id(), "00000000000000000000000000000001");
  EXPECT_THAT(NodeText(), HasSubstr("format = 2\n"));
  EXPECT_THAT(NodeText(), HasSubstr("role = \"founder\"\n"));
}

TEST_F(DataDirTest, FoundsInAnEmptyDirectory) {
  fs::create_directories(path_);
  EXPECT_TRUE(Open().value()->founded());
}

TEST_F(DataDirTest, FoundsWhereAnEarlierOpenDidNotGetThrough) {
  fs::create_directories(path_);
  Write(path_ + "/LOCK", "");
  Write(path_ + "/NODE.tmp", "format =");
  EXPECT_TRUE(Open().value()->founded());
}

TEST_F(DataDirTest, IsNotOpenedTwice) {
  absl::StatusOr<std::unique_ptr<DataDir>> dir = Open();
  ASSERT_TRUE(dir.ok()) << dir.status();
  absl::Status second = Open().status();
  EXPECT_EQ(second, absl::FailedPreconditionError(
                        absl::StrCat(path_, " is in use by troupe-node n1, pid ", getpid(),
                                     ", since 2026-11-20T12:00:00Z\n  stop it, or give this node another --data-dir")));
  EXPECT_EQ(Open("n2").status(), second) << "whose it is matters less than that it is in use";
  dir->reset();
  EXPECT_EQ(Open().value()->generation(), 2u) << "a refused Open is no run";
}

TEST_F(DataDirTest, IsNotOpenedByASecondProcess) {
  absl::StatusOr<std::unique_ptr<DataDir>> dir = Open();
  ASSERT_TRUE(dir.ok()) << dir.status();
  pid_t child = fork();
  if (child == 0) _exit(absl::IsFailedPrecondition(Open().status()) ? 7 : 8);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(DataDirTest, IsFreeAfterItsProcessWasKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    auto dir = Open();
    char ok = dir.ok() ? 'y' : 'n';
    (void)!write(ready[1], &ok, 1);
    for (;;) pause();
  }
  char ok = 0;
  ASSERT_EQ(read(ready[0], &ok, 1), 1);
  EXPECT_EQ(ok, 'y');
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr(absl::StrCat("pid ", child)));
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Open().value()->generation(), 2u);
  close(ready[0]);
  close(ready[1]);
}

TEST_F(DataDirTest, SaysThatItIsInUseAlsoWhenNodeTellsNothing) {
  absl::StatusOr<std::unique_ptr<DataDir>> dir = Open();
  ASSERT_TRUE(dir.ok()) << dir.status();
  Write(path_ + "/NODE", "junk");
  EXPECT_THAT(std::string(Open().status().message()), StartsWith(path_ + " is in use by another process\n"));
}

TEST_F(DataDirTest, RefusesANewerFormatWhateverElseItHolds) {
  for (const char* rest : {"", "\nshape = round", "\n[section]\n???"}) {
    EXPECT_EQ(
        OpenEdited("format = 2", absl::StrCat("format = 3", rest)),
        absl::FailedPreconditionError(path_ + "/NODE has format 3; this troupe-node understands format 2\n"
                                              "  run the newer troupe-node, or give this node another --data-dir"));
  }
}

TEST_F(DataDirTest, RefusesAnotherNodesDirectoryAndLeavesItAsItWas) {
  Found();
  std::string before = NodeText();
  EXPECT_EQ(Open("n2").status(),
            absl::FailedPreconditionError(path_ + " belongs to node n1, not n2\n"
                                                  "  start it with --name=n1, or give n2 another --data-dir"));
  EXPECT_EQ(NodeText(), before);
}

TEST_F(DataDirTest, RefusesSomebodysOwnDirectoryAndAddsNothingToIt) {
  Write(root_ + "/thesis.tex", "");
  EXPECT_EQ(OpenAt(root_).status(),
            absl::FailedPreconditionError(root_ + " is not empty and holds no troupe data\n"
                                                  "  give this node a new or empty directory as --data-dir"));
  EXPECT_FALSE(fs::exists(root_ + "/LOCK"));
  // Also when a LOCK of something else stands there.
  Write(root_ + "/LOCK", "");
  EXPECT_THAT(std::string(OpenAt(root_).status().message()), HasSubstr("is not empty and holds no troupe data"));
  EXPECT_FALSE(fs::exists(root_ + "/NODE"));
}

TEST_F(DataDirTest, RefusesStateWithoutNode) {
  Found();
  fs::create_directory(path_ + "/state");
  fs::remove(path_ + "/NODE");
  EXPECT_THAT(std::string(Open().status().message()), HasSubstr("is not empty and holds no troupe data"));
}

TEST_F(DataDirTest, RefusesWhatIsNoDirectory) {
  Write(root_ + "/file", "");
  EXPECT_EQ(OpenAt(root_ + "/file").status(), absl::FailedPreconditionError(root_ + "/file is not a directory"));
  absl::Status below = OpenAt(root_ + "/file/n1").status();
  EXPECT_EQ(below.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(below.message()), HasSubstr(root_ + "/file/n1: Not a directory"));
  EXPECT_EQ(OpenAt("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DataDirTest, RefusesANodeNameThatItCannotWrite) {
  for (const char* name : {"", "a\nb", "a\"b", "a\\b", "\xc3\xa4"}) {
    EXPECT_EQ(Open(name).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(DataDirTest, SaysWhatIsDamagedInNode) {
  struct Row {
    std::string from, to, error;
  };
  const Row kRows[] = {
      {"format = 2\n", "", "its first key is not format"},
      {"format = 2", "format = 2\nformat = 2", "its first key is not format"},
      {"format = 2", "format = 0", "there is no such format"},
      {"format = 2", "format = one", "there is no such format"},
      {"pid = ", "pid ", "line 8 is not key = value"},
      {"pid = ", "pid = -", "pid makes no sense"},
      {"pid = ", "pid = 99999999999999999999", "pid makes no sense"},
      {"node_name = \"n1\"\n", "", "it has no node_name"},
      {"node_name = \"n1\"", "node_name = n1", "node_name makes no sense"},
      {"node_name = \"n1\"", "node_name = \"", "node_name makes no sense"},
      {"node_name = \"n1\"", "node_name = \"n\"1\"", "node_name makes no sense"},
      {"node_name = \"n1\"", "node_name = \"n1\"\nnode_name = \"n1\"", "node_name stands there twice"},
      {"node_name = \"n1\"", "node_name = \"n1\"\ncolour = \"red\"", "unknown key colour"},
      {"generation = 1", "generation = 0", "generation makes no sense"},
      {"0002\"", "000\"", "node_id makes no sense"},
      {"0001\"", "000G\"", "cluster_id makes no sense"},
      {"\"founder\"", "\"guest\"", "role makes no sense"},
      {"generation = 1\n", "generation = 18446744073709551615\n", "generation makes no sense"},
      {"\"00000000000000000000000000000001\"", "\"\"", "cluster_id makes no sense"},
  };
  for (const Row& row : kRows) {
    ids_ = 0;
    EXPECT_EQ(OpenEdited(row.from, row.to),
              absl::DataLossError(
                  absl::StrCat(path_, "/NODE is damaged: ", row.error,
                               "\n  restore the directory from a copy, or give this node another --data-dir")));
  }
}

TEST_F(DataDirTest, RefusesANodeFileCutAnywhere) {
  Found();
  const std::string whole = NodeText();
  // Without its last line break it is still whole.
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    Write(path_ + "/NODE", whole.substr(0, size));
    ASSERT_EQ(Open().status().code(), absl::StatusCode::kDataLoss) << size << " bytes";
  }
  Write(path_ + "/NODE", std::string(1 << 20, '#'));
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DataDirTest, AFullDiskIsSaidAndChangesNothing) {
  Found();
  std::string before = NodeText();
  fs::create_symlink("/dev/full", path_ + "/NODE.tmp");
  absl::Status full = Open().status();
  EXPECT_EQ(full, absl::ResourceExhaustedError("cannot write " + path_ +
                                               "/NODE: No space left on device\n"
                                               "  free some space on that disk"));
  EXPECT_EQ(NodeText(), before);
  EXPECT_TRUE(Open().ok()) << "a failed try stands in the way of the next";
}

// Takes root's right to open everything from this thread while it lives. No-op for other users.
class WithoutPrivilege {
 public:
  WithoutPrivilege() {
    EXPECT_EQ(syscall(SYS_capget, &header_, usual_), 0);
    __user_cap_data_struct fewer[2] = {usual_[0], usual_[1]};
    fewer[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
    EXPECT_EQ(syscall(SYS_capset, &header_, fewer), 0);
  }
  ~WithoutPrivilege() { EXPECT_EQ(syscall(SYS_capset, &header_, usual_), 0); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct usual_[2] = {};
};

TEST_F(DataDirTest, MissingRightsAreSaid) {
  const std::string hint = "\n  run troupe-node as the user that owns it, or give this node another --data-dir";
  Found();
  WithoutPrivilege unprivileged;
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(Open().status(), absl::PermissionDeniedError("cannot write " + path_ + "/NODE: Permission denied" + hint));
  fs::permissions(path_, fs::perms::none);
  EXPECT_EQ(Open().status(), absl::PermissionDeniedError("cannot read " + path_ + ": Permission denied" + hint));
  fs::permissions(path_, fs::perms::owner_all);

  const std::string below = root_ + "/deep/n2";
  fs::permissions(root_ + "/deep", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(OpenAt(below).status(), absl::PermissionDeniedError("cannot make " + below + ": Permission denied" + hint));
  fs::permissions(root_ + "/deep", fs::perms::owner_all);
}

TEST_F(DataDirTest, RemembersThatAStoreWasMade) {
  {
    auto directory = Open();
    ASSERT_TRUE(directory.ok()) << directory.status();
    EXPECT_FALSE((*directory)->store_made());
    ASSERT_TRUE((*directory)->MarkStoreMade().ok());
  }
  auto again = Open();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)->store_made());
}

}  // namespace
}  // namespace troupe
