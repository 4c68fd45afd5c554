//! Log groups by their names: services make some of them, without a tag that tells whose they are.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Cloud, signed::Answer};
use crate::runtime::block_on;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    log_groups: Vec<LogGroup>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
}

impl Cloud {
    /// The names of the log groups whose names begin so.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn log_groups(&self, prefix: &str) -> Result<Vec<String>> {
        block_on(self.log_groups_named(prefix))
    }

    pub(super) async fn log_groups_named(&self, prefix: &str) -> Result<Vec<String>> {
        let name = "logs:DescribeLogGroups";
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let mut body = json!({ "logGroupNamePrefix": prefix });
            if let Some(token) = token {
                body["nextToken"] = token;
            }
            let answer = self.ask_logs(name, "DescribeLogGroups", &body).await?;
            if !answer.status.is_success() {
                return Err(answer.refusal(name));
            }
            let page: Page = serde_json::from_str(&answer.body)
                .with_context(|| format!("failed to read the answer of {name}"))?;
            found.extend(page.log_groups.into_iter().map(|group| group.log_group_name));
            match page.next_token {
                Some(next) if !next.is_empty() => token = Some(Value::String(next)),
                _ => return Ok(found),
            }
        }
    }

    /// Deletes a log group; one that is not there is none to delete.
    ///
    /// # Errors
    /// When AWS refuses or is not reached.
    pub fn delete_log_group(&self, group: &str) -> Result<()> {
        let name = "logs:DeleteLogGroup";
        let body = json!({ "logGroupName": group });
        let answer = block_on(self.ask_logs(name, "DeleteLogGroup", &body))?;
        if answer.status.is_success() || answer.json_error().0 == "ResourceNotFoundException" {
            return Ok(());
        }
        Err(answer.refusal(name).context(format!("failed to delete log group `{group}`")))
    }

    async fn ask_logs(&self, name: &'static str, action: &str, body: &Value) -> Result<Answer> {
        let target = format!("Logs_20140328.{action}");
        self.ask_json(name, ("logs", "CLOUDWATCH_LOGS"), &target, body).await
    }
}
