//! Requests signed with Signature Version 4, for the few calls that do not earn an SDK crate.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use backon::{ExponentialBuilder, Retryable};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::{Cloud, error};
use crate::text::chain;

/// What is signed and sent.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// For errors: `s3:PutBucketVersioning`.
    pub(super) name: &'static str,
    /// The service in the signature's scope: `s3`, `tagging`.
    pub(super) service: &'static str,
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What came back, whatever the status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// The error of a JSON service: its code, in a header or in the document, and its message. The
    /// code is empty where no such service wrote the answer, but a proxy, say.
    pub(super) fn json_error(&self) -> (String, String) {
        let document: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = |key: &str| document[key].as_str().unwrap_or_default();
        let header = self.headers.get("x-amzn-errortype").and_then(|code| code.to_str().ok());
        let named = header.filter(|code| !code.is_empty()).unwrap_or_else(|| text("__type"));
        let code = named.split(':').next().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default().to_owned();
        let message = if text("message").is_empty() { text("Message") } else { text("message") };
        (code, message.to_owned())
    }

    /// Why a JSON service refused `call`.
    pub(super) fn refusal(&self, call: &str) -> anyhow::Error {
        let (code, message) = self.json_error();
        if code.is_empty() {
            return anyhow!("{call} failed (status {})", self.status.as_u16());
        }
        error::answer(call, &code, &message)
    }

    /// The code in the error document of a service that answers XML; empty where there is none.
    pub(super) fn xml_code(&self) -> &str {
        first_text(&self.body, "Code").unwrap_or_default()
    }

    /// Why a service that answers XML refused `call`.
    pub(super) fn xml_refusal(&self, call: &str) -> anyhow::Error {
        match self.xml_code() {
            "" => anyhow!("{call} failed (status {})", self.status.as_u16()),
            code => {
                error::answer(call, code, first_text(&self.body, "Message").unwrap_or_default())
            }
        }
    }

    /// Whether sending the same again may help.
    fn is_transient(&self) -> bool {
        self.status.is_server_error()
            || self.status == StatusCode::TOO_MANY_REQUESTS
            || ["SlowDown", "OperationAborted", "RequestTimeout", "ThrottlingException"]
                .iter()
                .any(|code| self.body.contains(code))
    }
}

/// The text of the first element of this name in a document that has no nested ones of it.
pub(super) fn first_text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split('<').next()
}

impl Cloud {
    /// Asks a service with JSON answers. `target`: what names the call to the service, such as
    /// `TrentService.DescribeKey`.
    pub(super) async fn ask_json(
        &self,
        name: &'static str,
        (service, variable): (&'static str, &str),
        target: &str,
        body: &Value,
    ) -> Result<Answer> {
        self.send(&Call {
            name,
            service,
            method: Method::POST,
            url: format!("{}/", self.endpoint(service, variable)),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".into()),
                ("x-amz-target", target.to_owned()),
            ],
            body: body.to_string().into_bytes(),
        })
        .await
    }

    /// Asks a service with forms and XML answers. `form`: `Action=…&Version=…` and what follows.
    pub(super) async fn ask_form(
        &self,
        name: &'static str,
        (service, variable): (&'static str, &str),
        form: String,
    ) -> Result<Answer> {
        self.send(&Call {
            name,
            service,
            method: Method::POST,
            url: format!("{}/", self.endpoint(service, variable)),
            headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
            body: form.into_bytes(),
        })
        .await
    }

    /// Signs and sends, again after throttling, a server's error or a lost connection. Every call
    /// in here may be repeated without harm.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer> {
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(300))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(6)
            .with_jitter();
        let attempt = || async {
            match self.send_once(call).await {
                Ok(answer) if answer.is_transient() => Err(Attempt::Transient(answer)),
                Ok(answer) => Ok(answer),
                Err(error) => Err(error),
            }
        };
        let sent = attempt.retry(patience).when(Attempt::may_succeed_later).await;
        match sent {
            // The service's last word is for the caller, who knows how to read it.
            Ok(answer) | Err(Attempt::Transient(answer)) => Ok(answer),
            Err(Attempt::Unreachable(error)) => {
                Err(anyhow!("failed to reach AWS for {}: {}", call.name, chain(&error)))
            }
            Err(Attempt::Unsendable(error)) => Err(error),
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Answer, Attempt> {
        let request = self.sign_call(call).await.map_err(Attempt::Unsendable)?;
        let sent = self.http().execute(request).await.map_err(Attempt::Unreachable)?;
        let (status, headers) = (sent.status(), sent.headers().clone());
        let body = sent.text().await.map_err(Attempt::Unreachable)?;
        Ok(Answer { status, headers, body })
    }

    async fn sign_call(&self, call: &Call) -> Result<reqwest::Request> {
        let credentials = self.credentials().await?;
        let mut request = Request::builder().method(&call.method).uri(&call.url);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request
            .body(call.body.clone())
            .with_context(|| format!("failed to make the request {}", call.name))?;
        let mut settings = SigningSettings::default();
        if call.service == "s3" {
            // S3 takes the path as it is and wants the digest of the body as a header.
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let signable = SignableRequest::new(
            call.method.as_str(),
            call.url.as_str(),
            call.headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(&call.body),
        )
        .with_context(|| format!("failed to sign {}", call.name))?;
        instructions(credentials, self.scope_of(call.service), call.service, settings, signable)
            .with_context(|| format!("failed to sign {}", call.name))?
            .apply_to_request_http1x(&mut request);
        request.try_into().with_context(|| format!("failed to make the request {}", call.name))
    }
}

/// Why one attempt came to nothing.
enum Attempt {
    Transient(Answer),
    Unreachable(reqwest::Error),
    Unsendable(anyhow::Error),
}

impl Attempt {
    fn may_succeed_later(&self) -> bool {
        !matches!(self, Self::Unsendable(_))
    }
}

/// A URL of `service` that carries the signature itself and is good for `lifetime`. `header` is
/// signed too: who uses the URL has to send it.
pub(super) fn presign(
    credentials: Credentials,
    region: &str,
    service: &str,
    url: &str,
    header: (&str, &str),
    lifetime: Duration,
) -> Result<String> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(lifetime);
    let signable =
        SignableRequest::new("GET", url, std::iter::once(header), SignableBody::Bytes(&[]))
            .context("failed to sign the URL")?;
    let mut request = Request::builder().uri(url).body(()).context("failed to sign the URL")?;
    instructions(credentials, region, service, settings, signable)
        .context("failed to sign the URL")?
        .apply_to_request_http1x(&mut request);
    Ok(request.uri().to_string())
}

fn instructions(
    credentials: Credentials,
    region: &str,
    service: &str,
    settings: SigningSettings,
    request: SignableRequest<'_>,
) -> Result<SigningInstructions> {
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(settings)
        .build()?
        .into();
    Ok(sign(request, &parameters)?.into_parts().0)
}
