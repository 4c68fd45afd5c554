//! GitHub: the comment on a pull request, the one issue of a kind, the state of a run.
//!
//! What this program writes carries a hidden marker, by which it finds its own again: doing it
//! twice makes one comment, not two.

mod body;
mod client;
mod comments;
mod issues;

use std::{collections::BTreeMap, fmt, sync::Arc};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use url::Url;
use xtask_tools::Secret;

use crate::{Proxies, proxies::is_loopback, runtime::block_on};
use client::Client;

pub use issues::{Issue, IssueDraft, Label};

/// One repository, with a token. Cheap to clone, usable from several threads.
#[derive(Clone)]
pub struct GitHub {
    client: Arc<Client>,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("repository", &self.client.repository).finish()
    }
}

/// What a call that makes or updates came to, with a link for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upserted {
    pub created: bool,
    pub changed: bool,
    pub url: String,
}

/// The state of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStatus {
    pub id: u64,
    /// `queued`, `in_progress`, `completed`, ...
    pub status: String,
    /// Set once the status is `completed`.
    pub conclusion: Option<String>,
    pub url: String,
}

/// The fields of a run that are read; GitHub may leave out almost any of them.
#[derive(Debug, Deserialize)]
struct Run {
    id: u64,
    status: Option<String>,
    conclusion: Option<String>,
    #[serde(default)]
    html_url: String,
}

const PUBLIC_API: &str = "https://api.github.com";

impl GitHub {
    /// Reads `GITHUB_API_URL` (default: github.com's), `GITHUB_REPOSITORY` and `GITHUB_TOKEN` (or
    /// `GH_TOKEN`) and the proxies from `env` alone. Sends nothing.
    ///
    /// # Errors
    /// When one is missing or unusable; the sentence names it.
    pub fn from_env(env: &BTreeMap<String, String>) -> Result<Self> {
        let given = |name: &str| env.get(name).map(|value| value.trim()).filter(|v| !v.is_empty());
        let api = given("GITHUB_API_URL").unwrap_or(PUBLIC_API).trim_end_matches('/');
        let url = Url::parse(api).with_context(|| format!("GITHUB_API_URL `{api}` is no URL"))?;
        anyhow::ensure!(
            url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)),
            "GITHUB_API_URL `{api}` has to begin with https: a token travels to it"
        );
        let repository = given("GITHUB_REPOSITORY")
            .context("GITHUB_REPOSITORY is not set: give it as owner/name")?;
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        let plain = |part: &str| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        anyhow::ensure!(
            plain(owner) && plain(name),
            "GITHUB_REPOSITORY `{repository}` is not of the form owner/name"
        );
        let token = given("GITHUB_TOKEN")
            .or_else(|| given("GH_TOKEN"))
            .context("GITHUB_TOKEN is not set: pass `${{ github.token }}` in the step's env")?;
        let proxies = Proxies::from_variables(|name| env.get(name).cloned())?;
        let client = Client::new(api, repository, &Secret::new(token), &proxies)?;
        Ok(Self { client: Arc::new(client) })
    }

    /// # Errors
    /// When there is no such run, or GitHub refuses or is not reached.
    pub fn run(&self, id: u64) -> Result<RunStatus> {
        block_on(self.client.in_time(async {
            let route = format!("/actions/runs/{id}");
            let run: Run = self.client.get(&route, "actions: read").await?;
            Ok(RunStatus {
                id: run.id,
                status: run.status.unwrap_or_else(|| "unknown".into()),
                conclusion: run.conclusion,
                url: run.html_url,
            })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(env: &[(&str, &str)]) -> String {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        GitHub::from_env(&env).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(refused(&[]).starts_with("GITHUB_REPOSITORY is not set"));
        assert!(refused(&[("GITHUB_REPOSITORY", "o/r")]).starts_with("GITHUB_TOKEN is not set"));
        assert!(
            refused(&[("GITHUB_REPOSITORY", "o/r/../x"), ("GITHUB_TOKEN", "t")])
                .contains("not of the form owner/name")
        );
    }

    #[test]
    fn a_token_travels_over_tls_alone() {
        let error = refused(&[
            ("GITHUB_API_URL", "http://github.example/api/v3"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_TOKEN", "canary-1Ab"),
        ]);
        assert!(error.contains("has to begin with https"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
