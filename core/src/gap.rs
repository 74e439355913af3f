//! Holes in a log, told in the log itself: records of event type `log_gap`.

use crate::error::Result;
use crate::file::LogFile;
use crate::frame::append_tag;
use crate::mover::Recovery;
use crate::own_record::{OwnRecord, tell};
use crate::record::{Context, Level, TagValue};

/// Records that should be in the log and are not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Gap {
    /// How many; `None` where nobody can know.
    pub(crate) lost: Option<u64>,
    /// Why.
    pub(crate) reason: String,
    /// Nanoseconds since 1970: nothing was lost before this; `None` where nobody can know.
    pub(crate) since_ns: Option<i64>,
}

impl From<&Gap> for OwnRecord {
    fn from(gap: &Gap) -> Self {
        let count = match gap.lost {
            Some(1) => "1 record is missing".into(),
            Some(lost) => format!("{lost} records are missing"),
            None => "records may be missing".to_owned(),
        };
        let message = format!("{count}: {}", gap.reason);
        let mut tags = Vec::new();
        append_tag(&mut tags, b"lost", gap.lost.map_or(TagValue::Null, TagValue::Unsigned));
        append_tag(&mut tags, b"reason", TagValue::String(gap.reason.as_bytes()));
        if let Some(since) = gap.since_ns {
            let text = crate::encode::timestamp(since);
            append_tag(&mut tags, b"since", TagValue::String(text.as_bytes()));
        }
        Self { event_type: "log_gap", level: Level::Warning, message, tags }
    }
}

/// Tells what was lost with dead processes.
pub(crate) fn tell_losses(
    log: &mut LogFile,
    found: &Recovery,
    context: Option<&Context>,
) -> Result<()> {
    let damaged = (found.damaged > 0).then(|| Gap {
        lost: Some(found.damaged),
        reason: "the ring of a killed process was damaged".into(),
        since_ns: None,
    });
    let untold = (found.untold > 0).then(|| Gap {
        lost: Some(found.untold),
        reason: "a ring was full, and its process ended before it could tell".into(),
        since_ns: None,
    });
    let gone = found.gone.iter().map(|why| Gap {
        lost: None,
        reason: format!("what a process had not written when it ended is gone ({why})"),
        since_ns: None,
    });
    for gap in gone.chain(damaged).chain(untold) {
        tell(log, &gap, context)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::tests_support::context;

    #[test]
    fn a_gap_says_how_many_when_and_why() {
        let gap = Gap { lost: Some(2), reason: "the disk was full".into(), since_ns: Some(5) };
        let line = OwnRecord::from(&gap).line(&context(), 7);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["event_type"], "log_gap");
        assert_eq!(value["message"], "2 records are missing: the disk was full");
        assert_eq!(value["tags"]["lost"], 2);
        assert_eq!(value["tags"]["since"], "1970-01-01T00:00:00.000000005Z");
        let unknown = Gap { lost: None, since_ns: None, ..gap };
        let line = String::from_utf8(OwnRecord::from(&unknown).line(&context(), 7)).unwrap();
        assert!(line.contains("\"lost\":null") && !line.contains("since"), "{line}");
    }
}
