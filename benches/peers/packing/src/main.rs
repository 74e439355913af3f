//! The CPU time of gzip at collection, on one thread: `packing LEVEL FILE` prints nanoseconds and bytes.

use std::error::Error;
use std::time::Duration;

use lb_core::benching::gzipped;
use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process, which has one thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, file] = arguments.as_slice() else {
        return Err("usage: packing LEVEL FILE".into());
    };
    let (plain, level) = (std::fs::read(file)?, level.parse()?);
    let start = cpu();
    let packed = gzipped(&plain, level)?;
    println!("{{\"ns\":{},\"bytes\":{}}}", (cpu() - start).as_nanos(), packed.len());
    Ok(())
}
