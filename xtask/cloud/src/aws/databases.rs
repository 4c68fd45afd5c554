//! What RDS keeps: which snapshots and databases a key reads.

use anyhow::{Result, anyhow};
use http::Method;
use serde::Deserialize;

use super::{Cloud, s3, signed::Call};
use crate::runtime::block_on;

/// Kinds of snapshots that RDS lists by their name alone.
const KINDS: [&str; 3] = ["automated", "manual", "awsbackup"];

/// The answers of both calls, as far as they are of interest.
#[derive(Debug, Deserialize)]
struct Answered {
    #[serde(rename = "DescribeDBSnapshotsResult", alias = "DescribeDBInstancesResult")]
    result: Page,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "Marker", default)]
    marker: String,
    #[serde(rename = "DBSnapshots", alias = "DBInstances", default)]
    list: List,
}

#[derive(Debug, Default, Deserialize)]
struct List {
    #[serde(rename = "DBSnapshot", alias = "DBInstance", default)]
    stored: Vec<Stored>,
}

#[derive(Debug, Deserialize)]
struct Stored {
    #[serde(rename = "DBSnapshotArn", alias = "DBInstanceArn", default)]
    arn: String,
    #[serde(rename = "KmsKeyId", default)]
    key: String,
}

impl Cloud {
    /// The ARNs of the region's database snapshots, whoever made them, and databases that this key
    /// encrypts: none of them can be read without it.
    ///
    /// Source: `KmsKeyId` of `rds:DescribeDBSnapshots` and `rds:DescribeDBInstances`.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn databases_encrypted_with(&self, key_arn: &str) -> Result<Vec<String>> {
        block_on(async {
            let mut stored = self.listed("rds:DescribeDBInstances", "").await?;
            for kind in KINDS {
                let only = format!("&SnapshotType={kind}");
                stored.extend(self.listed("rds:DescribeDBSnapshots", &only).await?);
            }
            let encrypted = stored.into_iter().filter(|one| one.key == key_arn);
            let mut arns: Vec<String> = encrypted.map(|one| one.arn).collect();
            arns.sort();
            arns.dedup();
            Ok(arns)
        })
    }

    /// Every page of a list.
    async fn listed(&self, name: &'static str, only: &str) -> Result<Vec<Stored>> {
        let action = name.trim_start_matches("rds:");
        let mut stored = Vec::new();
        let mut marker = String::new();
        loop {
            let page = if marker.is_empty() { String::new() } else { marker_parameter(&marker) };
            let call = Call {
                name,
                service: "rds",
                method: Method::POST,
                url: format!("{}/", self.endpoint("rds", "RDS")),
                headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
                body: format!("Action={action}&Version=2014-10-31{only}{page}").into_bytes(),
            };
            let answer = self.send(&call).await?;
            if !answer.status.is_success() {
                return Err(anyhow!("{name} failed (status {})", answer.status.as_u16()));
            }
            let answered: Answered = s3::parse(name, &answer.body)?;
            stored.extend(answered.result.list.stored);
            marker = answered.result.marker;
            if marker.is_empty() {
                return Ok(stored);
            }
        }
    }
}

/// AWS makes markers of any characters.
fn marker_parameter(marker: &str) -> String {
    let encoded: String = marker.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("&Marker={encoded}")
}
