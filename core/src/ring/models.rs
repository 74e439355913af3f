//! What the models of the queue share. loom runs a model in every order of steps, and with every
//! value that a load may see, that the memory model allows: `make prove PROVE=loom`.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
