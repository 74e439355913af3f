//! The lines of several logs, by time so far as the logs are: of each log the files from the oldest
//! on, each up to what is committed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::file::id_of;
use crate::loki::ship::identity::LineHash;
use crate::loki::ship::segments::Part;
use crate::loki::ship::source::LONGEST_LINE;
use crate::loki::wire::line::{Line, LineReader};
use crate::record::Level;
use crate::runs::blocks::torn;

/// Bytes that are read at once of each log.
const CHUNK: usize = 64 << 10;

/// Where a line stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Spot {
    /// An index into [`Walk::files`].
    pub(super) file: usize,
    /// From 1.
    pub(super) number: u64,
    pub(super) start: u64,
    /// Behind its newline.
    pub(super) end: u64,
}

/// What a walk meets.
#[derive(Debug)]
pub(super) enum Met<'w> {
    /// A line from the lowest level up.
    Line(&'w Line, &'w [u8]),
    /// A line that is no record.
    NoRecord,
}

/// A file that is walked through, with what was seen of it.
#[derive(Clone, Debug)]
pub(super) struct Walked {
    pub(super) path: PathBuf,
    /// Bytes that are to be read; of a compressed file, as it lies there.
    pub(super) bytes: u64,
    pub(super) lines: u64,
    pub(super) below_level: u64,
    /// Why a compressed file ends before its end.
    pub(super) damaged: Option<String>,
}

/// A walk under way.
pub(super) struct Walk {
    pub(super) files: Vec<Walked>,
    /// Bytes that were read.
    pub(super) bytes: u64,
    min_level: Level,
    logs: Vec<Log>,
    /// The logs with a line, by its time; what is no record comes first.
    heads: BinaryHeap<Reverse<(i64, usize)>>,
    /// The log whose line was handed out last.
    taken: Option<usize>,
}

struct Log {
    reader: LineReader,
    /// Files, and their indexes; the last one is open, for it may get another name.
    left: VecDeque<(usize, Part, Option<File>)>,
    open: Option<(usize, Lines)>,
    head: Option<(Spot, std::result::Result<Line, &'static str>)>,
}

impl Walk {
    pub(super) fn new(min_level: Level) -> Self {
        let (files, logs, heads) = (Vec::new(), Vec::new(), BinaryHeap::new());
        Self { files, bytes: 0, min_level, logs, heads, taken: None }
    }

    /// Adds a log with its files, oldest first, and the static labels of its streams.
    ///
    /// # Errors
    /// [`Error::Io`], of a file that cannot be read.
    pub(super) fn add(&mut self, parts: &[Part], labels: &BTreeMap<String, String>) -> Result<()> {
        let mut left = VecDeque::new();
        for (index, part) in parts.iter().enumerate() {
            let live = index + 1 == parts.len();
            let failed = |error| Error::io(&part.path, "reading the log", error);
            let file = live.then(|| Lines::file(part)).transpose().map_err(failed)?;
            left.push_back((self.files.len(), part.clone(), file));
            let (path, bytes) = (part.path.clone(), part.committed);
            self.files.push(Walked { path, bytes, lines: 0, below_level: 0, damaged: None });
        }
        self.logs.push(Log { reader: LineReader::new(labels), left, open: None, head: None });
        self.advance(self.logs.len() - 1)
    }

    /// The next line of all.
    pub(super) fn next(&mut self) -> Result<Option<(Spot, Met<'_>)>> {
        if let Some(log) = self.taken.take() {
            self.advance(log)?;
        }
        let Some(Reverse((_, index))) = self.heads.pop() else { return Ok(None) };
        self.taken = Some(index);
        let log = &self.logs[index];
        Ok(match (&log.head, &log.open) {
            (Some((spot, Ok(line))), Some((_, lines))) => {
                Some((*spot, Met::Line(line, &lines.text)))
            }
            (Some((spot, Err(_))), _) => Some((*spot, Met::NoRecord)),
            _ => None,
        })
    }

    /// Finds a log's next line.
    fn advance(&mut self, index: usize) -> Result<()> {
        let log = &mut self.logs[index];
        log.head = None;
        loop {
            let Some((file, lines)) = &mut log.open else {
                let Some((index, part, file)) = log.left.pop_front() else { return Ok(()) };
                let failed = |error| Error::io(&part.path, "reading the log", error);
                let file = file.map_or_else(|| Lines::file(&part), Ok).map_err(failed)?;
                log.open = Some((index, Lines::new(&part, file)));
                continue;
            };
            let walked = &mut self.files[*file];
            let start = lines.at;
            let read = match lines.next() {
                Err(error) if !lines.plain => {
                    walked.damaged = Some(torn(&walked.path, &error, lines.at, "compared"));
                    false
                }
                read => read.map_err(|e| Error::io(&walked.path, "reading the log", e))?,
            };
            if !read {
                self.bytes += if lines.plain { 0 } else { walked.bytes };
                log.open = None;
                continue;
            }
            self.bytes += if lines.plain { lines.at - start } else { 0 };
            walked.lines += 1;
            let spot = Spot { file: *file, number: walked.lines, start, end: lines.at };
            let line = match lines.text.len() {
                0..=LONGEST_LINE => log.reader.read(&lines.text),
                _ => Err("it is longer than a push to Loki may be"),
            };
            if line.as_ref().is_ok_and(|line| line.level < self.min_level) {
                walked.below_level += 1;
                continue;
            }
            let ns = line.as_ref().map_or(i64::MIN, |line| line.ns);
            self.heads.push(Reverse((ns, index)));
            log.head = Some((spot, line));
            return Ok(());
        }
    }
}

/// The lines of one file, forward.
struct Lines {
    input: Box<dyn BufRead>,
    plain: bool,
    /// The position behind the last line.
    at: u64,
    /// The last line without its newline; of one that is too long, the beginning.
    text: Vec<u8>,
}

impl Lines {
    fn file(part: &Part) -> io::Result<File> {
        let file = File::open(&part.path)?;
        if id_of(&file)? != part.id {
            return Err(io::Error::new(io::ErrorKind::NotFound, "another file has its place"));
        }
        Ok(file)
    }

    fn new(part: &Part, file: File) -> Self {
        let plain = !is_compressed(&part.path);
        let input: Box<dyn BufRead> = if plain {
            Box::new(BufReader::with_capacity(CHUNK, file.take(part.committed)))
        } else {
            Box::new(BufReader::with_capacity(CHUNK, MultiGzDecoder::new(BufReader::new(file))))
        };
        Self { input, plain, at: 0, text: Vec::new() }
    }

    /// Reads the next line; false where no whole one is left.
    fn next(&mut self) -> io::Result<bool> {
        self.text.clear();
        let mut read = 0;
        loop {
            let held = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                held => held?,
            };
            if held.is_empty() {
                return Ok(false);
            }
            let newline = memchr::memchr(b'\n', held);
            let len = newline.unwrap_or(held.len());
            let room = (LONGEST_LINE + 1).saturating_sub(self.text.len());
            self.text.extend_from_slice(&held[..len.min(room)]);
            let used = len + usize::from(newline.is_some());
            self.input.consume(used);
            read += used as u64;
            if newline.is_some() {
                self.at += read;
                return Ok(true);
            }
        }
    }
}

/// Whether a file is a collected log, by its name.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

/// The hash of a collected file's first line, by which it is known.
pub(super) fn first_of_collected(part: &Part) -> io::Result<Option<LineHash>> {
    let mut lines = Lines::new(part, Lines::file(part)?);
    let whole = lines.next()?;
    Ok(whole.then(|| LineHash::of_first(&lines.text)))
}

/// A collected log as the one file of its log.
pub(super) fn collected(path: &Path) -> Result<Part> {
    let opened = File::open(path).and_then(|file| Ok((id_of(&file)?, file.metadata()?.len())));
    let (id, committed) = opened.map_err(|e| Error::io(path, "reading the log", e))?;
    Ok(Part { path: path.to_path_buf(), id, committed })
}
