//! The login to an EKS cluster: a presigned `sts:GetCallerIdentity` URL that the cluster follows
//! to learn who we are.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{Timestamp, Unit};
use serde_json::json;
use xtask_tools::Secret;

use super::{Cloud, signed::presign};
use crate::runtime::block_on;

/// The lifetime in the signature; the cluster accepts the token for 15 minutes all the same.
const URL_LIFETIME: Duration = Duration::from_secs(60);

/// A minute less than the cluster accepts, so that no request meets the end on its way.
const TOKEN_LIFETIME: Duration = Duration::from_secs(14 * 60);

/// A token and its end.
#[derive(Debug, Clone)]
pub struct ExecCredential {
    pub token: Secret,
    pub expires: SystemTime,
}

impl ExecCredential {
    /// The document that a login plugin of kubectl prints
    /// (`client.authentication.k8s.io/v1`). It holds the token.
    ///
    /// # Errors
    /// Never for a time of this millennium.
    pub fn to_json(&self) -> Result<Secret> {
        let expires = Timestamp::try_from(self.expires)
            .and_then(|time| time.round(Unit::Second))
            .context("failed to write the token's end")?;
        let document = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "spec": { "interactive": false },
            "status": {
                "expirationTimestamp": expires.to_string(),
                "token": self.token.expose(),
            },
        });
        Ok(Secret::new(document.to_string()))
    }
}

impl Cloud {
    /// A token for the cluster named `cluster`.
    ///
    /// # Errors
    /// When there are no credentials. Nothing is sent.
    pub fn eks_token(&self, cluster: &str) -> Result<ExecCredential> {
        block_on(self.make_eks_token(cluster))
    }

    pub(crate) async fn make_eks_token(&self, cluster: &str) -> Result<ExecCredential> {
        let now = SystemTime::now();
        let endpoint = self.endpoint("sts", "STS");
        let url = format!("{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15");
        let credentials = self.credentials().await?;
        let header = ("x-k8s-aws-id", cluster);
        let signed = presign(credentials, self.region(), "sts", &url, header, URL_LIFETIME)?;
        let token = format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(signed));
        Ok(ExecCredential { token: Secret::new(token), expires: now + TOKEN_LIFETIME })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::CloudConfig;

    fn cloud(endpoint: Option<&str>) -> Cloud {
        let mut env = BTreeMap::from([
            ("AWS_ACCESS_KEY_ID".to_owned(), "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "canary-9Qx".to_owned()),
        ]);
        if let Some(endpoint) = endpoint {
            env.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned());
        }
        Cloud::new(CloudConfig { region: "eu-west-1".into(), env }).unwrap()
    }

    fn signed_url(token: &Secret) -> url::Url {
        let encoded = token.expose().strip_prefix("k8s-aws-v1.").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap();
        url::Url::parse(std::str::from_utf8(&bytes).unwrap()).unwrap()
    }

    #[test]
    fn the_url_is_that_of_sts_and_vouches_for_the_cluster() {
        let url = signed_url(&cloud(None).eks_token("supabase-dev").unwrap().token);
        if std::env::var("AWS_ENDPOINT_URL").is_err() {
            assert_eq!(url.host_str(), Some("sts.eu-west-1.amazonaws.com"));
        }
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(query["Action"], "GetCallerIdentity");
        assert_eq!(query["X-Amz-Expires"], "60");
        assert_eq!(query["X-Amz-SignedHeaders"], "host;x-k8s-aws-id");
        assert!(!url.as_str().contains("canary"));
    }

    #[test]
    fn a_given_endpoint_is_honoured() {
        let token = cloud(Some("http://127.0.0.1:5000")).eks_token("supabase-dev").unwrap().token;
        let url = signed_url(&token);
        assert_eq!((url.host_str(), url.port()), (Some("127.0.0.1"), Some(5000)));
    }

    #[test]
    fn the_document_is_that_of_a_login_plugin() {
        let expires = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_400);
        let credential = ExecCredential { token: Secret::new("k8s-aws-v1.x"), expires };
        let document: serde_json::Value =
            serde_json::from_str(credential.to_json().unwrap().expose()).unwrap();
        assert_eq!(document["apiVersion"], "client.authentication.k8s.io/v1");
        assert_eq!(document["status"]["expirationTimestamp"], "2027-01-15T08:00:00Z");
        assert_eq!(document["status"]["token"], "k8s-aws-v1.x");
    }
}
