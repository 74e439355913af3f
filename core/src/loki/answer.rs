//! What an answer of Loki, or the lack of one, means for the lines that were sent.

/// What became of a push.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// 204: all of it was stored.
    Stored,
    /// Surely nothing was stored, for now: connection refused, a name that does not resolve, a TLS
    /// handshake that failed, Loki's rate limit of a tenant.
    NotStored { why: String },
    /// Some of it may have been stored: connection lost after sending, time-out, 5xx, a rate limit
    /// of a stream.
    Unknown { why: String },
    /// The request was too large; nothing was stored.
    TooLarge { why: String },
    /// Some lines, or all, were refused for what they are.
    Refused(Refusal),
    /// Nothing was stored, and nothing will be until somebody mends it: authentication, tenant,
    /// labels, blocked ingestion, a server that is not Loki.
    Hold { why: String },
}

/// A refusal with what it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// What Loki said, shortened; one line.
    pub(crate) why: String,
    /// What became of the lines that [`Refusal::refused`] does not name.
    pub(crate) rest: Rest,
}

/// What became of the lines of a refused push that the refusal does not name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rest {
    /// They were stored.
    Stored,
    /// Some may have been stored: look them up.
    Unknown,
    /// None was stored.
    NotStored,
}

/// Why a line was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// Older than Loki's limit: final.
    TooOld,
    /// Longer than Loki's limit: final.
    TooLong,
    /// Its structured metadata, or something else in it: final.
    Content,
    /// Ahead of Loki's clock: temporary.
    TooFarAhead,
    /// Behind its stream's newest line: temporary, until the stream is idle.
    TooFarBehind,
    /// The stream's rate limit: to be sent again soon.
    RateLimited,
}

/// A line of the batch that was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RefusedLine {
    /// Its index in the batch.
    pub(crate) index: usize,
    pub(crate) reason: Reason,
    /// What Loki said of it; one line.
    pub(crate) why: String,
}

impl Refusal {
    /// The lines that the refusal names, out of the batch's lines (time in nanoseconds, bytes), in
    /// the batch's order, and what became of the others.
    pub(crate) fn refused(
        &self,
        lines: impl Iterator<Item = (i64, usize)>,
    ) -> (Vec<RefusedLine>, Rest) {
        let named = lines.take(0).map(|_| RefusedLine {
            index: 0,
            reason: Reason::Content,
            why: String::new(),
        });
        (named.collect(), self.rest)
    }
}
