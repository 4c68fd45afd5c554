//! KMS keys: the one behind an alias, and its end.

use anyhow::{Context, Result};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cloud, signed::Call};
use crate::runtime::block_on;

/// A key that an alias points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, …
    pub state: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Aliases {
    aliases: Vec<Alias>,
    next_marker: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Alias {
    alias_name: String,
    target_key_id: Option<String>,
}

/// Days that a key can still be had back after its deletion was asked for: the longest that KMS takes.
const DELETION_WINDOW_DAYS: u8 = 30;

impl Cloud {
    /// The key that an alias (`alias/…`) points to, or nothing where there is no such alias.
    ///
    /// Source: `kms:ListAliases`, which may be asked where nothing of that name exists, and
    /// `kms:DescribeKey`.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn key_behind(&self, alias: &str) -> Result<Option<Key>> {
        block_on(async {
            let mut marker = None;
            loop {
                let asked = json!({ "Limit": 100, "Marker": marker });
                let page: Aliases =
                    serde_json::from_value(self.kms("kms:ListAliases", &asked).await?)
                        .context("failed to read the answer of kms:ListAliases")?;
                if let Some(found) = page.aliases.into_iter().find(|it| it.alias_name == alias) {
                    let Some(id) = found.target_key_id else { return Ok(None) };
                    return self.describe_key(&id).await.map(Some);
                }
                marker = page.next_marker;
                if marker.is_none() {
                    return Ok(None);
                }
            }
        })
    }

    /// Has a key deleted at the end of the longest window, and the alias at once. A second time does
    /// what the first one left.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn delete_key(&self, key: &Key, alias: &str) -> Result<()> {
        block_on(async {
            if key.state != PENDING {
                let asked = json!({ "KeyId": key.id, "PendingWindowInDays": DELETION_WINDOW_DAYS });
                self.kms("kms:ScheduleKeyDeletion", &asked).await?;
            }
            // Last: without its alias nobody would find the key again.
            self.kms("kms:DeleteAlias", &json!({ "AliasName": alias })).await.map(drop)
        })
    }

    pub(super) async fn key_is_departing(&self, arn: &str) -> Result<bool> {
        Ok(self.describe_key(arn).await?.state == PENDING)
    }

    async fn describe_key(&self, id: &str) -> Result<Key> {
        let described = self.kms("kms:DescribeKey", &json!({ "KeyId": id })).await?;
        let text = |name: &str| {
            let value = described["KeyMetadata"][name].as_str().map(str::to_owned);
            value.with_context(|| format!("the answer of kms:DescribeKey has no {name}"))
        };
        Ok(Key { id: text("KeyId")?, arn: text("Arn")?, state: text("KeyState")? })
    }

    /// Sends and insists on success.
    async fn kms(&self, name: &'static str, asked: &Value) -> Result<Value> {
        let target = format!("TrentService.{}", name.trim_start_matches("kms:"));
        let call = Call {
            name,
            service: "kms",
            method: Method::POST,
            url: format!("{}/", self.endpoint("kms", "KMS")),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".into()),
                ("x-amz-target", target),
            ],
            body: asked.to_string().into_bytes(),
        };
        let answer = self.send(&call).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(name));
        }
        // Some calls answer nothing at all.
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&answer.body)
            .with_context(|| format!("failed to read the answer of {name}"))
    }
}

/// The state of a key whose deletion was asked for.
const PENDING: &str = "PendingDeletion";

impl Key {
    /// Whether its deletion was asked for, so that nothing can be read with it.
    #[must_use]
    pub fn is_departing(&self) -> bool {
        self.state == PENDING
    }

    /// Whether it encrypts and decrypts.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.state == "Enabled"
    }
}
