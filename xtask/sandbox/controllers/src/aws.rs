//! The cluster's account: the few calls that the controllers make of AWS beside SSM.
//!
//! Requests carry the credentials' scope, as a signature does, but no valid signature: the sandbox's
//! AWS reads the account and the service out of it and checks nothing.

use std::collections::BTreeMap;

use anyhow::Context;
use reqwest::header::AUTHORIZATION;
use roxmltree::Document;
use serde_json::Value;

use crate::cluster::AwsAccess;

/// A client of one account and region.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    access: AwsAccess,
    http: reqwest::Client,
}

/// An error answer.
#[derive(Debug)]
pub(crate) struct AwsError {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl std::fmt::Display for AwsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AwsError {}

impl Aws {
    pub(crate) fn new(access: AwsAccess) -> Self {
        Self { access, http: reqwest::Client::new() }
    }

    /// Calls `action` of a service with the query protocol; the answer is the XML text.
    pub(crate) async fn query(
        &self,
        (service, version): (&str, &str),
        action: &str,
        parameters: &BTreeMap<String, String>,
    ) -> anyhow::Result<String> {
        let pairs = [("Action", action), ("Version", version)];
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .extend_pairs(parameters)
            .finish();
        let response = self
            .http
            .post(self.access.endpoint.clone())
            .header(AUTHORIZATION, self.authorization(service))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .with_context(|| format!("failed to call {service}:{action}"))?;
        let succeeded = response.status().is_success();
        let text =
            response.text().await.with_context(|| format!("failed to read {service}:{action}"))?;
        if succeeded {
            return Ok(text);
        }
        let code = first_text(&text, "Code").unwrap_or_else(|| "Unknown".to_owned());
        let message = first_text(&text, "Message").unwrap_or_default();
        Err(AwsError { code, message }.into())
    }

    /// A GET of a service with JSON answers.
    pub(crate) async fn get_json(&self, service: &str, path: &str) -> anyhow::Result<Value> {
        let url =
            self.access.endpoint.join(path).with_context(|| format!("malformed path `{path}`"))?;
        let request = self.http.get(url).header(AUTHORIZATION, self.authorization(service));
        let response = request.send().await.with_context(|| format!("failed to call {service}"))?;
        anyhow::ensure!(response.status().is_success(), "{service} answers {}", response.status());
        let text = response.text().await.with_context(|| format!("failed to read {service}"))?;
        serde_json::from_str(&text).with_context(|| format!("{service} did not answer JSON"))
    }

    /// A call of a service with JSON answers that says nothing but whether it worked.
    pub(crate) async fn post_json(
        &self,
        service: &str,
        target: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        let response = self
            .http
            .post(self.access.endpoint.clone())
            .header(AUTHORIZATION, self.authorization(service))
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("X-Amz-Target", target)
            .body(body.to_string())
            .send()
            .await
            .with_context(|| format!("failed to call {target}"))?;
        if response.status().is_success() {
            return Ok(());
        }
        let text = response.text().await.unwrap_or_default();
        anyhow::bail!("{target} failed: {text}")
    }

    /// The status of a HEAD of a bucket.
    pub(crate) async fn head_bucket(&self, bucket: &str) -> anyhow::Result<u16> {
        let url = self
            .access
            .endpoint
            .join(bucket)
            .with_context(|| format!("malformed bucket `{bucket}`"))?;
        let request = self.http.head(url).header(AUTHORIZATION, self.authorization("s3"));
        Ok(request.send().await.context("failed to call s3:HeadBucket")?.status().as_u16())
    }

    /// Reads, writes or deletes `bucket/key`; the answer is S3's status and body.
    pub(crate) async fn object(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut url = self.access.endpoint.clone();
        url.set_path(path);
        let method = reqwest::Method::from_bytes(method.as_bytes()).context("unknown method")?;
        let request =
            self.http.request(method, url).header(AUTHORIZATION, self.authorization("s3"));
        let response = request.body(body).send().await.context("failed to call s3")?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await.context("failed to read s3")?.to_vec()))
    }

    pub(crate) fn ssm(&self) -> aws_sdk_ssm::Client {
        use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
        use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let credentials = Credentials::new(
            &self.access.access_key_id,
            &self.access.secret_access_key,
            None,
            None,
            "sandbox",
        );
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.access.region.clone()))
            .endpoint_url(self.access.endpoint.as_str())
            .credentials_provider(credentials)
            .http_client(http)
            .build();
        aws_sdk_ssm::Client::from_conf(config)
    }

    fn authorization(&self, service: &str) -> String {
        let AwsAccess { access_key_id, region, .. } = &self.access;
        format!(
            "AWS4-HMAC-SHA256 Credential={access_key_id}/20260101/{region}/{service}/aws4_request, \
             SignedHeaders=host, Signature=sandbox"
        )
    }
}

/// The text of the first element with this name.
pub(crate) fn first_text(xml: &str, name: &str) -> Option<String> {
    texts(xml, name).into_iter().next()
}

/// The texts of all elements with this name.
pub(crate) fn texts(xml: &str, name: &str) -> Vec<String> {
    let Ok(document) = Document::parse(xml) else { return Vec::new() };
    let found = document.descendants().filter(|node| node.tag_name().name() == name);
    found.filter_map(|node| node.text().map(|text| text.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_in_any_namespace() {
        let xml = r#"<R xmlns="http://x"><A><Arn>one</Arn></A><Arn> two </Arn></R>"#;
        assert_eq!(texts(xml, "Arn"), ["one", "two"]);
        assert_eq!(first_text(xml, "Code"), None);
    }
}
