//! Who may use a cluster, decided as EKS does: by a presigned STS query and the access entries.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{StatusCode, header};
use sandbox_kubernetes::{Authentication, Authenticator, Unrecognised, User};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// What an EKS token starts with.
const PREFIX: &str = "k8s-aws-v1.";
/// The header that binds a token to one cluster; it has to be part of the signature.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
const ADMIN_POLICY: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
/// The groups of an administrator on EKS.
const ADMIN_GROUP: &str = "system:masters";
/// The user whose key the sandbox hands out. It stands for whoever an environment names as its
/// administrator: nobody can be that role on a laptop.
const SANDBOX_USER: &str = "user/sandbox";
const TIMEOUT: Duration = Duration::from_secs(10);
/// What AWS asks itself is spared the faults that are planted for callers.
const INSIDE: &str = "x-sandbox-inside";

/// Part of an error that says nothing about the token: AWS could not be asked.
#[derive(Debug)]
struct Unasked(&'static str);

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to ask {}", self.0)
    }
}

/// How long the user of a token is kept. An API server on EKS keeps its authenticator's answers, too.
const KEPT: Duration = Duration::from_secs(10);

/// Asks the sandbox's AWS.
#[derive(Debug, Clone)]
pub(crate) struct EksTokens {
    http: reqwest::Client,
    aws: Url,
    known: Arc<Mutex<Known>>,
}

/// Users by cluster and token, with the time at which each was recognised.
#[derive(Default)]
struct Known(HashMap<(String, String), (Instant, User)>);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the tokens.
        f.debug_tuple("Known").field(&self.0.len()).finish()
    }
}

impl Known {
    fn user(&self, cluster: &str, token: &str) -> Option<User> {
        let (since, user) = self.0.get(&(cluster.to_owned(), token.to_owned()))?;
        (since.elapsed() < KEPT).then(|| user.clone())
    }

    fn keep(&mut self, cluster: &str, token: &str, user: &User) {
        self.0.retain(|_, (since, _)| since.elapsed() < KEPT);
        let key = (cluster.to_owned(), token.to_owned());
        self.0.insert(key, (Instant::now(), user.clone()));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessEntry {
    username: String,
    #[serde(default)]
    kubernetes_groups: Vec<String>,
}

impl EksTokens {
    pub(crate) fn new(http: reqwest::Client, aws: &str) -> anyhow::Result<Self> {
        let aws = aws.parse().context("failed to read the address of AWS")?;
        Ok(Self { http, aws, known: Arc::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn user(&self, cluster: &str, token: &str) -> anyhow::Result<User> {
        let presigned = Presigned::decode(token)?;
        let caller = self.caller(&presigned, cluster).await?;
        let principal = principal(&caller);
        let path = format!("/clusters/{cluster}/access-entries");
        let entries: Value =
            self.eks(&presigned, &path).await?.context("there is no such cluster in EKS")?;
        let entries: Vec<String> = serde_json::from_value(entries["accessEntries"].clone())
            .context("failed to read the access entries")?;
        let stands_for_others = principal.ends_with(SANDBOX_USER) && !entries.contains(&principal);
        for entry in entries.iter().filter(|entry| stands_for_others || **entry == principal) {
            let (entry, administers) = self.entry(&presigned, &path, entry).await?;
            if stands_for_others && !administers {
                continue;
            }
            let mut groups = entry.kubernetes_groups;
            if administers {
                groups.push(ADMIN_GROUP.to_owned());
            }
            return Ok(User { name: entry.username, groups });
        }
        if stands_for_others {
            bail!(
                "cluster {cluster} has no access entry with the policy AmazonEKSClusterAdminPolicy"
            );
        }
        bail!("cluster {cluster} has no access entry for {principal}")
    }

    /// Lets STS say whose the signature is. Only the authority changes; STS sees the host that was
    /// signed, and the header of the cluster that is asked, so that a token for another one fails.
    async fn caller(&self, presigned: &Presigned, cluster: &str) -> anyhow::Result<String> {
        let mut url = self.aws.clone();
        url.set_path("/");
        url.set_query(presigned.url.query());
        let request = self
            .http
            .get(url)
            .timeout(TIMEOUT)
            .header(header::HOST, presigned.host()?)
            .header(CLUSTER_HEADER, cluster);
        let answer = request.send().await.context(Unasked("STS"))?;
        let status = answer.status();
        let text = answer.text().await.context(Unasked("STS"))?;
        if status.is_server_error() {
            return Err(anyhow!("STS answers {status}").context(Unasked("STS")));
        }
        if !status.is_success() {
            bail!(
                "STS refuses the token: {}",
                element(&text, "Message").unwrap_or(status.as_str())
            );
        }
        Ok(element(&text, "Arn").context("STS named no caller")?.to_owned())
    }

    async fn entry(
        &self,
        presigned: &Presigned,
        entries: &str,
        principal: &str,
    ) -> anyhow::Result<(AccessEntry, bool)> {
        let quoted: String = url::form_urlencoded::byte_serialize(principal.as_bytes()).collect();
        let path = format!("{entries}/{quoted}");
        let described = self.eks(presigned, &path).await?.context("an access entry vanished")?;
        let entry: AccessEntry = serde_json::from_value(described["accessEntry"].clone())
            .context("failed to read an access entry")?;
        let policies =
            self.eks(presigned, &format!("{path}/access-policies")).await?.unwrap_or_default();
        let administers = policies["associatedAccessPolicies"].as_array().is_some_and(|policies| {
            policies.iter().any(|policy| {
                policy["policyArn"] == ADMIN_POLICY && policy["accessScope"]["type"] == "cluster"
            })
        });
        Ok((entry, administers))
    }

    /// Reads from EKS in the token's region; nothing when it is not found.
    async fn eks(&self, presigned: &Presigned, path: &str) -> anyhow::Result<Option<Value>> {
        let mut url = self.aws.clone();
        url.set_path(path);
        // The signature is not looked at; the scope tells Moto which service and region is meant.
        let scope =
            format!("{}/20260101/{}/eks/aws4_request", presigned.access_key, presigned.region);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=sandbox");
        let request =
            self.http.get(url).timeout(TIMEOUT).header(header::AUTHORIZATION, authorization);
        let answer = request.header(INSIDE, "1").send().await.context(Unasked("EKS"))?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = answer.error_for_status().context(Unasked("EKS"))?;
        answer.json().await.map(Some).context(Unasked("EKS"))
    }
}

impl Authenticator for EksTokens {
    fn authenticate<'a>(&'a self, cluster: &'a str, token: &'a str) -> Authentication<'a> {
        Box::pin(async move {
            if let Some(user) = self.known().user(cluster, token) {
                return Ok(user);
            }
            let user = self.user(cluster, token).await.map_err(|error| {
                let reason = format!("{error:#}");
                if error.is::<Unasked>() {
                    Unrecognised::Unavailable { reason }
                } else {
                    Unrecognised::Unauthorized { reason }
                }
            })?;
            self.known().keep(cluster, token, &user);
            Ok(user)
        })
    }
}

/// A token's content: a presigned `GetCallerIdentity`.
#[derive(Debug)]
struct Presigned {
    url: Url,
    access_key: String,
    region: String,
}

impl Presigned {
    fn decode(token: &str) -> anyhow::Result<Self> {
        let encoded = token.strip_prefix(PREFIX).context("it is no EKS token")?;
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(encoded.trim_end_matches('='))
            .context("the EKS token is not base64url")?;
        let text = String::from_utf8(bytes).context("the EKS token is not text")?;
        let url: Url = text.parse().context("the EKS token holds no URL")?;
        let value = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found
                .map(|(_, value)| value.into_owned())
                .with_context(|| format!("the EKS token has no {name}"))
        };
        if value("Action")? != "GetCallerIdentity" {
            bail!("the EKS token is signed for another action than GetCallerIdentity");
        }
        if !value("X-Amz-SignedHeaders")?.split(';').any(|name| name == CLUSTER_HEADER) {
            bail!("the EKS token does not sign {CLUSTER_HEADER}");
        }
        let credential = value("X-Amz-Credential")?;
        let mut scope = credential.split('/');
        let (Some(access_key), Some(_), Some(region)) = (scope.next(), scope.next(), scope.next())
        else {
            bail!("the EKS token's credential has no region");
        };
        let (access_key, region) = (access_key.to_owned(), region.to_owned());
        Ok(Self { url, access_key, region })
    }

    fn host(&self) -> anyhow::Result<String> {
        let host = self.url.host_str().context("the EKS token's URL has no host")?;
        Ok(self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }
}

/// The IAM principal that access entries name: a role for its sessions.
fn principal(caller: &str) -> String {
    let Some((prefix, session)) = caller.split_once(":assumed-role/") else {
        return caller.to_owned();
    };
    let role = session.split('/').next().unwrap_or_default();
    format!("{}:role/{role}", prefix.replace(":sts:", ":iam:"))
}

/// The text of the first element with this name; enough for STS's flat answers.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(url: &str) -> String {
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(url))
    }

    const GOOD: &str = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15\
        &X-Amz-Credential=AKIAX%2F20260101%2Feu-west-1%2Fsts%2Faws4_request\
        &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=00";

    #[test]
    fn a_token_tells_key_and_region() {
        let presigned = Presigned::decode(&token(GOOD)).unwrap();
        assert_eq!(
            (presigned.access_key.as_str(), presigned.region.as_str()),
            ("AKIAX", "eu-west-1")
        );
        assert_eq!(presigned.host().unwrap(), "sts.eu-west-1.amazonaws.com");
    }

    #[test]
    fn a_token_that_is_bound_to_no_cluster_or_asks_for_more_is_refused() {
        for (from, to) in
            [("%3Bx-k8s-aws-id", ""), ("GetCallerIdentity", "AssumeRole"), ("X-Amz-Cred", "X")]
        {
            assert!(Presigned::decode(&token(&GOOD.replace(from, to))).is_err(), "{from}");
        }
        assert!(Presigned::decode("k8s-aws-v1.%%%").is_err());
        assert!(Presigned::decode("something").is_err());
    }

    #[tokio::test]
    async fn a_token_is_not_called_wrong_when_nobody_could_be_asked() {
        // As the daemon does when it starts; it fails only where a test did it before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Nothing listens there.
        let tokens = EksTokens::new(reqwest::Client::new(), "http://127.0.0.1:9").unwrap();
        let unasked = tokens.authenticate("dev", &token(GOOD)).await.unwrap_err();
        assert!(matches!(unasked, Unrecognised::Unavailable { .. }), "{unasked:?}");
        let wrong = tokens.authenticate("dev", "something").await.unwrap_err();
        assert!(matches!(wrong, Unrecognised::Unauthorized { .. }), "{wrong:?}");
    }

    #[test]
    fn a_user_is_kept_for_one_token_of_one_cluster_and_not_for_long() {
        let mut known = Known::default();
        let user = User { name: "deployer".into(), groups: Vec::new() };
        known.keep("dev", "a", &user);
        assert_eq!(known.user("dev", "a"), Some(user));
        assert_eq!(known.user("prod", "a"), None);
        assert_eq!(known.user("dev", "b"), None);
        let past = Instant::now().checked_sub(KEPT).unwrap();
        known.0.values_mut().for_each(|(since, _)| *since = past);
        assert_eq!(known.user("dev", "a"), None);
    }

    #[test]
    fn a_session_belongs_to_its_role() {
        assert_eq!(
            principal("arn:aws:sts::1:assumed-role/deploy/run-7"),
            "arn:aws:iam::1:role/deploy"
        );
        assert_eq!(principal("arn:aws:iam::1:user/sandbox"), "arn:aws:iam::1:user/sandbox");
    }
}
