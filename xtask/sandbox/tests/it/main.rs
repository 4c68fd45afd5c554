//! The sandbox as a program.
// `cfg(test)` is always true here; with it clippy knows helpers for tests, which may panic.

#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod requests;
