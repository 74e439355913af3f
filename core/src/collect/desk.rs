//! Where the files of one source arrive: each is copied, checked and put on the shelf.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;

use super::content::CopyError;
use super::listing::{LogFile, LogName};
use super::manifest::{Entry, Failure};
use super::report::Step;
use super::shelf::{Draft, Origin};
use super::source::{Desk, Ended, Interrupted, LONGEST_OFFSET, Wanted};
use super::work::Work;
use crate::error::Error;

/// Takes what one call of fetch brings.
pub(super) struct Counter<'d> {
    work: &'d Work<'d>,
    wanted: &'d [Wanted],
    labels: BTreeMap<LogName, BTreeMap<String, String>>,
    /// What has come last, and how many bytes of it.
    draft: Option<(Draft, u64)>,
    /// What is on the shelf.
    pub(super) done: Vec<(LogFile, Entry)>,
    /// What could not be had as it was listed.
    pub(super) failed: Vec<Failure>,
}

/// The part of an offset file that concerns others.
#[derive(Deserialize)]
struct Labelled {
    labels: BTreeMap<String, String>,
}

impl<'d> Counter<'d> {
    pub(super) fn new(work: &'d Work<'d>, wanted: &'d [Wanted]) -> Self {
        let (labels, done, failed) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { work, wanted, labels, draft: None, done, failed }
    }

    fn fail(&mut self, number: usize, why: String) {
        if let Wanted::Log(file) = &self.wanted[number] {
            self.failed.push(Failure { source: self.work.name(&file.path), why });
        }
    }

    /// A file that is damaged says of no labels.
    fn take_offset(&mut self, log: &LogName, content: &mut dyn Read) -> io::Result<()> {
        let mut text = Vec::new();
        content.take(LONGEST_OFFSET).read_to_end(&mut text)?;
        if let Ok(Labelled { labels }) = serde_json::from_slice(&text) {
            self.labels.entry(log.clone()).or_default().extend(labels);
        }
        // To the end, where its checksum is.
        io::copy(content, &mut io::sink()).map(drop)
    }
}

impl Desk for Counter<'_> {
    fn take(&mut self, number: usize, content: &mut dyn Read) -> Result<(), Interrupted> {
        if let Wanted::Offset(log, _) = &self.wanted[number] {
            return self.take_offset(log, content).map_err(Interrupted::Reading);
        }
        let mut told = Told { from: content, work: self.work, bytes: 0 };
        match self.work.shelf().draft(&mut told) {
            Ok(draft) => {
                self.draft = Some((draft, told.bytes));
                Ok(())
            }
            Err(CopyError::Reading(error)) => Err(Interrupted::Reading(error)),
            Err(CopyError::Writing(error)) => {
                let logs = self.work.shelf().logs();
                let error = Error::io(&logs, "writing a collected file", error);
                Err(Interrupted::Ended(Ended(error.to_string())))
            }
        }
    }

    fn taken(&mut self, number: usize, is_listed: bool) -> Result<(), Ended> {
        let Wanted::Log(file) = &self.wanted[number] else { return Ok(()) };
        let Some((draft, bytes)) = self.draft.take() else { return Ok(()) };
        if !is_listed || bytes != file.bytes {
            self.fail(number, "it was changed while it was read; collect it again".to_owned());
            return Ok(());
        }
        let (source, log) = (self.work.name(&file.path), self.work.name(&file.log.live()));
        let here = self.work.here(&file.path);
        let origin = Origin {
            source: &source,
            log: &log,
            here: here.as_deref(),
            file,
            labels: self.labels.get(&file.log).cloned().unwrap_or_default(),
        };
        let placed = self.work.shelf().place(draft, &origin);
        let entry = placed.map_err(|error| Ended(error.to_string()))?;
        self.done.push((file.clone(), entry));
        Ok(())
    }

    fn cannot(&mut self, number: usize, why: &str) {
        self.draft = None;
        self.fail(number, format!("cannot be read: {why}"));
    }
}

/// Tells of each piece that comes.
struct Told<'t> {
    from: &'t mut dyn Read,
    work: &'t Work<'t>,
    bytes: u64,
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        self.work.tell(Step::Came(read as u64));
        Ok(read)
    }
}
