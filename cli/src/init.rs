//! `lb config init`: a configuration file to start with.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use lb_core::config::starting_file;

use crate::Outcome;
use crate::say::{Say, near};

pub(crate) fn run(output: &Path, force: bool, say: Say) -> anyhow::Result<Outcome> {
    let text = starting_file();
    if output == Path::new("-") {
        say.data(&text)?;
        return Ok(Outcome::Done);
    }
    let shown = near(output);
    if output.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("toml")) {
        bail!("{shown}: what is written is TOML: take a name that ends in .toml, or - for stdout");
    }
    write(output, &text, force, &shown)?;
    say.remark(&format!(
        "{shown}: written, every key commented out; `lb config check` checks what you change"
    ));
    Ok(Outcome::Done)
}

/// Never over an existing file unless forced. A forced one is written in place: it keeps its owner
/// and mode, and stays the file that a link leads to.
fn write(output: &Path, text: &str, force: bool, shown: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let mut file = match options.open(output) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            bail!("{shown}: exists already; --force replaces it, --output FILE takes another name");
        }
        opened => opened.with_context(|| format!("{shown}: cannot be written"))?,
    };
    let written = file.write_all(text.as_bytes());
    if written.is_err() && !force {
        // Half a file would be in the way of the next try.
        let _ = fs::remove_file(output);
    }
    written.with_context(|| format!("{shown}: cannot be written"))
}
