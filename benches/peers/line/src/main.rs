//! The time of one JSON line: ours, and that of sonic-rs for a struct of the same ten fields.
//!
//!     line ours|sonic|sonic-text clean|escapes LINES
//!
//! A record's time is a number of nanoseconds. sonic-rs, which knows no times, gets the text that jiff makes of it;
//! with `sonic-text` the text is there already.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use lb_core::benching::Lines;
use lb_core::record::Context;
use serde::Serialize;

const START_NS: i64 = 1_795_342_272_123_456_789;
const START: &str = "2026-11-22T10:11:12.123456789Z";
/// As often as at 200,000 records a second.
const STEP_NS: i64 = 5_000;
const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
const BLOCK: usize = 256 * 1024;

/// 100 bytes.
const CLEAN: &str = "0 00000000 stressor finished its step: 128 operations, 42 retries, queue depth 7, next in 250 ms....";
/// The same with six bytes to escape.
const ESCAPES: &str = "0 00000000 \"stressor\" finished its step:\n\t128 operations, 42 retries, queue C:\\depth 7, next in 250\n";

#[derive(Serialize)]
struct Record<'a> {
    timestamp: &'a str,
    level: &'a str,
    component: &'a str,
    host: &'a str,
    run_id: &'a str,
    logger: &'a str,
    message: &'a str,
    event_type: &'a str,
    workload: &'a str,
    repetition: u64,
}

fn record(message: &str) -> Record<'_> {
    Record {
        timestamp: START,
        level: "INFO",
        component: "generator",
        host: "bench-node-1",
        run_id: "run-20261122-101112",
        logger: "lb_runner.engine",
        message,
        event_type: "log",
        workload: "stress_ng",
        repetition: 1,
    }
}

fn lines_of(record: &Record<'_>) -> Lines {
    let context = Context {
        component: record.component.into(),
        host: record.host.into(),
        run_id: record.run_id.into(),
        logger: record.logger.into(),
        event_type: record.event_type.into(),
        workload: record.workload.into(),
        repetition: record.repetition,
        scenario: None,
        package: None,
        plugin: None,
        tags: serde_json::Map::new(),
    };
    Lines::new(&context, BLOCK)
}

fn by_sonic(out: &mut Vec<u8>, record: &Record<'_>) -> Result<(), sonic_rs::Error> {
    sonic_rs::to_writer(&mut *out, record)?;
    out.push(b'\n');
    Ok(())
}

/// Nanoseconds of one line.
fn measure<E>(
    count: u32,
    mut append: impl FnMut(&mut Vec<u8>, u32) -> Result<(), E>,
) -> Result<f64, E> {
    let mut block = Vec::with_capacity(2 * BLOCK);
    let start = Instant::now();
    for number in 0..count {
        append(&mut block, number)?;
        if block.len() >= BLOCK {
            black_box(&block);
            block.clear();
        }
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: line ours|sonic|sonic-text clean|escapes LINES";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, what, count] = arguments.as_slice() else { return Err(usage.into()) };
    let message = match what.as_str() {
        "clean" => CLEAN,
        "escapes" => ESCAPES,
        _ => return Err(usage.into()),
    };
    let count = count.parse()?;
    let record = record(message);
    let mut lines = lines_of(&record);

    let (mut ours, mut sonic) = (Vec::new(), Vec::new());
    lines.append(&mut ours, START_NS, message.as_bytes());
    by_sonic(&mut sonic, &record)?;
    if ours != sonic {
        return Err(
            format!("the lines differ:\n{}{}", ours.escape_ascii(), sonic.escape_ascii()).into()
        );
    }
    let ns = match who.as_str() {
        "ours" => measure::<sonic_rs::Error>(count, |out, number| {
            let ns = START_NS + i64::from(number) * STEP_NS;
            lines.append(out, ns, black_box(message).as_bytes());
            Ok(())
        })?,
        "sonic" => {
            let mut text = String::new();
            measure::<Box<dyn Error>>(count, |out, number| {
                text.clear();
                let ns = START_NS + i64::from(number) * STEP_NS;
                PRINTER.print_timestamp(&Timestamp::from_nanosecond(ns.into())?, &mut text)?;
                Ok(by_sonic(out, &Record { timestamp: &text, ..*black_box(&record) })?)
            })?
        }
        "sonic-text" => measure(count, |out, _| by_sonic(out, black_box(&record)))?,
        _ => return Err(usage.into()),
    };
    println!("{{\"ns\": {ns:.2}, \"line_bytes\": {}}}", ours.len());
    Ok(())
}
