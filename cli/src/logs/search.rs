//! Which blocks of a file hold records that are shown, and of which time. What is remembered of a
//! file is some bytes for each block, whatever its size.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::filter::Filter;
use crate::blocks::{Blocks, is_gzipped, plain, torn};
use crate::record::Stamp;

/// Lines that stand together in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Block {
    /// Where it begins, in plain bytes.
    pub(super) at: u64,
    pub(super) len: usize,
    /// The earliest record of it that passes. Files are in the order of time only roughly.
    pub(super) earliest: Stamp,
    /// Whether every line passes.
    pub(super) all: bool,
}

/// A file that was searched.
pub(super) struct Searched {
    pub(super) path: PathBuf,
    /// The file itself, whatever becomes of its name.
    pub(super) file: File,
    /// Those that hold a record that passes.
    pub(super) blocks: Vec<Block>,
    /// Where the first line begins that was not finished yet.
    pub(super) end: u64,
}

impl Searched {
    pub(super) fn is_gzipped(&self) -> bool {
        is_gzipped(&self.path)
    }
}

/// Searches one file to its end, from this place on. What cannot be read goes to `problems`.
pub(super) fn search(
    path: &Path,
    file: File,
    from: u64,
    filter: &Filter,
    problems: &mut Vec<String>,
) -> io::Result<Searched> {
    let mut blocks = Blocks::new(plain(path, file.try_clone()?, from), from);
    let mut found = Vec::new();
    let mut strange = 0;
    loop {
        let (at, block) = match blocks.next_block() {
            Ok(Some(block)) => block,
            Ok(None) => break,
            Err(error) => {
                let why = torn(path, &error, blocks.position(), "shown");
                problems.push(format!("{}: {why}", path.display()));
                break;
            }
        };
        let mut earliest = None::<Stamp>;
        let picked = filter.pick(block, |stamp, _| {
            earliest = Some(earliest.map_or(stamp, |earliest| earliest.min(stamp)));
        });
        strange += picked.strange;
        if let Some(earliest) = earliest {
            found.push(Block { at, len: block.len(), earliest, all: picked.all });
        }
    }
    if strange > 0 {
        let path = path.display();
        problems.push(format!("{path}: {strange} lines are no records, and left out"));
    }
    Ok(Searched { path: path.to_path_buf(), file, blocks: found, end: blocks.position() })
}
