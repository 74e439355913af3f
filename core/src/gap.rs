//! Holes in a log, told in the log itself: records of event type `log_gap`.

use crate::encode::{EncodedContext, Encoder, Source};
use crate::frame::append_tag;
use crate::record::{Context, Level, TagValue};

/// The logger of gap records.
const LOGGER: &str = "lb_log";

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

impl Gap {
    /// The gap's line, dated `now_ns`, under the identity of a context.
    pub(crate) fn line(&self, context: &Context, now_ns: i64, max_record_bytes: usize) -> Vec<u8> {
        let context =
            Context { logger: LOGGER.into(), event_type: "log_gap".into(), ..context.clone() };
        let count = match self.lost {
            Some(1) => "1 record is missing".into(),
            Some(lost) => format!("{lost} records are missing"),
            None => "records may be missing".to_owned(),
        };
        let message = format!("{count}: {}", self.reason);
        let mut tags = Vec::new();
        append_tag(&mut tags, b"lost", self.lost.map_or(TagValue::Null, TagValue::Unsigned));
        append_tag(&mut tags, b"reason", TagValue::String(self.reason.as_bytes()));
        if let Some(since) = self.since_ns {
            let text = timestamp(since);
            append_tag(&mut tags, b"since", TagValue::String(text.as_bytes()));
        }
        let mut line = Vec::new();
        let source = Source {
            ns: now_ns,
            level: Level::Warning,
            flags: 0,
            message: message.as_bytes(),
            tags: &tags,
        };
        Encoder::new(max_record_bytes).append(&mut line, &EncodedContext::new(&context), source);
        line
    }
}

fn timestamp(ns: i64) -> String {
    let mut text = Vec::new();
    crate::encode::append_timestamp(&mut text, ns);
    String::from_utf8(text).unwrap_or_default()
}

/// The identity of the record in a line, for those who write to a log without one of their own.
/// `None` where the line does not tell.
pub(crate) fn identity_of(line: &[u8]) -> Option<Context> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Context {
        component: text("component")?,
        host: text("host")?,
        run_id: text("run_id")?,
        logger: LOGGER.into(),
        event_type: "log_gap".into(),
        workload: text("workload")?,
        repetition: value.get("repetition")?.as_u64()?,
        scenario: None,
        package: text("package"),
        plugin: text("plugin"),
        tags: serde_json::Map::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::tests_support::context;

    #[test]
    fn a_gap_says_how_many_when_and_why() {
        let gap = Gap { lost: Some(2), reason: "the disk was full".into(), since_ns: Some(5) };
        let line = gap.line(&context(), 7, 4096);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["event_type"], "log_gap");
        assert_eq!(value["message"], "2 records are missing: the disk was full");
        assert_eq!(value["tags"]["lost"], 2);
        assert_eq!(value["tags"]["since"], "1970-01-01T00:00:00.000000005Z");
        let identity = identity_of(&line).unwrap();
        assert_eq!((identity.component.as_str(), identity.repetition), ("c", 1));
        let unknown = Gap { lost: None, since_ns: None, ..gap };
        let line = String::from_utf8(unknown.line(&context(), 7, 4096)).unwrap();
        assert!(line.contains("\"lost\":null") && !line.contains("since"), "{line}");
        assert_eq!(identity_of(b"{}"), None);
    }
}
