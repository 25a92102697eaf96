#include "kvstore/data_dir.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace troupe {
namespace {

// 2: a role, and a cluster id that may be empty. Format 1 knew founders only.
constexpr uint64_t kFormat = 2;
constexpr size_t kMaxFileBytes = 4096;
constexpr size_t kIdDigits = 32;
constexpr size_t kMaxPeers = 64;

using NodeFile = DataDir::NodeFile;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// "cannot <what>: <errno's text>".
absl::Status ErrnoError(int error, const std::string& what) {
  absl::StatusCode code = error == EROFS    ? absl::StatusCode::kPermissionDenied
                          : error == EDQUOT ? absl::StatusCode::kResourceExhausted
                                            : absl::ErrnoToStatusCode(error);
  std::string text = absl::StrCat("cannot ", what, ": ", std::generic_category().message(error));
  if (code == absl::StatusCode::kResourceExhausted) absl::StrAppend(&text, "\n  free some space on that disk");
  if (code == absl::StatusCode::kPermissionDenied) {
    absl::StrAppend(&text, "\n  run troupe-node as the user that owns it, or give this node another --data-dir");
  }
  return absl::Status(code, text);
}

absl::Status SyncDirectory(const std::string& path) {
  FileDescriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return ErrnoError(errno, absl::StrCat("open ", path));
  if (fsync(directory.get()) != 0) return ErrnoError(errno, absl::StrCat("sync ", path));
  return absl::OkStatus();
}

// Makes `path` and the parents that are missing, so that they outlive a power failure.
absl::Status MakeDirectories(const std::filesystem::path& path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(path.string(), " is not a directory"));
  }
  if (errno != ENOENT) return ErrnoError(errno, absl::StrCat("look at ", path.string()));
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (absl::Status status = MakeDirectories(parent); !status.ok()) return status;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoError(errno, absl::StrCat("make ", path.string()));
  return SyncDirectory(parent);
}

bool Exists(const std::string& path) {
  struct stat found;
  return stat(path.c_str(), &found) == 0;
}

// OK when `path` can be founded: nothing in it, or what an Open that did not get through has left.
absl::Status CheckEmpty(const std::string& path) {
  std::error_code error;
  auto entry = std::filesystem::directory_iterator(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename();
    if (name == "LOCK" || name == "NODE.tmp") continue;
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is not empty and holds no troupe data\n  give this node a new or empty directory as --data-dir"));
  }
  return error ? ErrnoError(error.value(), absl::StrCat("read ", path)) : absl::OkStatus();
}

// kNotFound when there is none.
absl::StatusOr<std::string> ReadFile(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoError(errno, absl::StrCat("read ", path));
  std::string text(kMaxFileBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError(errno, absl::StrCat("read ", path));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  if (size > kMaxFileBytes) return absl::DataLossError(absl::StrCat(path, " is longer than we ever write it"));
  return text;
}

// So that after a crash at any moment `path` holds the old text or the new one, whole.
absl::Status WriteFileAtomically(const std::string& directory, const std::string& path, std::string_view text) {
  const std::string temporary = path + ".tmp";
  auto fail = [&](int error) {
    unlink(temporary.c_str());
    return ErrnoError(error, absl::StrCat("write ", path));
  };
  {
    FileDescriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.get() < 0) return ErrnoError(errno, absl::StrCat("write ", path));
    while (!text.empty()) {
      ssize_t written = write(file.get(), text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(errno);
      text.remove_prefix(static_cast<size_t>(written));
    }
    if (fsync(file.get()) != 0) return fail(errno);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
  return SyncDirectory(directory);
}

// Text that NODE holds between quotes as it is.
bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '"' && c != '\\';
  });
}

bool IsId(std::string_view text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// A node is not started 2^60 times; the others would not take a larger number.
bool IsGeneration(uint64_t number) { return number > 0 && number < uint64_t{1} << 60; }

std::string FormatNodeFile(const NodeFile& node) {
  return absl::StrCat("# Who this data belongs to. Written by troupe-node at each start; not to be edited.\n",  //
                      "format = ", kFormat,                                                                     //
                      "\ncluster_id = \"", node.cluster_id,                                                     //
                      "\"\nnode_id = \"", node.node_id,                                                         //
                      "\"\nnode_name = \"", node.node_name,                                                     //
                      "\"\nrole = \"", node.founder ? "founder" : "member",                                     //
                      "\"\ngeneration = ", node.generation,                                                     //
                      "\npid = ", node.pid,                                                                     //
                      "\nstarted = \"", node.started, "\"\n");
}

bool ParseNumber(std::string_view text, uint64_t& number) {
  return text.find_first_not_of("0123456789") == std::string_view::npos &&
         absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &number);
}

bool ParseQuoted(std::string_view text, std::string& content) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  content = text.substr(1, text.size() - 2);
  return IsPlain(content);
}

// A node that has not joined yet is in no cluster.
bool ParseClusterId(std::string_view text, std::string& content) {
  content.clear();
  return text == "\"\"" || (ParseQuoted(text, content) && IsId(content));
}

bool ParseRole(std::string_view text, bool& founder) {
  founder = text == "\"founder\"";
  return founder || text == "\"member\"";
}

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged: ", why, "\n  restore the directory from a copy, or give this node another --data-dir"));
}

absl::Status CheckFormat(const std::string& path, const std::string& value) {
  uint64_t format = 0;
  if (!ParseNumber(value, format) || format < 1) return Damaged(path, "there is no such format");
  if (format <= kFormat) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, " has format ", format, "; this troupe-node understands format ", kFormat,
                   "\n  run the newer troupe-node, or give this node another --data-dir"));
}

absl::StatusOr<NodeFile> ParseNodeFile(const std::string& path, const std::string& text) {
  std::map<std::string, std::string> values;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    std::string name(absl::StripAsciiWhitespace(parts.first)), value(absl::StripAsciiWhitespace(parts.second));
    if (name.empty() || value.empty()) return Damaged(path, absl::StrCat("line ", number, " is not key = value"));
    // The format comes first, so that a newer one is known as such whatever else it changes.
    if (values.empty() != (name == "format")) return Damaged(path, "its first key is not format");
    if (name == "format") {
      if (absl::Status status = CheckFormat(path, value); !status.ok()) return status;
    }
    if (!values.emplace(name, value).second) return Damaged(path, absl::StrCat(name, " stands there twice"));
  }

  NodeFile node;
  uint64_t format = 0;
  if (auto found = values.find("format"); found != values.end() && found->second == "1") {
    values.emplace("role", "\"founder\"");
  }
  struct Field {
    const char* name;
    std::function<bool(const std::string&)> parse;
  };
  const Field kFields[] = {
      {"format", [&](const auto& value) { return ParseNumber(value, format); }},
      {"cluster_id", [&](const auto& value) { return ParseClusterId(value, node.cluster_id); }},
      {"node_id", [&](const auto& value) { return ParseQuoted(value, node.node_id) && IsId(node.node_id); }},
      {"node_name", [&](const auto& value) { return ParseQuoted(value, node.node_name); }},
      {"role", [&](const auto& value) { return ParseRole(value, node.founder); }},
      {"generation",
       [&](const auto& value) { return ParseNumber(value, node.generation) && IsGeneration(node.generation); }},
      {"pid", [&](const auto& value) { return ParseNumber(value, node.pid); }},
      {"started", [&](const auto& value) { return ParseQuoted(value, node.started); }},
  };
  for (const Field& field : kFields) {
    auto value = values.extract(field.name);
    if (value.empty()) return Damaged(path, absl::StrCat("it has no ", field.name));
    if (!field.parse(value.mapped())) return Damaged(path, absl::StrCat(field.name, " makes no sense"));
  }
  if (!values.empty()) return Damaged(path, absl::StrCat("unknown key ", absl::CHexEscape(values.begin()->first)));
  if (node.founder && node.cluster_id.empty()) return Damaged(path, "cluster_id makes no sense");
  return node;
}

std::vector<std::string> ReadPeers(const std::string& path) {
  std::vector<std::string> peers;
  for (absl::string_view line : absl::StrSplit(ReadFile(path).value_or(""), '\n', absl::SkipWhitespace())) {
    const std::string peer(absl::StripAsciiWhitespace(line));
    if (IsPlain(peer) && peer.find(':') != std::string::npos && peers.size() < kMaxPeers) peers.push_back(peer);
  }
  return peers;
}

// The directory's lock, or who has it.
absl::StatusOr<int> Lock(const std::string& directory) {
  const std::string path = directory + "/LOCK";
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return ErrnoError(errno, absl::StrCat("open ", path));
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file.Release();
  if (errno != EWOULDBLOCK) return ErrnoError(errno, absl::StrCat("lock ", path));
  std::string owner = "another process";
  const std::string node_path = directory + "/NODE";
  if (absl::StatusOr<std::string> text = ReadFile(node_path); text.ok()) {
    if (absl::StatusOr<NodeFile> node = ParseNodeFile(node_path, *text); node.ok()) {
      owner = absl::StrCat("troupe-node ", node->node_name, ", pid ", node->pid, ", since ", node->started);
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat(directory, " is in use by ", owner, "\n  stop it, or give this node another --data-dir"));
}

absl::Status CheckOptions(const DataDirOptions& options) {
  if (options.path.empty()) return absl::InvalidArgumentError("the name of the data directory is empty");
  if (!IsPlain(options.node_name)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the node name \"", absl::CHexEscape(options.node_name),
                     "\" is empty or holds something else than printable ASCII without '\"' and '\\'"));
  }
  return absl::OkStatus();
}

std::string MakeId(const DataDirOptions& options) {
  std::string id = options.make_id();
  CHECK(IsId(id)) << "make_id gave \"" << id << "\"";
  return id;
}

}  // namespace

bool DataDir::store_made() const { return Exists(path_ + "/STORE"); }

absl::Status DataDir::MarkStoreMade() const {
  return WriteFileAtomically(path_, path_ + "/STORE", "A store was made in state/. Without it, it has been lost.\n");
}

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(const DataDirOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  std::unique_ptr<DataDir> dir(new DataDir());
  dir->path_ = options.path;
  while (dir->path_.size() > 1 && dir->path_.back() == '/') dir->path_.pop_back();
  const std::string node_path = dir->node_path();

  if (absl::Status status = MakeDirectories(dir->path_); !status.ok()) return status;
  // Somebody's own directory is left without even a LOCK. (Whoever is founding this one made its LOCK first.)
  absl::Status empty = CheckEmpty(dir->path_);
  if (!empty.ok() && !Exists(node_path) && !Exists(dir->path_ + "/LOCK")) return empty;
  absl::StatusOr<int> lock = Lock(dir->path_);
  if (!lock.ok()) return lock.status();
  dir->lock_ = *lock;

  NodeFile node;
  absl::StatusOr<std::string> text = ReadFile(node_path);
  if (text.ok()) {
    absl::StatusOr<NodeFile> parsed = ParseNodeFile(node_path, *text);
    if (!parsed.ok()) return parsed.status();
    node = *std::move(parsed);
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  } else if (absl::Status status = CheckEmpty(dir->path_); !status.ok()) {
    return status;
  }
  // One that has joined no cluster is as good as new: what it was refused for may be what is changed now.
  if (node.cluster_id.empty()) {
    dir->founded_ = true;
    node.founder = !options.join;
    if (node.founder) node.cluster_id = MakeId(options);
    if (node.node_id.empty()) node.node_id = MakeId(options);
    node.node_name = options.node_name;
  }
  if (node.node_name != options.node_name) {
    return absl::FailedPreconditionError(absl::StrCat(dir->path_, " belongs to node ", node.node_name, ", not ",
                                                      options.node_name, "\n  start it with --name=", node.node_name,
                                                      ", or give ", options.node_name, " another --data-dir"));
  }

  ++node.generation;
  node.pid = static_cast<uint64_t>(getpid());
  node.started = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", options.now, absl::UTCTimeZone());
  if (absl::Status status = WriteFileAtomically(dir->path_, node_path, FormatNodeFile(node)); !status.ok()) {
    return status;
  }
  dir->opened_cluster_id_ = node.cluster_id;
  dir->opened_generation_ = node.generation;
  dir->opened_peers_ = ReadPeers(dir->path_ + "/PEERS");
  dir->node_ = std::move(node);
  return dir;
}

absl::Status DataDir::SaveIdentity(const std::string& cluster_id, uint64_t generation) {
  std::lock_guard lock(saving_);
  node_.cluster_id = cluster_id;
  node_.generation = generation;
  return WriteFileAtomically(path_, node_path(), FormatNodeFile(node_));
}

absl::Status DataDir::SavePeers(const std::vector<std::string>& addresses) {
  std::string text;
  for (const std::string& address : addresses) absl::StrAppend(&text, address, "\n");
  std::lock_guard lock(saving_);
  return WriteFileAtomically(path_, path_ + "/PEERS", text);
}

DataDir::~DataDir() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace troupe
