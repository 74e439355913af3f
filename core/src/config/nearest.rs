//! The known name that a user most likely meant.

use super::keys::KEYS;

/// The nearest of `known`, when it is near enough to be worth saying.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase().replace('-', "_");
    let distance = |known: &str| {
        let whole = strsim::osa_distance(&name, &known.to_lowercase());
        let last = known
            .rsplit_once('.')
            .map_or(usize::MAX, |(_, last)| strsim::osa_distance(&name, last).saturating_add(1));
        whole.min(last)
    };
    let far = (name.chars().count() / 3).max(2);
    known.map(|k| (distance(k), k)).filter(|(d, _)| *d <= far).min().map(|(_, known)| known)
}

/// `; did you mean …?` for an unknown key, else where all of them are told.
pub(super) fn hint(name: &str) -> String {
    let blocks = KEYS.iter().filter_map(|key| key.name.split_once('.')).map(|(block, _)| block);
    said(nearest(name, KEYS.iter().map(|key| key.name).chain(blocks).chain(["config", "layers"])))
}

/// The same for an unknown environment variable.
pub(super) fn variable_hint(name: &str) -> String {
    let variables: Vec<String> = KEYS.iter().map(super::keys::Key::variable).collect();
    said(nearest(name, variables.iter().map(String::as_str).chain(["LB_CONFIG"])))
}

fn said(near: Option<&str>) -> String {
    near.map_or_else(
        || "; `lb config show` lists all keys".to_owned(),
        |near| format!("; did you mean {near}?"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints() {
        for (name, expected) in [
            ("ring_byts", "did you mean ring_bytes?"),
            ("Ring-Bytes", "did you mean ring_bytes?"),
            ("log_path", "did you mean jsonl.log_path?"),
            ("jsonl.logpath", "did you mean jsonl.log_path?"),
            ("lokii", "did you mean loki?"),
            ("lok.endpoint", "did you mean loki.endpoint?"),
            ("hots", "did you mean host?"),
            ("zzzzzzzz", "lists all keys"),
        ] {
            assert!(hint(name).contains(expected), "{name}: {}", hint(name));
        }
        assert!(variable_hint("LB_RING_BYTE").contains("LB_RING_BYTES?"));
        assert!(variable_hint("LB_LOKI_ENDPOIN").contains("LB_LOKI_ENDPOINT?"));
        assert!(variable_hint("LB_QQQQQQQQQQQQ").contains("lists all keys"));
    }
}
