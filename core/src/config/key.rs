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

    /// The block that it stands in; empty: none.
    #[must_use]
    pub fn block(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(block, _)| block)
    }

    /// Its name within its block.
    #[must_use]
    pub fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, name)| name)
    }

    /// For a secret, the key of the file that may hold it instead, and the other way round.
    #[must_use]
    pub fn other_form(&self) -> Option<&'static Self> {
        if self.is_secret() {
            return find(&format!("{}_file", self.name));
        }
        find(self.name.strip_suffix("_file")?).filter(|key| key.is_secret())
    }

    /// Whether its value must never be shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}

/// Keys that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// What stands before the dot; empty for the keys without one.
    pub name: &'static str,
    /// What it is about, a few words.
    pub title: &'static str,
    /// What its keys have to do with each other; may be empty.
    pub about: &'static str,
}

impl Block {
    /// Its keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> {
        let name = self.name;
        KEYS.iter().filter(move |key| key.block() == name)
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
