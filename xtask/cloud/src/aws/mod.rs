//! AWS: who we are, parameters, the state bucket, the login to a cluster.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};
use serde::Serialize;
use xtask_tools::Secret;

use crate::Wait;

/// Where AWS is and who asks.
#[derive(Debug, Clone, Default)]
pub struct CloudConfig {
    pub region: String,
    /// Environment variables that win over those of the process: the endpoint and credentials.
    pub env: BTreeMap<String, String>,
}

/// A connection to AWS in one region. Cheap to clone, usable from several threads.
#[derive(Debug, Clone)]
pub struct Cloud {
    config: CloudConfig,
}

/// Who AWS says we are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// When the credentials end; absent for keys without an end and where it is not known.
    pub expires: Option<SystemTime>,
}

/// A parameter with its value.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub value: Secret,
    pub version: i64,
    /// Key that encrypts it; absent for a plain string.
    pub key_id: Option<String>,
}

/// A parameter without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterDescription {
    pub name: String,
    pub version: i64,
    pub key_id: Option<String>,
    pub last_modified: Option<SystemTime>,
}

/// What a write of a parameter came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    Created {
        version: i64,
    },
    Overwritten {
        version: i64,
    },
    /// It was there before and has been left alone.
    Kept,
}

/// How a bucket encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    Aes256,
    /// ARN of a KMS key.
    Kms(String),
}

/// What had to be done to a bucket; empty when everything was as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BucketReport {
    pub created: bool,
    pub changes: Vec<String>,
}

/// What was taken out of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Emptied {
    pub versions: u64,
    pub delete_markers: u64,
    pub uploads: u64,
}

/// A resource that still carries a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    pub arn: String,
    pub tags: BTreeMap<String, String>,
}

/// What a login plugin of kubectl prints (`client.authentication.k8s.io/v1`).
#[derive(Debug, Clone)]
pub struct ExecCredential {
    pub token: Secret,
    pub expires: SystemTime,
}

impl ExecCredential {
    /// The JSON document for standard output. It holds the token.
    #[must_use]
    pub fn to_json(&self) -> Secret {
        Secret::new("")
    }
}

impl Cloud {
    pub fn new(config: CloudConfig) -> Result<Self> {
        Ok(Self { config })
    }

    #[must_use]
    pub fn region(&self) -> &str {
        &self.config.region
    }

    pub fn identity(&self) -> Result<Identity> {
        bail!("not built")
    }

    pub fn parameter(&self, _name: &str) -> Result<Option<Parameter>> {
        bail!("not built")
    }

    pub fn parameters_by_path(&self, _path: &str) -> Result<Vec<Parameter>> {
        bail!("not built")
    }

    /// Names and versions, never values.
    pub fn describe_parameters(&self, _path: &str) -> Result<Vec<ParameterDescription>> {
        bail!("not built")
    }

    pub fn put_parameter_if_absent(
        &self,
        _name: &str,
        _value: &Secret,
        _key_id: Option<&str>,
    ) -> Result<Written> {
        bail!("not built")
    }

    pub fn overwrite_parameter(
        &self,
        _name: &str,
        _value: &Secret,
        _key_id: Option<&str>,
    ) -> Result<Written> {
        bail!("not built")
    }

    /// The names of what was deleted.
    pub fn delete_parameters_by_path(&self, _path: &str) -> Result<Vec<String>> {
        bail!("not built")
    }

    pub fn ensure_state_bucket(
        &self,
        _name: &str,
        _encryption: &Encryption,
    ) -> Result<BucketReport> {
        bail!("not built")
    }

    pub fn bucket_exists(&self, _name: &str) -> Result<bool> {
        bail!("not built")
    }

    pub fn empty_bucket(&self, _name: &str, _wait: &Wait<'_>) -> Result<Emptied> {
        bail!("not built")
    }

    /// Resources of the region that carry `tag` = `value`.
    pub fn tagged_resources(&self, _tag: &str, _value: &str) -> Result<Vec<Leftover>> {
        bail!("not built")
    }

    pub fn eks_token(&self, _cluster: &str) -> Result<ExecCredential> {
        bail!("not built")
    }

    #[must_use]
    pub fn default_timeout() -> Duration {
        Duration::from_secs(60)
    }
}
