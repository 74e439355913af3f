//! A record as its line, for those who hand it on themselves.

use crate::encode::{EncodedContext, Encoder, Source};
use crate::frame::append_tag;
use crate::intake::TagList;
use crate::record::{Context, Level};

/// The line of a record without its newline, as a log would have it; it is never cut.
pub fn line<T: TagList>(
    context: &Context,
    level: Level,
    timestamp_ns: i64,
    message: &[u8],
    tags: T,
) -> Vec<u8> {
    let mut encoded = Vec::new();
    tags.visit(&mut |key, value| {
        append_tag(&mut encoded, key, value);
        true
    });
    let source = Source { ns: timestamp_ns, level, flags: 0, message, tags: &encoded };
    let mut line = Vec::new();
    Encoder::new(usize::MAX - 1).append(&mut line, &EncodedContext::new(context), source);
    line.pop();
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::record::TagValue;
    use crate::record::tests_support::context;

    #[test]
    fn whole_and_on_one_line() {
        let message = "a\nb".repeat(1 << 20);
        let tags: &[(&[u8], TagValue<'_>)] = &[(b"n", TagValue::Integer(1))];
        let line = line(&context(), Level::Error, 7, message.as_bytes(), tags);
        assert!(!line.contains(&b'\n'));
        let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["message"], message);
        assert_eq!((&value["level"], &value["tags"]["n"]), (&"ERROR".into(), &1.into()));
    }
}
