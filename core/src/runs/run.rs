//! What RUN means: a run's id, `latest`, or a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::log::{self, Log};
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::names;

/// The logs that a RUN stands for.
#[derive(Debug)]
pub struct Run {
    /// The folder, or the one file.
    pub path: PathBuf,
    /// In the order of their paths.
    pub logs: Vec<Log>,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl Run {
    /// All logs below a folder.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Self {
        let (logs, problems) = log::below(folder);
        Self { path: folder.to_path_buf(), logs, problems }
    }
}

/// Finds a run. A path (with a slash, or of something that exists) needs no configuration.
///
/// # Errors
/// There is no such run, or the configuration that says where runs are has mistakes.
pub fn find(run: Option<&str>, flags: &Flags) -> Result<Run> {
    let name = run.unwrap_or("latest");
    if name.is_empty() {
        return Err(argument("RUN is empty; name a run, `latest`, or a path".to_owned()));
    }
    if name.contains('/') || name == "." || name == ".." {
        return at(Path::new(name));
    }
    let output_dir = flags.output_dir()?;
    let folder = output_dir.join(names::run_folder(name));
    if folder.is_dir() {
        return Ok(Run::of_folder(&folder));
    }
    if name == "latest" {
        return latest(&output_dir);
    }
    if Path::new(name).exists() {
        return at(Path::new(name));
    }
    Err(argument(format!(
        "{}: there is no run {name}{}; name another, `latest`, a path, or the folder of all runs with --output-dir",
        output_dir.display(),
        nearest(name, &output_dir)
    )))
}

/// The runs that were meant, perhaps.
fn nearest(name: &str, output_dir: &Path) -> String {
    const MOST: usize = 3;
    let far = (name.chars().count() / 3).max(2);
    let entries = fs::read_dir(output_dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut near: Vec<(usize, String)> = names
        .map(|known| (strsim::osa_distance(name, &known), known))
        .filter(|(distance, known)| *distance <= far || known.contains(name))
        .collect();
    near.sort();
    near.truncate(MOST);
    let near: Vec<String> = near.into_iter().map(|(_, known)| known).collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) }
}

fn argument(mistake: String) -> Error {
    Error::Argument(mistake)
}

fn at(path: &Path) -> Result<Run> {
    let kind = fs::metadata(path)
        .map_err(|e| Error::io(path, "cannot be read; name a run or an existing path", e))?;
    if kind.is_dir() {
        return Ok(Run::of_folder(path));
    }
    let Some(log) = Log::of_file(path) else {
        log::begins_with_record(path).map_err(|e| Error::io(path, "cannot be read", e))?;
        let what =
            if kind.len() == 0 { "this file is empty" } else { "this is no log file of ours" };
        return Err(argument(format!(
            "{}: {what}; name a .jsonl or .jsonl.gz file, or a folder",
            path.display()
        )));
    };
    Ok(Run { path: path.to_path_buf(), logs: vec![log], problems: Vec::new() })
}

/// The run that was written to last.
fn latest(output_dir: &Path) -> Result<Run> {
    const NONE: &str = "no runs yet; name their folder with --output-dir";
    let entries = fs::read_dir(output_dir).map_err(|e| Error::io(output_dir, NONE, e))?;
    let runs = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| Run::of_folder(&entry.path()));
    let (with_logs, without): (Vec<Run>, Vec<Run>) = runs.partition(|run| !run.logs.is_empty());
    let newest = with_logs.into_iter().max_by_key(|run| (written(&run.logs), run.path.clone()));
    newest.ok_or_else(|| {
        let unread = without.iter().flat_map(|run| &run.problems).next();
        let unread = unread.map_or_else(String::new, |problem| format!(" ({problem})"));
        argument(format!("{}: {NONE}{unread}", output_dir.display()))
    })
}

fn written(logs: &[Log]) -> Option<SystemTime> {
    let times = logs.iter().flat_map(Log::files).map(|file| fs::metadata(file)?.modified());
    times.flatten().max()
}
