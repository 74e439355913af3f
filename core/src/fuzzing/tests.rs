//! Each target for a while. A failure says its seed: `FUZZ_SEED=… cargo test` begins with it, and
//! `FUZZ_SECONDS=…` goes on for longer.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use super::*;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A pseudo-random sequence: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let len = self.below(longest + 1);
        let plain = self.below(3) == 0;
        let mut byte = || {
            let byte = self.next().to_le_bytes()[0];
            if plain { b"abc\"\\\n0{}:,"[usize::from(byte) % 11] } else { byte }
        };
        (0..len).map(|_| byte()).collect()
    }

    /// Changes, removes, doubles or mixes in some bytes.
    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..self.below(6) {
            let (at, to) = (self.below(bytes.len()), self.below(bytes.len() + 1));
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][self.below(5)],
                2 if at < to => drop(bytes.drain(at..to)),
                3 if at < to && bytes.len() < 4096 => {
                    let part = bytes[at..to].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let (from, until) = (self.below(other.len()), self.below(other.len() + 1));
                    let part = other.get(from..until).unwrap_or_default().to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
    }
}

fn fuzz(target: fn(&[u8]), make: impl Fn(&mut Random) -> Vec<u8>) {
    let first = setting("FUZZ_SEED", 1);
    let end = Instant::now() + Duration::from_secs(setting("FUZZ_SECONDS", 2));
    let mut seed = first;
    while Instant::now() < end {
        let data = make(&mut Random(seed));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&data))) {
            eprintln!("it failed with FUZZ_SEED={seed}");
            resume_unwind(panic);
        }
        seed += 1;
    }
    println!("seeds {first} to {seed}");
}

#[test]
fn any_ring_file() {
    fuzz(ring_file, |random| random.bytes(60));
}

#[test]
fn any_record() {
    fuzz(encoder, |random| random.bytes(1500));
}

#[test]
fn any_frame_or_batch() {
    fuzz(frames, |random| {
        let mut batch = Vec::new();
        for _ in 0..random.below(5) {
            let message = random.bytes(40);
            let noise = random.bytes(300);
            let tags = tags(&mut Feed(&noise));
            let size = u32::try_from(ENTRY_HEADER + message.len() + tags.len()).unwrap();
            batch.extend_from_slice(&size.to_le_bytes());
            batch.extend_from_slice(&[0; 12]);
            batch.extend_from_slice(&u32::try_from(message.len()).unwrap().to_le_bytes());
            batch.extend_from_slice(&[3, 0, 0, 0]);
            batch.extend_from_slice(&message);
            batch.extend_from_slice(&tags);
        }
        let noise = random.bytes(80);
        random.mutate(&mut batch, &noise);
        batch
    });
}

#[test]
fn any_note() {
    let sound = br#"{"ring_dir":"log","device":1,"inode":2,"boot_id":"00000000000000000000000000000000","pid":4}"#;
    fuzz(note, |random| {
        let mut note = sound.to_vec();
        random.mutate(&mut note, sound);
        note
    });
}

#[test]
fn any_configuration() {
    let sound: [&[u8]; 6] = [
        br#"{"component":"k6","ring":{"dir":"log"},"ring_bytes":"1MiB","max_record_bytes":4096,"layers":[{"source":"--out","rank":"argument","text":true,"block":"k6","values":{"samples":"raw"}}]}"#,
        b"LB_JSONL_LOG_PATH={output_dir}/{run_id}/{component}-{host}.{pid}.jsonl",
        br#"{"component":"c","repetition":3,"tags":{"a":[1,{"b":null}],"phase":"run"},"scenario":null}"#,
        b"component = \"k6\"\n[loki]\nenabled = true\nendpoint = \"http://h:3100\"\nlabels = { a = \"b\" }\n[jsonl]\nlog_rotate_bytes = \"8MiB\"\n",
        br#"{"loki":{"enabled":true,"endpoint":"http://h:3100"},"grafana":{"url":"http://g"},"repetition":18446744073709551615}"#,
        b"loki:\n  enabled: true\n  endpoint: http://h:3100\nrepetition: 2\nrun_id: \"a\\u0000b\"\n",
    ];
    let keys: Vec<&str> = crate::config::KEYS.iter().map(|key| key.name).collect();
    fuzz(config, |random| {
        let kind = random.below(sound.len());
        let mut text = sound[kind].to_vec();
        let other = match random.below(3) {
            0 => keys[random.below(keys.len())].as_bytes().to_vec(),
            1 => sound[random.below(sound.len())].to_vec(),
            _ => random.bytes(30),
        };
        random.mutate(&mut text, &other);
        text.insert(0, u8::try_from(kind).unwrap());
        text
    });
}
