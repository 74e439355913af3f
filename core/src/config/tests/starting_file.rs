//! What `lb config init` writes.

use super::*;

/// A line that is one key, commented out: its name, and its value where it has one.
fn commented(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    (!name.starts_with([' ', '#'])).then(|| (name.trim(), value.trim()))
}

#[test]
fn it_changes_nothing() {
    let world = World::new(&[]);
    let expected = world.config("").to_json();
    world.file("cwd/lb.toml", &starting_file());
    let config = world.config("");
    assert_eq!(config.to_json(), expected);
    assert!(config.file.is_some() && config.warnings.is_empty());
}

#[test]
fn its_defaults_can_be_uncommented() {
    let world = World::new(&[]);
    let plain: Vec<Value> = world.config("").settings.into_iter().map(|s| s.value).collect();
    let uncommented: String = starting_file()
        .lines()
        .map(|line| match commented(line) {
            Some((name, value)) if !value.is_empty() => format!("{name} = {value}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let path = world.file("cwd/lb.toml", &uncommented);
    let config = world.config("");
    let values: Vec<Value> = config.settings.iter().map(|s| s.value.clone()).collect();
    assert_eq!(values, plain);
    for setting in &config.settings {
        let expected =
            if setting.key.default.is_some() { path.to_str().unwrap() } else { "default" };
        assert_eq!(setting.source, expected, "{}", setting.key.name);
    }
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn it_tells_every_key_with_its_variable_and_default() {
    let text = starting_file();
    let names: Vec<&str> = text.lines().filter_map(commented).map(|(name, _)| name).collect();
    let expected: Vec<&str> = KEYS.iter().map(Key::own_name).collect();
    assert_eq!(names, expected);
    for key in KEYS {
        assert!(
            text.contains(&format!("Environment: {}.\n", key.variable()))
                || text.contains(&format!(" {}.\n", key.variable())),
            "{}",
            key.name
        );
    }
    for line in [
        "#component = \"app\"",
        "#repetition = 1",
        "#host =",
        "#ring_bytes = \"1MiB\"",
        "#log_rotate_bytes = \"off\"",
        "#metrics_allow = []",
        "#labels = {}",
        "#vu_iter = false",
        "#backoff_base = 0.5",
        "#summary_interval = \"10s\"",
        "[loki]",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}
