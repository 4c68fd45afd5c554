//! The controllers against the sandbox's own API server, with real helm and real PostgreSQL.

mod account;
mod gateway;
mod harness;
mod jobs;
mod postgres;
mod product;
mod releases;
mod secrets;
mod workloads;
