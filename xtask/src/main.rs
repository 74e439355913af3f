//! What the build makes from the code, and whether what is committed is fresh.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo run -p xtask -- header [--check]

header          writes ffi/include/lb_log.h from ffi/src
header --check  fails when the committed header is not what would be written";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["header"] => header(false),
        ["header", "--check"] => header(true),
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

fn header(check: bool) -> Result<()> {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ffi = root.join("ffi");
    let config = cbindgen::Config::from_file(ffi.join("cbindgen.toml"))
        .map_err(anyhow::Error::msg)
        .context("ffi/cbindgen.toml")?;
    let mut fresh = Vec::new();
    cbindgen::Builder::new()
        .with_crate(&ffi)
        .with_config(config)
        .generate()
        .context("reading ffi/src")?
        .write(&mut fresh);
    let fresh = for_c_readers(&String::from_utf8(fresh)?);
    let path = ffi.join("include/lb_log.h");
    if check {
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        if committed != fresh {
            bail!("ffi/include/lb_log.h is not fresh: run `cargo run -p xtask -- header`");
        }
        return Ok(());
    }
    std::fs::write(&path, fresh).with_context(|| path.display().to_string())
}

/// Takes out what only speaks to Rust (the safety sections, which say no more than the header's
/// first page, and the fences of rustdoc) and needless empty lines.
fn for_c_readers(header: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut in_safety = false;
    let fence = |line: &&str| line.starts_with("// ```");
    for line in header.lines().map(str::trim_end).filter(|line| !fence(line)) {
        if line == "// # Safety" {
            in_safety = true;
            while out.last() == Some(&"//") {
                out.pop();
            }
        }
        in_safety = in_safety && line.starts_with("//");
        let second_empty_line = line.is_empty() && out.last().is_some_and(|last| last.is_empty());
        if !in_safety && !second_empty_line {
            out.push(line);
        }
    }
    out.join("\n") + "\n"
}
