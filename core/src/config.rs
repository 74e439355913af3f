//! placeholder: replaced by core/src/config/
