//! Placeholder until the supervisor lands.
fn main() {}
