//! Records of our own: what a log tells of itself.

use crate::clock::realtime_ns;
use crate::encode::{EncodedContext, Encoder, Source};
use crate::error::Result;
use crate::file::LogFile;
use crate::record::{Context, Level};

/// The logger of such records.
const LOGGER: &str = "lb_log";

/// Most bytes of such a line.
const MOST_BYTES: usize = 16 * 1024;

/// What a log tells of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OwnRecord {
    pub(crate) event_type: &'static str,
    pub(crate) level: Level,
    pub(crate) message: String,
    /// Encoded (see [`crate::frame::append_tag`]).
    pub(crate) tags: Vec<u8>,
}

impl OwnRecord {
    /// The line, dated `now_ns`, under the identity of a context.
    pub(crate) fn line(&self, context: &Context, now_ns: i64) -> Vec<u8> {
        let (logger, event_type) = (LOGGER.to_owned(), self.event_type.to_owned());
        let context = Context { logger, event_type, ..context.clone() };
        let source = Source {
            ns: now_ns,
            level: self.level,
            flags: 0,
            message: self.message.as_bytes(),
            tags: &self.tags,
        };
        let mut line = Vec::new();
        Encoder::new(MOST_BYTES).append(&mut line, &EncodedContext::new(&context), source);
        line
    }
}

/// Appends a record of our own to a log, under the identity of `context` or else of the log's last
/// record.
pub(crate) fn tell(
    log: &mut LogFile,
    record: impl Into<OwnRecord>,
    context: Option<&Context>,
) -> Result<()> {
    let mut locked = log.lock()?;
    let identity = match context {
        Some(context) => Some(context.clone()),
        None => locked.last_line()?.and_then(|line| identity_of(&line)),
    };
    // A log without a single record has nobody to speak for; the caller tells its user.
    identity.map_or(Ok(()), |identity| {
        locked.append_line(&record.into().line(&identity, realtime_ns()))
    })
}

/// The identity of the record in a line, for those who write to a log without one of their own.
/// `None` where the line does not tell.
fn identity_of(line: &[u8]) -> Option<Context> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    Some(Context {
        component: text("component")?,
        host: text("host")?,
        run_id: text("run_id")?,
        logger: text("logger")?,
        event_type: text("event_type")?,
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
    fn a_line_under_anothers_identity() {
        let message = "so it is".to_owned();
        let record =
            OwnRecord { event_type: "log_this", level: Level::Info, message, tags: Vec::new() };
        let line = record.line(&context(), 7);
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&value["event_type"], &value["logger"]), (&"log_this".into(), &LOGGER.into()));
        assert_eq!((&value["message"], &value["level"]), (&"so it is".into(), &"INFO".into()));
        let identity = identity_of(&line).unwrap();
        assert_eq!((identity.component.as_str(), identity.repetition), ("c", 1));
        assert_eq!(identity_of(b"{}"), None);
    }
}
