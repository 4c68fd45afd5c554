//! Refuses to delete, replace or let go of what holds data, unless a person named the very address.

use super::{
    plan::{Change, Deed, Plan},
    upgrades,
};
use crate::exit::Exit;

/// Resource types that hold data or that data cannot be read without.
const PROTECTED: [&str; 8] = [
    "aws_backup_vault",
    "aws_db_instance",
    "aws_eks_cluster",
    "aws_kms_key",
    "aws_rds_cluster",
    "aws_s3_bucket",
    "aws_ssm_parameter",
    "aws_vpc",
];

/// Types of which Terraform does not tell whether AWS failed to make them. They hold nothing and are
/// deleted before they are made again.
const FAILS_UNSEEN: [&str; 1] = ["aws_eks_addon"];

/// # Errors
/// Names every protected resource that the plan would destroy, replace or forget, and why.
pub(crate) fn check(plan: &Plan, allowed: &[String]) -> anyhow::Result<()> {
    upgrades::check(plan)?;
    let refused: Vec<String> = endangered(plan, allowed)
        .map(|(deed, change)| {
            let why =
                change.forced_by().map(|path| format!(" (forced by `{path}`)")).unwrap_or_default();
            format!("{} {}{why}", deed.verb(), change.address)
        })
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Exit::Refused.error(format!(
        "the plan would {}; nothing was applied. If that is what you want, name each one: --allow-destroy '<address>'",
        refused.join(", ")
    )))
}

/// The resources that the plan would replace only because an interrupted run had begun to make them.
/// They are to be completed, whatever their type: many can be there only once, and a database in the
/// making is protected against deletion like any other. What AWS itself gave up on is left to be
/// replaced.
pub(crate) fn unfinished(plan: &Plan, allowed: &[String]) -> Vec<String> {
    plan.deeds()
        .into_iter()
        .filter(|(deed, change)| *deed == Deed::Replace && change.is_unfinished())
        .filter(|(_, change)| !allowed.contains(&change.address) && !gave_up(change))
        .map(|(_, change)| change.address.clone())
        .collect()
}

/// Whether AWS failed to make it: comparing would find nothing to do and leave it broken for ever.
fn gave_up(change: &Change) -> bool {
    if FAILS_UNSEEN.contains(&change.kind.as_str()) {
        return true;
    }
    ["status", "state"].iter().any(|name| {
        let found = change.change.before[*name].as_str().unwrap_or_default();
        found.to_ascii_lowercase().contains("fail")
    })
}

/// What becomes of a reviewed plan when it would make anew what is completed instead. `plan` is the
/// command line that makes the next one.
pub(crate) fn out_of_date(completed: &[String], plan: &str) -> anyhow::Error {
    Exit::Refused.error(format!(
        "completed {}, which an interrupted run had left unfinished: the reviewed plan is out of date now, make and \
         review a new one: `{plan} --out <file>`",
        completed.join(", ")
    ))
}

/// What becomes of a reviewed plan that would make what AWS has already, from an interrupted run.
pub(crate) fn out_of_date_by_finds(plan: &str) -> anyhow::Error {
    Exit::Refused.error(format!(
        "AWS has what the reviewed plan would make: make and review a new one, which takes it over: `{plan} --out \
         <file>`"
    ))
}

fn endangered<'a>(
    plan: &'a Plan,
    allowed: &'a [String],
) -> impl Iterator<Item = (Deed, &'a Change)> {
    let named = |change: &Change| allowed.contains(&change.address);
    plan.deeds()
        .into_iter()
        .filter(|(deed, _)| matches!(deed, Deed::Destroy | Deed::Replace | Deed::Forget))
        .filter(move |(_, change)| PROTECTED.contains(&change.kind.as_str()) && !named(change))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Plan, check, out_of_date, unfinished};
    use crate::exit::Exit;

    fn plan(kind: &str, actions: &[&str]) -> Plan {
        let json = json!({"resource_changes": [{
            "address": format!("module.x.{kind}.this"), "type": kind, "mode": "managed",
            "change": {"actions": actions, "replace_paths": [["engine"]]},
        }]});
        Plan::parse(&json.to_string()).unwrap()
    }

    #[test]
    fn a_protected_resource_stays_unless_named() {
        let replacing = plan("aws_db_instance", &["delete", "create"]);
        let text = check(&replacing, &[]).unwrap_err().to_string();
        assert!(
            text.contains("replace module.x.aws_db_instance.this (forced by `engine`)"),
            "{text}"
        );
        assert!(check(&replacing, &["module.x.aws_db_instance.this".to_owned()]).is_ok());
        assert!(check(&replacing, &["module.x.aws_db_instance.that".to_owned()]).is_err());
    }

    #[test]
    fn an_upgrade_that_nobody_asked_for_is_refused() {
        let mut plan = plan("aws_db_instance", &["update"]);
        plan.resource_changes[0].change.before = json!({"engine_version": "17"});
        plan.resource_changes[0].change.after = json!({"engine_version": "18"});
        let error = check(&plan, &[]).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Refused);
        assert!(error.to_string().contains("database.upgrade_to"), "{error}");
    }

    #[test]
    fn what_an_interrupted_run_began_is_told_from_a_real_replacement() {
        for kind in ["aws_kms_key", "aws_subnet", "aws_nat_gateway", "aws_iam_role"] {
            let replacing = plan(kind, &["create", "delete"]);
            assert_eq!(unfinished(&replacing, &[]), [""; 0]);
            let named = [format!("module.x.{kind}.this")];
            assert_eq!(unfinished(&tainted(replacing.clone()), &[]), named);
            assert_eq!(unfinished(&tainted(replacing), &named), [""; 0], "named, so it is meant");
        }
    }

    #[test]
    fn what_aws_gave_up_on_is_replaced() {
        let begun = |kind: &str, status: &str| {
            let mut plan = tainted(plan(kind, &["delete", "create"]));
            plan.resource_changes[0].change.before = json!({"status": status});
            unfinished(&plan, &[]).len()
        };
        assert_eq!(begun("aws_eks_node_group", "CREATE_FAILED"), 0);
        assert_eq!(begun("aws_eks_node_group", "CREATING"), 1);
        assert_eq!(begun("aws_eks_addon", ""), 0, "its status is not among its attributes");
    }

    fn tainted(mut plan: Plan) -> Plan {
        plan.resource_changes[0].action_reason = Some("replace_because_tainted".to_owned());
        plan
    }

    #[test]
    fn a_reviewed_plan_that_is_out_of_date_says_how_to_make_the_next() {
        let error = out_of_date(&["module.x.aws_kms_key.this".to_owned()], "cargo xtask plan dev");
        assert_eq!(Exit::of(&error), Exit::Refused);
        assert!(error.to_string().contains("`cargo xtask plan dev --out <file>`"), "{error}");
    }

    #[test]
    fn other_types_and_gentle_deeds_pass() {
        assert!(check(&plan("aws_db_instance", &["update"]), &[]).is_ok());
        assert!(check(&plan("aws_db_instance", &["create"]), &[]).is_ok());
        assert!(check(&plan("aws_iam_role", &["delete"]), &[]).is_ok());
        assert!(check(&plan("aws_s3_bucket", &["delete"]), &[]).is_err());
    }

    #[test]
    fn what_terraform_would_let_go_of_stays_unless_named() {
        for actions in [&["forget"][..], &["create", "forget"]] {
            let forgetting = plan("aws_db_instance", actions);
            let text = check(&forgetting, &[]).unwrap_err().to_string();
            assert!(text.contains("would forget module.x.aws_db_instance.this"), "{text}");
            assert!(check(&forgetting, &["module.x.aws_db_instance.this".to_owned()]).is_ok());
        }
    }
}
