//! An embedded Kubernetes API server for the sandbox.
//!
//! One server holds many clusters, each with a store of its own, at
//! `https://127.0.0.1:P/clusters/<name>`. It answers helm, kubectl and kube-rs as a real API server
//! with its garbage collector and namespace controller would; everything that runs workloads is an
//! ordinary client (package `sandbox-controllers`). State lives in memory and ends with the
//! process.
//!
//! What a kubelet has to know: as in a real cluster, deleting a Pod that is bound to a node and
//! still runs sets `deletionTimestamp` and waits; the Pod is gone once its kubelet deletes it with
//! `gracePeriodSeconds: 0`.

mod admission;
mod api;
mod auth;
mod cluster;
mod fields;
mod http;
mod ids;
mod lifecycle;
mod logs;
mod patch;
mod protobuf;
mod resources;
mod schema;
mod server;
mod status;
mod store;
#[cfg(test)]
mod testing;
mod tls;
mod value;

pub use auth::{Authentication, Authenticator, StaticTokens, Unrecognised, User};
pub use logs::{LogProvider, LogRequest, LogStream, NoLogs};
pub use server::{Config, Server};

/// The version that the server says it is.
pub(crate) const VERSION: &str = "v1.35.0-sandbox";
