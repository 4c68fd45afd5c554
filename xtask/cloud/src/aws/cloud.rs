//! Where AWS is, who asks, and the clients that follow from it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError},
};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_types::{sdk_config::SharedHttpClient, service_config::ServiceConfigKey};
use jiff::Timestamp;
use tokio::sync::Mutex;
use url::Url;
use xtask_tools::Secret;

use super::error;
use crate::{
    Proxies,
    http::client_builder,
    runtime::{block_on, install_tls},
};

/// Where AWS is and who asks.
#[derive(Clone, Default)]
pub struct CloudConfig {
    pub region: String,
    /// Environment variables that win over those of the process. `AWS_ENDPOINT_URL` (also with a
    /// service's name behind it), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, `AWS_PROFILE`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are looked at.
    pub env: BTreeMap<String, String>,
}

impl fmt::Debug for CloudConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.env.keys().collect();
        f.debug_struct("CloudConfig").field("region", &self.region).field("env", &names).finish()
    }
}

impl CloudConfig {
    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned().or_else(|| std::env::var(name).ok()).filter(|v| !v.is_empty())
    }

    /// The keys in the map; those of the process are found by the default chain.
    fn static_credentials(&self) -> Option<Credentials> {
        let given = |name: &str| self.env.get(name).filter(|value| !value.is_empty()).cloned();
        Some(Credentials::new(
            given("AWS_ACCESS_KEY_ID")?,
            given("AWS_SECRET_ACCESS_KEY")?,
            given("AWS_SESSION_TOKEN"),
            None,
            "the environment of this run",
        ))
    }
}

/// A connection to AWS in one region. Cheap to clone, usable from several threads.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
}

struct Inner {
    config: CloudConfig,
    proxies: Proxies,
    sdk: SdkConfig,
    http: reqwest::Client,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    credentials: Mutex<Option<Credentials>>,
    account: Mutex<Option<String>>,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

/// Credentials that end sooner than this are asked for anew.
const CREDENTIALS_MARGIN: Duration = Duration::from_secs(5 * 60);

impl Cloud {
    /// Reads configuration files, sends nothing.
    ///
    /// # Errors
    /// When the region is empty, or an endpoint or a proxy of the environment or the profile is
    /// none; the sentence names where it was found.
    pub fn new(config: CloudConfig) -> Result<Self> {
        anyhow::ensure!(!config.region.is_empty(), "no AWS region given");
        install_tls();
        let proxies = Proxies::from_variables(|name| config.variable(name))?;
        let http = client_builder(&proxies)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .build()
            .context("failed to make the HTTP client for AWS")?;
        let sdk = block_on(load(&config, &proxies))?;
        let cloud = Self {
            inner: Arc::new(Inner {
                config,
                proxies,
                sdk,
                http,
                ssm: OnceLock::new(),
                credentials: Mutex::new(None),
                account: Mutex::new(None),
            }),
        };
        cloud.ensure_endpoints()?;
        Ok(cloud)
    }

    /// The SDK panics on an endpoint that it cannot read, deep inside of a request.
    fn ensure_endpoints(&self) -> Result<()> {
        for service in SERVICES {
            let Some((origin, url)) = self.configured_endpoint(service) else { continue };
            let usable = Url::parse(&url).is_ok_and(|url| url.has_host());
            anyhow::ensure!(
                usable,
                "{origin} is `{url}`, which is not a URL: write one that begins with https://, or take it out"
            );
        }
        Ok(())
    }

    /// Which proxies the requests to AWS and to its clusters take.
    pub(crate) fn proxies(&self) -> &Proxies {
        &self.inner.proxies
    }

    #[must_use]
    pub fn region(&self) -> &str {
        &self.inner.config.region
    }

    pub(super) fn sdk(&self) -> &SdkConfig {
        &self.inner.sdk
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(super) fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.inner.ssm.get_or_init(|| {
            let mut config = aws_sdk_ssm::config::Builder::from(self.sdk());
            config.set_endpoint_url(self.endpoint_override("SSM"));
            aws_sdk_ssm::Client::from_conf(config.build())
        })
    }

    pub(super) fn account_cache(&self) -> &Mutex<Option<String>> {
        &self.inner.account
    }

    /// The endpoint that somebody set for `service` (its name as in variables: `S3`, `STS`), in a
    /// variable or in the profile: for the calls of the SDK and for our own alike.
    pub(super) fn endpoint_override(&self, service: &str) -> Option<String> {
        let (_, url) = self.configured_endpoint(service)?;
        Some(url.trim_end_matches('/').to_owned())
    }

    /// Where an endpoint was set, for people, and what to.
    fn configured_endpoint(&self, service: &str) -> Option<(String, String)> {
        let config = &self.inner.config;
        for name in [format!("AWS_ENDPOINT_URL_{service}"), "AWS_ENDPOINT_URL".to_owned()] {
            if let Some(url) = config.variable(&name) {
                return Some((name, url));
            }
        }
        let id = service.replace('_', " ");
        let key = ServiceConfigKey::builder()
            .service_id(&id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()
            .and_then(|key| self.inner.sdk.service_config()?.load_config(key));
        let url = key.or_else(|| self.inner.sdk.endpoint_url().map(str::to_owned))?;
        Some(("`endpoint_url` of the AWS profile".to_owned(), url))
    }

    /// Where `service` (its name in host names) is reached, without a slash at the end.
    pub(super) fn endpoint(&self, service: &str, variable: &str) -> String {
        self.endpoint_override(variable).unwrap_or_else(|| {
            let suffix = self.dns_suffix();
            match (self.partition(), GLOBAL.contains(&service)) {
                (_, false) => format!("https://{service}.{}.{suffix}", self.region()),
                ("aws", true) => format!("https://{service}.{suffix}"),
                ("aws-us-gov", true) => format!("https://{service}.us-gov.{suffix}"),
                (_, true) => format!("https://{service}.{}.{suffix}", self.scope_of(service)),
            }
        })
    }

    /// The region that a request to `service` is signed for.
    pub(super) fn scope_of(&self, service: &str) -> &str {
        match self.partition() {
            _ if !GLOBAL.contains(&service) => self.region(),
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            _ => "us-east-1",
        }
    }

    /// Whether the environment itself holds keys: they come first in every SDK's chain.
    #[must_use]
    pub fn has_keys_in_environment(&self) -> bool {
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
            .iter()
            .all(|name| self.inner.config.variable(name).is_some())
    }

    /// A setting of the chosen profile, such as `ca_bundle`, unless a variable says otherwise.
    #[must_use]
    pub fn profile_setting(&self, key: &str) -> Option<String> {
        let variable = format!("AWS_{}", key.to_uppercase());
        if self.inner.config.variable(&variable).is_some() {
            return None;
        }
        // No service has this name, so that only what holds for all is found.
        let key = ServiceConfigKey::builder().service_id("-").env(&variable).profile(key).build();
        self.inner.sdk.service_config()?.load_config(key.ok()?)
    }

    /// The credentials in the form that `credential_process` of an AWS profile asks for.
    ///
    /// # Errors
    /// When there are none.
    pub fn process_credentials(&self) -> Result<Secret> {
        let credentials = block_on(self.credentials())?;
        let mut document = serde_json::json!({
            "Version": 1,
            "AccessKeyId": credentials.access_key_id(),
            "SecretAccessKey": credentials.secret_access_key(),
        });
        if let Some(token) = credentials.session_token() {
            document["SessionToken"] = token.into();
        }
        if let Some(expiry) = credentials.expiry() {
            let expiry =
                Timestamp::try_from(expiry).context("failed to read the credentials' end")?;
            document["Expiration"] = expiry.to_string().into();
        }
        Ok(Secret::new(document.to_string()))
    }

    pub(super) fn dns_suffix(&self) -> &'static str {
        if self.region().starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// `aws`, `aws-cn`, `aws-us-gov`: the second part of every ARN of this region.
    pub(super) fn partition(&self) -> &'static str {
        match self.region() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The credentials of the chain, kept until shortly before they end.
    pub(super) async fn credentials(&self) -> Result<Credentials> {
        let mut kept = self.inner.credentials.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| !ends_soon(kept.expiry())) {
            return Ok(credentials.clone());
        }
        let provider = self.inner.sdk.credentials_provider();
        let loaded = match provider {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded_no_source()),
        };
        let credentials = loaded.map_err(|failure| {
            error::credentials(&failure, self.inner.config.variable("AWS_PROFILE").as_deref())
        })?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }
}

fn ends_soon(expiry: Option<SystemTime>) -> bool {
    expiry.is_some_and(|expiry| expiry < SystemTime::now() + CREDENTIALS_MARGIN)
}

/// The services that are called, as their variables name them.
const SERVICES: [&str; 10] = [
    "STS",
    "SSM",
    "S3",
    "EKS",
    "EC2",
    "KMS",
    "RDS",
    "IAM",
    "BUDGETS",
    "RESOURCE_GROUPS_TAGGING_API",
];

/// Services with one address for a whole partition.
const GLOBAL: [&str; 2] = ["budgets", "iam"];

/// The SDK's own HTTP client, with the proxies of all the others.
fn sdk_client(proxies: &Proxies) -> Result<SharedHttpClient> {
    let tls = || Provider::Rustls(CryptoMode::Ring);
    let Some((proxy, exceptions)) = proxies.for_tls() else {
        return Ok(Builder::new().tls_provider(tls()).build_https());
    };
    let proxy = ProxyConfig::https(proxy.as_str())
        .context("failed to use the proxy for AWS")?
        .no_proxy(exceptions);
    Ok(Builder::new().build_with_connector_fn(move |settings, _| {
        let mut connector = Connector::builder().proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.tls_provider(tls()).build()
    }))
}

async fn load(config: &CloudConfig, proxies: &Proxies) -> Result<SdkConfig> {
    let http = sdk_client(proxies)?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(10))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_secs(120));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(config.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(8))
        .timeout_config(timeouts.build());
    if let Some(endpoint) = config.variable("AWS_ENDPOINT_URL") {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = config.env.get("AWS_PROFILE").filter(|profile| !profile.is_empty()) {
        loader = loader.profile_name(profile);
    }
    if let Some(credentials) = config.static_credentials() {
        loader = loader.credentials_provider(credentials);
    }
    Ok(loader.load().await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(env: &[(&str, &str)]) -> CloudConfig {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        CloudConfig { region: "eu-west-1".into(), env }
    }

    #[test]
    fn a_services_own_endpoint_wins() {
        let cloud = Cloud::new(config(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1/"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2"),
        ]))
        .unwrap();
        assert_eq!(cloud.endpoint("sts", "STS"), "http://127.0.0.1:1");
        assert_eq!(cloud.endpoint("s3", "S3"), "http://127.0.0.1:2");
    }

    #[test]
    fn a_service_of_the_whole_partition_has_one_address_and_one_scope() {
        for (region, host, scope) in [
            ("eu-west-1", "iam.amazonaws.com", "us-east-1"),
            ("us-gov-east-1", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            ("cn-northwest-1", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ] {
            let cloud = Cloud::new(CloudConfig { region: region.into(), ..config(&[]) }).unwrap();
            assert_eq!(cloud.endpoint("iam", "IAM"), format!("https://{host}"));
            assert_eq!(cloud.scope_of("iam"), scope);
            assert_eq!(cloud.scope_of("rds"), region);
        }
    }

    #[test]
    fn half_a_key_is_no_credential() {
        assert!(config(&[("AWS_ACCESS_KEY_ID", "a")]).static_credentials().is_none());
        let keys = config(&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]);
        assert_eq!(keys.static_credentials().unwrap().access_key_id(), "a");
    }

    #[test]
    fn the_environment_is_shown_by_name_only() {
        let text = format!("{:?}", config(&[("AWS_SECRET_ACCESS_KEY", "canary-4Wz")]));
        assert!(!text.contains("canary") && text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
    }

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let now = SystemTime::now();
        assert!(!ends_soon(None));
        assert!(!ends_soon(Some(now + Duration::from_secs(3600))));
        assert!(ends_soon(Some(now + Duration::from_secs(60))));
    }
}
