//! The C ABI of lb-log.
