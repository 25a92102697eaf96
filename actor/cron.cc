#include "actor/cron.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <climits>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace troupe {
namespace {

constexpr size_t kMaxBytes = 256;

struct Field {
  absl::string_view label;
  int first;
  int last;
  absl::string_view names;  // three letters each, the first one for `names_from`
  int names_from;
};

constexpr std::array<Field, 5> kFields = {{
    {"minute", 0, 59, "", 0},
    {"hour", 0, 23, "", 0},
    {"day of month", 1, 31, "", 0},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1},
    {"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT", 0},
}};
constexpr int kDayOfWeek = 4;

template <typename... Parts>
absl::Status Wrong(const Field& field, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(field.label, ": ", parts...));
}

// Digits and nothing else; -1 for the rest.
int ParseNumber(absl::string_view text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && parsed == end && number <= INT_MAX ? static_cast<int>(number) : -1;
}

absl::StatusOr<int> ParseValue(const Field& field, absl::string_view text) {
  if (text.empty()) return Wrong(field, "a value is missing");
  if (text.size() == 3) {
    std::string upper(text);
    absl::AsciiStrToUpper(&upper);
    for (size_t i = 0; i < field.names.size(); i += 3) {
      if (field.names.substr(i, 3) == upper) return field.names_from + static_cast<int>(i / 3);
    }
  }
  const int value = ParseNumber(text);
  if (value < field.first || value > field.last) {
    return Wrong(field, "\"", text, "\" is not between ", field.first, " and ", field.last,
                 field.names.empty() ? "" : ", nor a name of three letters");
  }
  return value;
}

// One member of a field's list, as bits.
absl::StatusOr<uint64_t> ParseItem(const Field& field, absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view range = text.substr(0, slash);
  const size_t dash = range.find('-');
  int begin = field.first;
  int end = &field == &kFields[kDayOfWeek] ? 6 : field.last;
  if (range != "*") {
    absl::StatusOr<int> value = ParseValue(field, range.substr(0, dash));
    if (!value.ok()) return value.status();
    begin = end = *value;
    if (dash != absl::string_view::npos) {
      value = ParseValue(field, range.substr(dash + 1));
      if (!value.ok()) return value.status();
      end = *value;
      // A week that ends on its Sunday.
      if (&field == &kFields[kDayOfWeek] && end == 0 && begin > 0) end = 7;
      if (end < begin) return Wrong(field, "the range \"", range, "\" ends before it begins");
    }
  }
  int step = 1;
  if (slash != absl::string_view::npos) {
    const absl::string_view count = text.substr(slash + 1);
    if (range != "*" && dash == absl::string_view::npos) return Wrong(field, "a step needs a range or * before it");
    step = ParseNumber(count);
    if (step < 1) {
      return Wrong(field, "\"", count, "\" is no step; it must be at least 1");
    }
  }
  uint64_t bits = 0;
  for (int value = begin; value <= end; value += std::min(step, 64)) bits |= uint64_t{1} << value;
  return bits;
}

absl::StatusOr<uint64_t> ParseField(const Field& field, absl::string_view text) {
  uint64_t bits = 0;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    absl::StatusOr<uint64_t> more = ParseItem(field, item);
    if (!more.ok()) return more;
    bits |= *more;
  }
  constexpr uint64_t kSeventh = uint64_t{1} << 7;
  if (&field == &kFields[kDayOfWeek] && (bits & kSeventh) != 0) bits = (bits & ~kSeventh) | 1;
  return bits;
}

bool Has(uint64_t bits, int value) { return (bits >> value & 1) != 0; }

// The smallest value from `from` on; 64 when there is none.
int FirstValue(uint64_t bits, int from) { return from > 63 ? 64 : std::countr_zero(bits >> from << from); }

// Whether a day of the month lies in one of the months, in a leap year if need be.
bool DateExists(uint64_t days_of_month, uint64_t months) {
  constexpr int kDays[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int month = 1; month <= 12; ++month) {
    if (Has(months, month) && FirstValue(days_of_month, 1) <= kDays[month - 1]) return true;
  }
  return false;
}

// When the zone's clock next jumps after `now`; InfiniteFuture if it does not.
absl::Time NextJump(absl::Time now, absl::TimeZone zone) {
  absl::TimeZone::CivilTransition jump;
  if (!zone.NextTransition(now, &jump)) return absl::InfiniteFuture();
  const absl::TimeZone::TimeInfo to = zone.At(jump.to);
  if (to.kind == absl::TimeZone::TimeInfo::REPEATED) return to.trans;
  const absl::TimeZone::TimeInfo from = zone.At(jump.from);
  return from.kind == absl::TimeZone::TimeInfo::SKIPPED ? from.trans : to.pre;
}

}  // namespace

absl::StatusOr<CronSchedule> CronSchedule::Parse(std::string_view schedule_text) {
  const absl::string_view text(schedule_text.data(), schedule_text.size());
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a schedule has at most ", kMaxBytes, " bytes"));
  }
  const std::vector<absl::string_view> texts = absl::StrSplit(text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (texts.size() != kFields.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a schedule has five fields (minute, hour, day of month, month, day of week), not ", texts.size()));
  }
  CronSchedule schedule;
  uint64_t* const bits[] = {&schedule.minutes_, &schedule.hours_, &schedule.days_of_month_, &schedule.months_,
                            &schedule.days_of_week_};
  for (size_t i = 0; i < kFields.size(); ++i) {
    absl::StatusOr<uint64_t> parsed = ParseField(kFields[i], texts[i]);
    if (!parsed.ok()) return parsed.status();
    *bits[i] = *parsed;
  }
  schedule.follows_real_time_ = texts[0].front() == '*' || texts[1].front() == '*';
  schedule.either_day_ = texts[2].front() != '*' && texts[kDayOfWeek].front() != '*';
  if (!schedule.either_day_ && !DateExists(schedule.days_of_month_, schedule.months_)) {
    return absl::InvalidArgumentError("day of month: no month given has such a day");
  }
  return schedule;
}

absl::Time CronSchedule::Next(absl::Time after, absl::TimeZone zone) const {
  // Outside of these years civil times may overflow.
  const absl::Time year_1 = absl::FromCivil(absl::CivilYear(1), absl::UTCTimeZone());
  const absl::Time year_10000 = absl::FromCivil(absl::CivilYear(10000), absl::UTCTimeZone());
  after = std::max(after, year_1);
  if (after >= year_10000) return absl::InfiniteFuture();
  const absl::Time next = follows_real_time_ ? NextByRealTime(after, zone) : NextByTimeOfDay(after, zone);
  return next < year_10000 ? next : absl::InfiniteFuture();
}

bool CronSchedule::DayMatches(absl::CivilDay day) const {
  // Abseil's week begins on Monday, with 0.
  const int day_of_week = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const bool by_month = Has(days_of_month_, day.day());
  const bool by_week = Has(days_of_week_, day_of_week);
  return either_day_ ? by_month || by_week : by_month && by_week;
}

// The first minute on the calendar that matches, whether a clock shows it or not.
absl::CivilMinute CronSchedule::FirstFrom(absl::CivilMinute from) const {
  // The calendar repeats itself after 400 years, and Parse has seen to it that some day matches.
  const absl::CivilYear end = absl::CivilYear(from) + 401;
  for (absl::CivilDay day(from); day < absl::CivilDay(end);) {
    if (!Has(months_, day.month())) {
      day = absl::CivilDay(absl::CivilMonth(day) + 1);
      continue;
    }
    if (DayMatches(day)) {
      const bool today = day == absl::CivilDay(from);
      int hour = FirstValue(hours_, today ? from.hour() : 0);
      int minute = FirstValue(minutes_, today && hour == from.hour() ? from.minute() : 0);
      if (minute > 59) {
        hour = FirstValue(hours_, hour + 1);
        minute = FirstValue(minutes_, 0);
      }
      if (hour <= 23) return absl::CivilMinute(day.year(), day.month(), day.day(), hour, minute);
    }
    ++day;
  }
  LOG(FATAL) << "a schedule that never happens was not refused";
}

absl::Time CronSchedule::NextByTimeOfDay(absl::Time after, absl::TimeZone zone) const {
  absl::CivilMinute minute = FirstFrom(absl::CivilMinute(zone.At(after).cs));
  // Only minutes of an hour that is shown again can lie before `after`, so this ends soon.
  while (true) {
    const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(minute));
    const absl::Time time = info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
    if (time > after) return time;
    minute = FirstFrom(minute + 1);
  }
}

absl::Time CronSchedule::NextByRealTime(absl::Time after, absl::TimeZone zone) const {
  absl::TimeZone::CivilInfo now = zone.At(after);
  absl::CivilMinute minute = FirstFrom(absl::CivilMinute(now.cs) + 1);
  absl::Time begin = after - now.subsecond;
  // From jump to jump: between two of them the clock runs like time itself.
  while (true) {
    const absl::Time time = begin + absl::Seconds(absl::CivilSecond(minute) - now.cs);
    const absl::Time jump = NextJump(begin, zone);
    if (time < jump) return time;
    begin = jump;
    now = zone.At(begin);
    const absl::CivilMinute shown(now.cs);
    minute = FirstFrom(absl::CivilSecond(shown) == now.cs ? shown : shown + 1);
  }
}

CronClock::CronClock(const CronSchedule& schedule, absl::TimeZone zone, absl::Time now)
    : schedule_(schedule), zone_(zone) {
  Follow(now);
}

void CronClock::Follow(absl::Time last) {
  last_ = last;
  due_ = schedule_.Next(last, zone_);
}

bool CronClock::Tick(absl::Time now) {
  constexpr int kMostHoursSetBack = 3;
  if (now < last_ - absl::Hours(kMostHoursSetBack)) Follow(now);
  if (now < due_) return false;
  Follow(now);
  return true;
}

absl::Duration CronClock::Wait(absl::Time now) const {
  return std::clamp(due_ - now, absl::ZeroDuration(), absl::Minutes(1));
}

absl::StatusOr<absl::TimeZone> FindTimeZone(std::string_view name) {
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(std::string(name), &zone)) {
    return absl::NotFoundError(absl::StrCat("no time zone \"", std::string(name), "\""));
  }
  return zone;
}

}  // namespace troupe
