//! What dead processes left in their rings goes into their files.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::told::{Outcome, Told};
use super::words::{counted, near};
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::runs::rings::Rings;
use crate::runs::run::Run;
use crate::sweep::sweep;

/// Drains all logs below a folder; that of all runs unless one is named.
///
/// # Errors
/// There is no such folder, or the configuration that says where runs are has mistakes.
pub fn drain(folder: Option<&Path>, flags: &Flags) -> Result<Told> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => flags.output_dir()?,
    };
    if !folder.is_dir() {
        return Err(Error::Argument(format!(
            "{}: this is no folder; name the one below which the logs are",
            folder.display()
        )));
    }
    let run = Run::of_folder(&folder);
    let mut problems = run.problems;
    let mut files = Vec::new();
    let (mut records, mut text) = (0, String::new());
    let rotation = flags.rotation();
    // Rings to which no note leads may be of any log of this user.
    let found = sweep();
    problems.extend(found.unreachable);
    let swept = found.records;
    if swept > 0 {
        records += swept;
        let _ = writeln!(text, "rings without a note: {}", counted(swept, "record"));
    }
    for log in &run.logs {
        let rings = Rings::settle(&log.path, rotation, &mut problems);
        records += rings.recovered;
        if rings.recovered > 0 {
            let _ = writeln!(text, "{}: {}", near(&log.path), counted(rings.recovered, "record"));
        }
        files.push(json!({
            "path": log.path.display().to_string(),
            "records": rings.recovered,
            "damaged": rings.damaged,
            "gone": rings.gone,
            "unreachable": rings.unreachable,
        }));
    }
    let document = json!({"folder": folder.display().to_string(), "records": records, "without_note": swept, "files": files, "problems": problems});
    let mut told = Told::new(document, text);
    if run.logs.is_empty() {
        told.outcome = Outcome::Partly;
    }
    told.problems(&problems);
    let logs = counted(run.logs.len() as u64, "log");
    told.remark(match (run.logs.len(), records) {
        (0, _) => format!("{}: no logs below it", folder.display()),
        (_, 0) if !problems.is_empty() => {
            format!("{}: {logs}, nothing was moved; what is left stays there", folder.display())
        }
        (_, 0) => format!("{}: {logs}, nothing left to move", folder.display()),
        _ => format!("{}: {logs}, {} moved", folder.display(), counted(records, "record")),
    });
    Ok(told)
}
