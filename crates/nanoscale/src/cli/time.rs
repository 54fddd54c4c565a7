//! Times as people write and read them.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp, Unit, Zoned};

/// `10m`, `2h 30m`, `3d` before now, or an instant as RFC 3339.
pub(super) fn parse_past(text: &str) -> Result<Timestamp, String> {
    parse(text, |now, span| now.checked_sub(span))
}

/// `30d`, `1y` from now, or an instant as RFC 3339.
pub(super) fn parse_future(text: &str) -> Result<Timestamp, String> {
    parse(text, |now, span| now.checked_add(span))
}

/// `30s`, `10m`, `2h` as seconds.
pub(super) fn parse_seconds(text: &str) -> Result<i64, String> {
    let seconds =
        text.parse::<Span>().ok().and_then(|span| span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).ok());
    #[expect(clippy::cast_possible_truncation, reason = "a limit beyond what fits is refused by the server")]
    seconds.map(|seconds| seconds.round() as i64).ok_or_else(|| "write `30s`, `10m` or `2h`".to_owned())
}

fn parse(text: &str, apply: impl Fn(Zoned, Span) -> Result<Zoned, jiff::Error>) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let span = text.parse::<Span>().map_err(|_| "write `10m`, `2h`, `3d` or a time like 2030-01-31T12:00:00Z")?;
    let time = apply(Zoned::now(), span.abs()).map_err(|error| error.to_string())?;
    Ok(time.timestamp())
}

/// `in 3 min`; the text itself if it is no time.
pub(super) fn until(text: &str) -> String {
    let Ok(time) = text.parse::<Timestamp>() else { return text.to_owned() };
    match time.as_second() - Timestamp::now().as_second() {
        ..5 => "now".to_owned(),
        seconds @ 5..60 => format!("in {seconds} s"),
        seconds @ 60..3600 => format!("in {} min", seconds / 60),
        seconds @ 3600..86_400 => format!("in {} h", seconds / 3600),
        seconds => format!("in {} d", seconds / 86_400),
    }
}

/// `3 min ago`; the text itself if it is no time.
pub(super) fn ago(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => since(time, Timestamp::now()),
        Err(_) => text.to_owned(),
    }
}

fn since(time: Timestamp, now: Timestamp) -> String {
    match now.as_second() - time.as_second() {
        ..5 => "just now".to_owned(),
        seconds @ 5..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds @ 86_400..2_592_000 => format!("{} d ago", seconds / 86_400),
        _ => date(time),
    }
}

/// The day in this machine's time zone.
pub(super) fn date(time: Timestamp) -> String {
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

/// Day and time in this machine's time zone; the text itself if it is no time.
pub(super) fn local(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// `850 ms`, `12.3 s`, `2 min 5 s`.
pub(super) fn took(milliseconds: i64) -> String {
    let duration = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Milliseconds from one time to another; nothing if one of them is no time.
pub(super) fn between(start: &str, end: &str) -> Option<i64> {
    let [start, end] = [start, end].map(|text| text.parse::<Timestamp>().ok());
    Some(end?.as_millisecond() - start?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{ago, between, parse_future, parse_past, parse_seconds, since, took};

    #[test]
    fn past_and_future_count_from_now() {
        let now = Timestamp::now();
        let close = |time: Timestamp, expected: Timestamp| time.duration_since(expected).as_secs().abs() <= 5;
        assert!(close(parse_past("10m").unwrap(), now - SignedDuration::from_mins(10)));
        assert!(close(parse_past("2h").unwrap(), now - SignedDuration::from_hours(2)));
        assert!(parse_past("2d").unwrap() < now);
        assert!(parse_future("30d").unwrap() > now);
        assert_eq!(parse_past("2030-01-31T12:00:00Z").unwrap().to_string(), "2030-01-31T12:00:00Z");
        assert!(parse_past("yesterday").is_err());
    }

    #[test]
    fn times_read_like_speech() {
        let now = Timestamp::from_second(1_900_000_000).unwrap();
        let before = |seconds| since(now - SignedDuration::from_secs(seconds), now);
        assert_eq!(before(0), "just now");
        assert_eq!(before(59), "59 s ago");
        assert_eq!(before(200), "3 min ago");
        assert_eq!(before(7300), "2 h ago");
        assert_eq!(before(200_000), "2 d ago");
        assert_eq!(ago("soon"), "soon");
        assert_eq!(between("2030-01-31T12:00:00Z", "2030-01-31T12:02:05Z"), Some(125_000));
        assert_eq!((parse_seconds("10m"), parse_seconds("1d")), (Ok(600), Ok(86_400)));
        assert!(parse_seconds("soon").is_err());
        assert_eq!(took(850), "850 ms");
        assert_eq!(took(12_340), "12.3 s");
        assert_eq!(took(125_000), "2 min 5 s");
    }
}
