#include "apps/bench/machine.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

// Not among the kernel's exported headers.
constexpr long kXfsMagic = 0x58465342;
constexpr long kZfsMagic = 0x2FC12FC1;

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

double TicksToSeconds(double ticks) { return ticks / static_cast<double>(sysconf(_SC_CLK_TCK)); }

// User and system time of all threads of a process; 0 when it is not there.
double CpuSecondsOf(pid_t process) {
  std::ifstream file(absl::StrCat("/proc/", process, "/stat"));
  std::stringstream content;
  content << file.rdbuf();
  // The program's name stands in parentheses and may hold anything, so the fields are counted from its end: the
  // state is the first, the times are the twelfth and thirteenth.
  const std::string text = content.str();
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return TicksToSeconds(user + system);
}

// What all cores together did not use.
double IdleSeconds() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, io_wait = 0;
  file >> cpu >> user >> nice >> system >> idle >> io_wait;
  return TicksToSeconds(idle + io_wait);
}

}  // namespace

std::string DescribeMachine() {
  utsname names = {};
  uname(&names);
  return absl::StrCat(sysconf(_SC_NPROCESSORS_ONLN), " x ", CpuModel(), ", ", names.sysname, " ", names.release);
}

std::string FileSystemOf(const std::string& directory) {
  struct statfs found = {};
  if (statfs(directory.c_str(), &found) != 0) return "an unknown file system";
  switch (static_cast<long>(found.f_type)) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case kXfsMagic:
      return "xfs";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case kZfsMagic:
      return "zfs";
    case OVERLAYFS_SUPER_MAGIC:
      return "overlayfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    default:
      return "an unknown file system";
  }
}

ForeignCpu::ForeignCpu(std::vector<pid_t> ours) : ours_(std::move(ours)) {
  ours_.push_back(getpid());
  start_ = Read();
}

double ForeignCpu::Percent() const {
  const Reading now = Read();
  const double wall = now.wall - start_.wall;
  // Busy is what was not idle: the kernel times idleness, but only samples what it was busy with.
  const double busy = wall * static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)) - (now.idle - start_.idle);
  const double foreign = busy - (now.ours - start_.ours);
  return wall > 0 ? std::max(0.0, foreign / wall * 100) : 0;
}

ForeignCpu::Reading ForeignCpu::Read() const {
  Reading reading;
  reading.wall = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  reading.idle = IdleSeconds();
  for (const pid_t process : ours_) reading.ours += CpuSecondsOf(process);
  return reading;
}

}  // namespace troupe
