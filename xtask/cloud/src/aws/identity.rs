//! Who AWS says we are.

use std::time::SystemTime;

use anyhow::{Context, Result};
use aws_config::retry::RetryConfig;
use serde::Serialize;

use super::{Cloud, error};
use crate::runtime::block_on;

/// The answer of `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// When the credentials end; absent for keys without an end and where it is not known.
    pub expires: Option<SystemTime>,
}

impl Cloud {
    /// Asks STS for the identity of the credentials.
    ///
    /// # Errors
    /// When there are no credentials, they have expired or are unknown, or AWS is not reached;
    /// one sentence each, with the remedy.
    pub fn identity(&self) -> Result<Identity> {
        block_on(self.load_identity())
    }

    pub(super) async fn load_identity(&self) -> Result<Identity> {
        // First, because the SDK hides the reason for missing credentials in a dispatch failure.
        let expires = self.credentials().await?.expiry();
        let call = "sts:GetCallerIdentity";
        // A person waits for this answer, most of all when there is no network.
        let mut sts = aws_sdk_sts::config::Builder::from(self.sdk())
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        sts.set_endpoint_url(self.endpoint_override("STS"));
        let answer = aws_sdk_sts::Client::from_conf(sts.build())
            .get_caller_identity()
            .send()
            .await
            .map_err(|failure| error::sdk(call, &failure))?;
        let field = |value: Option<String>, name: &str| {
            value.with_context(|| format!("the answer of {call} has no field {name}"))
        };
        let identity = Identity {
            account: field(answer.account, "Account")?,
            arn: field(answer.arn, "Arn")?,
            user_id: field(answer.user_id, "UserId")?,
            expires,
        };
        *self.account_cache().lock().await = Some(identity.account.clone());
        Ok(identity)
    }

    /// The account, asked for once.
    pub(super) async fn account(&self) -> Result<String> {
        if let Some(account) = self.account_cache().lock().await.clone() {
            return Ok(account);
        }
        Ok(self.load_identity().await?.account)
    }
}
