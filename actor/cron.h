// Cron schedules: five fields, minute hour day-of-month month day-of-week. Pure; the zone's rules are a parameter.
//
//   absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse("30 2 * * MON-FRI");
//   absl::Time next = schedule->Next(now, absl::UTCTimeZone());
//
// A field is a list, with commas, of `*`, numbers, and ranges `a-b`; a star or a range may have a step: `*/15`,
// `8-18/2`. Months and days of the week have English names of three letters, in any case. Sunday is 0 and 7.
//
// Days, as everywhere since Vixie's cron: when both day fields are restricted, a day needs to match only one of them
// (`0 0 13 * FRI` is every 13th and every Friday); a field that begins with `*` is not a restriction, and then a day
// must match both.
//
// When the clocks change:
//   - A schedule whose minute or hour begins with `*` follows real time: what the clock jumps over does not happen, and
//     what it shows twice happens twice. `*/10 * * * *` is every ten minutes on such days, too.
//   - Any other names times of the day, and each happens once: what the clock jumps over at the moment of the jump
//     (several at once, if it jumps over several), and what it shows twice the first time.
#ifndef TROUPE_ACTOR_CRON_H_
#define TROUPE_ACTOR_CRON_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace troupe {

class CronSchedule {
 public:
  // At most 256 bytes. kInvalidArgument names the field and what is wrong with it; also for a schedule that no day
  // fulfils, such as the 30th of February.
  static absl::StatusOr<CronSchedule> Parse(std::string_view text);

  // The first time after `after`, never `after` itself. InfiniteFuture past the year 9999.
  absl::Time Next(absl::Time after, absl::TimeZone zone) const;

 private:
  CronSchedule() = default;

  bool DayMatches(absl::CivilDay day) const;
  absl::CivilMinute FirstFrom(absl::CivilMinute from) const;
  absl::Time NextByTimeOfDay(absl::Time after, absl::TimeZone zone) const;
  absl::Time NextByRealTime(absl::Time after, absl::TimeZone zone) const;

  // A bit for each value.
  uint64_t minutes_ = 0;
  uint64_t hours_ = 0;
  uint64_t days_of_month_ = 0;
  uint64_t months_ = 0;
  uint64_t days_of_week_ = 0;  // Sunday is 0
  bool either_day_ = false;    // both day fields are restricted
  bool follows_real_time_ = false;
};

// When a timer that follows a schedule ticks, by a clock that may jump or be looked at late:
//   - What has been missed, in a stall or a jump ahead, is one tick.
//   - What has ticked does not tick again when the clock is set back by three hours or less. Set back further, it was
//     wrong before, and the schedule begins anew from what it shows then.
// Pure.
class CronClock {
 public:
  // The first tick is the first time after `now`.
  CronClock(const CronSchedule& schedule, absl::TimeZone zone, absl::Time now);

  // To be asked when Wait is over: whether it ticks at `now`.
  bool Tick(absl::Time now);
  // A minute at most, so that a clock that jumps ahead is noticed.
  absl::Duration Wait(absl::Time now) const;

 private:
  void Follow(absl::Time last);

  const CronSchedule schedule_;
  const absl::TimeZone zone_;
  absl::Time last_;  // of the last tick, or the beginning
  absl::Time due_;
};

// A zone of the system's database by its name ("Europe/Berlin"; "UTC" is there always). kNotFound: no such zone.
// Reads a file the first time.
absl::StatusOr<absl::TimeZone> FindTimeZone(std::string_view name);

}  // namespace troupe

#endif  // TROUPE_ACTOR_CRON_H_
