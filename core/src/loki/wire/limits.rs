//! What a Loki with its default limits would refuse, recognised before it is sent.
//!
//! A server may have other limits: they are its own matter, and its answer decides. So a line that
//! is doubtful here travels apart from those that are not, and its neighbours are safe whatever
//! the answer is. (Sources: Loki 3.7, `pkg/validation/limits.go` and `pkg/distributor/validator.go`.)

use super::line::Line;
use super::refusal::Reason;

/// Most bytes of a line: 256 KB in Loki's words, which count by 1024.
pub(crate) const MAX_LINE_BYTES: usize = 256 << 10;
/// Most pairs of structured metadata of a line.
const MAX_METADATA_PAIRS: usize = 128;
/// Most bytes of structured metadata of a line, names and values.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Lines older than this are refused: 7 days.
const MAX_AGE_NS: i64 = 7 * 86_400 * SECOND_NS;
/// Lines further ahead than this are refused: 10 minutes.
const MAX_AHEAD_NS: i64 = 600 * SECOND_NS;
/// Clocks differ, and a push takes its time: a line this near to a limit is doubtful, too.
const MARGIN_NS: i64 = 60 * SECOND_NS;

const SECOND_NS: i64 = 1_000_000_000;

/// Why Loki may refuse this line of `bytes` bytes, were it sent at `now_ns`.
pub(crate) fn doubt(line: &Line, bytes: usize, now_ns: i64) -> Option<Reason> {
    if line.ns < now_ns.saturating_sub(MAX_AGE_NS - MARGIN_NS) {
        Some(Reason::TooOld)
    } else if line.ns > now_ns.saturating_add(MAX_AHEAD_NS - MARGIN_NS) {
        Some(Reason::TooFarAhead)
    } else if bytes > MAX_LINE_BYTES {
        Some(Reason::TooLong)
    } else if line.metadata.fault().is_some() {
        Some(Reason::Content)
    } else {
        None
    }
}

/// Why a line with this structured metadata would be refused.
pub(super) fn fault_of_metadata(pairs: &[(&'static str, Box<str>)]) -> Option<String> {
    let bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if pairs.len() > MAX_METADATA_PAIRS {
        let (pairs, most) = (pairs.len(), MAX_METADATA_PAIRS);
        return Some(format!("its structured metadata has {pairs} pairs, and Loki takes {most}"));
    }
    let most = MAX_METADATA_BYTES;
    (bytes > most)
        .then(|| format!("its structured metadata has {bytes} bytes, and Loki takes {most}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::stream::{Metadata, Stream};
    use super::*;
    use crate::record::Level;

    #[test]
    fn lines_at_the_limits() {
        let now = 1_795_342_272 * SECOND_NS;
        let day = 86_400 * SECOND_NS;
        let stream = Arc::new(Stream::new(&BTreeMap::new()));
        let large = "x".repeat(MAX_METADATA_BYTES - "logger".len());
        for (ns, bytes, logger, expected) in [
            (now, MAX_LINE_BYTES, "l", None),
            (now, MAX_LINE_BYTES + 1, "l", Some(Reason::TooLong)),
            (now - 6 * day, 1, "l", None),
            (now - 7 * day, 1, "l", Some(Reason::TooOld)),
            (now + 539 * SECOND_NS, 1, "l", None),
            (now + 600 * SECOND_NS, 1, "l", Some(Reason::TooFarAhead)),
            (now, 1, &*large, None),
            (now, 1, &*format!("{large}x"), Some(Reason::Content)),
            (i64::MIN, 1, "l", Some(Reason::TooOld)),
            (i64::MAX, 1, "l", Some(Reason::TooFarAhead)),
        ] {
            let metadata = Arc::new(Metadata::new(&[("logger", logger)]));
            let line = Line { ns, level: Level::Info, stream: Arc::clone(&stream), metadata };
            assert_eq!(doubt(&line, bytes, now), expected, "{ns} {bytes} {}", logger.len());
        }
    }
}
