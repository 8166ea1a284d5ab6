//! Decode, normalise and build.
fn main() {}
