//! What is done with one source, from asking what it has to removing it there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::address::Address;
use super::desk::Counter;
use super::listing::{LogFile, LogName, Logs, Missing, Raw, shown};
use super::local::Local;
use super::manifest::{Entry, Failure};
use super::remote::Remote;
use super::report::{Collected, Outcome, Progress, Report, Step};
use super::request::Request;
use super::shelf::Shelf;
use super::source::{Doomed, Ended, Source, Verified, Wanted};

/// How often a source is asked anew when files were rotated or cut while they were read.
const PASSES: u32 = 3;

/// How many runs are named where the one that was asked for is not there.
const MOST_NAMED: usize = 3;

/// One source of a collection.
pub(super) struct Work<'w> {
    request: &'w Request,
    address: &'w Address,
    label: String,
    run_folder: &'w str,
    shelf: &'w Shelf,
    progress: &'w (dyn Fn(Progress<'_>) + Sync),
}

/// What was had of one source so far.
#[derive(Default)]
struct Had {
    /// By the name of the source file.
    files: BTreeMap<String, (LogFile, Collected)>,
    failed: Vec<Failure>,
}

impl<'w> Work<'w> {
    pub(super) fn new(
        request: &'w Request,
        address: &'w Address,
        run_folder: &'w str,
        shelf: &'w Shelf,
        progress: &'w (dyn Fn(Progress<'_>) + Sync),
    ) -> Self {
        Self { request, address, label: address.label(), run_folder, shelf, progress }
    }

    pub(super) fn shelf(&self) -> &Shelf {
        self.shelf
    }

    pub(super) fn tell(&self, step: Step) {
        (self.progress)(Progress { source: &self.label, step });
    }

    /// What messages and the manifest call a file of this source.
    pub(super) fn name(&self, path: &[u8]) -> String {
        format!("{}/{}/{}", self.label.trim_end_matches('/'), self.run_folder, shown(path))
    }

    /// Where a file lies, when that is here.
    pub(super) fn here(&self, path: &[u8]) -> Option<PathBuf> {
        let Address::Folder(folder) = self.address else { return None };
        let path = path.strip_prefix(b"./").unwrap_or(path);
        Some(folder.join(self.run_folder).join(OsStr::from_bytes(path)))
    }

    fn failure(&self, why: String) -> Failure {
        Failure { source: self.label.clone(), why }
    }

    /// Collects everything that the source has of the run.
    pub(super) fn run(&self) -> Report {
        self.tell(Step::Asked);
        let mut source: Box<dyn Source> = match self.address {
            Address::Folder(folder) => Box::new(Local::new(folder, self.run_folder)),
            Address::Host { target, folder } => {
                let (ssh, timeout) = (&self.request.ssh, self.request.timeout);
                Box::new(Remote::new(target, folder, self.run_folder, ssh, timeout))
            }
        };
        let mut report = Report::new(&self.request.run_id, &PathBuf::new());
        let mut had = Had::default();
        let collected = self.collect(&mut *source, &mut had, &mut report);
        if let Err(Ended(why)) = &collected {
            had.failed.push(self.failure(why.clone()));
        }
        if self.request.remove_source && !self.request.dry_run && collected.is_ok() {
            // Who is killed behind a removal could never list again what has no source any more.
            match self.shelf.save() {
                Ok(()) => self.remove(&mut *source, &had.files, &mut report),
                Err(error) => had.failed.push(self.failure(error.to_string())),
            }
        }
        report.files.extend(had.files.into_values().map(|(_, collected)| collected));
        report.failed.extend(had.failed);
        self.tell(Step::Done { ok: report.failed.is_empty() });
        report
    }

    fn collect(
        &self,
        source: &mut dyn Source,
        had: &mut Had,
        report: &mut Report,
    ) -> Result<(), Ended> {
        for pass in 1..=PASSES {
            let raw = source.list(!self.request.dry_run)?;
            if let Some(missing) = &raw.missing {
                return Err(Ended(self.missing(missing)));
            }
            let logs = raw.logs();
            let wanted = self.wanted(&logs, had);
            had.failed.clear();
            if !self.request.dry_run && !wanted.is_empty() {
                let mut desk = Counter::new(self, &wanted);
                let fetched = source.fetch(&wanted, &mut desk);
                for (file, entry) in desk.done {
                    let collected = Collected { outcome: Outcome::Collected, entry };
                    had.files.insert(self.name(&file.path), (file, collected));
                }
                had.failed.extend(desk.failed);
                fetched?;
            }
            if had.failed.is_empty() || pass == PASSES {
                self.judge(&raw, &logs, had, report);
                break;
            }
        }
        Ok(())
    }

    /// What is to be fetched; what is here already is noted.
    fn wanted(&self, logs: &Logs, had: &mut Had) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for file in &logs.files {
            let name = self.name(&file.path);
            match self.shelf.has(&name, file) {
                Some(_) if had.files.contains_key(&name) => {}
                Some(entry) => {
                    let collected = Collected { outcome: Outcome::Unchanged, entry };
                    had.files.insert(name, (file.clone(), collected));
                }
                None if self.request.dry_run => {
                    let (source, source_size) = (name.clone(), file.bytes);
                    let entry = Entry { source, source_size, ..Entry::default() };
                    let collected = Collected { outcome: Outcome::ToCollect, entry };
                    had.files.insert(name, (file.clone(), collected));
                }
                None => wanted.push(Wanted::Log(file.clone())),
            }
        }
        let bytes = wanted.iter().map(Wanted::bytes).sum();
        self.tell(Step::Found { files: wanted.len() as u64, bytes });
        let of = |wanted: &Wanted| match wanted {
            Wanted::Log(file) => Some(file.log.clone()),
            Wanted::Offset(..) => None,
        };
        let changed: BTreeSet<LogName> = wanted.iter().filter_map(of).collect();
        let offsets = logs.offsets.iter().filter(|(log, _)| changed.contains(log));
        // Labels are known before the files that bear them.
        let offsets = offsets.map(|(log, path)| Wanted::Offset(log.clone(), path.clone()));
        offsets.chain(wanted.iter().cloned()).collect()
    }

    /// What the user should know of what was found there.
    fn judge(&self, raw: &Raw, logs: &Logs, had: &mut Had, report: &mut Report) {
        had.failed.extend(raw.problems.iter().map(|problem| self.failure(problem.clone())));
        if logs.files.is_empty() {
            had.failed.push(self.failure("there are no logs of this run".to_owned()));
        }
        for log in &logs.noted {
            let source = self.name(&log.live());
            if raw.settled {
                let why = "a process writes to it: collect it again when that has ended".to_owned();
                report.remarks.push(Failure { source, why });
            } else {
                let why = "records may be left in the rings of its process, and there is no lb that \
                    could look: install lb there, or collect it again when the process has closed it"
                    .to_owned();
                had.failed.push(Failure { source, why });
            }
        }
    }

    fn missing(&self, missing: &Missing) -> String {
        let run = &self.request.run_id;
        let mut others = match missing {
            Missing::Output => {
                return "there is no such folder; name the one of all runs".to_owned();
            }
            Missing::Run(others) => others.clone(),
        };
        others.sort_by_key(|other| (strsim::osa_distance(other, self.run_folder), other.clone()));
        others.truncate(MOST_NAMED);
        if others.is_empty() {
            return format!("there is no run {run}, nor any other; name another folder");
        }
        format!("there is no run {run}; there are {}", others.join(", "))
    }

    /// Removes what was collected, log by log, when the copies here are sound.
    fn remove(
        &self,
        source: &mut dyn Source,
        files: &BTreeMap<String, (LogFile, Collected)>,
        report: &mut Report,
    ) {
        let mut logs: BTreeMap<&LogName, Vec<(&LogFile, &Entry)>> = BTreeMap::new();
        for (file, collected) in files.values() {
            logs.entry(&file.log).or_default().push((file, &collected.entry));
        }
        let mut doomed = Vec::new();
        for (log, files) in logs {
            let files: Vec<Verified> =
                files.iter().filter_map(|(file, entry)| self.verify(file, entry, report)).collect();
            if !files.is_empty() {
                doomed.push(Doomed { live: log.live(), files });
            }
        }
        if doomed.is_empty() {
            return;
        }
        match source.remove(&doomed) {
            Ok(came) => {
                report.removed.extend(came.removed.iter().map(|path| self.name(path)));
                report.failed.extend(came.kept.into_iter().map(|why| self.failure(why)));
            }
            Err(Ended(why)) => report.failed.push(self.failure(why)),
        }
    }

    /// Looks whether the copy of a source file is one, and sound.
    fn verify(&self, file: &LogFile, entry: &Entry, report: &mut Report) -> Option<Verified> {
        let here = self.here(&file.path);
        let why = if here.is_some_and(|here| self.shelf.is_copy(entry, &here)) {
            "it lies where it was collected to: it stays"
        } else if !self.shelf.is_sound(entry) {
            "the copy of it here is damaged: it stays; remove the copy and collect it again"
        } else {
            let (size, sha256) = (entry.content.size, entry.content.sha256.clone());
            return Some(Verified { path: file.path.clone(), size, sha256 });
        };
        let (source, why) = (entry.source.clone(), why.to_owned());
        report.failed.push(Failure { source, why });
        None
    }
}
