//! The parameters of a request.

use crate::status::{Answer, Failure};

/// What becomes of fields that the schema does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Validation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// The parameters of a request, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: usize,
    pub(crate) token: String,
    pub(crate) resource_version: String,
    pub(crate) resource_version_match: String,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    pub(crate) send_initial_events: bool,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) dry_run: bool,
    pub(crate) manager: String,
    /// The manager is only the name of the client.
    pub(crate) manager_is_implied: bool,
    pub(crate) validation: Validation,
    pub(crate) force: bool,
    pub(crate) propagation: Option<String>,
    pub(crate) grace_seconds: Option<i64>,
    // Of `pods/NAME/log`.
    pub(crate) container: String,
    pub(crate) follow: bool,
    pub(crate) previous: bool,
    pub(crate) timestamps: bool,
    pub(crate) tail_lines: Option<usize>,
    pub(crate) limit_bytes: Option<usize>,
}

impl Query {
    /// Reads a query string; `agent` is the client's `User-Agent`, who manages fields unless the
    /// request says.
    pub(crate) fn parse(text: &str, agent: &str) -> Answer<Self> {
        let mut query = Self::default();
        for (key, value) in url::form_urlencoded::parse(text.as_bytes()) {
            query.take(&key, &value)?;
        }
        if query.manager.is_empty() {
            query.manager_is_implied = true;
            query.manager = manager_of_agent(agent);
        }
        Ok(query)
    }

    fn take(&mut self, key: &str, value: &str) -> Answer<()> {
        let text = value.to_owned();
        match key {
            "labelSelector" => self.label_selector = text,
            "fieldSelector" => self.field_selector = text,
            "limit" => self.limit = number(key, value)?.unwrap_or_default(),
            "continue" => self.token = text,
            "resourceVersion" => self.resource_version = text,
            "resourceVersionMatch" => self.resource_version_match = text,
            "watch" => self.watch = flag(value),
            "allowWatchBookmarks" => self.bookmarks = flag(value),
            "sendInitialEvents" => self.send_initial_events = flag(value),
            "timeoutSeconds" => self.timeout_seconds = number(key, value)?,
            "dryRun" => self.dry_run = dry_run(value)?,
            "fieldManager" => self.manager = text,
            "fieldValidation" => self.validation = validation(value)?,
            "force" => self.force = flag(value),
            "propagationPolicy" => self.propagation = Some(text),
            "gracePeriodSeconds" => self.grace_seconds = number(key, value)?,
            "container" => self.container = text,
            "follow" => self.follow = flag(value),
            "previous" => self.previous = flag(value),
            "timestamps" => self.timestamps = flag(value),
            "tailLines" => self.tail_lines = number(key, value)?,
            "limitBytes" => self.limit_bytes = number(key, value)?,
            _ => {}
        }
        Ok(())
    }
}

fn flag(value: &str) -> bool {
    matches!(value, "" | "1" | "true" | "True")
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Answer<Option<T>> {
    if value.is_empty() {
        return Ok(None);
    }
    let fault = |_| Failure::bad_request(format!("invalid value {value:?} for parameter {key:?}"));
    value.parse().map(Some).map_err(fault)
}

fn dry_run(value: &str) -> Answer<bool> {
    if value == "All" {
        return Ok(true);
    }
    Err(Failure::unprocessable(format!(
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: {value:?}: supported values: \"All\""
    )))
}

fn validation(value: &str) -> Answer<Validation> {
    Ok(match value {
        "Ignore" => Validation::Ignore,
        "" | "Warn" => Validation::Warn,
        "Strict" => Validation::Strict,
        _ => {
            return Err(Failure::unprocessable(format!(
                "fieldValidation: Unsupported value: {value:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
            )));
        }
    })
}

/// The part of a `User-Agent` before the first slash.
fn manager_of_agent(agent: &str) -> String {
    let name: String = agent.split('/').next().unwrap_or_default().chars().take(128).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_manages_fields_unless_the_request_says_who() {
        let manager = |query: &str, agent: &str| Query::parse(query, agent).unwrap().manager;
        assert_eq!(manager("", "kubectl/v1.33.9 (linux/amd64) kubernetes/abc"), "kubectl");
        assert_eq!(manager("fieldManager=helm", "Helm/4"), "helm");
        assert_eq!(manager("", ""), "unknown");
    }

    #[test]
    fn bad_parameters_are_named() {
        assert!(Query::parse("limit=x", "").unwrap_err().message().contains("\"limit\""));
        assert!(Query::parse("dryRun=Some", "").is_err());
    }
}
