//! Asking Loki what it holds: questions, and answers in pages.
//!
//! A page has at most 5,000 lines, and at most 4 MiB inside, beyond which Loki answers 500 after 17 s,
//! or, to those who ask for structured metadata apart (`categorize-labels`), 200 with no lines at all:
//! so we don't. A page that is full says nothing of what follows in its last nanosecond, so that one is
//! asked for again; one that holds a single nanosecond is left to whoever reads.

use super::page::Page;

/// Most lines of a page, at Loki's defaults.
pub(super) const MAX_LINES: usize = 5000;

/// What the lines of a page should come to, bytes: far below what Loki can carry.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// Why a look-up has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LookUpError {
    /// We may write but not read, or nothing answers such a question there: it will stay so.
    Refused {
        /// One line for a user.
        why: String,
    },
    /// For now: try again.
    Failed {
        /// One line for a user.
        why: String,
    },
}

/// Somebody who can be asked what Loki holds.
pub(crate) trait Ask {
    /// The body of the answer.
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError>;
}

/// Why a question has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AskError {
    /// Fewer lines have to be asked for.
    TooMuch,
    /// As [`LookUpError::Refused`].
    Refused { why: String },
    /// As [`LookUpError::Failed`].
    Failed { why: String },
}

impl From<AskError> for LookUpError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::TooMuch => {
                Self::Failed { why: "a single line is more than Loki can answer".to_owned() }
            }
            AskError::Refused { why } => Self::Refused { why },
            AskError::Failed { why } => Self::Failed { why },
        }
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    pub(crate) query: &'q str,
    pub(crate) wanted: Wanted,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// At most `limit` lines, from the earliest on.
    Lines {
        from_ns: i64,
        /// Not included.
        to_ns: i64,
        limit: usize,
    },
    /// What a metric query comes to at this moment.
    Value { at_ns: i64 },
}

impl Question<'_> {
    /// The last part of the path that answers it.
    pub(super) fn api(&self) -> &'static str {
        match self.wanted {
            Wanted::Lines { .. } => "query_range",
            Wanted::Value { .. } => "query",
        }
    }

    /// What goes into a URL or a form.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("query", self.query.to_owned())];
        match self.wanted {
            Wanted::Lines { from_ns, to_ns, limit } => pairs.extend([
                ("start", from_ns.to_string()),
                ("end", to_ns.to_string()),
                ("limit", limit.to_string()),
                ("direction", "forward".to_owned()),
            ]),
            Wanted::Value { at_ns } => pairs.push(("time", at_ns.to_string())),
        }
        pairs
    }
}

/// What a status other than 200 means.
pub(super) fn trouble(status: u16, body: &str, why: String) -> AskError {
    match status {
        400 if body.contains("max entries limit per query exceeded") => AskError::TooMuch,
        500 if body.contains("larger than max") => AskError::TooMuch,
        408 | 425 | 429 | 499 | 500 | 502..=504 => AskError::Failed { why },
        _ => AskError::Refused { why },
    }
}

/// Whoever wants the pages of a range.
pub(crate) trait Reading {
    /// Takes what a page holds.
    fn take(&mut self, page: &Page);

    /// A nanosecond has more lines than a page; those of its first page were taken.
    fn crowded(
        &mut self,
        loki: &mut dyn Ask,
        pager: &mut Pager,
        ns: i64,
    ) -> Result<(), LookUpError>;
}

/// Reads pages; learns how many lines one may have.
#[derive(Debug)]
pub(crate) struct Pager {
    limit: usize,
}

impl Pager {
    /// For lines of so many bytes.
    pub(crate) fn new(line_bytes: usize) -> Self {
        Self { limit: (PAGE_BYTES / (line_bytes + 1)).clamp(1, MAX_LINES) }
    }

    /// Most lines of a page.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Reads a page, both ends included, and whether there may be more than it holds.
    pub(super) fn page(
        &mut self,
        loki: &mut dyn Ask,
        query: &str,
        (first, last): (i64, i64),
    ) -> Result<(Page, bool), LookUpError> {
        loop {
            let limit = self.limit;
            let wanted = Wanted::Lines { from_ns: first, to_ns: last.saturating_add(1), limit };
            match loki.ask(&Question { query, wanted }) {
                Ok(body) => {
                    let page = Page::read(&body).map_err(|why| LookUpError::Refused { why })?;
                    let full = page.lines() >= limit;
                    return Ok((page, full));
                }
                Err(AskError::TooMuch) if limit > 1 => self.limit = limit.div_ceil(8),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads all pages of a range, both ends included.
    pub(crate) fn read(
        &mut self,
        loki: &mut dyn Ask,
        query: &str,
        (first, last): (i64, i64),
        reading: &mut dyn Reading,
    ) -> Result<(), LookUpError> {
        let mut from = first;
        loop {
            let (page, full) = self.page(loki, query, (from, last))?;
            reading.take(&page);
            let Some(newest) = page.newest().filter(|_| full) else { return Ok(()) };
            if newest > from {
                from = newest;
                continue;
            }
            reading.crowded(loki, self, from)?;
            if from >= last {
                return Ok(());
            }
            from += 1;
        }
    }
}
