//! One configuration key, and the block that it stands in.

use super::keys::KEYS;
use super::value::Kind;

/// Whether a key does something in this version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It does.
    Now,
    /// It is read and checked, and a warning says that it has no effect yet.
    Later,
}

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted: `ring_bytes`, `jsonl.log_path`.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// As one would write it in the environment; None: not set, or found out (see `doc`).
    pub default: Option<&'static str>,
    /// What it is for, with units.
    pub doc: &'static str,
    /// Whether it does something in this version.
    pub effect: Effect,
}

impl Key {
    /// The environment variable: `LB_`, then the name in capitals with `_` for the dot.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("LB_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// The key of a dotted name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether some keys begin with `name` and a dot.
#[must_use]
pub fn is_block(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}
