//! The CPU time that the body of a push takes: protobuf with raw snappy, as we send it, beside JSON with gzip (flate2
//! with zlib-rs, level 6) of the same lines.
//!
//!     encoding protobuf|json FILE LINES
//!
//! The lines from INFO up of a log file, read again and again until so many are in bodies. Two things are timed apart:
//! reading the lines (newline, time, labels, structured metadata, packed by stream), which is the same for both; and
//! making the body of a full push.

use std::error::Error;
use std::time::Duration;

use lb_core::benching::Pushes;
use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process, which has one thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[derive(Default)]
struct Sum {
    lines: usize,
    line_bytes: usize,
    body_bytes: usize,
    read: Duration,
    encode: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: encoding protobuf|json FILE LINES";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, file, wanted] = arguments.as_slice() else { return Err(usage.into()) };
    let encode = match who.as_str() {
        "protobuf" => Pushes::protobuf,
        "json" => Pushes::json,
        _ => return Err(usage.into()),
    };
    let (text, wanted): (_, usize) = (std::fs::read(file)?, wanted.parse()?);
    if !text.ends_with(b"\n") {
        return Err(format!("{file} holds no whole lines").into());
    }
    let (mut pushes, mut sum, mut at) = (Pushes::default(), Sum::default(), 0);
    while sum.lines < wanted {
        let start = cpu();
        let length = pushes.read(&text[at..])?;
        let read = cpu();
        sum.read += read - start;
        at = if at + length == text.len() { 0 } else { at + length };
        while let Some(body) = encode(&mut pushes)? {
            sum.lines += body.lines;
            sum.line_bytes += body.line_bytes;
            sum.body_bytes += body.bytes;
            pushes.sent();
        }
        sum.encode += cpu() - read;
    }
    #[allow(clippy::cast_precision_loss)] // Counts far below 2^53.
    let each = |total: f64| total / sum.lines as f64;
    #[allow(clippy::cast_precision_loss)]
    let (line_bytes, body_bytes) = (each(sum.line_bytes as f64), each(sum.body_bytes as f64));
    println!(
        "{{\"read_ns\": {:.2}, \"encode_ns\": {:.2}, \"line_bytes\": {line_bytes:.1}, \"body_bytes\": {body_bytes:.2}}}",
        each(sum.read.as_secs_f64() * 1e9),
        each(sum.encode.as_secs_f64() * 1e9),
    );
    Ok(())
}
