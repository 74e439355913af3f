//! `lb drain`: what dead processes left in their rings goes into their files.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use lb_core::sweep::sweep;
use serde_json::json;

use crate::Outcome;
use crate::args::Common;
use crate::rings::{Rings, rotation};
use crate::run::{Run, output_dir};
use crate::say::{Say, counted, near};

pub(crate) fn run(folder: Option<&Path>, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => output_dir(common)?,
    };
    if !folder.is_dir() {
        bail!("{}: this is no folder; name the one below which the logs are", folder.display());
    }
    let run = Run::of_folder(&folder);
    let mut outcome = if run.logs.is_empty() { Outcome::Partly } else { Outcome::Done };
    let mut problems = run.problems;
    let mut files = Vec::new();
    let (mut records, mut text) = (0, String::new());
    let rotation = rotation(common);
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
    if say.wants_json() {
        let document = json!({"folder": folder.display().to_string(), "records": records, "without_note": swept, "files": files, "problems": problems});
        say.document(&document)?;
    } else {
        say.data(&text)?;
    }
    for problem in &problems {
        say.warning(problem);
        outcome = Outcome::Partly;
    }
    let logs = counted(run.logs.len() as u64, "log");
    say.remark(&match (run.logs.len(), records) {
        (0, _) => format!("{}: no logs below it", folder.display()),
        (_, 0) if !problems.is_empty() => {
            format!("{}: {logs}, nothing was moved; what is left stays there", folder.display())
        }
        (_, 0) => format!("{}: {logs}, nothing left to move", folder.display()),
        _ => format!("{}: {logs}, {} moved", folder.display(), counted(records, "record")),
    });
    Ok(outcome)
}
