//! JSON string bodies from any bytes.

/// What a byte asks for inside a JSON string: 0 nothing, `u` a `\u00XX`, else the letter behind a backslash.
const ESCAPE: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0A] = b'n';
    table[0x0C] = b'f';
    table[0x0D] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

#[inline]
const fn needs_care(byte: u8) -> bool {
    // One comparison finds the controls, one the bytes beyond ASCII.
    byte < 0x20 || byte >= 0x80 || byte == b'"' || byte == b'\\'
}

/// True for ASCII without quotes, backslashes and controls. Written so that the compiler
/// makes vector instructions of it: no branch inside a chunk.
#[inline]
pub(crate) fn is_clean(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<32>();
    for chunk in chunks {
        let mut care = false;
        for &byte in chunk {
            care |= needs_care(byte);
        }
        if care {
            return false;
        }
    }
    let mut care = false;
    for &byte in rest {
        care |= needs_care(byte);
    }
    !care
}

/// Appends the body of a JSON string, without its quotes. Invalid UTF-8 becomes U+FFFD.
#[inline]
pub(crate) fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_clean(bytes) {
        out.extend_from_slice(bytes);
    } else {
        escape_within(out, bytes, usize::MAX);
    }
}

/// Like [`escape`], but stops before `out` would be longer than `end`; returns how many of
/// `bytes` were used. Never stops inside a character.
pub(crate) fn escape_within(out: &mut Vec<u8>, bytes: &[u8], end: usize) -> usize {
    // Nearly all texts are valid, and that is found out faster for the whole than for chunks.
    if let Ok(text) = str::from_utf8(bytes) {
        return escape_text(out, text, end);
    }
    let mut used = 0;
    for chunk in bytes.utf8_chunks() {
        let done = escape_text(out, chunk.valid(), end);
        used += done;
        if done < chunk.valid().len() {
            return used;
        }
        if !chunk.invalid().is_empty() {
            if end.saturating_sub(out.len()) < 3 {
                return used;
            }
            out.extend_from_slice("\u{FFFD}".as_bytes());
            used += chunk.invalid().len();
        }
    }
    used
}

/// Where the first byte is that asks for an escape. Eight bytes at a time: each of the three terms
/// sets the highest bit of a byte that it looks for, and may be wrong only above the first one.
#[inline]
fn next_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xFF;
    const HIGHEST: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash)
            & HIGHEST;
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|&byte| ESCAPE[usize::from(byte)] != 0);
    found.map(|at| 8 * words.len() + at)
}

fn escape_text(out: &mut Vec<u8>, text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    let mut start = 0;
    loop {
        let stop = next_escape(&bytes[start..]).map_or(bytes.len(), |plain| start + plain);
        let room = end.saturating_sub(out.len());
        if stop - start > room {
            let cut = text.floor_char_boundary(start + room);
            out.extend_from_slice(&bytes[start..cut]);
            return cut;
        }
        out.extend_from_slice(&bytes[start..stop]);
        let Some(&byte) = bytes.get(stop) else {
            return stop;
        };
        if end.saturating_sub(out.len()) < 6 {
            return stop;
        }
        match ESCAPE[usize::from(byte)] {
            b'u' => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        start = stop + 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_reads_back_as_itself_or_as_the_replacement() {
        for byte in 0..=255u8 {
            for fill in [0, 7, 31, 32, 40] {
                let mut text = vec![b'x'; fill];
                text.push(byte);
                text.extend_from_slice(b"tail");
                let json = format!("\"{}\"", escaped(&text));
                let back: String = serde_json::from_str(&json).unwrap();
                assert_eq!(back, String::from_utf8_lossy(&text), "{byte:#x}");
            }
        }
    }

    #[test]
    fn the_first_byte_to_escape_is_found_whatever_its_neighbours() {
        let one_by_one = |bytes: &[u8]| bytes.iter().position(|b| ESCAPE[usize::from(*b)] != 0);
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                for at in 0..9 {
                    let mut bytes = [b'x'; 11];
                    bytes[at..at + 2].copy_from_slice(&[first, second]);
                    assert_eq!(next_escape(&bytes), one_by_one(&bytes), "{bytes:x?}");
                }
            }
        }
    }

    #[test]
    fn mixed_text_reads_back() {
        let text = "é\u{2028}\"quoted\" \\ back\tslash 🦀 end".as_bytes();
        let back: String = serde_json::from_str(&format!("\"{}\"", escaped(text))).unwrap();
        assert_eq!(back.as_bytes(), text);
        assert_eq!(escaped(b"\xED\xA0\x80!"), "\u{FFFD}\u{FFFD}\u{FFFD}!");
    }

    #[test]
    fn a_limit_is_kept_and_never_splits_a_character() {
        let text = "aé\"\u{1}🦀\\b".as_bytes();
        let whole = escaped(text).len();
        for end in 0..=whole + 6 {
            let mut out = Vec::new();
            let used = escape_within(&mut out, text, end);
            assert!(out.len() <= end);
            let json = format!("\"{}\"", String::from_utf8(out).unwrap());
            let back: String = serde_json::from_str(&json).unwrap();
            assert_eq!(back.as_bytes(), &text[..used]);
        }
    }
}
