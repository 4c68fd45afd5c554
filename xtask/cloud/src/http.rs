//! Plain HTTP for smoke tests and downloads.

use std::{collections::BTreeMap, io::Write, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, redirect::Policy};
use url::Url;
use xtask_tools::Download;

use crate::{
    Proxies, Wait,
    proxies::is_loopback,
    runtime::{block_on, install_tls, wait_for},
    text::{chain, message_of},
};

/// How requests travel.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    pub proxies: Proxies,
    /// A certificate authority that is trusted besides those of the system.
    pub extra_ca_pem: Option<String>,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { proxies: Proxies::default(), extra_ca_pem: None, timeout: Duration::from_secs(30) }
    }
}

/// An HTTP client. It follows no redirect: a redirect is an answer. Cheap to clone, usable from
/// several threads.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    proxies: Proxies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case; of several headers of one name, the last.
    pub headers: BTreeMap<String, String>,
    /// At most [`BODY_LIMIT`] bytes; the rest is not read.
    pub body: String,
}

impl Response {
    /// What the body says, in one line of at most 300 characters: the message of a JSON object, the
    /// title of a page, else its beginning. Empty when it says nothing.
    #[must_use]
    pub fn said(&self) -> String {
        message_of(&self.body)
    }
}

/// The most bytes of an answer that are read.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Answers of a proxy or load balancer that has nobody behind it yet.
const NOBODY_THERE: [u16; 3] = [502, 503, 504];

impl Http {
    /// # Errors
    /// When the certificate cannot be read.
    pub fn new(config: HttpConfig) -> Result<Self> {
        let mut builder =
            client_builder(&config.proxies).redirect(Policy::none()).timeout(config.timeout);
        if let Some(pem) = &config.extra_ca_pem {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes())
                .context("failed to read the certificate authority")?;
            anyhow::ensure!(!certificates.is_empty(), "the certificate authority is empty");
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().context("failed to make the HTTP client")?;
        Ok(Self { client, proxies: config.proxies })
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// When no answer came; any status is an answer.
    pub fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Response> {
        block_on(self.request(method, url, headers, body))
    }

    /// # Errors
    /// As [`Self::send`].
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        self.send(Method::Get, url, headers, None)
    }

    /// Sends until there is an answer by somebody who is there: neither a failed connection nor
    /// 502, 503 or 504. A request that is not idempotent may arrive more than once.
    ///
    /// # Errors
    /// When the deadline passes or the person asks to stop.
    pub fn send_until_reachable(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
        wait: &Wait<'_>,
    ) -> Result<Response> {
        parse(url)?;
        wait_for(wait, &format!("an answer from {url}"), async |seen| {
            for pause in patience() {
                match self.request(method, url, headers, body).await {
                    Ok(response) if NOBODY_THERE.contains(&response.status) => {
                        let said = Some(response.said()).filter(|said| !said.is_empty());
                        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
                        seen.note(format!("{url} answers {}{said}", response.status));
                    }
                    Ok(response) => return Ok(response),
                    Err(error) => seen.note(format!("{error:#}")),
                }
                tokio::time::sleep(pause).await;
            }
            bail!("ran out of patience for {url}")
        })
    }

    /// The answer to a WebSocket handshake: 101 without a body where one is accepted.
    ///
    /// # Errors
    /// When no answer came.
    pub fn websocket_handshake(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let url = url.replacen("ws", "http", usize::from(url.starts_with("ws")));
        let mut headers = headers.to_vec();
        headers.extend([
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            // The nonce of the protocol's own example: nothing is sent over the connection.
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        self.send(Method::Get, &url, &headers, None)
    }

    fn builder(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<reqwest::RequestBuilder> {
        let url = parse(url)?;
        let request = self.client.request(method.into(), url);
        Ok(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    }

    async fn request(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Response> {
        let mut request = self.builder(method, url, headers)?;
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let mut sent = request.send().await.map_err(|error| unreachable(url, &error))?;
        let headers = sent
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = sent.chunk().await.map_err(|error| unreachable(url, &error))? {
            body.extend_from_slice(&chunk);
            if body.len() >= BODY_LIMIT {
                body.truncate(BODY_LIMIT);
                break;
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Response { status: sent.status().as_u16(), headers, body })
    }
}

/// How downloads travel: with redirects, without a limit for the whole, but with one for silence.
impl Download for Http {
    fn fetch(
        &self,
        url: &str,
        file: &mut dyn Write,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<()> {
        let parsed = parse(url)?;
        anyhow::ensure!(
            parsed.scheme() == "https" || is_loopback(&parsed),
            "`{url}` is not fetched: a download needs https"
        );
        let client = client_builder(&self.proxies)
            .redirect(Policy::limited(10))
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(60))
            .build()
            .context("failed to make the HTTP client")?;
        block_on(async {
            let mut answer = open(&client, &parsed).await?;
            let whole = answer.content_length();
            let mut done = 0;
            while let Some(chunk) = answer.chunk().await.map_err(|e| unreachable(url, &e))? {
                file.write_all(&chunk)
                    .with_context(|| format!("failed to write what {url} sent"))?;
                done += chunk.len() as u64;
                progress(done, whole);
            }
            anyhow::ensure!(
                whole.is_none_or(|whole| whole == done),
                "{url} ended after {done} of {} bytes",
                whole.unwrap_or_default()
            );
            Ok(())
        })
    }
}

/// Gets an answer that is worth reading; nothing was written yet, so a second try is harmless.
async fn open(client: &Client, url: &Url) -> Result<reqwest::Response> {
    let mut pauses = patience().take(3);
    loop {
        let error = match client.get(url.clone()).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(answer),
            Ok(answer) if answer.status().is_client_error() => {
                bail!("{url} answers {}", answer.status())
            }
            Ok(answer) => anyhow!("{url} answers {}", answer.status()),
            Err(error) => unreachable(url.as_str(), &error),
        };
        let Some(pause) = pauses.next() else { return Err(error) };
        tokio::time::sleep(pause).await;
    }
}

/// Pauses between tries: from half a second up to five.
fn patience() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build()
}

/// The common part of all clients. reqwest's own reading of the environment is switched off: its
/// rules are curl's, not those of the programs that run beside this one.
pub(crate) fn client_builder(proxies: &Proxies) -> ClientBuilder {
    install_tls();
    let proxies = proxies.clone();
    Client::builder()
        .user_agent(concat!("xtask/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .proxy(Proxy::custom(move |url| proxies.for_url(url).cloned()))
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).with_context(|| format!("`{url}` is no URL"))
}

fn unreachable(url: &str, error: &reqwest::Error) -> anyhow::Error {
    // The URL may hold a key as a parameter; the host says enough.
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_else(|| "the server".into());
    let causes = std::error::Error::source(error).map(chain).unwrap_or_default();
    if error.is_timeout() {
        return anyhow!("{host} did not answer in time");
    }
    anyhow!("failed to reach {host}: {causes}")
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Head => Self::HEAD,
            Method::Options => Self::OPTIONS,
            Method::Post => Self::POST,
            Method::Put => Self::PUT,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}
