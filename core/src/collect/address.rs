//! Where logs are collected from: a folder here, or one on a host.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of all runs in the home of a host that is named alone.
const DEFAULT_FOLDER: &str = "benchmark_results";

/// An output folder, the folder of all runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// On this machine; absolute.
    Folder(PathBuf),
    /// On a host that `ssh` reaches.
    Host {
        /// As `ssh` takes it: `[user@]host`.
        target: String,
        /// Absolute, or below the home there.
        folder: String,
    },
}

impl Address {
    /// Reads `folder`, `[user@]host:folder` or `[user@]host`, as scp does: what has a slash before
    /// any colon is a folder here, and so is a name without a colon that exists here.
    ///
    /// # Errors
    /// [`Error::Argument`] for what is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::Argument(format!("--from {text:?}: {why}"));
        if text.is_empty() || text.contains('\0') {
            return Err(wrong("name a folder, or [user@]host:folder"));
        }
        let (target, folder) = match split(text) {
            Some((target, folder)) => (target, folder),
            None if text.contains('/') || Path::new(text).exists() => {
                let folder =
                    std::path::absolute(text).map_err(|error| wrong(&error.to_string()))?;
                return Ok(Self::Folder(folder));
            }
            None => (text, ""),
        };
        let host = target.rsplit_once('@').map_or(target, |(_, host)| host);
        if target.starts_with('-') || host.starts_with('-') {
            return Err(wrong("no host's name begins with a dash; a folder here is ./-name"));
        }
        if host.is_empty() || target.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("this is no host's name; a folder here is ./name"));
        }
        let folder = match folder.strip_prefix('~') {
            Some("" | "/") => ".",
            Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
            _ if folder.is_empty() => DEFAULT_FOLDER,
            _ => folder,
        };
        Ok(Self::Host { target: target.to_owned(), folder: folder.to_owned() })
    }

    /// What messages and the manifest call it.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Host { target, folder } => format!("{target}:{folder}"),
        }
    }
}

/// Host and folder around the first colon; `None` without one, or where a slash stands before it.
/// A host in brackets may have colons of its own.
fn split(text: &str) -> Option<(&str, &str)> {
    let host_at = text.find('@').map_or(0, |at| at + 1);
    if text[host_at..].starts_with('[')
        && let Some((_, folder)) = text.split_once("]:")
    {
        // ssh takes the address without brackets.
        return (host_at == 0).then(|| (&text[1..text.len() - folder.len() - 2], folder));
    }
    let (host, folder) = text.split_once(':')?;
    (!host.contains('/')).then_some((host, folder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn folders_and_hosts_are_told_apart_as_scp_does() {
        let host = |target: &str, folder: &str| {
            Ok(Address::Host { target: target.into(), folder: folder.into() })
        };
        let here = |path: &str| Ok(Address::Folder(std::path::absolute(path).unwrap()));
        for (text, expected) in [
            ("node-1", host("node-1", "benchmark_results")),
            ("node-1:", host("node-1", "benchmark_results")),
            ("me@node-1:/data/a b", host("me@node-1", "/data/a b")),
            ("node-1:-x/../y", host("node-1", "-x/../y")),
            ("node-1:~/runs", host("node-1", "runs")),
            ("node-1:~", host("node-1", ".")),
            ("node-1:a:b", host("node-1", "a:b")),
            ("[::1]:runs", host("::1", "runs")),
            ("./node-1:x", here("./node-1:x")),
            ("/data/runs", here("/data/runs")),
            ("src", here("src")),
            (".", here(".")),
        ] {
            assert_eq!(Address::parse(text).map_err(|e| e.to_string()), expected, "{text}");
        }
        for text in ["", "-oProxyCommand=x", "-oProxyCommand=x:y", "me@-x:y", ":x", "a b:c", "a\nb"]
        {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }
}
