//! What is made from the code: what is committed, and whether it is fresh; and what is installed.

mod header;
mod reference;
mod share;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: cargo run -p xtask -- header|reference [--check]
       cargo run -p xtask -- share DIR

header     writes ffi/include/lb_log.h from ffi/src
reference  writes docs/configuration.md from core/src/config
--check    fails when what is committed is not what would be written
share      writes man pages and completions of the command below DIR";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["share", folder] => share::write(Path::new(folder)),
        [product] => made(product).and_then(|made| made.write()),
        [product, "--check"] => made(product).and_then(|made| made.check(product)),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A file that is made from the code.
struct Made {
    /// From the root of the repository.
    path: &'static str,
    text: String,
}

fn made(product: &str) -> Result<Made> {
    match product {
        "header" => Ok(Made { path: "ffi/include/lb_log.h", text: header::text()? }),
        "reference" => Ok(Made { path: "docs/configuration.md", text: reference::text()? }),
        _ => bail!(USAGE),
    }
}

impl Made {
    fn write(&self) -> Result<()> {
        let path = root().join(self.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::write(&path, &self.text).with_context(|| path.display().to_string())
    }

    fn check(&self, product: &str) -> Result<()> {
        let committed = std::fs::read_to_string(root().join(self.path)).unwrap_or_default();
        if committed != self.text {
            bail!("{} is not fresh: run `cargo run -p xtask -- {product}`", self.path);
        }
        Ok(())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
