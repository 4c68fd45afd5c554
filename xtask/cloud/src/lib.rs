//! The network edge: AWS, Kubernetes, GitHub and plain HTTP behind blocking functions.
//!
//! Architecture invariants: this is the only package that names their clients, and it owns the
//! only asynchronous runtime, so that stages stay synchronous and can run on threads of their
//! own. Nothing in here knows an environment, a stage or the sandbox: endpoints and credentials
//! come with the environment variables that the caller passes. No function logs, and a secret
//! leaves only as [`xtask_tools::Secret`].

mod aws;
mod certificates;
mod github;
mod http;
mod kubernetes;
mod proxies;
mod runtime;
mod text;
mod wait;

pub use aws::{
    BucketReport, Cloud, CloudConfig, Encryption, ExecCredential, Guests, Identity, Key, Leftover,
    NoCredentials, Parameter, ParameterDescription, ParameterVersion, Possession, Recreation,
    RouteTable, Thing, Written,
};
pub use certificates::Authorities;
pub use github::{GitHub, Issue, IssueDraft, Label, RunStatus, Upserted};
pub use http::{BODY_LIMIT, Http, HttpConfig, Method, Response};
pub use kubernetes::{
    Applied, Cluster, Deviation, DeviationKind, ExternalSecretState, Finding, HelmRelease,
    JobFailure, JobReport, Kind, KubeconfigEntry, Target, kinds, write_kubeconfig,
};
pub use proxies::Proxies;
pub use wait::{DeadlineExceeded, Interrupted, Wait};
