#include "apps/node/port_owner.h"

#include <arpa/inet.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

// An IPv6 address in network order; an IPv4 one stands in its mapped form.
using IpAddress = std::array<unsigned char, 16>;

constexpr IpAddress kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

bool IsAny(const IpAddress& address) { return address == IpAddress{} || address == kMapped; }

// None for a host name: it may stand for several.
std::optional<IpAddress> ParseAddress(std::string host) {
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  IpAddress address = kMapped;
  if (inet_pton(AF_INET, host.c_str(), address.data() + 12) == 1) return address;
  if (inet_pton(AF_INET6, host.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

// The kernel prints each 32-bit word of the address as a number, so its bytes are in the machine's order.
IpAddress ParseKernelAddress(const std::string& hex) {
  IpAddress address = kMapped;
  const size_t words = std::min<size_t>(hex.size() / 8, 4);
  for (size_t i = 0; i < words; ++i) {
    const auto word = static_cast<uint32_t>(std::strtoul(hex.substr(i * 8, 8).c_str(), nullptr, 16));
    std::memcpy(address.data() + 16 - (words - i) * 4, &word, 4);
  }
  return address;
}

// The inodes of the sockets in one of the kernel's tables that listen on the port and address.
void FindListeners(const char* table, const std::optional<IpAddress>& address, int port,
                   std::set<std::string>& inodes) {
  constexpr std::string_view kListen = "0A";
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, user, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> inode;
    const size_t colon = local.find(':');
    if (!fields || state != kListen || colon == std::string::npos) continue;
    if (std::strtol(local.c_str() + colon + 1, nullptr, 16) != port) continue;
    const IpAddress bound = ParseKernelAddress(local.substr(0, colon));
    if (!address.has_value() || *address == bound || IsAny(*address) || IsAny(bound)) inodes.insert(inode);
  }
}

bool HoldsOneOf(const std::filesystem::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (std::filesystem::directory_iterator fd(process / "fd", error), end; !error && fd != end; fd.increment(error)) {
    std::error_code gone;  // a descriptor may be closed between the listing and the look
    const std::string target = std::filesystem::read_symlink(fd->path(), gone).string();
    if (!gone && target.starts_with("socket:[") && inodes.contains(target.substr(8, target.size() - 9))) return true;
  }
  return false;
}

}  // namespace

std::string DescribePortOwner(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(host_port.substr(colon + 1), &port) || port == 0) return "";
  const std::optional<IpAddress> address = ParseAddress(host_port.substr(0, colon));
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) FindListeners(table, address, port, inodes);
  if (inodes.empty()) return "";

  std::error_code error;
  for (std::filesystem::directory_iterator process("/proc", error), end; !error && process != end;
       process.increment(error)) {
    const std::string pid = process->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos || !HoldsOneOf(process->path(), inodes)) continue;
    std::string command;
    std::ifstream comm(process->path() / "comm");
    std::getline(comm, command);
    return absl::StrCat("pid ", pid, " (", absl::CHexEscape(command), ")");
  }
  return "";
}

}  // namespace troupe
