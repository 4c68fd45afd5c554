//! Field ownership: the sets of fields behind `metadata.managedFields` and the two operations that
//! move fields between managers, apply and update.
//!
//! Invariant: everything here is a function of values; nothing knows about clusters or requests.

mod apply;
mod compare;
mod managers;
mod merge;
mod path;
mod remove;
mod set;
#[cfg(test)]
mod tests;
mod typed;

pub(crate) use apply::{Applied, Ownership, apply, update};
pub(crate) use managers::{Manager, Managers};
pub(crate) use merge::interleave;
pub(crate) use path::Path;
