//! A Terraform plan as data: the parts of `terraform show -json` that decisions are made from.
//!
//! Source: "JSON Output Format", Terraform documentation, format version 1.x.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The plan file's JSON form.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Plan {
    #[serde(default)]
    pub(crate) resource_changes: Vec<Change>,
    /// What differs between the state and the world, found while refreshing.
    #[serde(default)]
    pub(crate) resource_drift: Vec<Change>,
}

/// One resource and what happens to it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Change {
    pub(crate) address: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `managed` or `data`.
    #[serde(default)]
    pub(crate) mode: String,
    /// Why Terraform decided so, where that is not plain from the values.
    #[serde(default)]
    pub(crate) action_reason: Option<String>,
    pub(crate) change: Values,
}

/// Before and after, and what Terraform does about it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Values {
    pub(crate) actions: Vec<String>,
    /// What exists already and is taken over.
    #[serde(default)]
    importing: Option<Value>,
    #[serde(default)]
    pub(crate) before: Value,
    #[serde(default)]
    pub(crate) after: Value,
    /// The same shape with `true` where a value is sensitive; `false` or absent where nothing is.
    #[serde(default)]
    pub(crate) before_sensitive: Value,
    #[serde(default)]
    pub(crate) after_sensitive: Value,
    /// The attributes that force a replacement, each as a path.
    #[serde(default)]
    pub(crate) replace_paths: Vec<Vec<Value>>,
}

/// What happens to a resource, the gravest first: the order in which people have to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Destroy,
    Replace,
    /// Stays in AWS, but Terraform lets go of it: nobody tears it down later.
    Forget,
    Update,
    /// Exists already, and Terraform takes it over as it is.
    Import,
    Create,
}

impl Deed {
    pub(crate) const ALL: [Self; 6] =
        [Self::Destroy, Self::Replace, Self::Forget, Self::Update, Self::Import, Self::Create];

    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Replace => "replace",
            Self::Forget => "forget",
            Self::Update => "update",
            Self::Import => "import",
            Self::Create => "create",
        }
    }
}

impl Plan {
    /// # Errors
    /// When the text is not a plan's JSON.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("failed to read the plan's JSON: {error}"))
    }

    /// The managed resources that this plan touches, the gravest deed first, then by address.
    pub(crate) fn deeds(&self) -> Vec<(Deed, &Change)> {
        let mut deeds: Vec<_> = self
            .resource_changes
            .iter()
            .filter_map(|change| change.deed().map(|deed| (deed, change)))
            .collect();
        deeds.sort_by(|(a, left), (b, right)| {
            a.cmp(b).then_with(|| left.address.cmp(&right.address))
        });
        deeds
    }
}

/// One line of a plan, for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    action: &'static str,
    address: &'a str,
    forced_by: Option<String>,
}

impl Plan {
    /// The deeds as plain data: addresses only, no values.
    pub(crate) fn summary(&self) -> Vec<Summary<'_>> {
        let deeds = self.deeds().into_iter();
        deeds
            .map(|(deed, change)| Summary {
                action: deed.verb(),
                address: &change.address,
                forced_by: change.forced_by(),
            })
            .collect()
    }
}

impl Change {
    /// None for data sources and for resources that stay as they are.
    pub(crate) fn deed(&self) -> Option<Deed> {
        if self.mode == "data" {
            return None;
        }
        let has = |action: &str| self.change.actions.iter().any(|found| found == action);
        if has("forget") {
            return Some(Deed::Forget);
        }
        match (has("delete"), has("create"), has("update")) {
            (true, true, _) => Some(Deed::Replace),
            (true, false, _) => Some(Deed::Destroy),
            (false, true, _) => Some(Deed::Create),
            (false, false, true) => Some(Deed::Update),
            _ => self.change.importing.as_ref().map(|_| Deed::Import),
        }
    }

    /// Whether its creation was begun and never reported as done.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.action_reason.as_deref() == Some("replace_because_tainted")
    }

    /// The attribute that forces the replacement, if any: `engine`, `tags.Name`.
    pub(crate) fn forced_by(&self) -> Option<String> {
        let path = self.change.replace_paths.first()?;
        let parts =
            path.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned));
        Some(parts.collect::<Vec<_>>().join("."))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Deed, Plan};

    #[test]
    fn what_terraform_lets_go_of_is_a_deed() {
        let deeds = |actions: &[&str]| {
            let change = json!({"address": "a.b", "type": "a", "mode": "managed", "change": {"actions": actions}});
            let plan = Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap();
            plan.deeds().into_iter().map(|(deed, _)| deed).collect::<Vec<_>>()
        };
        assert_eq!(deeds(&["forget"]), [Deed::Forget]);
        assert_eq!(deeds(&["create", "forget"]), [Deed::Forget]);
        assert_eq!(deeds(&["delete", "create"]), [Deed::Replace]);
        assert_eq!(deeds(&["no-op"]), []);
    }

    #[test]
    fn what_terraform_takes_over_is_a_deed() {
        let deeds = |action: &str| {
            let change = json!({"actions": [action], "importing": {"id": "k-1"}});
            let change =
                json!({"address": "a.b", "type": "a", "mode": "managed", "change": change});
            let plan = Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap();
            plan.deeds().into_iter().map(|(deed, _)| deed).collect::<Vec<_>>()
        };
        assert_eq!(deeds("no-op"), [Deed::Import]);
        assert_eq!(deeds("update"), [Deed::Update]);
    }
}
