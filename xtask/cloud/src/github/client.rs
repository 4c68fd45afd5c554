//! Requests to GitHub's REST API. The only file that names octocrab.
//!
//! octocrab's own retries are off: they repeat a POST too, which makes two comments of one. Here
//! GET and PATCH are repeated; who POSTs looks first whether an earlier try arrived after all.

use std::{
    fmt,
    future::Future,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow};
use backon::{BackoffBuilder, ExponentialBuilder};
use octocrab::{Error, GitHubError, Octocrab, Page, service::middleware::retry::RetryConfig};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{sleep, timeout};
use xtask_tools::Secret;

use crate::{Proxies, http::client_builder, runtime::runtime, text::chain};

/// One repository of one server.
pub(super) struct Client {
    octocrab: Octocrab,
    /// `owner/name`.
    pub(super) repository: String,
    prefix: String,
}

/// A call as seen from outside: with all its requests, pages and pauses.
const DEADLINE: Duration = Duration::from_secs(120);

/// The longest pause that GitHub may ask for; more than this is the caller's to decide.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What GitHub asks to wait for when it names no time.
const SECONDARY_LIMIT_PAUSE: Duration = Duration::from_secs(60);

const TRIES: usize = 4;

/// A request that came to nothing, and what to do about it.
#[derive(Debug)]
pub(super) enum Failure {
    /// Lost on the way or in the server: it may have arrived.
    Lost(anyhow::Error),
    /// Refused for now, certainly without effect.
    Limited(Duration, anyhow::Error),
    NotFound(anyhow::Error),
    Refused(anyhow::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Lost(error)
        | Self::Limited(_, error)
        | Self::NotFound(error)
        | Self::Refused(error)) = self;
        write!(f, "{error:#}")
    }
}

impl std::error::Error for Failure {}

impl Client {
    pub(super) fn new(
        api: &str,
        repository: &str,
        token: &Secret,
        proxies: &Proxies,
    ) -> Result<Self> {
        // Building spawns a task.
        let _runtime = runtime()?.enter();
        // Not octocrab's own client, which knows no proxy.
        let http = client_builder(proxies)
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30))
            .build()
            .context("failed to make the HTTP client for GitHub")?;
        let octocrab = Octocrab::builder()
            .base_uri(api)
            .with_context(|| format!("failed to use `{api}` as GitHub's API"))?
            .personal_token(token.expose())
            .add_retry_config(RetryConfig::None)
            .build_with_reqwest(http)
            .context("failed to make the client of GitHub")?;
        let (repository, prefix) = (repository.to_owned(), format!("/repos/{repository}"));
        Ok(Self { octocrab, repository, prefix })
    }

    /// Puts an end to a call that GitHub draws out.
    pub(super) async fn in_time<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(DEADLINE, call).await.unwrap_or_else(|_| {
            Err(anyhow!("GitHub did not answer within {} seconds", DEADLINE.as_secs()))
        })
    }

    /// `right`: the permission of the workflow that the call needs, for the error.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        route: &str,
        right: &str,
    ) -> Result<T, Failure> {
        let route = self.route(route);
        again(async || {
            let answer = self.octocrab.get(&route, None::<&()>).await;
            answer.map_err(|error| self.failure("GET", &route, right, error))
        })
        .await
    }

    /// All items of all pages.
    pub(super) async fn get_all<T: DeserializeOwned>(
        &self,
        route: &str,
        right: &str,
    ) -> Result<Vec<T>, Failure> {
        let route = self.route(route);
        let mut page: Page<T> = again(async || {
            let answer = self.octocrab.get(&route, None::<&()>).await;
            answer.map_err(|error| self.failure("GET", &route, right, error))
        })
        .await?;
        let mut items = page.take_items();
        while page.next.is_some() {
            let next = page.next.take();
            let following = again(async || {
                let answer = self.octocrab.get_page::<T>(&next).await;
                answer.map_err(|error| self.failure("GET", &route, right, error))
            });
            let Some(mut following) = following.await? else { break };
            items.extend(following.take_items());
            page = following;
        }
        Ok(items)
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &(impl Serialize + ?Sized),
        right: &str,
    ) -> Result<T, Failure> {
        let route = self.route(route);
        again(async || {
            let answer = self.octocrab.patch(&route, Some(body)).await;
            answer.map_err(|error| self.failure("PATCH", &route, right, error))
        })
        .await
    }

    /// Sent once.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &(impl Serialize + ?Sized),
        right: &str,
    ) -> Result<T, Failure> {
        let route = self.route(route);
        let answer = self.octocrab.post(&route, Some(body)).await;
        answer.map_err(|error| self.failure("POST", &route, right, error))
    }

    fn route(&self, route: &str) -> String {
        // Only `/user` is not about the repository.
        if route == "/user" { route.to_owned() } else { format!("{}{route}", self.prefix) }
    }

    fn failure(&self, method: &str, route: &str, right: &str, error: Error) -> Failure {
        let call = format!("{method} {}", route.split('?').next().unwrap_or(route));
        match error {
            Error::GitHub { source, .. } => self.refusal(&call, right, &source),
            // The answer came and was good; only its form is not what was expected.
            Error::Json { .. } | Error::Serde { .. } => Failure::Refused(anyhow!(
                "failed to read GitHub's answer to {call}: {}",
                chain(&error)
            )),
            error => {
                Failure::Lost(anyhow!("failed to reach GitHub for {call}: {}", causes(&error)))
            }
        }
    }

    fn refusal(&self, call: &str, right: &str, error: &GitHubError) -> Failure {
        let said = said(error);
        if let Some(pause) = pause(error, SystemTime::now()) {
            return Failure::Limited(
                pause,
                anyhow!(
                    "GitHub's rate limit is used up ({said}): try again in {} seconds",
                    pause.as_secs()
                ),
            );
        }
        let repository = &self.repository;
        match error.status_code.as_u16() {
            401 => Failure::Refused(anyhow!("GitHub does not accept the token ({said})")),
            403 => Failure::Refused(anyhow!(
                "the token may not {call} ({said}): give the job the permission `{right}`"
            )),
            404 => Failure::NotFound(anyhow!(
                "GitHub knows nothing at {call} ({said}): check `{repository}`, the number, and that the token has the permission `{right}`"
            )),
            410 => Failure::Refused(anyhow!("issues are switched off in `{repository}` ({said})")),
            422 => Failure::Refused(anyhow!("GitHub refuses the content of {call}: {said}")),
            500.. => Failure::Lost(anyhow!("GitHub failed at {call} ({said})")),
            status => Failure::Refused(anyhow!("{call} failed with status {status} ({said})")),
        }
    }
}

/// Repeats what may be repeated, after a pause of its own or of GitHub's choice.
async fn again<T>(call: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut pauses = patience();
    loop {
        let failure = match call().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let Some(pause) = pauses.next().and_then(|own| failure.pause(own)) else {
            return Err(failure);
        };
        sleep(pause).await;
    }
}

/// The pauses between [`TRIES`] tries.
pub(super) fn patience() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(8))
        .with_max_times(TRIES - 1)
        .with_jitter()
        .build()
}

impl Failure {
    /// How long to wait before the same is tried again; `None` when that is of no use.
    pub(super) fn pause(&self, own: Duration) -> Option<Duration> {
        match self {
            Self::Lost(_) => Some(own),
            Self::Limited(pause, _) => (*pause <= LONGEST_PAUSE).then_some(*pause),
            Self::NotFound(_) | Self::Refused(_) => None,
        }
    }
}

/// How long GitHub wants to be left alone, when the refusal is a limit of rate.
fn pause(error: &GitHubError, now: SystemTime) -> Option<Duration> {
    if !matches!(error.status_code.as_u16(), 403 | 429) {
        return None;
    }
    let header = |name: &str| -> Option<u64> {
        error.headers.as_ref()?.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    if let Some(seconds) = header("retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if header("x-ratelimit-remaining") == Some(0) {
        let reset = SystemTime::UNIX_EPOCH + Duration::from_secs(header("x-ratelimit-reset")?);
        let left = reset.duration_since(now).unwrap_or_default();
        // A second more: GitHub counts in whole ones.
        return Some(left + Duration::from_secs(1));
    }
    let secondary = error.status_code.as_u16() == 429 || error.message.contains("rate limit");
    secondary.then_some(SECONDARY_LIMIT_PAUSE)
}

/// The message with the details of a validation. A proxy's HTML page is cut short.
fn said(error: &GitHubError) -> String {
    let first_line = error.message.trim().lines().next().unwrap_or_default();
    let mut text: String = first_line.chars().take(200).collect();
    for detail in error.errors.iter().flatten() {
        let field = |name: &str| detail.get(name).and_then(serde_json::Value::as_str);
        let told = field("message")
            .or_else(|| detail.as_str())
            .map(str::to_owned)
            .or_else(|| Some(format!("{} {}", field("field")?, field("code")?)));
        if let Some(told) = told.filter(|told| !text.contains(told)) {
            text.push_str("; ");
            text.push_str(&told);
        }
    }
    if text.is_empty() { format!("status {}", error.status_code.as_u16()) } else { text }
}

/// octocrab's own text carries a backtrace's place; the cause says it all.
fn causes(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), chain)
}
