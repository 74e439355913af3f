//! Collected files go into Loki, too. Each is unpacked for the time of its push; nothing remembers how
//! far it came, so that everything is looked up, and what is missing is sent.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::clock::realtime_ns;
use crate::config::LokiConfig;
use crate::error::{Error, Result};
use crate::loki::{self, Failure, Progress, PushOptions, Pushed};
use crate::names;
use crate::runs::blocks::{Blocks, plain, torn};

/// Static labels, by the path of the collected file.
pub(super) type Labels = BTreeMap<PathBuf, BTreeMap<String, String>>;

/// Pushes collected files, one after the other; what could not be read goes to `problems`.
///
/// # Errors
/// As [`loki::push`].
pub fn push_copies<'c>(
    copies: impl IntoIterator<Item = &'c Path>,
    labels: &Labels,
    config: &LokiConfig,
    options: PushOptions,
    progress: &mut Progress<'_>,
    problems: &mut Vec<String>,
) -> std::result::Result<Vec<Pushed>, Failure> {
    let options = PushOptions { from_start: true, ..options };
    let mut all = Vec::new();
    let mut goes_on = true;
    for copy in copies {
        let unpacked = match Unpacked::new(copy, problems) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        let mut config = config.clone();
        if let Some(kept) = labels.get(copy).filter(|_| config.labels.is_empty()) {
            config.labels.clone_from(kept);
        }
        let mut progress = |_: &Path, delivery: &_, why: Option<&_>| {
            let flow = progress(copy, delivery, why);
            goes_on &= flow.is_continue();
            flow
        };
        let pushed =
            loki::push(std::slice::from_ref(&unpacked.log), &config, options, &mut progress)?;
        all.extend(pushed.into_iter().map(|one| Pushed { log: copy.to_path_buf(), ..one }));
        if let Err(error) = unpacked.keep_quarantine(copy) {
            problems.push(error.to_string());
        }
        if !goes_on {
            break;
        }
    }
    Ok(all)
}

/// A collected file, as the log that it was, in a folder of its own.
struct Unpacked {
    folder: PathBuf,
    log: PathBuf,
}

impl Unpacked {
    fn new(copy: &Path, problems: &mut Vec<String>) -> Result<Self> {
        // It may be large, and /tmp is memory on many machines.
        let parent = match std::env::var_os("TMPDIR") {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from("/var/tmp"),
        };
        let folder = parent.join(format!("lb-push-{}-{}", std::process::id(), realtime_ns()));
        let failed = |error| {
            Error::io(&folder, "unpacking a collected file; TMPDIR names another folder", error)
        };
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let log = folder.join(names::log_of(copy).file_name().unwrap_or_default());
        let unpacked = Self { folder: folder.clone(), log };
        unpacked.fill(copy, problems).map_err(failed)?;
        Ok(unpacked)
    }

    /// Of a copy that is cut or damaged, what can be read.
    fn fill(&self, copy: &Path, problems: &mut Vec<String>) -> io::Result<()> {
        let mut blocks = Blocks::new(plain(copy, File::open(copy)?, 0), 0);
        let mut log = File::create(&self.log)?;
        loop {
            match blocks.next_block() {
                Ok(Some((_, lines))) => log.write_all(lines)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let why = torn(copy, &error, blocks.position(), "pushed");
                    problems.push(format!("{}: {why}", copy.display()));
                    return Ok(());
                }
            }
        }
    }

    /// What Loki will never take is told beside the copy, as it is beside a log.
    fn keep_quarantine(&self, copy: &Path) -> Result<()> {
        let to = names::quarantine(&names::log_of(copy));
        let failed = |error| Error::io(&to, "keeping what Loki has refused", error);
        let lines = match fs::read(names::quarantine(&self.log)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(failed)?,
        };
        let before = fs::read(&to).unwrap_or_default();
        let mut file = File::options().append(true).create(true).open(&to).map_err(failed)?;
        // A second push finds the same.
        let known: Vec<&[u8]> = before.split_inclusive(|byte| *byte == b'\n').collect();
        let mut new =
            lines.split_inclusive(|byte| *byte == b'\n').filter(|line| !known.contains(line));
        new.try_for_each(|line| file.write_all(line)).map_err(failed)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
