// Cron schedules: what they mean, what is refused, the days on which clocks change; then random schedules against a
// walk through every minute.
#include "actor/cron.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::TimeZone Zone(std::string_view name) { return FindTimeZone(name).value(); }

absl::Time At(const std::string& text, absl::TimeZone zone = absl::UTCTimeZone()) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime("%Y-%m-%d %H:%M", text, zone, &time, &error)) << error;
  return time;
}

// The times after `from`, as the clock shows them, with the offset where the zone has several.
std::vector<std::string> NextTimes(std::string_view schedule, const std::string& from, int count,
                                   absl::TimeZone zone = absl::UTCTimeZone()) {
  const CronSchedule parsed = CronSchedule::Parse(schedule).value();
  const bool utc = zone == absl::UTCTimeZone();
  std::vector<std::string> times;
  absl::Time time = At(from, zone);
  for (int i = 0; i < count; ++i) {
    time = parsed.Next(time, zone);
    times.push_back(absl::FormatTime(utc ? "%a %Y-%m-%d %H:%M" : "%m-%d %H:%M %z", time, zone));
  }
  return times;
}

TEST(CronTest, FieldsAreListsRangesStepsAndNames) {
  EXPECT_THAT(NextTimes("5 4 * * *", "2026-01-31 04:05", 2),
              ElementsAre("Sun 2026-02-01 04:05", "Mon 2026-02-02 04:05"));
  EXPECT_THAT(NextTimes("*/20 * * * *", "2026-01-01 00:00", 3),
              ElementsAre("Thu 2026-01-01 00:20", "Thu 2026-01-01 00:40", "Thu 2026-01-01 01:00"));
  EXPECT_THAT(NextTimes("10,50 8-12/4 1 jan,Dec *", "2026-01-01 00:00", 5),
              ElementsAre("Thu 2026-01-01 08:10", "Thu 2026-01-01 08:50", "Thu 2026-01-01 12:10",
                          "Thu 2026-01-01 12:50", "Tue 2026-12-01 08:10"));
  EXPECT_THAT(NextTimes("0 0 * * MON-FRI/2", "2026-01-01 00:00", 3),
              ElementsAre("Fri 2026-01-02 00:00", "Mon 2026-01-05 00:00", "Wed 2026-01-07 00:00"));
}

TEST(CronTest, SundayIsZeroAndSevenAndMayEndARange) {
  for (const char* sunday : {"0", "7", "SUN", "sun", "0,7"}) {
    EXPECT_THAT(NextTimes(absl::StrCat("0 0 * * ", sunday), "2026-01-01 00:00", 2),
                ElementsAre("Sun 2026-01-04 00:00", "Sun 2026-01-11 00:00"));
  }
  for (const char* weekend : {"6-7", "SAT-SUN", "6-0", "6,0"}) {
    EXPECT_THAT(NextTimes(absl::StrCat("0 0 * * ", weekend), "2026-01-01 00:00", 3),
                ElementsAre("Sat 2026-01-03 00:00", "Sun 2026-01-04 00:00", "Sat 2026-01-10 00:00"));
  }
}

TEST(CronTest, TwoRestrictedDayFieldsMeanEither) {
  EXPECT_THAT(
      NextTimes("0 0 13 * FRI", "2026-01-01 00:00", 4),
      ElementsAre("Fri 2026-01-02 00:00", "Fri 2026-01-09 00:00", "Tue 2026-01-13 00:00", "Fri 2026-01-16 00:00"));
}

TEST(CronTest, ADayFieldThatBeginsWithAStarMeansBoth) {
  EXPECT_THAT(NextTimes("0 0 */2 * FRI", "2026-01-01 00:00", 2),
              ElementsAre("Fri 2026-01-09 00:00", "Fri 2026-01-23 00:00"));
  EXPECT_THAT(NextTimes("0 0 13 * *", "2026-01-01 00:00", 1), ElementsAre("Tue 2026-01-13 00:00"));
}

TEST(CronTest, LeapDaysAreFoundOverACenturyWithoutOne) {
  EXPECT_THAT(NextTimes("0 0 29 2 *", "2096-03-01 00:00", 1), ElementsAre("Fri 2104-02-29 00:00"));
  EXPECT_THAT(NextTimes("0 0 29 2 */7", "2089-01-01 00:00", 1), ElementsAre("Sun 2128-02-29 00:00"))
      << "one on a Sunday";
}

TEST(CronTest, WhatIsWrongIsSaid) {
  const struct {
    std::string schedule;
    std::string error;
  } kCases[] = {
      {"", "five fields"},
      {"* * * *", "five fields (minute, hour, day of month, month, day of week), not 4"},
      {"@daily", "five fields"},
      {"60 * * * *", "minute: \"60\" is not between 0 and 59"},
      {"* 24 * * *", "hour: \"24\""},
      {"* * 0 * *", "day of month: \"0\" is not between 1 and 31"},
      {"* * * 13 *", "month: \"13\""},
      {"* * * * 8", "day of week: \"8\""},
      {"* * * FOO *", "nor a name of three letters"},
      {"MON * * * *", "minute: \"MON\""},
      {"-1 * * * *", "minute: a value is missing"},
      {"+1 * * * *", "minute: \"+1\""},
      {"1, * * * *", "minute: a value is missing"},
      {"30-10 * * * *", "the range \"30-10\" ends before it begins"},
      {"1-2-3 * * * *", "minute: \"2-3\""},
      {"*/0 * * * *", "\"0\" is no step"},
      {"*/ * * * *", "\"\" is no step"},
      {"5/10 * * * *", "a step needs a range or * before it"},
      {"99999999999999999999 * * * *", "minute: "},
      {"* * 30 2 *", "no month given has such a day"},
      {"* * 31 4,6,9,11 *", "no month given has such a day"},
  };
  for (const auto& c : kCases) {
    absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(c.schedule);
    EXPECT_TRUE(absl::IsInvalidArgument(schedule.status())) << c.schedule;
    EXPECT_THAT(std::string(schedule.status().message()), HasSubstr(c.error)) << c.schedule;
  }
  EXPECT_FALSE(CronSchedule::Parse(std::string(257, ' ') + "* * * * *").ok());
  EXPECT_TRUE(CronSchedule::Parse("0 0 30 2 MON").ok()) << "the Mondays of February";
  EXPECT_TRUE(CronSchedule::Parse("\t0  0 * * 1-5/2147483647 ").ok());
}

TEST(CronTest, AnUnknownZoneIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(FindTimeZone("Atlantis/Capital").status()));
  EXPECT_TRUE(FindTimeZone("UTC").ok());
}

// In Berlin clocks jump from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25.

TEST(CronClockChangeTest, ATimeThatIsJumpedOverHappensAtTheJumpOnce) {
  EXPECT_THAT(NextTimes("30 2 * * *", "2026-03-28 00:00", 3, Zone("Europe/Berlin")),
              ElementsAre("03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"));
  EXPECT_THAT(NextTimes("15,45 2 * * *", "2026-03-29 00:00", 2, Zone("Europe/Berlin")),
              ElementsAre("03-29 03:00 +0200", "03-30 02:15 +0200"));
}

TEST(CronClockChangeTest, ATimeThatIsShownTwiceHappensTheFirstTime) {
  EXPECT_THAT(NextTimes("30 2 * * *", "2026-10-24 12:00", 2, Zone("Europe/Berlin")),
              ElementsAre("10-25 02:30 +0200", "10-26 02:30 +0100"));
}

TEST(CronClockChangeTest, AnIntervalFollowsRealTime) {
  EXPECT_THAT(NextTimes("30 * * * *", "2026-03-29 01:00", 2, Zone("Europe/Berlin")),
              ElementsAre("03-29 01:30 +0100", "03-29 03:30 +0200"));
  EXPECT_THAT(NextTimes("0 * * * *", "2026-03-29 01:30", 1, Zone("Europe/Berlin")), ElementsAre("03-29 03:00 +0200"));
  EXPECT_THAT(NextTimes("30 * * * *", "2026-10-25 01:00", 4, Zone("Europe/Berlin")),
              ElementsAre("10-25 01:30 +0200", "10-25 02:30 +0200", "10-25 02:30 +0100", "10-25 03:30 +0100"));
  EXPECT_THAT(NextTimes("*/30 2 * * *", "2026-03-28 02:30", 1, Zone("Europe/Berlin")),
              ElementsAre("03-30 02:00 +0200"));
}

TEST(CronTest, OutsideOfTheYearsOneTo9999ThereIsNoNext) {
  const CronSchedule schedule = CronSchedule::Parse("0 0 1 1 *").value();
  EXPECT_EQ(schedule.Next(absl::InfiniteFuture(), absl::UTCTimeZone()), absl::InfiniteFuture());
  EXPECT_EQ(schedule.Next(At("9999-06-01 00:00"), absl::UTCTimeZone()), absl::InfiniteFuture());
  EXPECT_EQ(schedule.Next(absl::InfinitePast(), absl::UTCTimeZone()), At("0002-01-01 00:00"));
}

// A field by its meaning: the values, and how it may be written.
struct RandomField {
  std::set<int> values;
  std::string text;
  bool star = false;
};

RandomField MakeField(Random& random, int first, int last, int stars_per_mille) {
  RandomField field;
  if (random.PerMille(stars_per_mille)) {
    field.star = true;
    const int step = random.PerMille(700) ? 1 : 1 + static_cast<int>(random.Below(last - first + 1));
    for (int value = first; value <= last; value += step) field.values.insert(value);
    field.text = step == 1 ? "*" : absl::StrCat("*/", step);
    return field;
  }
  std::vector<std::string> items;
  for (uint64_t i = 0; i <= random.Below(3); ++i) {
    const int begin = first + static_cast<int>(random.Below(last - first + 1));
    const int end = random.PerMille(500) ? begin : begin + static_cast<int>(random.Below(last - begin + 1));
    const int step = 1 + static_cast<int>(random.Below(5));
    for (int value = begin; value <= end; value += end == begin ? 1 : step) field.values.insert(value);
    items.push_back(begin == end ? absl::StrCat(begin) : absl::StrCat(begin, "-", end, "/", step));
  }
  field.text = absl::StrJoin(items, ",");
  return field;
}

class RandomSchedule {
 public:
  explicit RandomSchedule(Random& random)
      : fields_{MakeField(random, 0, 59, 300), MakeField(random, 0, 23, 400), MakeField(random, 1, 31, 700),
                MakeField(random, 1, 12, 900), MakeField(random, 0, 6, 700)} {}

  std::string text() const {
    return absl::StrCat(fields_[0].text, " ", fields_[1].text, " ", fields_[2].text, " ", fields_[3].text, " ",
                        fields_[4].text);
  }
  // Whether it happens at `time`, which is a whole minute.
  bool HappensAt(absl::Time time, absl::TimeZone zone) const {
    const absl::CivilMinute shown(zone.At(time).cs);
    const bool by_real_time = fields_[0].star || fields_[1].star;
    if (by_real_time) return Names(shown);
    // What the clock jumped over in the minute before this.
    const absl::CivilMinute before(zone.At(time - absl::Minutes(1)).cs);
    for (absl::CivilMinute skipped = before + 1; skipped < shown; ++skipped) {
      if (Names(skipped)) return true;
    }
    const absl::TimeZone::TimeInfo info = zone.At(absl::CivilSecond(shown));
    return Names(shown) && time == info.pre;
  }

 private:
  bool Names(absl::CivilMinute minute) const {
    const int day_of_week = (static_cast<int>(absl::GetWeekday(minute)) + 1) % 7;
    const bool by_month = fields_[2].values.count(minute.day()) > 0;
    const bool by_week = fields_[4].values.count(day_of_week) > 0;
    const bool day = fields_[2].star || fields_[4].star ? by_month && by_week : by_month || by_week;
    return day && fields_[0].values.count(minute.minute()) > 0 && fields_[1].values.count(minute.hour()) > 0 &&
           fields_[3].values.count(minute.month()) > 0;
  }

  std::vector<RandomField> fields_;
};

TEST(CronTest, AgreesWithAWalkThroughEveryMinute) {
  // Lord Howe's clocks change by half an hour, Samoa once left out a day, Kathmandu is at +05:45.
  const absl::TimeZone zones[] = {absl::UTCTimeZone(),         Zone("Europe/Berlin"), Zone("America/New_York"),
                                  Zone("Australia/Lord_Howe"), Zone("Pacific/Apia"),  Zone("Asia/Kathmandu")};
  const absl::Time days[] = {At("2026-03-28 00:00"), At("2026-10-24 00:00"), At("2026-03-07 12:00"),
                             At("2026-10-31 12:00"), At("2026-04-04 00:00"), At("2026-10-03 00:00"),
                             At("2011-12-29 00:00"), At("2024-02-28 00:00"), At("2026-07-31 00:00")};
  int found = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    const RandomSchedule model(random);
    const absl::TimeZone zone = zones[random.Below(std::size(zones))];
    SCOPED_TRACE(absl::StrCat("seed ", seed, ": ", model.text(), " in ", zone.name()));
    absl::StatusOr<CronSchedule> schedule = CronSchedule::Parse(model.text());
    if (!schedule.ok()) continue;  // no such date
    const absl::Time after = days[random.Below(std::size(days))] + absl::Minutes(random.Below(3 * 24 * 60)) +
                             absl::Milliseconds(random.PerMille(500) ? 0 : random.Below(60000));
    const absl::Time next = schedule->Next(after, zone);
    absl::Time expected = absl::FromUnixSeconds(absl::ToUnixSeconds(after) / 60 * 60) + absl::Minutes(1);
    const absl::Time limit = expected + absl::Hours(72);
    while (expected < limit && !model.HappensAt(expected, zone)) expected += absl::Minutes(1);
    if (expected == limit) {
      ASSERT_GE(next, limit);
    } else {
      ASSERT_EQ(next, expected) << "after " << after;
      ++found;
    }
  }
  EXPECT_GT(found, 500) << "the walk was too short to say much";
}

}  // namespace
}  // namespace troupe
