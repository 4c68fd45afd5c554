//! What still uses a certificate or a firewall: AWS lets nobody delete either while anything does.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Cloud;
use crate::{
    Wait,
    runtime::{block_on, wait_for},
};

/// How often AWS is asked while the controller works.
const INTERVAL: Duration = Duration::from_secs(3);

impl Cloud {
    /// The ARNs of what uses a certificate or a web ACL, given by its ARN; none for one that is gone.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn users_of(&self, arn: &str) -> Result<Vec<String>> {
        block_on(self.users(arn))
    }

    /// Waits until nothing uses any of these.
    ///
    /// # Errors
    /// When AWS refuses or is not reached, or the wait ends.
    pub fn wait_unused(&self, arns: &[String], wait: &Wait<'_>) -> Result<()> {
        let awaited = format!("nothing to use {}", arns.join(", "));
        wait_for(wait, &awaited, async |seen| {
            for arn in arns {
                loop {
                    let users = self.users(arn).await?;
                    if users.is_empty() {
                        break;
                    }
                    seen.note(format!("{arn} is used by {}", users.join(", ")));
                    sleep(INTERVAL).await;
                }
            }
            Ok(())
        })
    }

    /// Deletes a certificate; one that is gone is none to delete.
    ///
    /// # Errors
    /// When AWS refuses, as it does while anything uses it, or is not reached.
    pub fn delete_certificate(&self, arn: &str) -> Result<()> {
        let name = "acm:DeleteCertificate";
        let body = json!({ "CertificateArn": arn });
        let target = "CertificateManager.DeleteCertificate";
        let answer = block_on(self.ask_json(name, ("acm", "ACM"), target, &body))?;
        if answer.status.is_success() || answer.json_error().0 == "ResourceNotFoundException" {
            return Ok(());
        }
        Err(answer.refusal(name))
    }

    async fn users(&self, arn: &str) -> Result<Vec<String>> {
        let (name, service, target, body, found) = if arn.split(':').nth(2) == Some("acm") {
            (
                "acm:DescribeCertificate",
                ("acm", "ACM"),
                "CertificateManager.DescribeCertificate",
                json!({ "CertificateArn": arn }),
                "/Certificate/InUseBy",
            )
        } else {
            (
                "wafv2:ListResourcesForWebACL",
                ("wafv2", "WAFV2"),
                "AWSWAF_20190729.ListResourcesForWebACL",
                json!({ "WebACLArn": arn, "ResourceType": "APPLICATION_LOAD_BALANCER" }),
                "/ResourceArns",
            )
        };
        let answer = self.ask_json(name, service, target, &body).await?;
        if !answer.status.is_success() {
            return match answer.json_error().0.as_str() {
                "ResourceNotFoundException" | "WAFNonexistentItemException" => Ok(Vec::new()),
                _ => Err(answer.refusal(name)),
            };
        }
        let answer: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("failed to read the answer of {name}"))?;
        let users = answer.pointer(found).and_then(Value::as_array).into_iter().flatten();
        Ok(users.filter_map(|user| user.as_str().map(str::to_owned)).collect())
    }
}
