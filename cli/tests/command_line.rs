//! What holds for every command: help, version, exit status, closed readers, colours.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fs::File;
use std::process::Stdio;

use support::Lb;

#[test]
fn help_and_version_are_data() {
    let lb = Lb::new();
    for arguments in ["--help", "-h", "status --help", "drain --help", "config --help"] {
        let ran = lb.run(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments}");
        assert!(ran.stdout.contains("Usage: lb") && !ran.stdout.contains('\u{1b}'), "{arguments}");
    }
    assert!(lb.run("--help").stdout.contains("Examples:"));
    let version = lb.run("--version").stdout;
    let expected = concat!("lb ", env!("CARGO_PKG_VERSION"), "\nrecord schema 1\n");
    assert!(version.starts_with(expected), "{version}");
}

/// The commands that a help names.
fn commands_of(help: &str) -> Vec<String> {
    let below = help.split_once("Commands:\n").map_or("", |(_, below)| below);
    let listed = below.lines().take_while(|line| !line.is_empty());
    // What follows a name may go on in the next line, further in.
    let named =
        listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_has_an_example() {
    let lb = Lb::new();
    let mut left = vec![String::new()];
    let mut seen = Vec::new();
    while let Some(command) = left.pop() {
        let ran = lb.run(&format!("{command} --help"));
        assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
        let below = commands_of(&ran.stdout);
        let (_, examples) = ran.stdout.split_once("Examples:\n").expect(&command);
        let line = format!("lb{command}").trim_end().to_owned();
        assert!(examples.lines().any(|example| example.contains(&line)), "{command}: {examples}");
        left.extend(below.iter().map(|name| format!("{command} {name}")));
        seen.push(command);
    }
    assert!(seen.len() > 14, "{seen:?}");
}

#[test]
fn wrong_usage_is_an_error() {
    let lb = Lb::new();
    for arguments in ["", "bogus", "status --bogus", "config", "-q -v status", "--format x status"]
    {
        let ran = lb.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments}");
        assert!(!ran.stderr.is_empty(), "{arguments}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let lb = Lb::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = lb.command("config show").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    let ran = lb.ran(&output);
    assert_eq!(ran.code, 0);
    assert!(!ran.stderr.contains("error") && !ran.stderr.contains("panic"), "{}", ran.stderr);
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let lb = Lb::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = lb.command("config show").stdout(full).output().unwrap();
    let ran = lb.ran(&output);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("error: writing to stdout: No space left"), "{}", ran.stderr);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let plain = Lb::new().run("status nowhere/x");
    assert!(!plain.stderr.contains('\u{1b}'), "{}", plain.stderr);
    let forced = Lb::new().env("CLICOLOR_FORCE", "1").run("status nowhere/x");
    assert!(forced.stderr.contains("\u{1b}[1;31merror:\u{1b}[0m"), "{:?}", forced.stderr);
    let refused = Lb::new().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run("status nowhere/x");
    assert!(!refused.stderr.contains('\u{1b}'), "{:?}", refused.stderr);
}
