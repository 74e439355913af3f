//! One record, one line.

use super::escape::{escape, escape_within};
use super::tags::{append_member, may_repeat, survivors};
use super::time::TimeText;
use crate::frame::{FLAG_TRUNCATED, TRUNCATED_TAG, Tag, Tags, append_tag, payload};
use crate::record::{BEGINNING, Context, Level, TagValue};

/// The parts of a line that are the same for all records of a context, escaped once.
pub(crate) struct EncodedContext {
    /// From behind the timestamp to the start of the message, per level.
    before_message: [Box<[u8]>; Level::ALL.len()],
    /// From the end of the message to the last field before `tags`.
    after_message: Box<[u8]>,
    bound_keys: Box<[Box<str>]>,
    /// `"key":value` of each bound tag.
    bound_members: Box<[Box<[u8]>]>,
}

impl EncodedContext {
    pub(crate) fn new(context: &Context) -> Self {
        let mut identity = Vec::new();
        for (name, value) in [
            ("component", &context.component),
            ("host", &context.host),
            ("run_id", &context.run_id),
            ("logger", &context.logger),
        ] {
            text_field(&mut identity, name, value);
        }
        identity.extend_from_slice(b",\"message\":\"");
        let before_message = Level::ALL.map(|level| {
            let mut bytes = format!("Z\",\"level\":\"{}\"", level.name()).into_bytes();
            bytes.extend_from_slice(&identity);
            bytes.into_boxed_slice()
        });

        let mut after = b"\"".to_vec();
        text_field(&mut after, "event_type", &context.event_type);
        text_field(&mut after, "workload", &context.workload);
        after.extend_from_slice(format!(",\"repetition\":{}", context.repetition).as_bytes());
        for (name, value) in [
            ("scenario", &context.scenario),
            ("package", &context.package),
            ("plugin", &context.plugin),
        ] {
            if let Some(value) = value {
                text_field(&mut after, name, value);
            }
        }
        let members = context.tags.iter().map(|(key, value)| {
            let mut bytes = vec![b'"'];
            escape(&mut bytes, key.as_bytes());
            bytes.extend_from_slice(b"\":");
            bytes.extend_from_slice(value.to_string().as_bytes());
            bytes.into_boxed_slice()
        });
        Self {
            before_message,
            after_message: after.into_boxed_slice(),
            bound_members: members.collect(),
            bound_keys: context.tags.keys().map(|key| key.as_str().into()).collect(),
        }
    }

    /// Bytes of a line of this context with nothing in it.
    pub(crate) fn overhead(&self) -> usize {
        let bound: usize = self.bound_members.iter().map(|member| member.len() + 1).sum();
        64 + self.before_message[0].len() + 8 + self.after_message.len() + bound
    }
}

fn text_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(format!(",\"{name}\":\"").as_bytes());
    escape(out, value.as_bytes());
    out.push(b'"');
}

/// What a line is made of.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) ns: i64,
    pub(crate) level: Level,
    pub(crate) flags: u8,
    pub(crate) message: &'a [u8],
    pub(crate) tags: &'a [u8],
}

/// What had to be done to a record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcome {
    /// The record was cut, here or before it came into the ring.
    pub(crate) truncated: bool,
    /// Numbers that became null.
    pub(crate) nonfinite: u32,
}

/// Encodes records. One for each thread that writes.
pub(crate) struct Encoder {
    time: TimeText,
    max_record_bytes: usize,
}

impl Encoder {
    pub(crate) fn new(max_record_bytes: usize) -> Self {
        Self { time: TimeText::new(), max_record_bytes }
    }

    /// Appends the record's line, with its newline, to `out`.
    #[inline]
    pub(crate) fn append(
        &mut self,
        out: &mut Vec<u8>,
        context: &EncodedContext,
        record: Source<'_>,
    ) -> Outcome {
        let start = out.len();
        self.open(out, context, record);
        escape(out, record.message);
        out.extend_from_slice(&context.after_message);
        let nonfinite = if record.tags.is_empty() && context.bound_keys.is_empty() {
            out.extend_from_slice(b"}\n");
            0
        } else {
            append_tags(out, context, record.tags)
        };
        if out.len() - start > self.max_record_bytes + 1 {
            out.truncate(start);
            return self.append_cut(out, context, record);
        }
        Outcome { truncated: record.flags & FLAG_TRUNCATED != 0, nonfinite }
    }

    #[inline]
    fn open(&mut self, out: &mut Vec<u8>, context: &EncodedContext, record: Source<'_>) {
        out.extend_from_slice(BEGINNING);
        self.time.append(out, record.ns);
        out.extend_from_slice(&context.before_message[record.level as usize - 1]);
    }

    /// The line of a record that is too long: tags go from the last, then the message is cut.
    #[cold]
    fn append_cut(
        &mut self,
        out: &mut Vec<u8>,
        context: &EncodedContext,
        record: Source<'_>,
    ) -> Outcome {
        let mut tags: Vec<Tag<'_>> = Tags::new(record.tags).collect();
        let mut removed = 0u64;
        if record.flags & FLAG_TRUNCATED != 0
            && let Some(Tag { value: TagValue::Unsigned(before), .. }) = tags.last()
        {
            removed = *before;
            tags.pop();
        }
        let start = out.len();
        let end = start + self.max_record_bytes;
        self.open(out, context, record);
        // What must stay: the rest of the line without record tags, and the tag that tells.
        let mut fixed = Vec::new();
        fixed.extend_from_slice(&context.after_message);
        append_tags(&mut fixed, context, &truncated_tag(u64::MAX));
        let room = end.saturating_sub(fixed.len());
        let used = escape_within(out, record.message, room);
        // A damaged ring may claim any number: it saturates.
        removed = removed.saturating_add((record.message.len() - used) as u64);

        let mut kept = Vec::new();
        let mut budget = room.saturating_sub(out.len());
        let mut full = used < record.message.len();
        let mut member = Vec::new();
        for tag in tags {
            member.clear();
            append_member(&mut member, tag);
            full = full || member.len() + 1 > budget;
            if full {
                removed = removed.saturating_add(payload(tag) as u64);
            } else {
                budget -= member.len() + 1;
                append_tag(&mut kept, tag.key, tag.value);
            }
        }
        kept.extend_from_slice(&truncated_tag(removed));
        out.extend_from_slice(&context.after_message);
        let nonfinite = append_tags(out, context, &kept);
        Outcome { truncated: true, nonfinite }
    }
}

fn truncated_tag(removed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_tag(&mut bytes, TRUNCATED_TAG, TagValue::Unsigned(removed));
    bytes
}

/// Appends `,"tags":{…}}` and the newline; returns how many numbers became null.
#[inline]
fn append_tags(out: &mut Vec<u8>, context: &EncodedContext, tags: &[u8]) -> u32 {
    let start = out.len();
    out.extend_from_slice(b",\"tags\":{");
    let walk = Tags::new(tags);
    let nonfinite = if may_repeat(walk.clone(), &context.bound_keys) {
        let stands = survivors(&walk, &context.bound_keys);
        let bound = context.bound_members.iter().zip(&stands.bound);
        bound.filter(|(_, stands)| **stands).for_each(|(member, _)| append_bound(out, member));
        let own = walk.zip(&stands.tags).filter(|(_, stands)| **stands);
        append_own(out, own.map(|(tag, _)| tag))
    } else {
        context.bound_members.iter().for_each(|member| append_bound(out, member));
        append_own(out, walk)
    };
    // Each member ends with a comma; the last one gives way to the end of the object.
    if out.pop() == Some(b',') {
        out.extend_from_slice(b"}}\n");
    } else {
        // Not even the first tag of a damaged frame could be read.
        out.truncate(start);
        out.extend_from_slice(b"}\n");
    }
    nonfinite
}

fn append_bound(out: &mut Vec<u8>, member: &[u8]) {
    out.extend_from_slice(member);
    out.push(b',');
}

#[inline]
fn append_own<'a>(out: &mut Vec<u8>, tags: impl Iterator<Item = Tag<'a>>) -> u32 {
    let mut nonfinite = 0;
    for tag in tags {
        nonfinite += u32::from(!append_member(out, tag));
        out.push(b',');
    }
    nonfinite
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn context() -> Context {
        crate::record::tests_support::context()
    }

    fn line(context: &Context, max: usize, message: &[u8], tags: &[u8]) -> (String, Outcome) {
        let mut out = Vec::new();
        let encoded = EncodedContext::new(context);
        let source = Source { ns: 1, level: Level::Info, flags: 0, message, tags };
        let outcome = Encoder::new(max).append(&mut out, &encoded, source);
        (String::from_utf8(out).unwrap(), outcome)
    }

    #[test]
    fn a_record_without_tags() {
        let (line, outcome) = line(&context(), 4096, b"hello", b"");
        assert_eq!(
            line,
            "{\"timestamp\":\"1970-01-01T00:00:00.000000001Z\",\"level\":\"INFO\",\
             \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\
             \"message\":\"hello\",\"event_type\":\"log\",\"workload\":\"w\",\"repetition\":1}\n"
        );
        assert_eq!(outcome, Outcome::default());
    }

    #[test]
    fn the_limit_holds_whatever_the_bytes() {
        let mut tags = Vec::new();
        for index in 0..200 {
            append_tag(&mut tags, format!("key{index}").as_bytes(), TagValue::String(b"\x01\xFF"));
        }
        for message in [&b"short"[..], &[0x01; 5000], &[0xFF; 5000], &[b'"'; 5000]] {
            let (line, outcome) = line(&context(), 1024, message, &tags);
            assert!(line.len() <= 1025, "{}", line.len());
            assert!(outcome.truncated);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(value["tags"]["truncated_bytes"].as_u64().unwrap() > 0);
        }
    }

    #[test]
    fn tags_that_cannot_be_read_leave_a_whole_line() {
        let (line, _) = line(&context(), 4096, b"m", b"\xFF");
        assert!(line.ends_with("\"repetition\":1}\n"), "{line}");
    }

    #[test]
    fn a_mark_that_lies_is_no_overflow() {
        let context = EncodedContext::new(&context());
        let tags = truncated_tag(u64::MAX);
        let message = [b'x'; 2000];
        let flags = FLAG_TRUNCATED;
        let source = Source { ns: 1, level: Level::Info, flags, message: &message, tags: &tags };
        let mut line = Vec::new();
        assert!(Encoder::new(1024).append(&mut line, &context, source).truncated);
        let line = String::from_utf8(line).unwrap();
        assert!(line.ends_with("\"truncated_bytes\":18446744073709551615}}\n"), "{line}");
    }

    #[test]
    fn a_tag_of_the_record_wins_over_a_bound_one() {
        let mut context = context();
        context.tags.insert("instance".into(), "a".into());
        context.tags.insert("phase".into(), "run".into());
        let mut tags = Vec::new();
        append_tag(&mut tags, b"phase", TagValue::String(b"setup"));
        append_tag(&mut tags, b"phase", TagValue::Number(f64::NAN));
        let (line, outcome) = line(&context, 4096, b"", &tags);
        assert!(line.ends_with("\"tags\":{\"instance\":\"a\",\"phase\":null}}\n"), "{line}");
        assert_eq!(outcome.nonfinite, 1);
    }
}
