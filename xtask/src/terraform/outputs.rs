//! What the infrastructure stage tells the others: Terraform's outputs, typed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xtask_pipeline::Output;

/// The root module's outputs, under the names they have in `terraform/outputs.tf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        serde_json::from_value(plain(text)?.into()).map_err(|error| {
            anyhow::anyhow!("the outputs of terraform/outputs.tf are not as expected: {error}")
        })
    }

    /// The part of the outputs that leads to the cluster, the rest left empty: a half-made
    /// environment has no more, and one that older code made may lack what is new. Nothing when the
    /// cluster was never made so far that it has an address.
    ///
    /// # Errors
    /// When the text is not what `terraform output -json` prints.
    pub(crate) fn of_cluster(text: &str) -> anyhow::Result<Option<Self>> {
        let outputs = plain(text)?;
        let text = |name: &str| outputs.get(name)?.as_str().map(str::to_owned);
        let found = || {
            Some(Self {
                region: text("region")?,
                cluster_name: text("cluster_name")?,
                cluster_endpoint: text("cluster_endpoint")?,
                cluster_certificate_authority: text("cluster_certificate_authority")?,
                ..Self::default()
            })
        };
        Ok(found())
    }

    /// # Errors
    /// When Terraform made no role for this purpose.
    pub(crate) fn role(&self, purpose: &str) -> anyhow::Result<&str> {
        self.service_account_roles.get(purpose).map(String::as_str).ok_or_else(|| {
            anyhow::anyhow!("Terraform's output `service_account_roles` has no role `{purpose}`")
        })
    }
}

/// The values by name, without what Terraform says about them.
fn plain(text: &str) -> anyhow::Result<serde_json::Map<String, serde_json::Value>> {
    let wrapped: BTreeMap<String, Wrapped> = serde_json::from_str(text)
        .map_err(|error| anyhow::anyhow!("failed to read the outputs of Terraform: {error}"))?;
    Ok(wrapped.into_iter().map(|(name, output)| (name, output.value)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Infrastructure;

    fn outputs(endpoint: &Value) -> String {
        let names = ["region", "cluster_name", "cluster_certificate_authority"];
        let mut outputs: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| ((*name).to_owned(), json!({"value": "x", "type": "string"})))
            .collect();
        outputs.insert("cluster_endpoint".to_owned(), json!({"value": endpoint}));
        Value::from(outputs).to_string()
    }

    #[test]
    fn a_half_made_environment_still_leads_to_its_cluster() {
        let text = outputs(&json!("https://a"));
        assert!(Infrastructure::parse(&text).is_err(), "the other stages want all of them");
        let found = Infrastructure::of_cluster(&text).unwrap().unwrap();
        assert_eq!((&*found.cluster_name, &*found.cluster_endpoint), ("x", "https://a"));
    }

    #[test]
    fn without_an_address_there_is_no_cluster_and_nonsense_is_an_error() {
        assert_eq!(Infrastructure::of_cluster("{}").unwrap(), None);
        assert_eq!(Infrastructure::of_cluster(&outputs(&Value::Null)).unwrap(), None);
        Infrastructure::of_cluster("Error: no").unwrap_err();
    }
}
