//! Times as Go programs write them in messages.

use crate::encode::parse_timestamp;

pub(super) const SECOND_NS: i64 = 1_000_000_000;

/// Nanoseconds since 1970 of `2006-01-02T15:04:05Z` or `…+02:00`.
pub(super) fn of_rfc3339(text: &str) -> Option<i64> {
    let (time, zone) = text.split_at_checked("2006-01-02T15:04:05".len())?;
    let offset = match zone {
        "Z" => 0,
        zone => offset_minutes(zone.get(..3)?, zone.get(3..)?.strip_prefix(':')?)?,
    };
    shifted(&format!("{time}.000000000Z"), offset)
}

/// Nanoseconds since 1970 of `2006-01-02 15:04:05.999999999 -0700 MST`, whose fraction ends with
/// its last digit that is not 0, and is left out when there is none.
pub(super) fn of_go(text: &str) -> Option<i64> {
    let mut words = text.split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let offset = offset_minutes(zone.get(..3)?, zone.get(3..)?)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    shifted(&format!("{date}T{time}.{fraction:0<9}Z"), offset)
}

fn shifted(text: &str, offset_minutes: i64) -> Option<i64> {
    parse_timestamp(text.as_bytes())?.checked_sub(offset_minutes * 60 * SECOND_NS)
}

/// Minutes of `+02` and `30`.
fn offset_minutes(hours: &str, minutes: &str) -> Option<i64> {
    let sign = match hours.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |digits: &str| {
        let fits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| digits.parse::<i64>().ok()).flatten()
    };
    Some(sign * (two(&hours[1..])? * 60 + two(minutes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: i64 = 1_795_342_272 * SECOND_NS;

    #[test]
    fn rfc3339() {
        for text in [
            "2026-11-22T10:11:12Z",
            "2026-11-22T12:11:12+02:00",
            "2026-11-22T04:41:12-05:30",
            "2026-11-23T00:11:12+14:00",
        ] {
            assert_eq!(of_rfc3339(text), Some(MOMENT), "{text}");
        }
        for text in
            ["", "2026-11-22T10:11:12", "2026-11-22T10:11:12+0200", "2026-11-22T10:11:12é:00"]
        {
            assert_eq!(of_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn go() {
        for (text, ns) in [
            ("2026-11-22 10:11:12 +0000 UTC", MOMENT),
            ("2026-11-22 10:11:12.000000001 +0000 UTC", MOMENT + 1),
            ("2026-11-22 10:11:12.5 +0000 UTC", MOMENT + SECOND_NS / 2),
            ("2026-11-22 12:11:12.1234 +0200 CEST m=+0.1", MOMENT + 123_400_000),
        ] {
            assert_eq!(of_go(text), Some(ns), "{text}");
        }
        for text in
            ["", "2026-11-22", "2026-11-22 10:11:12", "2026-11-22 10:11:12.1234567890 +0000"]
        {
            assert_eq!(of_go(text), None, "{text}");
        }
    }
}
