//! An embedded Kubernetes API server for the sandbox.
//!
//! One server holds many clusters, each with a store of its own, at `https://127.0.0.1:P/clusters/<name>`.
//! It answers helm, kubectl and kube-rs as a real API server with its garbage collector and namespace
//! controller would; everything that runs workloads is an ordinary client (package `sandbox-controllers`).
//! State lives in memory and ends with the process.

mod auth;
mod logs;
mod server;

pub use auth::{Authenticator, StaticTokens, Unauthorized, User};
pub use logs::{LogProvider, LogRequest, NoLogs};
pub use server::{Config, Server};
