//! What ends a push or a verification before it has begun, or in its midst.

use crate::error::Error;

/// Why nothing can be said of Loki.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file.
    #[error(transparent)]
    File(#[from] Error),
    /// Loki, or how it is to be reached.
    #[error("{0}")]
    Loki(String),
}
