//! Upgrades that AWS refuses half-way through an apply, or that nobody asked for: seen in the plan.

use super::plan::{Change, Deed, Plan};
use crate::exit::Exit;

/// # Errors
/// Names the upgrade that a plan may not do, and how it is done.
pub(super) fn check(plan: &Plan) -> anyhow::Result<()> {
    let updates = plan.deeds().into_iter().filter(|(deed, _)| *deed == Deed::Update);
    for (_, change) in updates {
        let refused = match change.kind.as_str() {
            "aws_eks_cluster" => kubernetes(change),
            "aws_db_instance" => postgres(change),
            _ => None,
        };
        if let Some(refused) = refused {
            return Err(Exit::Refused.error(format!(
                "the plan would take {} {refused}; nothing was applied",
                change.address
            )));
        }
    }
    Ok(())
}

/// EKS goes up one minor at a time, and never down.
fn kubernetes(change: &Change) -> Option<String> {
    let (before, after) = versions(change, "version")?;
    let minor = |version: &str| version.split('.').nth(1)?.parse::<u32>().ok();
    let (from, to) = (minor(&before)?, minor(&after)?);
    if to == from || to == from + 1 {
        return None;
    }
    Some(format!(
        "from Kubernetes {before} to {after}, and EKS goes up one minor at a time and never down: set \
         kubernetes_version to \"1.{}\"",
        from + 1
    ))
}

/// A new major version of the database is asked for by name, and there is no way back but a snapshot.
fn postgres(change: &Change) -> Option<String> {
    let (before, after) = versions(change, "engine_version")?;
    let major = |version: &str| version.split('.').next()?.parse::<u32>().ok();
    let (from, to) = (major(&before)?, major(&after)?);
    if to < from {
        return Some(format!(
            "from PostgreSQL {from} back to {to}, which RDS cannot: restore a snapshot from before the upgrade, or \
             set postgres_version to \"{from}\""
        ));
    }
    let is_asked_for = change.change.after["allow_major_version_upgrade"] == true;
    (to > from && !is_asked_for).then(|| {
        format!(
            "from PostgreSQL {from} to {to}, for some minutes out of service and without a way back but a snapshot: if \
             that is what you want, set database.upgrade_to = \"{to}\" as well, and take it out afterwards"
        )
    })
}

fn versions(change: &Change, attribute: &str) -> Option<(String, String)> {
    let text = |value: &serde_json::Value| value[attribute].as_str().map(str::to_owned);
    Some((text(&change.change.before)?, text(&change.change.after)?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Exit, Plan, check};

    fn refusal(kind: &str, before: &Value, after: &Value) -> Option<String> {
        let change = json!({
            "address": format!("module.x.{kind}.this"), "type": kind, "mode": "managed",
            "change": {"actions": ["update"], "before": before, "after": after},
        });
        let plan = Plan::parse(&json!({"resource_changes": [change]}).to_string()).unwrap();
        let error = check(&plan).err()?;
        assert_eq!(Exit::of(&error), Exit::Refused);
        Some(error.to_string())
    }

    #[test]
    fn kubernetes_goes_up_one_minor_at_a_time() {
        let cluster = |before: &str, after: &str| {
            refusal("aws_eks_cluster", &json!({"version": before}), &json!({"version": after}))
        };
        assert_eq!(cluster("1.35", "1.36"), None);
        assert_eq!(cluster("1.35", "1.35"), None);
        assert!(cluster("1.34", "1.36").unwrap().contains("kubernetes_version to \"1.35\""));
        assert!(cluster("1.36", "1.35").unwrap().contains("never down"));
    }

    #[test]
    fn a_major_version_of_the_database_is_asked_for_by_name() {
        let database = |before: &str, after: &str, allowed: bool| {
            let after = json!({"engine_version": after, "allow_major_version_upgrade": allowed});
            refusal("aws_db_instance", &json!({"engine_version": before}), &after)
        };
        assert_eq!(database("17", "17", false), None);
        assert_eq!(database("17.5", "17.6", false), None);
        assert_eq!(database("17", "18", true), None);
        assert!(database("17", "18", false).unwrap().contains("database.upgrade_to = \"18\""));
        assert!(database("18", "17", true).unwrap().contains("snapshot"));
    }
}
