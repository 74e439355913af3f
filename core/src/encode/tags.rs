//! The members of a record's `tags` object.

use std::borrow::Cow;
use std::collections::HashMap;

use super::escape::escape;
use crate::frame::{Tag, Tags};
use crate::record::TagValue;

/// Appends `"key":value`. Returns false where a number had to become null.
#[inline]
pub(crate) fn append_member(out: &mut Vec<u8>, tag: Tag<'_>) -> bool {
    out.push(b'"');
    escape(out, tag.key);
    out.extend_from_slice(b"\":");
    match tag.value {
        TagValue::String(text) => {
            out.push(b'"');
            escape(out, text);
            out.push(b'"');
        }
        TagValue::Integer(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        TagValue::Unsigned(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        TagValue::Number(number) if number.is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
        }
        TagValue::Number(_) => {
            out.extend_from_slice(b"null");
            return false;
        }
        TagValue::Boolean(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        TagValue::Null => out.extend_from_slice(b"null"),
    }
    true
}

/// Whether a key may stand twice among `tags` or in `bound`. A cheap look that may say yes
/// without need, never no.
pub(crate) fn may_repeat(tags: Tags<'_>, bound: &[Box<str>]) -> bool {
    let mut seen: u64 = 0;
    let mut hit = |key: &[u8]| {
        // Keys beyond ASCII may become equal once invalid UTF-8 is replaced.
        let bit = 1u64 << (hash(key) & 63);
        let again = seen & bit != 0 || !key.is_ascii();
        seen |= bit;
        again
    };
    for key in bound {
        // What repeats among the bound keys alone is only a collision of hashes.
        hit(key.as_bytes());
    }
    for tag in tags {
        if hit(tag.key) {
            return true;
        }
    }
    false
}

#[inline]
fn hash(key: &[u8]) -> u64 {
    let take = |at: usize| u64::from(key.get(at).copied().unwrap_or(0));
    let last = key.len().saturating_sub(1);
    let mixed = take(0)
        ^ take(last) << 8
        ^ take(key.len() / 2) << 16
        ^ take(key.len() / 3) << 24
        ^ (key.len() as u64) << 32;
    mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58
}

/// Which tags and which bound keys stand, where the last value of a name wins.
pub(crate) struct Survivors {
    pub(crate) tags: Vec<bool>,
    pub(crate) bound: Vec<bool>,
}

/// Decides by name after replacement of invalid UTF-8. Only called where a key may repeat.
#[cold]
pub(crate) fn survivors(tags: &Tags<'_>, bound: &[Box<str>]) -> Survivors {
    let mut last: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut count = 0;
    for (index, tag) in tags.clone().enumerate() {
        last.insert(String::from_utf8_lossy(tag.key), index);
        count = index + 1;
    }
    let mut stands = vec![false; count];
    for &index in last.values() {
        stands[index] = true;
    }
    let bound = bound.iter().map(|key| !last.contains_key(&**key)).collect();
    Survivors { tags: stands, bound }
}
