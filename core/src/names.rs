//! The names of our files: from a template and an identity to a path, and back.
//!
//! A name that a user chose reaches the file system only through here: without separators, `..`,
//! control characters or a leading `-` or `.`, short enough for every side file, and never equal to
//! the name that another identity gets. Whoever deletes, collects or recovers files by their names
//! uses the strict parsers at the end.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What the name of a log file ends in.
pub const LOG_SUFFIX: &str = ".jsonl";

/// Most bytes of a file name on the file systems that we meet.
pub const MAX_NAME_BYTES: usize = 255;

/// Bytes kept free beside a stem. The longest name made from one is the temporary rings note of a
/// file apart: `.`, stem, `~` and 8 digits, `.`, 16 digits, `.rings`, and up to 14 bytes more.
const SIDE_BYTES: usize = 47;

/// Most bytes of a stem (a log file's name without `.jsonl`).
pub const MAX_STEM_BYTES: usize = MAX_NAME_BYTES - SIDE_BYTES;

/// How the names of side files with an id end.
const RINGS_NOTE: &str = ".rings";
const UNFINISHED_NOTE: &str = ".rings.tmp";
const RING_DATA: &str = ".ringdata";
const OFFSET: &str = ".offset";

/// `~` and 8 hex digits.
const MARK_BYTES: usize = 9;

/// The names that a template's placeholders stand for, raw.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// `{output_dir}`: a path, taken as it is.
    pub output_dir: &'a str,
    /// `{run_id}`
    pub run_id: &'a str,
    /// `{component}`
    pub component: &'a str,
    /// `{host}`
    pub host: &'a str,
    /// `{pid}`
    pub pid: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Placeholder {
    RunId,
    Component,
    Host,
    Pid,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Name(Placeholder),
}

/// The path of the log file: `template` with its placeholders replaced by sanitised names.
///
/// `{{` and `}}` stand for braces. Each part between two slashes that holds placeholders gets `~`
/// and 8 hex digits (CRC-32 of the raw names, each after its length as 8 bytes, little-endian) when
/// a name had to be changed or cut, when the part could also be read as that of other names (a
/// component with a hyphen before `-{host}`), or when it ends like a name of ours.
///
/// # Errors
/// A text that says what is wrong with the template; it names neither key nor source.
pub fn resolve(template: &str, names: &Names<'_>) -> Result<PathBuf, String> {
    if template.is_empty() {
        return Err("an empty path".to_owned());
    }
    if template.contains('\0') {
        return Err("a path cannot contain a zero byte".to_owned());
    }
    let (mut path, rest) = match template.strip_prefix("{output_dir}") {
        None => (String::new(), template),
        Some(rest) if rest.starts_with('/') => (names.output_dir.to_owned(), rest),
        Some(_) => return Err("after {output_dir} there must be a slash".to_owned()),
    };
    let (folders, file) = rest.rsplit_once('/').map_or((None, rest), |(f, n)| (Some(f), n));
    for folder in folders.into_iter().flat_map(|folders| folders.split('/')) {
        path.push_str(&expand(&parse(folder)?, names, Part::Folder)?);
        path.push('/');
    }
    let Some(stem) = file.strip_suffix(LOG_SUFFIX).filter(|stem| !stem.is_empty()) else {
        return Err(format!(
            "the file name must end in {LOG_SUFFIX}, as in {{component}}-{{host}}{LOG_SUFFIX}"
        ));
    };
    path.push_str(&expand(&parse(stem)?, names, Part::Stem)?);
    path.push_str(LOG_SUFFIX);
    Ok(PathBuf::from(path))
}

/// The folder name of a run: `{run_id}` as [`resolve`] writes it.
#[must_use]
pub fn run_folder(run_id: &str) -> String {
    let names = Names { output_dir: "", run_id, component: "", host: "", pid: 0 };
    let pieces = [Piece::Name(Placeholder::RunId)];
    expand(&pieces, &names, Part::Folder).unwrap_or_default()
}

/// The stem under which a log from another machine is kept here: its own where we could have given
/// it, else one with `~` and 8 hex digits of a hash of where it comes from. The `nth` of several such
/// names, from 0; only the first can be its own.
#[must_use]
pub fn collected_stem(stem: &str, from: &str, nth: u32) -> String {
    let mut text = sanitise(stem);
    if nth == 0 && text == stem && text.len() <= MAX_STEM_BYTES {
        return text;
    }
    let mut hash = crc32fast::Hasher::new();
    hash.update(&nth.to_le_bytes());
    hash.update(from.as_bytes());
    cut(&mut text, MAX_STEM_BYTES - MARK_BYTES);
    let _ = write!(text, "~{:08x}", hash.finalize());
    text
}

fn parse(part: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = part;
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..=at];
        literal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let end = if brace == "{" { rest.find('}') } else { None };
        let end =
            end.ok_or_else(|| format!("a single `{brace}`; write `{brace}{brace}` for a brace"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Name(placeholder(&rest[..end])?));
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn placeholder(name: &str) -> Result<Placeholder, String> {
    match name {
        "run_id" => Ok(Placeholder::RunId),
        "component" => Ok(Placeholder::Component),
        "host" => Ok(Placeholder::Host),
        "pid" => Ok(Placeholder::Pid),
        "output_dir" => Err("{output_dir} can only stand at the beginning".to_owned()),
        _ => Err(format!(
            "unknown placeholder {{{name}}}; there are {{output_dir}} {{run_id}} {{component}} {{host}} {{pid}}"
        )),
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    Folder,
    Stem,
}

fn expand(pieces: &[Piece], names: &Names<'_>, part: Part) -> Result<String, String> {
    let limit = if part == Part::Stem { MAX_STEM_BYTES } else { MAX_NAME_BYTES };
    let mut text = String::new();
    let mut changed = false;
    let mut has_names = false;
    let mut hash = crc32fast::Hasher::new();
    for (at, piece) in pieces.iter().enumerate() {
        let raw = match piece {
            Piece::Literal(literal) => {
                text.push_str(literal);
                continue;
            }
            Piece::Name(Placeholder::Pid) => {
                let _ = write!(text, "{}", names.pid);
                continue;
            }
            Piece::Name(Placeholder::RunId) => names.run_id,
            Piece::Name(Placeholder::Component) => names.component,
            Piece::Name(Placeholder::Host) => names.host,
        };
        let clean = sanitise(raw);
        changed |= clean != raw || ambiguous(&clean, &pieces[at + 1..]);
        text.push_str(&clean);
        has_names = true;
        hash.update(&(raw.len() as u64).to_le_bytes());
        hash.update(raw.as_bytes());
    }
    let like_ours = part == Part::Stem && ends_like_ours(&text);
    if !has_names {
        return match () {
            () if text.len() > limit => Err(format!("a name of more than {limit} bytes")),
            () if like_ours => Err(format!(
                "the file name {text}{LOG_SUFFIX} ends like a rotated or quarantined file of another log"
            )),
            () => Ok(text),
        };
    }
    if changed || like_ours || ends_in_mark(&text) || text.len() > limit {
        cut(&mut text, limit - MARK_BYTES);
        let _ = write!(text, "~{:08x}", hash.finalize());
    }
    Ok(text)
}

/// Whether the end of this name could be taken for somewhere else, given what follows it.
fn ambiguous(name: &str, after: &[Piece]) -> bool {
    let names_follow = after.iter().any(|piece| matches!(piece, Piece::Name(_)));
    match after.first() {
        _ if !names_follow => false,
        Some(Piece::Literal(literal)) => {
            let joined = format!("{name}{literal}");
            joined.find(literal.as_str()) != Some(name.len())
        }
        _ => true,
    }
}

/// A name without what a file name must not have. Equal to `raw` when nothing had to be changed.
fn sanitise(raw: &str) -> String {
    let mut clean: String = raw.chars().map(|c| if forbidden(c) { '_' } else { c }).collect();
    while clean.contains("..") {
        clean = clean.replace("..", "__");
    }
    if clean.is_empty() || clean.starts_with(['-', '.']) {
        clean.replace_range(..clean.len().min(1), "_");
    }
    clean
}

/// Separators, control characters, and what makes a name look like another one on a terminal.
fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '/' | '\\' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn ends_like_ours(stem: &str) -> bool {
    let last = stem.rsplit_once('.').map_or("", |(_, last)| last);
    let number = last.len() >= 6 && last.bytes().all(|b| b.is_ascii_digit());
    number || matches!(last, "quarantined" | "jsonl" | "gz")
}

fn ends_in_mark(text: &str) -> bool {
    text.rsplit_once('~').is_some_and(|(_, digits)| digits.len() == 8 && is_hex(digits))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn cut(text: &mut String, bytes: usize) {
    while text.len() > bytes {
        text.pop();
    }
}

/// The stem of a log file: its name without `.jsonl`. None when it does not end so, or is not UTF-8.
#[must_use]
pub fn stem(log: &Path) -> Option<&str> {
    log.file_name()?.to_str()?.strip_suffix(LOG_SUFFIX).filter(|stem| !stem.is_empty())
}

/// The side file `.{stem}.{suffix}` beside a log file.
#[must_use]
pub fn side_file(log: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(raw_stem(log));
    name.push(".");
    name.push(suffix);
    log.with_file_name(name)
}

/// The lock file `.{stem}.lock` of a log file.
#[must_use]
pub fn lock_file(log: &Path) -> PathBuf {
    side_file(log, "lock")
}

/// The log that a file was, or is a part of: of a rotated segment, of a collected copy (`.gz`) of
/// either.
pub(crate) fn log_of(file: &Path) -> PathBuf {
    let gzipped = file.extension().is_some_and(|ending| ending == "gz");
    let plain = if gzipped { file.with_extension("") } else { file.to_path_buf() };
    let name = plain.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match parse_segment(name) {
        Some((stem, _)) => plain.with_file_name(format!("{stem}{LOG_SUFFIX}")),
        None => plain,
    }
}

/// The rings note `.{stem}.{16 hex}.rings` beside a log file.
#[must_use]
pub fn rings_note(log: &Path, id: u64) -> PathBuf {
    side_file(log, &format!("{id:016x}{RINGS_NOTE}"))
}

/// The name under which a rings note is made: `.{stem}.{16 hex}.rings.tmp`.
#[must_use]
pub fn unfinished_note(log: &Path, id: u64) -> PathBuf {
    side_file(log, &format!("{id:016x}{UNFINISHED_NOTE}"))
}

/// The ring file `.{stem}.{16 hex}.ringdata` beside a log file.
#[must_use]
pub fn ring_data(log: &Path, id: u64) -> PathBuf {
    side_file(log, &format!("{id:016x}{RING_DATA}"))
}

/// The offset file `.{stem}.{16 hex}.offset` of a log file: how far one Loki has it.
#[must_use]
pub fn offset(log: &Path, id: u64) -> PathBuf {
    side_file(log, &format!("{id:016x}{OFFSET}"))
}

/// The lock `.{stem}.shipper` of the process that ships a log file.
#[must_use]
pub fn shipper_lock(log: &Path) -> PathBuf {
    side_file(log, "shipper")
}

/// The rotated segment `{stem}.{seq:06}.jsonl` of a log file.
#[must_use]
pub fn segment(log: &Path, seq: u64) -> PathBuf {
    sibling(log, &format!(".{seq:06}"))
}

/// The file `{stem}.quarantined.jsonl` of a log file.
#[must_use]
pub fn quarantine(log: &Path) -> PathBuf {
    sibling(log, ".quarantined")
}

/// The file `{stem}~{8 hex}.jsonl` of a process that cannot have the log's lock.
#[must_use]
pub fn apart(log: &Path, id: u32) -> PathBuf {
    sibling(log, &format!("~{id:08x}"))
}

fn sibling(log: &Path, ending: &str) -> PathBuf {
    let mut name = raw_stem(log);
    name.push(ending);
    name.push(LOG_SUFFIX);
    log.with_file_name(name)
}

fn raw_stem(log: &Path) -> OsString {
    let name = log.file_name().unwrap_or(OsStr::new(LOG_SUFFIX)).as_bytes();
    OsString::from_vec(name.strip_suffix(LOG_SUFFIX.as_bytes()).unwrap_or(name).to_vec())
}

/// The stem of a live log's name: no side file, no rotated segment, no quarantine.
#[must_use]
pub fn parse_log(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(LOG_SUFFIX)?;
    let other = parse_segment(name).is_some() || parse_quarantine(name).is_some();
    (!stem.is_empty() && !other).then_some(stem)
}

/// Stem and number of a rotated segment: `{stem}.{seq:06}.jsonl`.
#[must_use]
pub fn parse_segment(name: &str) -> Option<(&str, u64)> {
    let (stem, digits) = name.strip_suffix(LOG_SUFFIX)?.rsplit_once('.')?;
    let seq: u64 = digits.parse().ok()?;
    (!stem.is_empty() && format!("{seq:06}") == digits).then_some((stem, seq))
}

/// The stem of a quarantine: `{stem}.quarantined.jsonl`.
#[must_use]
pub fn parse_quarantine(name: &str) -> Option<&str> {
    name.strip_suffix(LOG_SUFFIX)?.strip_suffix(".quarantined").filter(|stem| !stem.is_empty())
}

/// Stem and id of a rings note: `.{stem}.{16 hex}.rings`.
#[must_use]
pub fn parse_rings_note(name: &str) -> Option<(&str, u64)> {
    parse_with_id(name, RINGS_NOTE)
}

/// Stem and id of a rings note that is being made, or was left so: `.{stem}.{16 hex}.rings.tmp`.
#[must_use]
pub fn parse_unfinished_note(name: &str) -> Option<(&str, u64)> {
    parse_with_id(name, UNFINISHED_NOTE)
}

/// Stem and id of a ring file beside its log: `.{stem}.{16 hex}.ringdata`.
#[must_use]
pub fn parse_ring_data(name: &str) -> Option<(&str, u64)> {
    parse_with_id(name, RING_DATA)
}

/// Stem and id of an offset file: `.{stem}.{16 hex}.offset`.
#[must_use]
pub fn parse_offset(name: &str) -> Option<(&str, u64)> {
    parse_with_id(name, OFFSET)
}

/// Stem and id of `.{stem}.{16 hex}{ending}`.
fn parse_with_id<'n>(name: &'n str, ending: &str) -> Option<(&'n str, u64)> {
    let (stem, digits) = name.strip_prefix('.')?.strip_suffix(ending)?.rsplit_once('.')?;
    let id = u64::from_str_radix(digits, 16).ok()?;
    (!stem.is_empty() && digits.len() == 16 && is_hex(digits)).then_some((stem, id))
}

/// The stem of a lock file: `.{stem}.lock`.
#[must_use]
pub fn parse_lock(name: &str) -> Option<&str> {
    name.strip_prefix('.')?.strip_suffix(".lock").filter(|stem| !stem.is_empty())
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
