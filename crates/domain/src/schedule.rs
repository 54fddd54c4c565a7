//! When something that recurs is due: cron expressions, in UTC, to the minute.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// A point in time from which every schedule that is ever due has a next time.
const SOME_TIME: DateTime = civil::date(2000, 1, 1).at(0, 0, 0, 0);

/// A valid cron expression that is due at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
}

/// Reads five cron fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Fails with a sentence.
///
/// As in cron(8), a day is due if its day of month or its day of week is, when both are restricted;
/// a field that starts with `*` does not restrict.
pub fn parse(text: &str) -> Result<Schedule, String> {
    let text = text.trim();
    let fields = text.split_whitespace().collect::<Vec<_>>();
    if !text.starts_with('@') && fields.len() != 5 {
        return Err(format!(
            "the schedule `{text}` has {} fields and needs five (minute, hour, day of month, month, day of week), such as `0 3 * * *`",
            fields.len()
        ));
    }
    let text = match text {
        "@midnight" => "@daily",
        text => text,
    };
    let known = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];
    if text.starts_with('@') && !known.contains(&text) {
        return Err(format!("`{text}` is no schedule; there are @hourly, @daily, @weekly, @monthly and @yearly"));
    }
    let either_is_free = [2, 4].iter().any(|day| fields.get(*day).is_some_and(|field| field.starts_with('*')));
    let parser =
        CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).dom_and_dow(either_is_free).build();
    let cron = parser.parse(text).map_err(|error| {
        let error = error.to_string();
        let reason = error.rsplit(": ").next().unwrap_or_default().trim_end_matches('.');
        format!("the schedule `{text}` is not valid: {reason}")
    })?;
    if cron.find_next_occurrence(&SOME_TIME, true).is_err() {
        return Err(format!("the schedule `{text}` is never due: no month has such a day"));
    }
    Ok(Schedule { cron })
}

impl Schedule {
    /// The first time after `unix_ms` at which it is due, both in milliseconds since 1970. None beyond the calendar.
    pub fn next_after(&self, unix_ms: i64) -> Option<i64> {
        let after = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(unix_ms).ok()?);
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(TimeZone::UTC.to_timestamp(next).ok()?.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(time: &str) -> i64 {
        TimeZone::UTC.to_timestamp(time.parse().unwrap()).unwrap().as_millisecond()
    }

    /// The times after `from` at which `schedule` is due.
    fn check(schedule: &str, from: &str, expected: &[&str]) {
        let schedule = parse(schedule).unwrap();
        let mut now = ms(from);
        for next in expected {
            now = schedule.next_after(now).unwrap();
            let got = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(now).unwrap()).to_string();
            assert_eq!(got, format!("{next}:00"));
        }
    }

    #[test]
    fn it_is_due_strictly_after() {
        check("* * * * *", "2026-11-21T10:00", &["2026-11-21T10:01", "2026-11-21T10:02"]);
        check("0 10 * * *", "2026-11-21T09:59:59.999", &["2026-11-21T10:00", "2026-11-22T10:00"]);
        check("0 10 * * *", "2026-11-21T10:00:00.001", &["2026-11-22T10:00"]);
        check("0 0 1 1 *", "2026-12-31T23:59", &["2027-01-01T00:00", "2028-01-01T00:00"]);
        check("30 5 * * *", "1969-12-31T06:00", &["1970-01-01T05:30"]);
    }

    #[test]
    fn words() {
        check("@hourly", "2026-11-21T10:30", &["2026-11-21T11:00"]);
        check("@daily", "2026-11-21T10:30", &["2026-11-22T00:00"]);
        check("@midnight", "2026-11-21T10:30", &["2026-11-22T00:00"]);
        // A Saturday; weeks begin on Sunday.
        check("@weekly", "2026-11-21T10:30", &["2026-11-22T00:00", "2026-11-29T00:00"]);
        check("@monthly", "2026-11-21T10:30", &["2026-12-01T00:00"]);
        check("@yearly", "2026-11-21T10:30", &["2027-01-01T00:00"]);
    }

    #[test]
    fn steps_ranges_lists_and_names() {
        check("*/20 * * * *", "2026-11-21T10:00", &["2026-11-21T10:20", "2026-11-21T10:40", "2026-11-21T11:00"]);
        check("10-20/5 9,17 * * *", "2026-11-21T09:12", &["2026-11-21T09:15", "2026-11-21T09:20", "2026-11-21T17:10"]);
        check("0 9 * * mon-fri", "2026-11-20T10:00", &["2026-11-23T09:00", "2026-11-24T09:00"]);
        check("0 0 1 JAN,jul *", "2026-11-20T10:00", &["2027-01-01T00:00", "2027-07-01T00:00"]);
        // Sunday is 0 and 7.
        check("0 0 * * 0", "2026-11-20T10:00", &["2026-11-22T00:00"]);
        check("0 0 * * 7", "2026-11-20T10:00", &["2026-11-22T00:00"]);
    }

    #[test]
    fn day_of_month_or_day_of_week() {
        // Both restricted: either will do. 13 November 2026 is a Friday.
        check("0 0 14 * FRI", "2026-11-01T00:00", &["2026-11-06T00:00", "2026-11-13T00:00", "2026-11-14T00:00"]);
        // One is free: the other has to hold.
        check("0 0 14 * *", "2026-11-01T00:00", &["2026-11-14T00:00", "2026-12-14T00:00"]);
        check("0 0 * * FRI", "2026-11-01T00:00", &["2026-11-06T00:00", "2026-11-13T00:00"]);
        // `*/2` starts with `*`: odd days that are Fridays.
        check("0 0 */2 * FRI", "2026-11-01T00:00", &["2026-11-13T00:00", "2026-11-27T00:00"]);
    }

    #[test]
    fn month_ends_and_leap_years() {
        check("0 0 31 * *", "2026-01-31T00:00", &["2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00"]);
        check("0 0 29 2 *", "2026-01-01T00:00", &["2028-02-29T00:00", "2032-02-29T00:00"]);
        check("0 0 29 2 *", "2096-03-01T00:00", &["2104-02-29T00:00"]);
        check("0 0 L * *", "2027-02-01T00:00", &["2027-02-28T00:00", "2027-03-31T00:00"]);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for (text, part) in [
            ("", "0 fields"),
            ("* * * *", "4 fields"),
            ("0 * * * * *", "6 fields"),
            ("61 * * * *", "out of bounds"),
            ("* 24 * * *", "out of bounds"),
            ("* * 0 * *", "out of bounds"),
            ("5-1 * * * *", "out of bounds"),
            ("*/0 * * * *", "zero"),
            ("a * * * *", "illegal character"),
            ("@every 5m", "@hourly"),
            ("@reboot", "@hourly"),
            ("0 0 30 2 *", "never due"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
