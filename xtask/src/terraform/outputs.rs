//! What the infrastructure stage tells the others: Terraform's outputs, typed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xtask_pipeline::Output;

/// The root module's outputs, under the names they have in `terraform/outputs.tf`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Infrastructure {
    pub(crate) environment: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) vpc_id: String,
    /// Address ranges by zone, as are the next two.
    pub(crate) public_subnet_cidrs: BTreeMap<String, String>,
    pub(crate) node_subnet_cidrs: BTreeMap<String, String>,
    pub(crate) database_subnet_cidrs: BTreeMap<String, String>,
    pub(crate) cluster_name: String,
    pub(crate) cluster_version: String,
    pub(crate) cluster_endpoint: String,
    /// Base64 of the PEM text, as EKS returns it.
    pub(crate) cluster_certificate_authority: String,
    pub(crate) database_identifier: String,
    pub(crate) database_host: String,
    pub(crate) database_port: u16,
    pub(crate) database_name: String,
    pub(crate) database_master_username: String,
    pub(crate) database_replica_host: Option<String>,
    pub(crate) storage_bucket: String,
    pub(crate) backup_bucket: Option<String>,
    pub(crate) access_logs_bucket: Option<String>,
    pub(crate) secrets_kms_key_arn: String,
    pub(crate) parameter_prefix: String,
    /// Role ARNs by purpose: `external_secrets`, `storage`, `load_balancer_controller`, …
    pub(crate) service_account_roles: BTreeMap<String, String>,
    /// The public host name, where the environment has a domain.
    pub(crate) hostname: Option<String>,
    pub(crate) certificate_arn: Option<String>,
    pub(crate) web_acl_arn: Option<String>,
}

impl Output for Infrastructure {
    const STAGE: &'static str = "infrastructure";
}

#[derive(Deserialize)]
struct Wrapped {
    value: serde_json::Value,
}

impl Infrastructure {
    /// Reads the text of `terraform output -json`.
    ///
    /// # Errors
    /// When an output is missing or has another type: the text names it.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let wrapped: BTreeMap<String, Wrapped> = serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("failed to read the outputs of Terraform: {error}"))?;
        let plain: serde_json::Map<_, _> =
            wrapped.into_iter().map(|(name, output)| (name, output.value)).collect();
        serde_json::from_value(plain.into()).map_err(|error| {
            anyhow::anyhow!("the outputs of terraform/outputs.tf are not as expected: {error}")
        })
    }

    /// # Errors
    /// When Terraform made no role for this purpose.
    pub(crate) fn role(&self, purpose: &str) -> anyhow::Result<&str> {
        self.service_account_roles.get(purpose).map(String::as_str).ok_or_else(|| {
            anyhow::anyhow!("Terraform's output `service_account_roles` has no role `{purpose}`")
        })
    }
}
