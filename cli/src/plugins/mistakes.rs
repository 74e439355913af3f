//! All that is wrong, each with the place where it is.

use std::path::Path;

use lb_core::config::nearest;

use crate::say::near;

/// What was found to be wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(pub(crate) Vec<String>);

impl Mistakes {
    /// Adds one, of a file.
    pub(crate) fn file(&mut self, path: &Path, what: impl AsRef<str>) {
        self.0.push(format!("{}: {}", near(path), what.as_ref()));
    }

    /// Ends here where there are any.
    pub(crate) fn or<T>(self, value: T) -> anyhow::Result<T> {
        if self.0.is_empty() { Ok(value) } else { Err(anyhow::anyhow!(self.0.join("\n"))) }
    }
}

/// What is said of a name that nobody knows.
pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("unknown {what} {name}; did you mean {near}?");
    }
    let all: Vec<&str> = known.collect();
    let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    format!("unknown {what} {name}; there is {all}")
}
