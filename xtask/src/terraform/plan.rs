//! A Terraform plan as data: the parts of `terraform show -json` that decisions are made from.
//!
//! Source: "JSON Output Format", Terraform documentation, format version 1.x.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::state::State;

/// The plan file's JSON form.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Plan {
    #[serde(default)]
    pub(crate) resource_changes: Vec<Change>,
    /// What differs between the state and the world, found while refreshing.
    #[serde(default)]
    pub(crate) resource_drift: Vec<Change>,
    #[serde(default)]
    output_changes: BTreeMap<String, OutputChange>,
    /// What AWS has of all that the state holds, refreshed.
    #[serde(default)]
    pub(super) prior_state: State,
}

#[derive(Debug, Clone, Deserialize)]
struct OutputChange {
    actions: Vec<String>,
    #[serde(default)]
    before_sensitive: Value,
    #[serde(default)]
    after_sensitive: Value,
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
    /// Where the state has it now, when the code has moved it.
    #[serde(default)]
    pub(crate) previous_address: Option<String>,
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
    /// Stays as it is, under another address.
    Move,
}

impl Deed {
    /// Those that are always counted.
    pub(crate) const USUAL: [Self; 4] = [Self::Destroy, Self::Replace, Self::Update, Self::Create];

    /// In the order in which they are told.
    pub(crate) const ALL: [Self; 7] = [
        Self::Destroy,
        Self::Replace,
        Self::Forget,
        Self::Update,
        Self::Import,
        Self::Create,
        Self::Move,
    ];

    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Replace => "replace",
            Self::Forget => "forget",
            Self::Update => "update",
            Self::Import => "import",
            Self::Create => "create",
            Self::Move => "move",
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

impl Plan {
    /// The outputs that change, in value or in being sensitive.
    pub(crate) fn changed_outputs(&self) -> Vec<&str> {
        let changes = |output: &OutputChange| {
            output.actions.iter().any(|action| action != "no-op")
                || output.before_sensitive != output.after_sensitive
        };
        let changed = self.output_changes.iter().filter(|(_, output)| changes(output));
        changed.map(|(name, _)| name.as_str()).collect()
    }
}

/// One line of a plan, for machines.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    action: &'static str,
    /// Of a resource, or `output.<name>`.
    address: Cow<'a, str>,
    forced_by: Option<String>,
    moved_from: Option<&'a str>,
}

impl Plan {
    /// The deeds as plain data: addresses only, no values.
    pub(crate) fn summary(&self) -> Vec<Summary<'_>> {
        let deeds = self.deeds().into_iter().map(|(deed, change)| Summary {
            action: deed.verb(),
            address: Cow::from(&change.address),
            forced_by: change.forced_by(),
            moved_from: change.previous_address.as_deref(),
        });
        let outputs = self.changed_outputs().into_iter().map(|name| Summary {
            action: "change",
            address: Cow::from(format!("output.{name}")),
            forced_by: None,
            moved_from: None,
        });
        deeds.chain(outputs).collect()
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
            _ if self.change.importing.is_some() => Some(Deed::Import),
            _ if self.previous_address.is_some() => Some(Deed::Move),
            _ => None,
        }
    }

    /// What is to be known of a deed beside its address; empty where there is nothing.
    pub(crate) fn remarks(&self) -> String {
        let mut remarks = Vec::new();
        if self.is_unfinished() {
            remarks.push(
                "left unfinished by an interrupted run; a deployment completes it".to_owned(),
            );
        } else if let Some(path) = self.forced_by() {
            remarks.push(format!("forced by `{path}`"));
        }
        if let Some(id) =
            self.change.importing.as_ref().and_then(|importing| importing["id"].as_str())
        {
            remarks.push(format!("takes over `{id}`"));
        }
        if let Some(previous) = &self.previous_address {
            remarks.push(format!("moved from `{previous}`"));
        }
        remarks.join(", ")
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

    #[test]
    fn what_is_adopted_moved_or_put_out_is_seen() {
        let change = |more: serde_json::Value| {
            let mut change = json!({"address": "a.b", "type": "a", "mode": "managed", "change": {"actions": ["no-op"]}});
            change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap()
        };
        let adopting =
            change(json!({"change": {"actions": ["no-op"], "importing": {"id": "vpc-1"}}}));
        assert_eq!(adopting.deeds()[0].0, Deed::Import);
        assert_eq!(adopting.deeds()[0].1.remarks(), "takes over `vpc-1`");
        let moving = change(json!({"previous_address": "a.c"}));
        assert_eq!(moving.deeds()[0].0, Deed::Move);
        assert_eq!(moving.deeds()[0].1.remarks(), "moved from `a.c`");
        let outputs = json!({"output_changes": {
            "same": {"actions": ["no-op"], "before_sensitive": false, "after_sensitive": false},
            "new": {"actions": ["create"]},
            "hidden": {"actions": ["no-op"], "before_sensitive": false, "after_sensitive": true},
        }});
        let plan = Plan::parse(&outputs.to_string()).unwrap();
        assert_eq!(plan.changed_outputs(), ["hidden", "new"]);
        assert_eq!(plan.summary().len(), 2);
    }
}
