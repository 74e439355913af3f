//! Times as one writes them on the command line.

use std::str::FromStr as _;

use anyhow::{Context as _, bail};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::record::Stamp;

/// `10m` (before now), a time of day (of `day`), a date, or both; UTC where it has no offset.
pub(super) fn parse(
    text: &str,
    now: Timestamp,
    day: impl FnOnce() -> Option<Date>,
) -> anyhow::Result<Timestamp> {
    let utc = |time: DateTime| Ok(time.to_zoned(TimeZone::UTC)?.timestamp());
    if let Ok(time) = Timestamp::from_str(text) {
        return Ok(time);
    }
    if let Ok(time) = DateTime::from_str(text) {
        return utc(time);
    }
    if text.contains(':')
        && let Ok(time) = Time::from_str(text)
    {
        let day = day().with_context(|| {
            format!("{text}: there is no record whose day it could be of; name the day, too")
        })?;
        return utc(day.to_datetime(time));
    }
    if let Ok(span) = Span::from_str(text) {
        let ago = span.to_duration(SpanRelativeTo::days_are_24_hours());
        if let Some(time) = ago.ok().and_then(|ago| now.checked_sub(ago).ok()) {
            return Ok(time);
        }
    }
    bail!(
        "{text}: this is no time; write 10m (ago), 14:03:20 (on the run's last day), 2026-11-22, \
         2026-11-22T14:03:20 (UTC) or 2026-11-22T14:03:20+01:00"
    )
}

/// As records have it.
pub(super) fn stamp(time: Timestamp) -> Option<Stamp> {
    Stamp::of_text(&format!("{time:.9}"))
}

/// The day of a record.
pub(super) fn day(stamp: &Stamp) -> Option<Date> {
    let time = Timestamp::from_str(&stamp.text()).ok()?;
    Some(time.to_zoned(TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> anyhow::Result<String> {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let day = || Some(jiff::civil::date(2026, 11, 20));
        Ok(stamp(parse(text, now, day)?).unwrap().text().into_owned())
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("10m", "2026-11-22T09:50:00.000000000Z"),
            ("1h30m", "2026-11-22T08:30:00.000000000Z"),
            ("90s", "2026-11-22T09:58:30.000000000Z"),
            ("1.5s", "2026-11-22T09:59:58.500000000Z"),
            ("2d", "2026-11-20T10:00:00.000000000Z"),
            ("1 week", "2026-11-15T10:00:00.000000000Z"),
            ("14:03", "2026-11-20T14:03:00.000000000Z"),
            ("14:03:20.5", "2026-11-20T14:03:20.500000000Z"),
            ("2026-11-21", "2026-11-21T00:00:00.000000000Z"),
            ("2026-11-21 14:03", "2026-11-21T14:03:00.000000000Z"),
            ("2026-11-21T14:03:20.123456789", "2026-11-21T14:03:20.123456789Z"),
            ("2026-11-21T14:03:20Z", "2026-11-21T14:03:20.000000000Z"),
            ("2026-11-21T14:03:20+01:00", "2026-11-21T13:03:20.000000000Z"),
        ] {
            assert_eq!(of(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn no_times() {
        for text in
            ["", "x", "10", "10x", "25:00", "2026-13-01", "2026-02-30", "now", "-", "99999999d"]
        {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains("this is no time"), "{text}: {error}");
        }
    }

    #[test]
    fn a_day_of_a_record() {
        let stamp = Stamp::of_text("2026-11-20T23:59:59.999999999Z").unwrap();
        assert_eq!(day(&stamp).unwrap().to_string(), "2026-11-20");
    }
}
