//! Ctrl-C, and the other signals that ask a program to end.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether somebody wants an end. The first signal is a wish; the second ends the program at once.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let wished = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The first one registered is the first one asked.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&wished))
                .and_then(|_| flag::register(signal, Arc::clone(&wished)))
                .context("watching for Ctrl-C")?;
        }
        Ok(Self(wished))
    }

    pub(crate) fn is_wished(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For work that asks whether to go on.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if self.is_wished() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
