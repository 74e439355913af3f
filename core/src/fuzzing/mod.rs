//! What must hold for any bytes. Each function takes bytes of any kind and panics where the core
//! breaks a promise; `cargo test` runs them for seconds, `fuzz/` for as long as one likes.
#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc, unsafe_code)]

mod json;
pub(crate) mod ring;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::config::{Surroundings, load_with, settings_despite_mistakes};
use crate::encode::{EncodedContext, Encoder, Source};
use crate::file::{State, look, open_noted};
use crate::frame::{
    ENTRY_HEADER, Entry, FLAG_TRUNCATED, Frame, Next, Tags, append_tag, cut, next_entry,
};
use crate::names;
use crate::record::{Context, Level, TagValue};

pub use ring::ring_file;

/// Takes values off the front of a fuzzer's bytes; zeros when they are used up.
pub(crate) struct Feed<'a>(pub(crate) &'a [u8]);

impl<'a> Feed<'a> {
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn number(&mut self, bytes: usize) -> u64 {
        self.bytes(bytes).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn size(&mut self, below: usize) -> usize {
        usize::try_from(self.number(2)).unwrap() % below
    }

    fn text(&mut self, longest: usize) -> String {
        let len = self.size(longest + 1);
        String::from_utf8_lossy(self.bytes(len)).into_owned()
    }
}

/// A folder for the files of this process, made once.
fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = std::env::temp_dir().join(format!("lb-log-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    };
    FOLDER.get_or_init(make).clone()
}

/// A frame and the entries of a batch: everything found lies inside, and the walk ends.
pub fn frames(data: &[u8]) {
    let inside = |part: &[u8]| {
        part.is_empty() || data.as_ptr_range().contains(&part.as_ptr()) && part.len() <= data.len()
    };
    if let Some(frame) = Frame::parse(data) {
        assert!(inside(frame.message) && inside(frame.tags));
        assert!(Tags::new(frame.tags).all(|tag| inside(tag.key)));
        let limit = 64 + data.len() % 300;
        let small = cut(frame.message, Tags::new(frame.tags), limit);
        assert!(small.message.len() + small.tags.len() <= limit);
        assert!(Tags::new(&small.tags).all_sound());
    }
    let mut rest = data;
    loop {
        let next = match next_entry(rest) {
            Next::Entry(Entry { message, tags, .. }, next) => {
                assert!(inside(message) && inside(tags) && Tags::new(tags).all_sound());
                next
            }
            Next::Malformed(_, next) => next,
            Next::Lost | Next::End => break,
        };
        assert!(next.len() + ENTRY_HEADER <= rest.len(), "it goes on");
        rest = next;
    }
}

fn context(feed: &mut Feed<'_>) -> Context {
    let tags = (0..feed.size(4)).map(|_| {
        let key = feed.text(12);
        let value = match feed.size(4) {
            0 => feed.text(12).into(),
            1 => feed.number(8).into(),
            2 => f64::from_bits(feed.number(8)).into(),
            _ => serde_json::Value::Null,
        };
        (key, value)
    });
    let tags = tags.collect();
    let mut some = || format!("x{}", feed.text(16));
    Context {
        component: some(),
        host: some(),
        run_id: some(),
        logger: some(),
        event_type: some(),
        workload: some(),
        scenario: Some(some()),
        package: None,
        plugin: Some(some()),
        repetition: feed.number(8).max(1),
        tags,
    }
}

fn tags(feed: &mut Feed<'_>) -> Vec<u8> {
    let mut tags = Vec::new();
    for _ in 0..feed.size(90) {
        let len = feed.size(10);
        let key = feed.bytes(len);
        let value = match feed.size(6) {
            0 => TagValue::Integer(feed.number(8).cast_signed()),
            1 => TagValue::Unsigned(feed.number(8)),
            2 => TagValue::Number(f64::from_bits(feed.number(8))),
            3 => TagValue::Boolean(feed.size(2) == 1),
            4 => TagValue::Null,
            _ => {
                let len = feed.size(40);
                TagValue::String(feed.bytes(len))
            }
        };
        append_tag(&mut tags, key, value);
    }
    tags
}

/// Any record becomes one line that obeys the schema's order, without doubled names, and within
/// the limit.
pub fn encoder(data: &[u8]) {
    let mut feed = Feed(data);
    let limit = 1024 + feed.size(8192);
    let context = context(&mut feed);
    let encoded = EncodedContext::new(&context);
    let level = Level::ALL[feed.size(Level::ALL.len())];
    let ns = feed.number(8).cast_signed();
    let mut flags = 0;
    let tags = match feed.size(3) {
        // What a damaged ring may bring: tags that end anywhere, marks that lie.
        0 => {
            flags = FLAG_TRUNCATED * u8::from(feed.size(2) == 1);
            let len = feed.size(512);
            feed.bytes(len).to_vec()
        }
        1 => {
            flags = FLAG_TRUNCATED;
            let mut tags = tags(&mut feed);
            append_tag(&mut tags, b"truncated_bytes", TagValue::Unsigned(feed.number(8)));
            tags
        }
        _ => tags(&mut feed),
    };
    let repeats = 1 + feed.size(64);
    let message = feed.0.repeat(repeats);
    let mut line = b"before\n".to_vec();
    let source = Source { ns, level, flags, message: &message, tags: &tags };
    let outcome = Encoder::new(limit).append(&mut line, &encoded, source);
    let line = line.strip_prefix(b"before\n").unwrap();
    let read = json::line(line);
    assert_eq!(json::text(&read, "level"), level.name());
    assert_eq!(json::text(&read, "host"), context.host);
    if encoded.overhead() <= limit / 2 {
        assert!(line.len() <= limit + 1, "{} of {limit}", line.len());
    }
    let shown = json::text(&read, "message");
    let given = String::from_utf8_lossy(&message);
    if outcome.truncated {
        assert!(given.starts_with(shown));
    } else {
        assert_eq!(shown, given);
    }
}

fn around(env: Vec<(OsString, OsString)>) -> Surroundings {
    Surroundings {
        env,
        cwd: folder(),
        home: None,
        host: "h".into(),
        started: SystemTime::UNIX_EPOCH,
        pid: 1,
    }
}

/// Any argument, variable or file gives a configuration or messages, never a panic.
pub fn config(data: &[u8]) {
    let mut feed = Feed(data);
    let kind = feed.number(1) % 6;
    let (json, env) = match kind {
        0 => (feed.0.to_vec(), Vec::new()),
        1 => {
            let mut halves = feed.0.splitn(2, |byte| *byte == b'=');
            let mut half = || OsString::from_vec(halves.next().unwrap_or_default().to_vec());
            (Vec::new(), vec![(half(), half())])
        }
        2 => {
            let base = context(&mut Feed(b""));
            let _ = crate::config::context(feed.0, &base);
            return;
        }
        _ => {
            let suffix = ["toml", "json", "yaml"][usize::try_from(kind).unwrap() % 3];
            let path = folder().join(format!("lb.{suffix}"));
            std::fs::write(&path, feed.0).unwrap();
            (serde_json::json!({ "config": path }).to_string().into_bytes(), Vec::new())
        }
    };
    // A path of the fuzzer's choice could be a device without an end.
    let names_file = |bytes: &[u8]| {
        serde_json::from_slice::<serde_json::Value>(bytes)
            .is_ok_and(|value| value.get("config").is_some())
    };
    let env: Vec<_> = env.into_iter().filter(|(name, _)| name != "LB_CONFIG").collect();
    if kind == 0 && names_file(&json) {
        return;
    }
    let around = around(env);
    match load_with(&json, &around) {
        Ok(config) => assert!(config.log_path.is_absolute() && config.max_record_bytes > 0),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = settings_despite_mistakes(&json, &around);
}

/// Any note and any lock file: read, or refused.
pub fn note(data: &[u8]) {
    let log = folder().join("a.jsonl");
    std::fs::write(names::rings_note(&log, 7), data).unwrap();
    let _ = open_noted(&log, 7);
    let _ = look(&log, 7, [0; 16]);

    // The lock file: the same bytes under a checksum that is right.
    let mut bytes = data.to_vec();
    bytes.resize(512, 0);
    bytes[..8].copy_from_slice(b"lblock01");
    let sum = crc32fast::hash(&bytes[..508]);
    bytes[508..].copy_from_slice(&sum.to_le_bytes());
    let path = folder().join("lock");
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(&bytes).unwrap();
    let state = State::read(&file).unwrap();
    state.write(&file).unwrap();
    assert_eq!(State::read(&file).unwrap(), state);
}
