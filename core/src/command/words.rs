//! Text for people.

use std::borrow::Cow;
use std::path::Path;

/// Text that cannot steer a terminal: names and messages come from anywhere.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// `1 log`, `2 logs`.
#[must_use]
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A path as one would write it from here.
#[must_use]
pub fn near(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let rest = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    rest.filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(safe("plain ü"), "plain ü");
        assert_eq!(safe("a\u{1b}[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
    }
}
