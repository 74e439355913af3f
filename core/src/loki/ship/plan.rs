//! What follows from an answer: decisions without I/O, clock or chance of their own.

use std::time::Duration;

use super::offset::Why;
use crate::loki::wire::answer::Answer;
use crate::loki::wire::ask::LookUpError;
use crate::loki::wire::batch::Batch;
use crate::loki::wire::refusal::{Reason, Refusal, RefusedLine, Rest};

/// How long Loki may take to show what it has taken.
pub(crate) const LOOK_UP_DELAY: Duration = Duration::from_secs(2);
/// How long Loki, or what stands before it, may be busy with a push for whose answer nobody waits any
/// more.
pub(crate) const LATE: Duration = Duration::from_secs(10);
/// The longest pause between two tries, and the one in a hold.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The first pause of a parked line, and the longest.
const FIRST_PARKING: Duration = Duration::from_secs(10);
const LONGEST_PARKING: Duration = Duration::from_mins(5);
/// How long a limit that Loki made known is believed: somebody may change it.
const LIMITS_FOR_NS: i64 = 60_000_000_000;

/// How tries follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The pause after the first failure.
    pub(crate) base: Duration,
    /// What it is multiplied with at each further one.
    pub(crate) factor: f64,
    /// After so many failures in a row, the longest pause.
    pub(crate) max_retries: Option<u64>,
}

impl Backoff {
    /// The pause behind the `failures`-th failure in a row, for a random number in `0..1`: anything
    /// up to the full pause, so that many clients do not come at once.
    pub(crate) fn pause(&self, failures: u64, random: f64) -> Duration {
        if self.gives_up(failures) {
            return LONGEST_PAUSE;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        // `min` also turns what is not a number into the limit.
        let limited = seconds.min(LONGEST_PAUSE.as_secs_f64()) * random;
        Duration::try_from_secs_f64(limited).unwrap_or(LONGEST_PAUSE)
    }

    /// Whether this is beyond `max_retries`.
    pub(crate) fn gives_up(&self, failures: u64) -> bool {
        self.max_retries.is_some_and(|most| failures > most)
    }
}

/// What to do with a batch that was pushed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// All of it is acknowledged.
    Acknowledged,
    /// Send it again after a pause.
    Again { why: String },
    /// Send it again after a pause, and less at once where a pause has not helped.
    Slower { why: String },
    /// It may be stored: look it up after a pause, and send what is missing. `late`: it may be
    /// stored yet, so that what is missing may still come.
    LookUp { why: String, late: bool },
    /// Send its halves; a single line goes into the quarantine.
    Split { why: String },
    /// Its lines have different fates.
    Sorted(Fates),
    /// Wait until somebody mends it.
    Hold { why: String },
}

/// The fates of a refused batch's lines, by their indices.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fates {
    pub(crate) acknowledged: Vec<usize>,
    pub(crate) quarantined: Vec<(usize, String)>,
    pub(crate) parked: Vec<(usize, Why, String)>,
    /// Surely not stored: to be sent again, after a pause where Loki asked for it.
    pub(crate) again: Vec<usize>,
    pub(crate) pause: Option<String>,
    /// May be stored.
    pub(crate) look_up: Vec<usize>,
    /// What Loki said of all.
    pub(crate) why: String,
}

/// Decides what follows from an answer, and learns from it.
pub(crate) fn after(answer: Answer, batch: &Batch, limits: &mut Limits, now_ns: i64) -> Next {
    match answer {
        Answer::Stored => Next::Acknowledged,
        Answer::NotStored { why } => Next::Again { why },
        Answer::TooFast { why } => Next::Slower { why },
        Answer::Unknown { why } => Next::LookUp { why, late: false },
        Answer::Late { why } => Next::LookUp { why, late: true },
        Answer::TooLarge { why } => Next::Split { why },
        Answer::BadLabels { why } => {
            Next::Hold { why: format!("{why}; correct loki.labels and start the program again") }
        }
        Answer::Hold { why } => Next::Hold { why },
        Answer::Refused(refusal) => {
            let (named, rest) = refusal.refused(batch);
            limits.learn(&named, batch, now_ns);
            sort(&refusal, named, rest, batch)
        }
    }
}

fn sort(refusal: &Refusal, named: Vec<RefusedLine>, rest: Rest, batch: &Batch) -> Next {
    if named.is_empty() && rest == Rest::NotStored {
        return Next::Split { why: refusal.why.clone() };
    }
    let mut fates = Fates { why: refusal.why.clone(), ..Fates::default() };
    let mut is_named = vec![false; batch.len()];
    for line in named {
        // An index beyond the batch, or one named twice, is nobody's line.
        if is_named.get(line.index).is_none_or(|named| *named) {
            continue;
        }
        is_named[line.index] = true;
        match line.reason {
            Reason::TooOld | Reason::TooLong | Reason::Content => {
                fates.quarantined.push((line.index, line.why));
            }
            Reason::TooFarAhead => fates.parked.push((line.index, Why::TooFarAhead, line.why)),
            Reason::TooFarBehind => fates.parked.push((line.index, Why::TooFarBehind, line.why)),
            Reason::RateLimited => {
                fates.again.push(line.index);
                fates.pause = Some(line.why);
            }
        }
    }
    let others = (0..batch.len()).filter(|index| !is_named[*index]);
    match rest {
        Rest::Stored => fates.acknowledged.extend(others),
        Rest::Unknown => fates.look_up.extend(others),
        Rest::NotStored => fates.again.extend(others),
    }
    fates.again.sort_unstable();
    Next::Sorted(fates)
}

/// What to do with a batch that was looked up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// Lines at these indices are held by Loki; send the others.
    Held(Vec<usize>),
    /// Nothing of a batch that was refused without a name is there, or it cannot be known: send its
    /// halves.
    Split { blind: bool },
    /// It cannot be known: send it again, and count it.
    Blind { why: String },
    /// Ask again after a pause.
    Again { why: String },
}

/// Decides what follows from a look-up that found the lines `held`. `refused`: the batch was
/// refused without naming a line.
pub(crate) fn after_look_up(held: Result<Vec<usize>, LookUpError>, refused: bool) -> Seen {
    match held {
        Ok(held) if held.is_empty() && refused => Seen::Split { blind: false },
        Err(LookUpError::Refused { .. }) if refused => Seen::Split { blind: true },
        Ok(held) => Seen::Held(held),
        Err(LookUpError::Refused { why }) => Seen::Blind { why },
        Err(LookUpError::Failed { why }) => Seen::Again { why },
    }
}

/// Limits that Loki made known by refusing lines; what is beyond them is not sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// The newest line that was too old, the shortest that was too long, the least that was too far
    /// ahead (nanoseconds), each with what Loki said and when.
    old: Option<Known>,
    long: Option<Known>,
    ahead: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    limit: i64,
    why: String,
    at_ns: i64,
}

/// What is known of a line before it is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Beyond {
    Never { why: String },
    NotYet { why: String },
}

impl Limits {
    /// Learns from the lines of a batch that were refused, in its order.
    fn learn(&mut self, refused: &[RefusedLine], batch: &Batch, now_ns: i64) {
        let mut refused = refused.iter().peekable();
        for (index, (ns, text)) in batch.lines().enumerate() {
            let Some(line) = refused.next_if(|line| line.index == index) else { continue };
            let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
            let (known, limit, up) = match line.reason {
                Reason::TooOld => (&mut self.old, ns, true),
                Reason::TooLong => (&mut self.long, len, false),
                Reason::TooFarAhead => (&mut self.ahead, ns.saturating_sub(now_ns), false),
                Reason::Content | Reason::TooFarBehind | Reason::RateLimited => continue,
            };
            let wider = known.as_ref().is_some_and(|known| {
                let within = if up { limit <= known.limit } else { limit >= known.limit };
                within && known.holds(now_ns)
            });
            if !wider {
                *known = Some(Known { limit, why: line.why.clone(), at_ns: now_ns });
            }
        }
    }

    /// Whether Loki would refuse a line, and for how long.
    pub(crate) fn check(&self, ns: i64, len: usize, now_ns: i64) -> Option<Beyond> {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let known = |known: &Option<Known>| known.clone().filter(|known| known.holds(now_ns));
        let old = known(&self.old).filter(|known| ns <= known.limit);
        let long = known(&self.long).filter(|known| len >= known.limit);
        if let Some(Known { why, .. }) = old.or(long) {
            return Some(Beyond::Never { why });
        }
        let ahead = known(&self.ahead);
        ahead
            .filter(|known| ns.saturating_sub(now_ns) >= known.limit)
            .map(|known| Beyond::NotYet { why: known.why })
    }
}

impl Known {
    fn holds(&self, now_ns: i64) -> bool {
        // Before it was learnt: somebody has set the clock back.
        (0..LIMITS_FOR_NS).contains(&now_ns.saturating_sub(self.at_ns))
    }
}

/// When a parked line is tried for the next time, nanoseconds since 1970.
pub(crate) fn next_try_ns(tries: u32, now_ns: i64) -> i64 {
    let pause = FIRST_PARKING.saturating_mul(1 << tries.min(8)).min(LONGEST_PARKING);
    now_ns.saturating_add(i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX))
}

/// Whether parked lines are to be tried now. A moment further ahead than any pause was noted before
/// somebody set the clock back.
pub(crate) fn is_due(next_ns: i64, now_ns: i64) -> bool {
    next_ns <= now_ns || next_ns > next_try_ns(u32::MAX, now_ns)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
