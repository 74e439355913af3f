//! The C header.

use anyhow::{Context as _, Result};

/// What `ffi/include/lb_log.h` should be.
pub(crate) fn text() -> Result<String> {
    let ffi = crate::root().join("ffi");
    let config = cbindgen::Config::from_file(ffi.join("cbindgen.toml"))
        .map_err(anyhow::Error::msg)
        .context("ffi/cbindgen.toml")?;
    let mut header = Vec::new();
    cbindgen::Builder::new()
        .with_crate(&ffi)
        .with_config(config)
        .generate()
        .context("reading ffi/src")?
        .write(&mut header);
    Ok(for_c_readers(&String::from_utf8(header)?))
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
