//! `lb logs -f`: what is written from now on. Files are known by what they are, not by their names:
//! a rotated one is read to its end, and the new one from its beginning.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::filter::Filter;
use super::merge::Merge;
use super::print::Printer;
use super::search::{Searched, search};
use crate::log::Log;
use crate::reader;
use crate::run::Run;
use crate::say::Say;

/// What is followed.
pub(super) struct Follow {
    /// Folders, and single files.
    paths: Vec<PathBuf>,
    files: HashMap<Id, Known>,
}

/// Device and inode. While a file is open here, no other gets them.
type Id = (u64, u64);

struct Known {
    /// Its last name.
    path: PathBuf,
    file: File,
    /// Where the first line begins that was not shown.
    read_to: u64,
    /// Its name is gone: when it has been read to its end, so is it.
    seen: bool,
}

impl Follow {
    /// Goes on where the search has ended.
    pub(super) fn new(runs: &[Run], searched: &[Searched]) -> Self {
        let paths = runs.iter().map(|run| run.path.clone()).collect();
        let known = |searched: &Searched| {
            let file = searched.file.try_clone().ok()?;
            let id = id(&file).ok()?;
            let (path, read_to) = (searched.path.clone(), searched.end);
            Some((id, Known { path, file, read_to, seen: true }))
        };
        let plain = searched.iter().filter(|searched| !searched.is_gzipped());
        Self { paths, files: plain.filter_map(known).collect() }
    }

    /// Until the reader of stdout goes away.
    pub(super) fn run<W: Write>(
        mut self,
        filter: &Filter,
        printer: &mut Printer<W>,
        say: Say,
    ) -> io::Result<()> {
        while !reader::is_gone() {
            let mut problems = Vec::new();
            let grown = self.look(filter, &mut problems);
            let mut merge = Merge::new(grown, filter);
            merge.run(|line| printer.print(line))?;
            printer.flush()?;
            problems.append(&mut merge.problems);
            for problem in &problems {
                say.warning(problem);
            }
        }
        Ok(())
    }

    /// Searches what has come since the last look. What went wrong is tried again at the next one.
    fn look(&mut self, filter: &Filter, problems: &mut Vec<String>) -> Vec<Searched> {
        self.files.values_mut().for_each(|known| known.seen = false);
        for path in self.named() {
            // A file may go between two looks.
            let Ok(file) = File::open(&path) else { continue };
            let Ok(id) = id(&file) else { continue };
            let new = Known { path: path.clone(), file, read_to: 0, seen: true };
            let known = self.files.entry(id).or_insert(new);
            (known.path, known.seen) = (path, true);
        }
        let mut grown = Vec::new();
        for known in self.files.values_mut() {
            let len = known.file.metadata().map_or(0, |metadata| metadata.len());
            // Recovery cuts back what a dead process left half, and writes it again.
            known.read_to = known.read_to.min(len);
            if known.read_to == len {
                continue;
            }
            let file = known.file.try_clone();
            let searched =
                file.and_then(|file| search(&known.path, file, known.read_to, filter, problems));
            if let Ok(searched) = searched {
                known.read_to = searched.end;
                grown.push(searched);
            }
        }
        self.files.retain(|_, known| known.seen);
        grown
    }

    /// All plain files that there are now.
    fn named(&self) -> Vec<PathBuf> {
        let logs = |path: &PathBuf| {
            if path.is_dir() {
                Run::of_folder(path).logs
            } else {
                Log::of_file(path).into_iter().collect()
            }
        };
        let logs = self.paths.iter().flat_map(logs);
        let files = logs.flat_map(|log| log.records().map(PathBuf::from).collect::<Vec<_>>());
        files.filter(|path| !crate::blocks::is_gzipped(path)).collect()
    }
}

fn id(file: &File) -> io::Result<Id> {
    file.metadata().map(|metadata| (metadata.dev(), metadata.ino()))
}
