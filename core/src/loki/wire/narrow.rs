//! Filters that tell many lines of one nanosecond apart, so that each group fits into a page.
//!
//! Lines are parted by the letter behind what they have in common: `|~ "^what they share[abc]"`.

use std::collections::BTreeMap;

use super::stream::quote;

/// Most bytes of what lines have in common that a filter repeats, and of a line that is asked for as a
/// whole. Loki takes queries of 128 KiB.
const MAX_SHARED: usize = 256;
const MAX_WHOLE: usize = 16 << 10;

/// Lines, and a filter that lets them pass.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Group<'l> {
    /// A line filter of `LogQL`, to be put behind a selector.
    pub(super) filter: String,
    pub(super) lines: Vec<&'l [u8]>,
    /// Whether it can be parted further.
    pub(super) splits: bool,
}

/// Parts lines, all different, into groups of at most `most`.
pub(super) fn narrow(lines: Vec<&[u8]>, most: usize) -> Vec<Group<'_>> {
    let mut groups = Vec::new();
    let mut todo = vec![lines];
    while let Some(lines) = todo.pop() {
        if let [line] = lines[..] {
            groups.push(whole(line));
            continue;
        }
        let shared = shared(&lines);
        let mut by_letter: BTreeMap<Option<char>, Vec<&[u8]>> = BTreeMap::new();
        for line in lines {
            by_letter.entry(letter(&line[shared.len()..])).or_default().push(line);
        }
        let mut group = Group { filter: String::new(), lines: Vec::new(), splits: true };
        let mut letters = Vec::new();
        for (letter, lines) in by_letter {
            let Some(letter) = letter.filter(|_| lines.len() <= most) else {
                todo.push(lines);
                continue;
            };
            if group.lines.len() + lines.len() > most {
                finish(&mut groups, &mut group, shared, &mut letters);
            }
            group.lines.extend(lines);
            letters.push(letter);
        }
        finish(&mut groups, &mut group, shared, &mut letters);
    }
    groups
}

/// Moves a group to the others, with its filter.
fn finish<'l>(
    groups: &mut Vec<Group<'l>>,
    group: &mut Group<'l>,
    shared: &str,
    letters: &mut Vec<char>,
) {
    if group.lines.is_empty() {
        return;
    }
    if let [line] = group.lines[..] {
        groups.push(whole(line));
    } else {
        let mut pattern = String::new();
        if shared.len() <= MAX_SHARED {
            pattern.push('^');
        }
        for letter in end_of(shared, MAX_SHARED).chars() {
            append(&mut pattern, letter);
        }
        pattern.push('[');
        for letter in &*letters {
            append(&mut pattern, *letter);
        }
        pattern.push(']');
        let mut filter = String::from(" |~ ");
        quote(&mut filter, &pattern);
        groups.push(Group { filter, lines: std::mem::take(&mut group.lines), splits: true });
    }
    group.lines.clear();
    letters.clear();
}

/// A line that is asked for as a whole, as far as a query has room: its beginning at the beginning, and
/// its end.
fn whole(line: &[u8]) -> Group<'_> {
    let line_text = text(line);
    let mut pattern = String::from("^");
    for letter in line_text[..line_text.floor_char_boundary(MAX_SHARED)].chars() {
        append(&mut pattern, letter);
    }
    let mut filter = String::from(" |~ ");
    quote(&mut filter, &pattern);
    filter.push_str(" |= ");
    quote(&mut filter, end_of(line_text, MAX_WHOLE));
    Group { filter, lines: vec![line], splits: false }
}

/// What all lines begin with.
fn shared<'l>(lines: &[&'l [u8]]) -> &'l str {
    let (Some(least), Some(most)) = (lines.iter().min(), lines.iter().max()) else { return "" };
    let same = least.iter().zip(*most).take_while(|(a, b)| a == b).count();
    let least = text(least);
    &least[..least.floor_char_boundary(same)]
}

/// Lines are UTF-8: whatever is read as a record was checked.
fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap_or_default()
}

fn letter(rest: &[u8]) -> Option<char> {
    text(rest).chars().next()
}

/// The last bytes of a text, whole letters.
fn end_of(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

/// Appends a letter as itself to a regular expression, within a class or not.
fn append(pattern: &mut String, letter: char) {
    if letter.is_ascii_punctuation() {
        pattern.push('\\');
    }
    pattern.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(lines: &[String]) -> Vec<&[u8]> {
        lines.iter().map(String::as_bytes).collect()
    }

    #[test]
    fn every_line_is_in_one_group_and_groups_are_small() {
        for lines in [
            (0..8000).map(|n| format!("{{\"message\":\"line {n}\"}}")).collect::<Vec<_>>(),
            (0..500).map(|n| "a".repeat(n)).collect(),
            (0..500)
                .map(|n| {
                    format!(
                        "{}\u{2028}{}",
                        "ä".repeat(400),
                        char::from_u32(0x4E00 + n).unwrap_or('x')
                    )
                })
                .collect(),
        ] {
            for most in [1, 7, 2500] {
                let groups = narrow(bytes(&lines), most);
                let mut all: Vec<&[u8]> = Vec::new();
                for group in &groups {
                    assert!(group.lines.len() <= most && !group.lines.is_empty());
                    assert_eq!(group.splits, group.lines.len() > 1);
                    all.extend(&group.lines);
                }
                all.sort_unstable();
                let mut expected = bytes(&lines);
                expected.sort_unstable();
                assert!(all == expected, "{most}");
            }
        }
    }

    #[test]
    fn filters() {
        let lines = ["{\"a\":1}", "{\"a\":2}", "{\"a\":25}", "{\"a\":\"\\\""];
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let groups = narrow(bytes(&lines), 3);
        let filters: Vec<&str> = groups.iter().map(|group| &*group.filter).collect();
        assert_eq!(
            filters,
            [
                "|~ \"^\\\\{\\\\\\\"a\\\\\\\"\\\\:[\\\\\\\"1]\"",
                "|~ \"^\\\\{\\\\\\\"a\\\\\\\"\\\\:[2]\""
            ]
            .map(|f| format!(" {f}"))
        );
    }

    #[test]
    fn filters_are_short_however_long_the_lines() {
        let lines = vec![format!("{}a", "ü".repeat(100_000)), format!("{}b", "ü".repeat(100_000))];
        for most in [1, 2] {
            for group in narrow(bytes(&lines), most) {
                assert!(group.filter.len() < 20_000, "{}", group.filter.len());
                let ends = if most == 1 { &["üa\"", "üb\""][..] } else { &["[ab]\""] };
                assert!(ends.iter().any(|end| group.filter.ends_with(end)));
            }
        }
    }
}
