//! Asking Loki as long as a person would: again after a pause, and not when nobody wants it any more.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::loki::wire::ask::{Ask, AskError, Question};

/// Pauses between tries where Loki does not answer.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// The longest sleep between two calls of `progress`.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Verifying {
    /// Bytes of the files that were read.
    pub bytes: u64,
    /// And that are to be read.
    pub of_bytes: u64,
    /// Lines that were compared.
    pub compared: u64,
    /// Those of them that Loki lacks.
    pub lacking: u64,
}

/// Told how far it is, and why Loki does not answer now; can end the work.
pub type Watch<'p> = dyn FnMut(&Verifying, Option<&str>) -> ControlFlow<()> + 'p;

/// Asks again where Loki does not answer.
pub(super) struct Patient<'w, 'p, A> {
    loki: A,
    watch: &'w mut Watch<'p>,
    pub(super) seen: Verifying,
    /// Nobody wants an answer any more.
    pub(super) stopped: bool,
}

impl<'w, 'p, A> Patient<'w, 'p, A> {
    pub(super) fn new(loki: A, watch: &'w mut Watch<'p>) -> Self {
        Self { loki, watch, seen: Verifying::default(), stopped: false }
    }

    /// Tells how far it is; whether to go on.
    pub(super) fn goes_on(&mut self, why: Option<&str>) -> bool {
        self.stopped = self.stopped || (self.watch)(&self.seen, why).is_break();
        !self.stopped
    }

    fn sleep(&mut self, pause: Duration, why: &str) {
        let mut left = pause;
        while !left.is_zero() && self.goes_on(Some(why)) {
            std::thread::sleep(left.min(PROGRESS_INTERVAL));
            left = left.saturating_sub(PROGRESS_INTERVAL);
        }
    }
}

impl<A: Ask> Ask for Patient<'_, '_, A> {
    fn ask(&mut self, question: &Question<'_>) -> std::result::Result<Vec<u8>, AskError> {
        let mut pauses = PAUSES.iter();
        loop {
            if !self.goes_on(None) {
                return Err(AskError::Failed { why: "it was ended".to_owned() });
            }
            match (self.loki.ask(question), pauses.next()) {
                (Err(AskError::Failed { why }), Some(pause)) => self.sleep(*pause, &why),
                (answered, _) => return answered,
            }
        }
    }
}
