//! GitHub: the comment on a pull request, the drift issue, the state of a run.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Serialize;

/// One repository, with a token.
#[derive(Debug, Clone)]
pub struct GitHub {}

/// What a call that makes or updates came to, with a link for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upserted {
    pub created: bool,
    pub changed: bool,
    pub url: String,
}

/// A label that is made when the repository has none of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    pub description: String,
}

/// An issue that there is one of, found by its hidden marker among those with its labels.
#[derive(Debug, Clone)]
pub struct IssueDraft {
    /// Identifies the issue: `drift-dev`. Written into the body as a hidden comment.
    pub marker: String,
    pub labels: Vec<Label>,
    pub title: String,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    pub number: u64,
    pub open: bool,
    pub url: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStatus {
    pub id: u64,
    /// `queued`, `in_progress`, `completed`, ...
    pub status: String,
    /// Set once the status is `completed`.
    pub conclusion: Option<String>,
    pub url: String,
}

impl GitHub {
    /// Reads `GITHUB_API_URL`, `GITHUB_REPOSITORY` and `GITHUB_TOKEN` from `env` alone.
    pub fn from_env(_env: &BTreeMap<String, String>) -> Result<Self> {
        bail!("not built")
    }

    pub fn upsert_comment(
        &self,
        _pull_request: u64,
        _marker: &str,
        _body: &str,
    ) -> Result<Upserted> {
        bail!("not built")
    }

    /// Opens the issue, or brings the one that is there up to date (and reopens it).
    pub fn upsert_issue(&self, _draft: &IssueDraft) -> Result<Upserted> {
        bail!("not built")
    }

    /// Closes the open issue with that marker with a last comment; `None` when there is none.
    pub fn close_issue(
        &self,
        _marker: &str,
        _label: &str,
        _comment: &str,
    ) -> Result<Option<Issue>> {
        bail!("not built")
    }

    pub fn find_issue(&self, _marker: &str, _label: &str) -> Result<Option<Issue>> {
        bail!("not built")
    }

    pub fn run(&self, _id: u64) -> Result<RunStatus> {
        bail!("not built")
    }
}
