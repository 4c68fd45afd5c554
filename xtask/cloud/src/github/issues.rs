//! The one issue of a kind: opened, brought up to date, closed with a last word, reopened.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use super::{
    GitHub, Upserted,
    body::{marked, marker_line},
    client::{Client, Failure, patience},
};
use crate::runtime::block_on;

/// A label that is made when the repository has none of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// At most 100 characters.
    pub description: String,
}

/// An issue that there is one of, found by its marker among those with its first label.
#[derive(Debug, Clone)]
pub struct IssueDraft {
    /// Identifies the issue: `drift-dev`. Written into the body as a hidden line.
    pub marker: String,
    pub labels: Vec<Label>,
    pub title: String,
    pub body: String,
}

/// An issue that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    pub number: u64,
    pub open: bool,
    pub url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct RawIssue {
    number: u64,
    state: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    html_url: String,
    /// Set on pull requests, which GitHub lists among the issues.
    #[serde(default)]
    pull_request: Option<serde_json::Value>,
}

impl RawIssue {
    fn is_open(&self) -> bool {
        self.state == "open"
    }
}

const RIGHT: &str = "issues: write";

impl GitHub {
    /// Opens the issue, or brings the one that is there up to date and, where it was closed,
    /// reopens it.
    ///
    /// # Errors
    /// When the draft has no label, or GitHub refuses or is not reached.
    pub fn upsert_issue(&self, draft: &IssueDraft) -> Result<Upserted> {
        let first = draft.labels.first().context("an issue needs a label to be found by")?;
        let text = marked(&draft.marker, &draft.body);
        let client = &self.client;
        block_on(client.in_time(async {
            for label in &draft.labels {
                client.ensure_label(label).await?;
            }
            let mut pauses = patience();
            loop {
                let failure = match client.upsert_issue(draft, &first.name, &text).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                };
                // An issue that was lost on the way may be there: the next round looks first.
                let Some(pause) = pauses.next().and_then(|own| failure.pause(own)) else {
                    return Err(failure.into());
                };
                sleep(pause).await;
            }
        }))
    }

    /// Closes the open issue with that marker after a last comment; `None` when none is open.
    ///
    /// # Errors
    /// When GitHub refuses or is not reached.
    pub fn close_issue(&self, marker: &str, label: &str, comment: &str) -> Result<Option<Issue>> {
        let client = &self.client;
        block_on(client.in_time(async {
            let found = client.find_issue(marker, label).await?;
            let Some(issue) = found.filter(RawIssue::is_open) else { return Ok(None) };
            client.say_once(issue.number, comment).await?;
            let route = format!("/issues/{}", issue.number);
            let body = json!({ "state": "closed", "state_reason": "completed" });
            let closed: RawIssue = client.patch(&route, &body, RIGHT).await?;
            Ok(Some(closed.into()))
        }))
    }

    /// The issue with that marker, open or closed.
    ///
    /// # Errors
    /// When GitHub refuses or is not reached.
    pub fn find_issue(&self, marker: &str, label: &str) -> Result<Option<Issue>> {
        let client = &self.client;
        block_on(
            client.in_time(async { Ok(client.find_issue(marker, label).await?.map(Issue::from)) }),
        )
    }
}

impl Client {
    async fn upsert_issue(
        &self,
        draft: &IssueDraft,
        label: &str,
        text: &str,
    ) -> Result<Upserted, Failure> {
        let Some(old) = self.find_issue(&draft.marker, label).await? else {
            let names: Vec<&str> = draft.labels.iter().map(|label| label.name.as_str()).collect();
            let body = json!({ "title": draft.title, "body": text, "labels": names });
            let made: RawIssue = self.post("/issues", &body, RIGHT).await?;
            return Ok(Upserted { created: true, changed: true, url: made.html_url });
        };
        if old.is_open() && old.title == draft.title && old.body.as_deref() == Some(text) {
            return Ok(Upserted { created: false, changed: false, url: old.html_url });
        }
        let mut body = json!({ "title": draft.title, "body": text });
        if !old.is_open() {
            body["state"] = "open".into();
            body["state_reason"] = "reopened".into();
        }
        let route = format!("/issues/{}", old.number);
        let updated: RawIssue = self.patch(&route, &body, RIGHT).await?;
        Ok(Upserted { created: false, changed: true, url: updated.html_url })
    }

    /// The open issue with the marker, else the one that was closed last.
    async fn find_issue(&self, marker: &str, label: &str) -> Result<Option<RawIssue>, Failure> {
        let line = marker_line(marker);
        let label: String = url::form_urlencoded::byte_serialize(label.as_bytes()).collect();
        let route = format!("/issues?state=all&labels={label}&per_page=100");
        let all: Vec<RawIssue> = self.get_all(&route, RIGHT).await?;
        Ok(all
            .into_iter()
            .filter(|issue| issue.pull_request.is_none())
            .filter(|issue| issue.body.as_deref().is_some_and(|body| body.starts_with(&line)))
            .max_by_key(|issue| (issue.is_open(), issue.number)))
    }

    async fn ensure_label(&self, label: &Label) -> Result<(), Failure> {
        let name: String = url::form_urlencoded::byte_serialize(label.name.as_bytes()).collect();
        // In a path a space is not a plus.
        let route = format!("/labels/{}", name.replace('+', "%20"));
        match self.get::<serde_json::Value>(&route, RIGHT).await {
            Err(Failure::NotFound(_)) => {}
            other => return other.map(drop),
        }
        match self.post::<serde_json::Value>("/labels", label, RIGHT).await {
            // Somebody, perhaps this very request, made it in between.
            Err(failure) => match self.get::<serde_json::Value>(&route, RIGHT).await {
                Ok(_) => Ok(()),
                Err(_) => Err(failure),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Comments, and repeats a comment that was lost only when it did not arrive.
    async fn say_once(&self, number: u64, text: &str) -> Result<(), Failure> {
        let mut pauses = patience();
        loop {
            let failure = match self.comment(number, text).await {
                Ok(_) => return Ok(()),
                Err(failure) => failure,
            };
            let Some(pause) = pauses.next().and_then(|own| failure.pause(own)) else {
                return Err(failure);
            };
            sleep(pause).await;
            if self.comments(number).await?.last().is_some_and(|comment| comment.says(text)) {
                return Ok(());
            }
        }
    }
}

impl From<RawIssue> for Issue {
    fn from(issue: RawIssue) -> Self {
        Self { number: issue.number, open: issue.is_open(), url: issue.html_url }
    }
}
