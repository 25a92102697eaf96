#ifndef TROUPE_APPS_BENCH_MACHINE_H_
#define TROUPE_APPS_BENCH_MACHINE_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace troupe {

// "2 x Intel(R) Xeon(R) Processor, Linux 6.1.0-18-amd64": what figures depend on first.
std::string DescribeMachine();

// "ext4", "tmpfs", ...; "an unknown file system" when it is none of the usual.
std::string FileSystemOf(const std::string& directory);

// How busy everything but some processes of ours keeps this machine, from its construction on.
//   Limits: the kernel counts in hundredths of a second, so below half a second the figure is a hint only. Its own
//           threads that write out our data count as foreign, some 20 % beside a busy disk.
class ForeignCpu {
 public:
  // This process is always one of ours.
  explicit ForeignCpu(std::vector<pid_t> ours);

  // In percent of one core, so up to 100 times the number of cores.
  double Percent() const;

 private:
  struct Reading {
    double wall = 0;  // all in seconds
    double idle = 0;  // of all cores together
    double ours = 0;
  };
  Reading Read() const;

  std::vector<pid_t> ours_;
  Reading start_;
};

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_MACHINE_H_
