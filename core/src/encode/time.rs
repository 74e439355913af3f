//! Timestamps as text: RFC 3339, UTC, nanoseconds.

const SECOND_NS: i64 = 1_000_000_000;

/// Length of a timestamp without its `Z`.
const LEN: usize = "2026-11-22T10:11:12.123456789".len();

/// Where its fraction begins.
const FRACTION: usize = "2026-11-22T10:11:12.".len();

/// Appends the timestamp of `ns` nanoseconds since 1970, with its `Z`.
pub(crate) fn append_timestamp(out: &mut Vec<u8>, ns: i64) {
    TimeText::new().append(out, ns);
    out.push(b'Z');
}

/// The same as a text of its own.
pub(crate) fn timestamp(ns: i64) -> String {
    let mut text = Vec::new();
    append_timestamp(&mut text, ns);
    String::from_utf8(text).unwrap_or_default()
}

/// Writes timestamps; remembers the text of the last second.
pub(crate) struct TimeText {
    second: i64,
    text: [u8; LEN],
}

impl TimeText {
    pub(crate) fn new() -> Self {
        let mut this = Self { second: 0, text: *b"1970-01-01T00:00:00.000000000" };
        this.write_second(0);
        this
    }

    /// Appends the timestamp of `ns` nanoseconds since 1970, without the `Z`.
    #[inline]
    pub(crate) fn append(&mut self, out: &mut Vec<u8>, ns: i64) {
        let second = ns.div_euclid(SECOND_NS);
        if second != self.second {
            self.write_second(second);
        }
        // A remainder by 10^9 is never negative and fits in 32 bits.
        let mut rest = u32::try_from(ns.rem_euclid(SECOND_NS)).unwrap_or(0);
        for pair in (0..4).rev() {
            put_pair(&mut self.text, 21 + 2 * pair, rest % 100);
            rest /= 100;
        }
        self.text[20] = b'0' + digit(rest);
        out.extend_from_slice(&self.text);
    }

    #[cold]
    fn write_second(&mut self, second: i64) {
        self.second = second;
        let days = second.div_euclid(86_400);
        let of_day = u32::try_from(second.rem_euclid(86_400)).unwrap_or(0);
        let (year, month, day) = civil(days);
        put_pair(&mut self.text, 0, year / 100);
        put_pair(&mut self.text, 2, year % 100);
        put_pair(&mut self.text, 5, month);
        put_pair(&mut self.text, 8, day);
        put_pair(&mut self.text, 11, of_day / 3600);
        put_pair(&mut self.text, 14, of_day / 60 % 60);
        put_pair(&mut self.text, 17, of_day % 60);
    }
}

fn digit(value: u32) -> u8 {
    u8::try_from(value % 10).unwrap_or(0)
}

#[inline]
fn put_pair(text: &mut [u8; LEN], at: usize, value: u32) {
    text[at] = b'0' + digit(value / 10);
    text[at + 1] = b'0' + digit(value);
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
/// Years are counted from March, so that the leap day is the last of its year. 64-bit
/// nanoseconds reach from 1677 to 2262: the year always has four digits.
fn civil(days: i64) -> (u32, u32, u32) {
    let from_march_0000 = days + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let narrow = |value: i64| u32::try_from(value).unwrap_or(0);
    (narrow(year), narrow(month), narrow(day))
}

/// Nanoseconds since 1970 of a record's timestamp, `2026-11-22T10:11:12.123456789Z`. None for
/// any other text, and for a time that 64-bit nanoseconds do not reach.
#[must_use]
pub fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let (text, b"Z") = text.split_at_checked(LEN)? else { return None };
    let number = |from: usize, digits: usize| {
        text[from..from + digits].iter().try_fold(0i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.')];
    if marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let days = days_of(year, month, day);
    let (y, m, d) = civil(days);
    let exists = (i64::from(y), i64::from(m), i64::from(d)) == (year, month, day);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    // Before 1970 the second's product can be out of reach while the moment is not.
    let ns = i128::from(seconds) * i128::from(SECOND_NS) + i128::from(number(20, 9)?);
    i64::try_from(ns).ok()
}

/// Reads timestamps; remembers the last second.
#[derive(Debug, Default)]
pub(crate) struct TimeReader {
    /// Its text up to the point, and its nanoseconds since 1970.
    second: Option<([u8; FRACTION], i64)>,
}

impl TimeReader {
    /// What [`parse_timestamp`] makes of a text.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<i64> {
        let (second, fraction) = text.split_first_chunk::<FRACTION>()?;
        match &self.second {
            Some((known, ns)) if known == second => ns.checked_add(parse_fraction(fraction)?),
            _ => {
                let ns = parse_timestamp(text)?;
                let start = ns.checked_sub(parse_fraction(fraction)?);
                self.second = start.map(|start| (*second, start));
                Some(ns)
            }
        }
    }
}

/// Nanoseconds of `123456789Z`.
#[inline]
fn parse_fraction(text: &[u8]) -> Option<i64> {
    let [digits @ .., b'Z'] = text else { return None };
    let digits: &[u8; LEN - FRACTION] = digits.try_into().ok()?;
    digits.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// The day of a date, counted from 1970-01-01; the inverse of [`civil`] for dates that exist.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(ns: i64) -> String {
        let mut out = Vec::new();
        TimeText::new().append(&mut out, ns);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000000");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999999");
        assert_eq!(text(1_795_342_272_123_456_789), "2026-11-22T10:11:12.123456789");
        assert_eq!(text(951_782_400 * SECOND_NS), "2000-02-29T00:00:00.000000000");
        assert_eq!(text(i64::MAX), "2262-04-11T23:47:16.854775807");
        assert_eq!(text(i64::MIN), "1677-09-21T00:12:43.145224192");
    }

    #[test]
    fn texts_read_back() {
        for ns in [0, -1, 1_795_342_272_123_456_789, i64::MIN, i64::MAX, 951_782_400 * SECOND_NS] {
            let mut out = Vec::new();
            append_timestamp(&mut out, ns);
            assert_eq!(parse_timestamp(&out), Some(ns));
        }
        let mut reader = TimeReader::default();
        for text in [
            "",
            "2026-11-22T10:11:12.12345678Z",
            "2026-11-22T10:11:12.1234567890Z",
            "2026-11-22T10:11:12.123456789+",
            "2026-11-22 10:11:12.123456789Z",
            "2026-02-29T10:11:12.123456789Z",
            "2026-13-01T10:11:12.123456789Z",
            "2026-00-01T10:11:12.123456789Z",
            "2026-11-22T24:11:12.123456789Z",
            "2026-11-22T10:60:12.123456789Z",
            "2026-11-22T10:11:60.123456789Z",
            "2026-11-2xT10:11:12.123456789Z",
            "2262-04-11T23:47:16.854775808Z",
            "1677-09-21T00:12:43.145224191Z",
            "0000-01-01T00:00:00.000000000Z",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
            assert_eq!(reader.read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_reader_reads_as_if_it_remembered_nothing() {
        let mut reader = TimeReader::default();
        let second = 1_795_342_272 * SECOND_NS;
        let near = [second, second + 1, second + 999_999_999, second - 1, second + SECOND_NS];
        for ns in near.into_iter().chain([second, i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1]) {
            let mut text = Vec::new();
            append_timestamp(&mut text, ns);
            assert_eq!(reader.read(&text), Some(ns));
            assert_eq!(reader.read(&text), Some(ns), "again");
            for (at, wrong) in [(29, b'+'), (28, b'x'), (19, b','), (0, b'x')] {
                let mut text = text.clone();
                text[at] = wrong;
                assert_eq!(reader.read(&text), None, "{}", text.escape_ascii());
            }
            assert_eq!(reader.read(&[&*text, b"Z"].concat()), None);
        }
        let beyond = b"2262-04-11T23:47:16.854775808Z";
        let mut text = Vec::new();
        append_timestamp(&mut text, i64::MAX);
        assert_eq!((reader.read(&text), reader.read(beyond)), (Some(i64::MAX), None));
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = civil(-107_000);
        for days in -106_999..107_000 {
            let (year, month, day) = civil(days);
            let next_day = (year, month, day) == (before.0, before.1, before.2 + 1);
            let next_month = day == 1 && before.2 >= 28;
            assert!(next_day || next_month, "{days}: {before:?} → {year}-{month}-{day}");
            assert_eq!(days_of(year.into(), month.into(), day.into()), days);
            before = (year, month, day);
        }
    }
}
