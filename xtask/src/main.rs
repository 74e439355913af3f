//! What the build makes from the code.
fn main() {}
