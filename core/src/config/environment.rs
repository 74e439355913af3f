//! `LB_*` variables.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use super::keys::{self, KEYS, Key};
use super::nearest;
use super::values::Values;

/// What existing runners hand down, and the keys that it stands in for.
const FALLBACKS: [(&str, &str); 3] =
    [("LB_RUN_HOST", "host"), ("LB_RUN_WORKLOAD", "workload"), ("LB_RUN_REPETITION", "repetition")];

const NOT_UTF8: &str = "the value is not UTF-8";

/// Takes all values of the environment.
pub(super) fn put_all(values: &mut Values, env: &[(OsString, OsString)]) {
    for (variable, name) in FALLBACKS {
        let found = env.iter().find(|(known, _)| known == variable).map(|(_, value)| value);
        let (Some(value), Some(key)) = (found, keys::find(name)) else { continue };
        let own = env.iter().any(|(known, _)| *known == *key.variable());
        match value.to_str() {
            _ if own => {}
            Some("") => {}
            Some(text) => values.put(key, key.kind.parse(text), variable),
            None => values.mistake(variable, NOT_UTF8),
        }
    }
    for (name, value) in env {
        put(values, name, value);
    }
}

fn key_of(name: &OsStr) -> Option<&'static Key> {
    KEYS.iter().find(|key| *name == *key.variable())
}

/// Whether a variable is none of ours, or one that we read.
pub(super) fn is_known(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b"LB_")
        || key_of(name).is_some()
        || belongs_to_others(&name.to_string_lossy())
}

fn put(values: &mut Values, name: &OsStr, value: &OsStr) {
    if !name.as_bytes().starts_with(b"LB_") {
        return;
    }
    let shown = name.to_string_lossy();
    let Some(key) = key_of(name) else {
        if !belongs_to_others(&shown) {
            values.mistake(
                &shown,
                format!("unknown environment variable{}", nearest::variable_hint(&shown)),
            );
        }
        return;
    };
    match value.to_str() {
        Some(text) => values.put(key, key.kind.parse(text), &shown),
        None => values.mistake(&shown, NOT_UTF8),
    }
}

/// The file's name, what runners hand to each other, and what Kubernetes sets for services whose
/// names begin with `lb`.
fn belongs_to_others(name: &str) -> bool {
    let port = |rest: &str| {
        let number = rest.strip_prefix('_').map(str::as_bytes);
        rest.is_empty() || number.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
    };
    name == "LB_CONFIG"
        || name.starts_with("LB_RUN_")
        || name.starts_with("LB_SERVICE_")
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.match_indices("_PORT").any(|(at, text)| port(&name[at + text.len()..]))
}
