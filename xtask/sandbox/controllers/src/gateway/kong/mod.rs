//! Kong's declarative configuration: read as its Pod mounts it, evaluated as Kong would.

mod config;
mod plugins;
mod router;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use config::{Config, load};
pub(crate) use router::{Answer, Decision, Request};
