//! What goes over the control endpoint, and the client that the commands use.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use reqwest::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A busy daemon is slow; a dead one does not accept the connection at all.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What the daemon knows of its parts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) parts: Vec<Part>,
    pub(crate) clusters: Vec<Part>,
    pub(crate) databases: Vec<Database>,
    /// The planted faults, as `kind:target`.
    pub(crate) faults: Vec<String>,
}

/// One part or cluster, as it answered just now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) healthy: bool,
    /// What is wrong, when it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// One DB instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) identifier: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) running: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replica_of: Option<String>,
    pub(crate) log: PathBuf,
}

/// A fault to plant or to remove.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FaultRequest {
    /// `kind` or `kind:target`.
    pub(crate) fault: String,
}

/// How the daemon says that something failed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) error: String,
}

/// Calls the control endpoint of a running sandbox. Blocks.
#[derive(Debug)]
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    root: String,
}

impl Client {
    pub(crate) fn new(root: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to start the client of the sandbox")?;
        Ok(Self { runtime, http: loopback_client(None)?, root: root.to_owned() })
    }

    pub(crate) fn report(&self) -> anyhow::Result<Report> {
        self.call(Method::GET, "/status", None::<&()>)
    }

    pub(crate) fn plant(&self, fault: &FaultRequest) -> anyhow::Result<Vec<String>> {
        self.call(Method::PUT, "/faults", Some(fault))
    }

    /// Removes one fault, or all of them.
    pub(crate) fn remove(&self, fault: Option<&FaultRequest>) -> anyhow::Result<Vec<String>> {
        self.call(Method::DELETE, "/faults", fault)
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.root);
        let mut request = self.http.request(method, &url).timeout(TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let answer =
                request.send().await.with_context(|| format!("`{url}` does not answer"))?;
            let good = answer.status().is_success();
            let text =
                answer.bytes().await.with_context(|| format!("failed to read from `{url}`"))?;
            if !good {
                let failure: Failure = serde_json::from_slice(&text)
                    .with_context(|| format!("`{url}` failed without a reason"))?;
                bail!("{}", failure.error);
            }
            serde_json::from_slice(&text).with_context(|| format!("failed to read from `{url}`"))
        })
    }
}

/// A client for loopback: no proxy of the caller's shell, no redirects.
/// Trusts one authority, and without it none.
pub(crate) fn loopback_client(authority: Option<&str>) -> anyhow::Result<reqwest::Client> {
    // Another part of the process may have chosen the same provider first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = match authority {
        Some(pem) => reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .context("failed to read a certificate")?,
        None => Vec::new(),
    };
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only(certificates)
        .build()
        .context("failed to make an HTTP client")
}
