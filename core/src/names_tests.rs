#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use std::collections::HashMap;

const DEFAULT: &str = "{output_dir}/{run_id}/logs/{component}-{host}.jsonl";

fn path(template: &str, run_id: &str, component: &str, host: &str) -> String {
    let names = Names { output_dir: "out", run_id, component, host, pid: 77 };
    resolve(template, &names).unwrap().into_os_string().into_string().unwrap()
}

fn file(component: &str, host: &str) -> String {
    let path = path(DEFAULT, "r1", component, host);
    path.strip_prefix("out/r1/logs/").unwrap().to_owned()
}

fn marked(name: &str) -> bool {
    ends_in_mark(name.strip_suffix(LOG_SUFFIX).unwrap_or(name))
}

#[test]
fn plain_names_stay_as_they_are() {
    for (component, host, expected) in [
        ("k6", "node-1", "k6-node-1.jsonl"),
        ("runner", "10.0.0.1", "runner-10.0.0.1.jsonl"),
        ("load gen", "a.b.example", "load gen-a.b.example.jsonl"),
        ("größe", "дом", "größe-дом.jsonl"),
        ("k6", "h.12345", "k6-h.12345.jsonl"),
        ("k6", "h-", "k6-h-.jsonl"),
    ] {
        assert_eq!(file(component, host), expected);
    }
}

#[test]
fn names_that_need_it_are_changed_and_marked() {
    for (component, host, beginning) in [
        ("../../etc/x", "h", "______etc_x-h~"),
        ("a-b", "h", "a-b-h~"),
        (".hidden", "h", "_hidden-h~"),
        ("-rf", "h", "_rf-h~"),
        ("..", ".", "__-_~"),
        ("a/b\\c", "h", "a_b_c-h~"),
        ("a\nb\0", "h\u{7f}", "a_b_-h_~"),
        ("k6", "h.000001", "k6-h.000001~"),
        ("k6", "h.1234567", "k6-h.1234567~"),
        ("k6", "h.quarantined", "k6-h.quarantined~"),
        ("k6", "h.jsonl", "k6-h.jsonl~"),
        ("k6", "h~0123abcd", "k6-h~0123abcd~"),
        ("k6", "\u{202e}gpj", "k6-_gpj~"),
        ("", "h", "_-h~"),
    ] {
        let name = file(component, host);
        assert!(name.starts_with(beginning), "{component:?} {host:?}: {name}");
        assert!(marked(&name), "{component:?} {host:?}: {name}");
        assert_eq!(parse_log(&name), name.strip_suffix(LOG_SUFFIX));
    }
}

#[test]
fn no_two_identities_share_a_file() {
    let parts = [
        "a",
        "b",
        "a-b",
        "b-a",
        "-a",
        "_a",
        ".a",
        "a-",
        "-",
        "_",
        "a/b",
        "a_b",
        "a\\b",
        "..",
        "__",
        "a.000001",
        "a.quarantined",
        "a~01234567",
        "a\n",
        "A",
        "ä",
    ];
    for template in [
        DEFAULT,
        "{host}-{component}.jsonl",
        "{component}{host}.jsonl",
        "x/{host}/{component}.jsonl",
    ] {
        let mut seen = HashMap::new();
        for component in parts {
            for host in parts {
                let path = path(template, "r", component, host);
                let before = seen.insert(path.clone(), (component, host));
                assert_eq!(before, None, "{path} for {:?}", (component, host));
            }
        }
    }
}

#[test]
fn a_separator_of_several_characters_is_not_guessed() {
    let template = "{component}--{host}.jsonl";
    assert_ne!(path(template, "r", "a-", "b"), path(template, "r", "a", "-b"));
}

#[test]
fn long_names_are_cut_between_characters() {
    let long = "ü".repeat(300);
    let (one, two) = (file("k6", &long), file("k6", &format!("{long}x")));
    assert_ne!(one, two);
    for name in [&one, &two] {
        assert!(marked(name));
        let apart = apart(Path::new(name), 1);
        let note = rings_note(&apart, u64::MAX);
        assert!(note.as_os_str().len() + 14 <= MAX_NAME_BYTES, "{note:?}");
    }
    let folder = run_folder(&"r".repeat(300));
    assert_eq!(folder.len(), MAX_NAME_BYTES);
    assert!(marked(&folder));
}

#[test]
fn run_folders() {
    assert_eq!(run_folder("run-20261122-101112"), "run-20261122-101112");
    assert!(run_folder("../x").starts_with("___x~"));
    assert_ne!(run_folder("a/b"), run_folder("a_b"));
    assert!(marked(&run_folder("r~00000000")) && run_folder("r~00000000").len() == 19);
    assert!(path(DEFAULT, "../../etc", "k6", "h").starts_with("out/______etc~"));
}

#[test]
fn the_mark_is_the_crc_of_lengths_and_names() {
    let mut hash = crc32fast::Hasher::new();
    hash.update(b"\x03\0\0\0\0\0\0\0a-b\x01\0\0\0\0\0\0\0h");
    assert_eq!(file("a-b", "h"), format!("a-b-h~{:08x}.jsonl", hash.finalize()));
}

#[test]
fn templates() {
    for (template, expected) in [
        ("{output_dir}/{component}.{pid}.jsonl", Ok("out/k6.77.jsonl")),
        ("/var/log/{component}.jsonl", Ok("/var/log/k6.jsonl")),
        ("plain.jsonl", Ok("plain.jsonl")),
        ("../x/{host}.jsonl", Ok("../x/h.jsonl")),
        ("{{{host}}}.jsonl", Ok("{h}.jsonl")),
        ("k6-h~01234567.jsonl", Ok("k6-h~01234567.jsonl")),
        ("", Err("empty")),
        ("{output_dir}", Err("slash")),
        ("{output_dir}x/a.jsonl", Err("slash")),
        ("a/{output_dir}/a.jsonl", Err("beginning")),
        ("{output_dir}/{component}.log", Err("end in .jsonl")),
        ("{output_dir}/.jsonl", Err("end in .jsonl")),
        ("{output_dir}/", Err("end in .jsonl")),
        ("{component}", Err("end in .jsonl")),
        ("{cmponent}.jsonl", Err("{component}")),
        ("{component.jsonl", Err("single `{`")),
        ("component}.jsonl", Err("single `}`")),
        ("k6.000001.jsonl", Err("rotated")),
        ("k6.quarantined.jsonl", Err("quarantined")),
        ("a\0.jsonl", Err("zero byte")),
    ] {
        let names = Names { output_dir: "out", run_id: "r", component: "k6", host: "h", pid: 77 };
        match (resolve(template, &names), expected) {
            (Ok(path), Ok(expected)) => assert_eq!(path, Path::new(expected)),
            (Err(text), Err(part)) => assert!(text.contains(part), "{template}: {text}"),
            (got, _) => panic!("{template}: {got:?}"),
        }
    }
    let long = format!("{}.jsonl", "x".repeat(250));
    let names = Names { output_dir: "out", run_id: "r", component: "k6", host: "h", pid: 77 };
    assert!(resolve(&long, &names).is_err());
}

#[test]
fn values_are_never_expanded_again() {
    assert_eq!(file("k6", "{pid}"), "k6-{pid}.jsonl");
    assert_eq!(path("{host}.jsonl", "r", "k6", "{{x}}"), "{{x}}.jsonl");
}

#[test]
fn names_of_ours_are_made_and_read_back() {
    let log = Path::new("d/k6-h.jsonl");
    assert_eq!(stem(log), Some("k6-h"));
    assert_eq!(stem(Path::new("d/k6.log")), None);
    assert_eq!(side_file(log, "lock"), Path::new("d/.k6-h.lock"));
    assert_eq!(lock_file(log), Path::new("d/.k6-h.lock"));
    assert_eq!(rings_note(log, 0xab), Path::new("d/.k6-h.00000000000000ab.rings"));
    assert_eq!(offset(log, 0xab), Path::new("d/.k6-h.00000000000000ab.offset"));
    assert_eq!(shipper_lock(log), Path::new("d/.k6-h.shipper"));
    assert_eq!(segment(log, 7), Path::new("d/k6-h.000007.jsonl"));
    assert_eq!(segment(log, 12_345_678), Path::new("d/k6-h.12345678.jsonl"));
    assert_eq!(quarantine(log), Path::new("d/k6-h.quarantined.jsonl"));
    assert_eq!(apart(log, 1), Path::new("d/k6-h~00000001.jsonl"));

    assert_eq!(parse_segment("k6-h.000007.jsonl"), Some(("k6-h", 7)));
    assert_eq!(parse_segment("k6-h.12345678.jsonl"), Some(("k6-h", 12_345_678)));
    assert_eq!(parse_rings_note(".k6-h.00000000000000ab.rings"), Some(("k6-h", 0xab)));
    assert_eq!(parse_offset(".k6-h.00000000000000ab.offset"), Some(("k6-h", 0xab)));
    for name in ["k6-h.00000000000000ab.offset", ".k6-h.ab.offset", ".k6-h.00000000000000ab.rings"]
    {
        assert_eq!(parse_offset(name), None, "{name}");
    }
    assert_eq!(parse_lock(".k6-h.lock"), Some("k6-h"));
    assert_eq!(parse_quarantine("k6-h.quarantined.jsonl"), Some("k6-h"));
    assert_eq!(parse_log("k6-h.jsonl"), Some("k6-h"));
    assert_eq!(parse_log("k6-h~00000001.jsonl"), Some("k6-h~00000001"));
}

#[test]
fn names_that_are_not_ours_are_refused() {
    for name in [
        "k6-h.00007.jsonl",
        "k6-h.0000007.jsonl",
        "k6-h.00000x.jsonl",
        "k6-h.+00007.jsonl",
        "k6-h.000007.jsonl.gz",
        "k6-h.000007",
        ".000007.jsonl",
        "k6-h.99999999999999999999999.jsonl",
    ] {
        assert_eq!(parse_segment(name), None, "{name}");
    }
    for name in [
        "k6-h.00000000000000ab.rings",
        ".k6-h.0000000000000ab.rings",
        ".k6-h.00000000000000AB.rings",
        ".k6-h.+0000000000000ab.rings",
        ".k6-h.00000000000000ab.rings.tmp",
        ".00000000000000ab.rings",
    ] {
        assert_eq!(parse_rings_note(name), None, "{name}");
    }
    for name in ["k6-h.lock", "..lock", ".lock", ".k6.lock~"] {
        assert_eq!(parse_lock(name), None, "{name}");
    }
    for name in ["k6-h.000007.jsonl", "k6-h.quarantined.jsonl", ".jsonl", "k6.jsonl.gz"] {
        assert_eq!(parse_log(name), None, "{name}");
    }
}

#[test]
fn a_log_from_elsewhere_keeps_its_stem_where_we_could_have_given_it() {
    for stem in ["k6-h", "two words", "größe~0a0b0c0d", "a.000001"] {
        assert_eq!(collected_stem(stem, "node:x", 0), stem);
        let marks: Vec<_> = (1..4).map(|nth| collected_stem(stem, "node:x", nth)).collect();
        assert!(marks.iter().all(|mark| mark.starts_with(stem) && mark.len() == stem.len() + 9));
        assert!(marks[0] != marks[1] && marks[1] != marks[2], "{marks:?}");
        assert_ne!(collected_stem(stem, "node:y", 1), marks[0], "another source");
    }
    let long = "x".repeat(MAX_STEM_BYTES + 1);
    for stem in ["-rf", ".hidden", "a..b", "a\nb", "a\u{202e}b", &long] {
        let safe = collected_stem(stem, "node:x", 0);
        assert_ne!(safe, stem);
        assert!(safe.len() <= MAX_STEM_BYTES && !safe.starts_with(['-', '.']), "{safe}");
        assert!(!safe.contains(forbidden) && !safe.contains(".."), "{safe}");
        assert_ne!(collected_stem(stem, "node:y", 0), safe);
    }
}
