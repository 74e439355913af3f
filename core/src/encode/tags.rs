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

/// How many keys are compared without allocating.
const FEW: usize = 64;

/// Whether a key stands twice among `tags` or in both `tags` and `bound`. May say yes without
/// need for very many keys and for invalid UTF-8, whose replacement could make keys equal.
pub(crate) fn may_repeat(tags: Tags<'_>, bound: &[Box<str>]) -> bool {
    let mut seen = Seen { keys: [b""; FEW], count: 0, places: [0; 2 * FEW] };
    for key in bound {
        // Keys that are bound never repeat among themselves.
        let again = seen.add(key.as_bytes());
        debug_assert!(!again || seen.count == FEW);
    }
    for tag in tags {
        if seen.add(tag.key) || (!tag.key.is_ascii() && std::str::from_utf8(tag.key).is_err()) {
            return true;
        }
    }
    false
}

/// A small hash table of keys.
struct Seen<'a> {
    keys: [&'a [u8]; FEW],
    count: usize,
    /// 1 + the index of a key, 0 for none. At most half full: a search ends soon.
    places: [u8; 2 * FEW],
}

impl<'a> Seen<'a> {
    /// True where the key was there before, or there is no room to remember it.
    #[inline]
    fn add(&mut self, key: &'a [u8]) -> bool {
        if self.count == FEW {
            return true;
        }
        let mut place = hash(key) % (2 * FEW);
        while let Some(index) = usize::from(self.places[place]).checked_sub(1) {
            if self.keys[index] == key {
                return true;
            }
            place = (place + 1) % (2 * FEW);
        }
        self.keys[self.count] = key;
        self.count += 1;
        self.places[place] = u8::try_from(self.count).unwrap_or(0);
        false
    }
}

/// Names differ in their length, at their ends and in the middle.
#[inline]
fn hash(key: &[u8]) -> usize {
    let take = |at: usize| u64::from(key.get(at).copied().unwrap_or(0));
    let last = key.len().saturating_sub(1);
    let mixed = take(0)
        ^ take(last) << 8
        ^ take(key.len() / 2) << 16
        ^ take(key.len() / 3) << 24
        ^ (key.len() as u64) << 32;
    usize::try_from(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57).unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::append_tag;

    fn encoded(keys: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in keys {
            append_tag(&mut bytes, key, TagValue::Null);
        }
        bytes
    }

    fn repeats(keys: &[&[u8]], bound: &[&str]) -> bool {
        let bound: Vec<Box<str>> = bound.iter().map(|key| (*key).into()).collect();
        may_repeat(Tags::new(&encoded(keys)), &bound)
    }

    #[test]
    fn only_what_repeats_takes_the_slow_way() {
        let many: Vec<String> = (0..FEW).map(|number| format!("tag_{number}")).collect();
        let many: Vec<&[u8]> = many.iter().map(String::as_bytes).collect();
        assert!(!repeats(&many, &[]));
        assert!(!repeats(&many[1..], &["tag_0"]));
        for index in 0..FEW - 1 {
            let mut twice = many[..FEW - 1].to_vec();
            twice.push(many[index]);
            assert!(repeats(&twice, &[]), "{index}");
        }
        assert!(repeats(&many[..3], &["x", "tag_2"]));
        assert!(!repeats(&["ä".as_bytes(), b"a"], &["ö"]));
        assert!(repeats(&[b"\xFF"], &[]), "could become equal to another");
    }
}
