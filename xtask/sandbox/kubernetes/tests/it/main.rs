//! The real clients against the server: helm, kubectl and kube-rs decide whether it is good enough.
//!
//! helm 4 and kubectl come from the environment variables `HELM` and `KUBECTL` or from `PATH`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod controller;
mod harness;
mod helm;
mod kube_rs;
mod kubectl;
mod server;
