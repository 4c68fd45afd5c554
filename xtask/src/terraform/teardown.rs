//! Before a tear-down: lifts what keeps data safe until then, and touches nothing else.
//!
//! Never an apply of the whole code: that would build the missing half of an environment, and apply
//! whatever changed in the code, only to destroy it afterwards.

use serde_json::Value;
use xtask_tools::Secret;

use super::{
    State, Terraform, follow,
    plan::{Change, Deed, Plan},
};
use crate::{exit::Exit, watch::Watch};

/// What `var.teardown` lifts: resource type, attribute, and its value once lifted.
const LIFTED: [(&str, &str, bool); 3] = [
    ("aws_backup_vault", "force_destroy", true),
    ("aws_db_instance", "deletion_protection", false),
    ("aws_s3_bucket", "force_destroy", true),
];

/// What to do with a plan that lifts protections.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Nothing is protected.
    Nothing,
    /// These are lifted, and nothing else happens.
    Apply(Vec<String>),
    /// It would do more; each of these may be lifted alone.
    Narrow(Vec<String>),
    /// It would do this beside lifting the only one that it is about.
    Refuse(Vec<String>),
}

impl Terraform {
    /// The addresses whose protection was lifted. `way_out` ends the error where a protection cannot
    /// be lifted alone.
    pub(crate) fn unprotect(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        way_out: &str,
    ) -> anyhow::Result<Vec<String>> {
        let targets = protectable(&self.state(watch)?);
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        self.lift(watch, password, &targets, way_out)
    }

    fn lift(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        targets: &[String],
        way_out: &str,
    ) -> anyhow::Result<Vec<String>> {
        let mut plan = self.plan_lifting(watch, password, targets)?;
        let unfinished = unfinished(&plan);
        if !unfinished.is_empty() {
            self.untaint(watch, &unfinished, &|_| ())?;
            plan = self.plan_lifting(watch, password, targets)?;
        }
        match decide(&plan, targets) {
            Decision::Nothing => Ok(Vec::new()),
            Decision::Apply(lifted) => self.apply_plan(watch, password).map(|_| lifted),
            Decision::Narrow(each) => {
                let mut lifted = Vec::new();
                for address in each {
                    lifted.extend(self.lift(watch, password, &[address], way_out)?);
                }
                Ok(lifted)
            }
            Decision::Refuse(beyond) => Err(Exit::Refused.error(format!(
                "lifting the protection of {} would also {}, so it was not applied; {way_out}",
                targets.join(", "),
                counted(&beyond)
            ))),
        }
    }

    fn plan_lifting(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        targets: &[String],
    ) -> anyhow::Result<Plan> {
        self.drop_plan()?;
        let command = |lock| {
            self.command("look what is protected against deletion", watch)
                .args(["plan", "-input=false", "-no-color", lock, "-var=teardown=true"])
                .args(targets.iter().map(|address| format!("-target={address}")))
                .arg(format!("-out={}", self.plan_file().display()))
                .arg(self.variables())
                .secret_env("TF_VAR_database_password", password)
        };
        self.locking(watch, command, |command| follow(command, watch))?;
        self.show_plan(watch)
    }
}

/// The first few, and how many more there are.
fn counted(deeds: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = deeds.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match deeds.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The resources in the state that a protection can be lifted from.
fn protectable(state: &State) -> Vec<String> {
    let managed = state.managed().into_iter();
    let can_be = managed.filter(|resource| LIFTED.iter().any(|(kind, ..)| *kind == resource.kind));
    can_be.map(|resource| resource.address.clone()).collect()
}

/// Whether AWS, or Terraform's own state, keeps this resource from being deleted now.
fn is_protected(change: &Change) -> bool {
    let before = &change.change.before;
    LIFTED.iter().filter(|_| before.is_object()).any(|(kind, attribute, lifted)| {
        let now = before[*attribute] == Value::Bool(true);
        change.kind == *kind && change.mode != "data" && now != *lifted
    })
}

/// Protected resources in the making. Terraform would destroy them, which AWS refuses.
fn unfinished(plan: &Plan) -> Vec<String> {
    let deeds = plan.deeds().into_iter();
    deeds
        .filter(|(_, change)| change.is_unfinished() && is_protected(change))
        .map(|(_, change)| change.address.clone())
        .collect()
}

fn decide(plan: &Plan, targets: &[String]) -> Decision {
    let changes = plan.resource_changes.iter();
    let protected: Vec<String> = changes
        .filter(|change| is_protected(change) && targets.contains(&change.address))
        .map(|change| change.address.clone())
        .collect();
    if protected.is_empty() {
        return Decision::Nothing;
    }
    let beyond: Vec<String> = plan
        .deeds()
        .into_iter()
        .filter(|(deed, change)| !lifts(*deed, change, &protected))
        .map(|(deed, change)| format!("{} {}", deed.verb(), change.address))
        .collect();
    match (beyond.is_empty(), targets.len()) {
        (true, _) => Decision::Apply(protected),
        (false, 1) => Decision::Refuse(beyond),
        (false, _) => Decision::Narrow(protected),
    }
}

/// An update in place of something protected. A new password is none of a tear-down's business: it
/// has a made-up one.
fn lifts(deed: Deed, change: &Change, protected: &[String]) -> bool {
    const VERSION: &str = "password_wo_version";
    let values = &change.change;
    deed == Deed::Update
        && protected.contains(&change.address)
        && values.before[VERSION] == values.after[VERSION]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decision, LIFTED, Plan, State, counted, decide, protectable, unfinished};

    const DATABASE: &str = "module.database.aws_db_instance.primary";
    const BUCKET: &str = "module.storage.module.logs[0].aws_s3_bucket.this";
    const KEY: &str = "module.encryption.aws_kms_key.this";

    fn change(address: &str, actions: &[&str], before: &Value, after: &Value) -> Value {
        let kind = address.rsplit('.').nth(1).unwrap();
        json!({
            "address": address, "type": kind, "mode": "managed",
            "change": {"actions": actions, "before": before, "after": after},
        })
    }

    fn database(actions: &[&str], protected: bool) -> Value {
        let value = |on: bool| json!({"deletion_protection": on, "password_wo_version": 1});
        change(DATABASE, actions, &value(protected), &value(false))
    }

    fn bucket(actions: &[&str]) -> Value {
        change(BUCKET, actions, &json!({"force_destroy": false}), &json!({"force_destroy": true}))
    }

    fn plan(changes: &[Value]) -> Plan {
        Plan::parse(&json!({"resource_changes": changes}).to_string()).unwrap()
    }

    fn decided(changes: &[Value]) -> Decision {
        decide(&plan(changes), &[DATABASE.to_owned(), BUCKET.to_owned()])
    }

    #[test]
    fn protections_are_lifted_together_when_nothing_else_happens() {
        let key = change(KEY, &["no-op"], &json!({}), &json!({}));
        assert_eq!(
            decided(&[database(&["update"], true), key, bucket(&["update"])]),
            Decision::Apply(vec![DATABASE.to_owned(), BUCKET.to_owned()])
        );
    }

    #[test]
    fn what_is_not_protected_is_left_alone() {
        assert_eq!(decided(&[database(&["no-op"], false)]), Decision::Nothing);
        // A database in the making without protection: the destroy deletes it, nobody makes it anew.
        assert_eq!(decided(&[database(&["delete", "create"], false)]), Decision::Nothing);
        // Deleted by hand: nobody makes it for a tear-down.
        assert_eq!(
            decided(&[change(DATABASE, &["create"], &Value::Null, &json!({}))]),
            Decision::Nothing
        );
        let narrowed = [database(&["delete", "create"], false), bucket(&["update"])];
        assert_eq!(decided(&narrowed), Decision::Narrow(vec![BUCKET.to_owned()]));
    }

    #[test]
    fn nothing_is_made_changed_or_replaced_on_the_way() {
        for actions in [&["create"][..], &["update"], &["delete", "create"], &["forget"]] {
            let plan =
                plan(&[database(&["update"], true), change(KEY, actions, &json!({}), &json!({}))]);
            let Decision::Refuse(beyond) = decide(&plan, &[DATABASE.to_owned()]) else {
                panic!("{actions:?} of a dependency was let through")
            };
            assert!(beyond.len() == 1 && beyond[0].ends_with(KEY), "{beyond:?}");
        }
        for actions in [&["delete"][..], &["delete", "create"]] {
            let decided = decide(&plan(&[bucket(actions)]), &[BUCKET.to_owned()]);
            assert!(matches!(decided, Decision::Refuse(_)), "{decided:?}");
        }
    }

    #[test]
    fn a_made_up_password_is_never_set() {
        let value = |on: bool, version: u8| json!({"deletion_protection": on, "password_wo_version": version});
        let rotating = change(DATABASE, &["update"], &value(true, 1), &value(false, 2));
        let decided = decide(&plan(&[rotating]), &[DATABASE.to_owned()]);
        assert!(matches!(decided, Decision::Refuse(_)), "{decided:?}");
    }

    #[test]
    fn only_a_protected_resource_in_the_making_is_completed() {
        let tainted = |mut change: Value| {
            change["action_reason"] = "replace_because_tainted".into();
            plan(&[change])
        };
        let replaced = &["delete", "create"];
        assert_eq!(unfinished(&tainted(database(replaced, true))), [DATABASE]);
        assert_eq!(unfinished(&tainted(database(replaced, false))), [""; 0]);
        assert_eq!(unfinished(&plan(&[database(replaced, true)])), [""; 0]);
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let deeds: Vec<String> = (1..=7).map(|n| format!("update r{n}")).collect();
        assert!(counted(&deeds).ends_with("update r3 and 4 more"), "{}", counted(&deeds));
        assert_eq!(counted(&deeds[..1]), "update r1");
    }

    #[test]
    fn only_what_exists_is_a_target() {
        let resource = |address: &str, mode: &str| json!({"address": address, "type": address.rsplit('.').nth(1), "mode": mode});
        let resources = [resource(KEY, "managed"), resource(BUCKET, "managed")];
        let state =
            json!({"values": {"root_module": {"child_modules": [{"resources": resources}]}}});
        assert_eq!(protectable(&State::parse(&state.to_string()).unwrap()), [BUCKET]);
    }

    /// Every resource of the modules whose protection a variable switches.
    #[test]
    fn every_protection_of_the_code_is_known() {
        let modules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/modules");
        let mut found = std::collections::BTreeSet::new();
        for module in std::fs::read_dir(modules).unwrap() {
            for file in std::fs::read_dir(module.unwrap().path()).unwrap() {
                let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
                let mut kind = "";
                for line in text.lines() {
                    if let Some(rest) = line.strip_prefix("resource \"") {
                        kind = rest.split('"').next().unwrap();
                    }
                    let (name, value) = line.split_once('=').unwrap_or_default();
                    let is_switch = ["force_destroy", "deletion_protection"].contains(&name.trim());
                    if line.starts_with('}') {
                        kind = "";
                    } else if is_switch && value.trim().starts_with("var.") && !kind.is_empty() {
                        found.insert((kind.to_owned(), name.trim().to_owned()));
                    }
                }
            }
        }
        let known = LIFTED.map(|(kind, name, _)| (kind.to_owned(), name.to_owned()));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), known);
    }
}
