//! The dialect of S3: where a bucket is reached, how a body is vouched for, how an error reads.

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    Cloud, error,
    signed::{Answer, Call},
};

/// The error document of S3.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct S3Error {
    pub(super) code: String,
    pub(super) message: String,
}

impl Cloud {
    /// A call on a bucket. `query` stands behind the question mark: `versioning`.
    pub(super) fn bucket_call(
        &self,
        name: &'static str,
        method: Method,
        bucket: &str,
        query: &str,
    ) -> Call {
        let base = match self.endpoint_override("S3") {
            Some(endpoint) => format!("{endpoint}/{bucket}"),
            // A dot in a bucket's name does not fit the certificate of the virtual host.
            None if bucket.contains('.') => {
                format!("https://s3.{}.{}/{bucket}", self.region(), self.dns_suffix())
            }
            None => format!("https://{bucket}.s3.{}.{}/", self.region(), self.dns_suffix()),
        };
        let url = if query.is_empty() { base } else { format!("{base}?{query}") };
        Call { name, service: "s3", method, url, headers: Vec::new(), body: Vec::new() }
    }

    /// Sends and insists on success.
    pub(super) async fn s3(&self, call: &Call) -> Result<Answer> {
        let answer = self.send(call).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(refusal(call, &answer)) }
    }

    /// Reads a part of a bucket's configuration; `None` when it has none (error `absent`).
    pub(super) async fn s3_optional(&self, call: &Call, absent: &str) -> Result<Option<String>> {
        let answer = self.send(call).await?;
        if answer.status.is_success() {
            return Ok(Some(answer.body));
        }
        if parse_error(&answer.body).code == absent {
            return Ok(None);
        }
        Err(refusal(call, &answer))
    }
}

impl Call {
    /// Puts in a body with the checksum that S3 demands of configuration and of deletions.
    pub(super) fn with_body(mut self, body: String) -> Self {
        self.headers.push(("content-type", "application/xml".to_owned()));
        self.headers
            .push(("x-amz-checksum-sha256", STANDARD.encode(Sha256::digest(body.as_bytes()))));
        self.body = body.into_bytes();
        self
    }

    /// Makes S3 refuse when the bucket belongs to another account: bucket names are guessable,
    /// and somebody else may have taken this one.
    pub(super) fn owned_by(mut self, account: &str) -> Self {
        self.headers.push(("x-amz-expected-bucket-owner", account.to_owned()));
        self
    }
}

pub(super) fn refusal(call: &Call, answer: &Answer) -> anyhow::Error {
    let error = parse_error(&answer.body);
    if error.code.is_empty() {
        return anyhow!("{} failed (status {})", call.name, answer.status.as_u16());
    }
    error::answer(call.name, &error.code, &error.message)
}

pub(super) fn parse_error(body: &str) -> S3Error {
    quick_xml::de::from_str(body).unwrap_or_default()
}

pub(super) fn parse<T: DeserializeOwned>(call: &str, body: &str) -> Result<T> {
    quick_xml::de::from_str(body).with_context(|| format!("failed to read the answer of {call}"))
}
