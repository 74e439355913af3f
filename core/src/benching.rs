//! What `benches/` measures of the inside.
#![allow(missing_docs)]

use crate::encode::{EncodedContext, Encoder, Source};
use crate::record::{Context, Level};

/// The encoder with one context, as the writer has them.
pub struct Lines {
    encoder: Encoder,
    context: EncodedContext,
}

impl Lines {
    #[must_use]
    pub fn new(context: &Context, max_record_bytes: usize) -> Self {
        Self { encoder: Encoder::new(max_record_bytes), context: EncodedContext::new(context) }
    }

    /// Appends the line of an INFO record without tags of its own.
    pub fn append(&mut self, out: &mut Vec<u8>, ns: i64, message: &[u8]) {
        let source = Source { ns, level: Level::Info, flags: 0, message, tags: b"" };
        self.encoder.append(out, &self.context, source);
    }
}
