//! `lb collect-source`: what another machine's `lb collect` asks of this one. Not for people.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use anyhow::bail;
use lb_core::collect;

use crate::Outcome;
use crate::args::CollectSourceCommand;

pub(crate) fn run(command: &CollectSourceCommand) -> anyhow::Result<Outcome> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match command {
        CollectSourceCommand::List { dry_run, folder } => {
            collect::list(folder, !dry_run, &mut out)?;
        }
        CollectSourceCommand::Remove { live, files } => {
            let (files, rest) = files.as_chunks::<3>();
            if !rest.is_empty() {
                bail!("each file needs its path, its bytes and its SHA-256");
            }
            let files = files.iter().map(parsed).collect::<anyhow::Result<Vec<_>>>()?;
            collect::remove(live, &files, &mut out)?;
        }
    }
    Ok(Outcome::Done)
}

fn parsed([path, bytes, sha256]: &[OsString; 3]) -> anyhow::Result<(&Path, u64, &str)> {
    let bytes = bytes.to_str().and_then(|bytes| bytes.parse().ok());
    match (bytes, sha256.to_str()) {
        (Some(bytes), Some(sha256)) => Ok((Path::new(path), bytes, sha256)),
        _ => bail!("{}: expected its bytes and its SHA-256 behind it", Path::new(path).display()),
    }
}
