//! Reading a run's files, record by record.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::record::Record;
use super::survey::Survey;
use crate::bar::Bar;
use crate::blocks::{Blocks, plain, torn};

/// A file that was read.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct File {
    pub(crate) path: String,
    records: u64,
    /// Of its lines, uncompressed.
    bytes: u64,
    /// Lines that are no records, and the number of the first.
    broken: u64,
    first_broken: Option<u64>,
    /// What kept it from being read to its end, or how it ends.
    problem: Option<String>,
}

impl File {
    /// What a user should know of it, with its path.
    pub(crate) fn trouble(&self) -> Option<String> {
        let broken = self.first_broken.map(|first| {
            let lines = if self.broken == 1 { "line is no record" } else { "lines are no records" };
            format!("{} {lines}, the first is line {first}", self.broken)
        });
        let all: Vec<String> = broken.into_iter().chain(self.problem.clone()).collect();
        (!all.is_empty()).then(|| format!("{}: {}", self.path, all.join("; ")))
    }
}

/// Reads one file into a survey. What can be read is read; the rest is told.
pub(crate) fn read(path: &Path, shown: String, survey: &mut Survey, progress: &mut Steps) -> File {
    let mut file = File { path: shown, ..File::default() };
    if let Err(error) = each_line(path, &mut file, survey, progress) {
        file.problem = Some(torn(path, &error, file.bytes, "in the report"));
    }
    file
}

fn each_line(
    path: &Path,
    file: &mut File,
    survey: &mut Survey,
    progress: &mut Steps,
) -> io::Result<()> {
    let mut blocks = Blocks::new(plain(path, fs::File::open(path)?, 0), 0);
    let mut number = 0;
    while let Some((at, block)) = blocks.next_block()? {
        for line in block[..block.len() - 1].split(|byte| *byte == b'\n') {
            number += 1;
            if let Some(record) = Record::of_line(line) {
                file.records += 1;
                survey.add(&record);
            } else {
                file.broken += 1;
                file.first_broken.get_or_insert(number);
            }
        }
        file.bytes = at + block.len() as u64;
        progress.read(block.len(), survey.records);
    }
    Ok(())
}

/// How far the reading of all files is.
pub(crate) struct Steps {
    progress: Bar,
    done: u64,
    of: u64,
}

impl Steps {
    pub(crate) fn new(progress: Bar, of: u64) -> Self {
        Self { progress, done: 0, of }
    }

    fn read(&mut self, bytes: usize, records: u64) {
        self.done += bytes as u64;
        // Gzipped files hold more than their size.
        let of = self.of.max(self.done);
        self.progress.show(self.done, of, || format!("reading: {records} records"));
    }
}
