//! What the models of the queue share. loom runs a model in every order of steps, and with every
//! value that a load may see, that the memory model allows: `make prove PROVE=loom`.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::queue::Fill;

/// A model that takes longer has more orders than anybody can wait for: it proves nothing.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs a model; at most `switches` times in a run a thread is stopped although it could go on.
pub(super) fn model(switches: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.checkpoint_interval = 200;
    builder.max_duration = Some(LONGEST);
    let (began, orders) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let counted = orders.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        run();
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(began.elapsed() < LONGEST, "no end after {orders} orders");
    println!("{orders} orders");
}

/// A frame of a size, of one byte again and again.
pub(super) struct Same(pub(super) usize, pub(super) u8);

impl Fill for Same {
    fn size(&self) -> usize {
        self.0
    }

    fn fill(&self, out: &mut [u8]) {
        out.fill(self.1);
        out[..4].copy_from_slice(&(self.0 as u32).to_le_bytes());
    }
}
