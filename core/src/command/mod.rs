//! What the commands do that `lb` and `python -m lb_log` have in common. They work and tell;
//! whoever has called them prints it.

mod collect;
mod copies;
mod drain;
mod push;
mod status;
pub mod table;
mod told;
pub mod words;

pub use collect::{Collecting, collect};
pub use copies::push_copies;
pub use drain::drain;
pub use push::{entries, push, tell};
pub use status::{Looks, status};
pub use told::{Outcome, Said, Told};
