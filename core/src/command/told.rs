//! What a command has to tell.

use serde_json::Value;

/// How far a command came; its exit status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All done.
    Done = 0,
    /// Done in part, or nothing found.
    Partly = 1,
    /// Nothing done until somebody mends something.
    Failed = 2,
}

/// A sentence beside the data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// What went wrong.
    Mistake(String),
    /// What the user should know.
    Warning(String),
    /// What may help.
    Remark(String),
}

/// What a command has to tell: data in both forms, and what there is to say.
#[derive(Clone, Debug)]
pub struct Told {
    /// A remark before the text, where that is printed.
    pub heading: Option<String>,
    /// For people; may be empty.
    pub text: String,
    /// For programs.
    pub document: Value,
    /// In the order in which it is to be said, behind the data.
    pub said: Vec<Said>,
    /// How far it came.
    pub outcome: Outcome,
}

impl Told {
    /// Data, and nothing to say yet.
    #[must_use]
    pub fn new(document: Value, text: String) -> Self {
        Self { heading: None, text, document, said: Vec::new(), outcome: Outcome::Done }
    }

    /// Adds problems: each a warning, and not all was done.
    pub(super) fn problems(&mut self, problems: &[String]) {
        for problem in problems {
            self.warn(problem.clone());
            self.outcome = Outcome::Partly;
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.said.push(Said::Warning(text));
    }

    pub(super) fn remark(&mut self, text: String) {
        self.said.push(Said::Remark(text));
    }
}
