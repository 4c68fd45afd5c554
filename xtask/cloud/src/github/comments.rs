//! The one comment of this program on a pull request or issue.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{
    GitHub, Upserted,
    body::{marked, marker_line},
    client::{Client, Failure, patience},
};
use crate::runtime::block_on;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Comment {
    id: u64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    html_url: String,
    user: Option<Author>,
}

#[derive(Debug, Clone, Deserialize)]
struct Author {
    login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Serialize)]
pub(super) struct NewComment<'a> {
    pub(super) body: &'a str,
}

const RIGHT: &str = "pull-requests: write";

impl GitHub {
    /// Writes the comment with this marker, or brings the one that is there up to date. A text
    /// that is too long loses whole sections, and says so.
    ///
    /// # Errors
    /// When GitHub refuses or is not reached.
    pub fn upsert_comment(&self, pull_request: u64, marker: &str, body: &str) -> Result<Upserted> {
        let text = marked(marker, body);
        let client = &self.client;
        block_on(client.in_time(async {
            let me = client.login().await;
            let mut pauses = patience();
            loop {
                let failure = match client.upsert(pull_request, marker, &text, &me).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                };
                // A comment that was lost on the way may be there: the next round looks first.
                let Some(pause) = pauses.next().and_then(|own| failure.pause(own)) else {
                    return Err(failure.into());
                };
                sleep(pause).await;
            }
        }))
    }
}

impl Client {
    async fn upsert(
        &self,
        number: u64,
        marker: &str,
        text: &str,
        me: &Me,
    ) -> Result<Upserted, Failure> {
        if let Some(own) = self.own_comment(number, marker, me).await? {
            if own.body.as_deref() == Some(text) {
                return Ok(Upserted { created: false, changed: false, url: own.html_url });
            }
            let route = format!("/issues/comments/{}", own.id);
            match self.patch::<Comment>(&route, &NewComment { body: text }, RIGHT).await {
                Ok(comment) => {
                    let url = comment.html_url;
                    return Ok(Upserted { created: false, changed: true, url });
                }
                // Somebody deleted it in between: write a new one.
                Err(Failure::NotFound(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let comment = self.comment(number, text).await?;
        Ok(Upserted { created: true, changed: true, url: comment.html_url })
    }

    /// Sent once.
    pub(super) async fn comment(&self, number: u64, text: &str) -> Result<Comment, Failure> {
        self.post(&format!("/issues/{number}/comments"), &NewComment { body: text }, RIGHT).await
    }

    /// The comment with this marker that we wrote: others may quote ours, marker and all.
    async fn own_comment(
        &self,
        number: u64,
        marker: &str,
        me: &Me,
    ) -> Result<Option<Comment>, Failure> {
        let line = marker_line(marker);
        let all = self.comments(number).await?;
        Ok(all.into_iter().find(|comment| comment.starts_with(&line) && me.wrote(comment)))
    }

    pub(super) async fn comments(&self, number: u64) -> Result<Vec<Comment>, Failure> {
        self.get_all(&format!("/issues/{number}/comments?per_page=100"), RIGHT).await
    }

    /// The token of a workflow may not ask who it is; the one of a person may.
    async fn login(&self) -> Me {
        #[derive(Deserialize)]
        struct User {
            login: String,
        }
        match self.get::<User>("/user", "none").await {
            Ok(user) => Me::Login(user.login),
            Err(_) => Me::SomeBot,
        }
    }
}

/// Who writes the comments.
#[derive(Debug)]
enum Me {
    Login(String),
    SomeBot,
}

impl Me {
    fn wrote(&self, comment: &Comment) -> bool {
        let Some(author) = &comment.user else { return false };
        match self {
            Self::Login(login) => author.login == *login,
            Self::SomeBot => author.kind == "Bot",
        }
    }
}

impl Comment {
    fn starts_with(&self, line: &str) -> bool {
        self.body.as_deref().is_some_and(|body| body.starts_with(line))
    }

    pub(super) fn says(&self, text: &str) -> bool {
        self.body.as_deref() == Some(text)
    }
}
