//! The controllers against the sandbox's own API server, with real helm and real PostgreSQL.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod account;
mod gateway;
mod harness;
mod jobs;
mod postgres;
mod product;
mod releases;
mod secrets;
mod workloads;
