//! A plan of a whole environment: what exists already is taken over, where making it would fail or make
//! a second one. Log groups, which AWS makes again after a tear-down deleted them, because a service
//! delivers its last lines late; and what an interrupted run made without hearing of it (`lost`).

use xtask_cloud::Cloud;
use xtask_pipeline::Blocked;
use xtask_tools::{CommandFailure, Secret};

use super::{
    Mode, Terraform,
    lost::{self, Adoption, Doubt, Ownership, Verdict, Way},
    plan::{Deed, Plan},
};
use crate::watch::Watch;

/// A plan that was made.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// Whether there is something to apply.
    pub(crate) changes: bool,
    /// Why it is not to be applied, if it is not.
    pub(crate) blocked: Option<Blocked>,
}

/// Whose environment is planned, and who hears what is taken over.
#[derive(Clone, Copy)]
pub(crate) struct Adopting<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) ours: &'a Ownership,
    pub(crate) tell: &'a dyn Fn(&str),
}

/// What is taken over, and what a person has to decide.
#[derive(Default)]
struct Taking {
    adoptions: Vec<Adoption>,
    /// Tried, and found to be gone or another thing.
    withdrawn: Vec<Adoption>,
    doubts: Vec<Doubt>,
    unfit: Vec<Doubt>,
    strays: Vec<Doubt>,
}

impl Taking {
    /// Adds what is new in a verdict and tells it; whether something more is taken over.
    fn add(&mut self, verdict: Verdict, terraform: &Terraform, tell: &dyn Fn(&str)) -> bool {
        let before = self.adoptions.len();
        for one in verdict.adoptions {
            if !self.withdrawn.contains(&one) && !self.adoptions.contains(&one) {
                let Adoption { address, kind, id } = &one;
                tell(&format!(
                    "AWS has {kind} {id} from an interrupted run: taken over as {address}"
                ));
                self.adoptions.push(one);
            }
        }
        for stray in verdict.strays {
            if !self.strays.contains(&stray) {
                tell(&terraform.told(&stray));
                self.strays.push(stray);
            }
        }
        // Those of an earlier look may be none any more.
        self.doubts = verdict.doubts;
        self.adoptions.len() > before
    }

    /// Lets go of those that `is_wrong`; whether there were any.
    fn withdraw(&mut self, is_wrong: impl Fn(&Adoption) -> bool) -> bool {
        let (wrong, right) = self.adoptions.drain(..).partition(is_wrong);
        self.adoptions = right;
        let wrong: Vec<Adoption> = wrong;
        self.withdrawn.extend(wrong.iter().cloned());
        !wrong.is_empty()
    }
}

impl Terraform {
    /// The plan. What it would create although it exists is taken over instead, named first. `mend`
    /// sees the first plan and says whether it changed the state, so that another one is due.
    pub(crate) fn plan_adopting(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        adopting: Adopting<'_>,
        mend: &dyn Fn(&Plan) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Planned> {
        let Adopting { cloud, tell, .. } = adopting;
        let mut changes = self.plan(watch, password, Mode::Normal)?;
        let mut plan = self.show_plan(watch)?;
        if mend(&plan)? {
            changes = self.plan(watch, password, Mode::Normal)?;
            plan = self.show_plan(watch)?;
        }
        let mut existing = Vec::new();
        for name in wanted(&plan) {
            if cloud.log_groups(name)?.iter().any(|found| found == name) {
                tell(&format!("log group {name} exists already, made by AWS itself: taken over"));
                existing.push(name.to_owned());
            }
        }
        let mut taking = Taking::default();
        let planning = Self { existing_log_groups: existing, ..self.clone() };
        let mut is_due = !planning.existing_log_groups.is_empty();
        loop {
            // What is taken over lets more be seen: the routes of a table, say.
            let verdict = self.lost(&plan, adopting);
            is_due |= taking.add(verdict, self, tell);
            if !is_due {
                return Ok(Planned { plan, changes, blocked: self.blocked(&taking) });
            }
            (plan, changes) = planning.plan_importing(watch, password, &mut taking, tell)?;
            is_due = false;
        }
    }

    /// What AWS has and the state has not.
    pub(crate) fn lost(&self, plan: &Plan, adopting: Adopting<'_>) -> Verdict {
        let Adopting { cloud, ours, tell } = adopting;
        lost::look(plan, cloud, ours, tell).unwrap_or_else(|error| {
            tell(&format!("what an interrupted run may have left in AWS is not known: {error:#}"));
            Verdict::default()
        })
    }

    /// Plans until everything that is taken over stays what it is.
    fn plan_importing(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        taking: &mut Taking,
        tell: &dyn Fn(&str),
    ) -> anyhow::Result<(Plan, bool)> {
        loop {
            let importing = self.importing(&taking.adoptions)?;
            let changes = match importing.plan(watch, password, Mode::Normal) {
                Ok(changes) => changes,
                Err(error) if taking.withdraw(|one| is_gone(&error, one, tell)) => continue,
                Err(error) => return Err(error),
            };
            let plan = importing.show_plan(watch)?;
            let found: Vec<Doubt> =
                taking.adoptions.iter().filter_map(|one| unfit(&plan, one)).collect();
            if !taking.withdraw(|one| unfit(&plan, one).is_some()) {
                return Ok((plan, changes));
            }
            taking.unfit.extend(found);
        }
    }

    /// Why a plan is not to be applied: making what is in doubt would fail, or make a further one.
    fn blocked(&self, taking: &Taking) -> Option<Blocked> {
        let doubts = || taking.doubts.iter().chain(&taking.unfit);
        let told: Vec<String> = doubts().map(|doubt| self.told(doubt)).collect();
        // Never a deletion: the plan tells it again, to whoever has looked.
        let is_adoption = |way: &&Way| matches!(way, Way::Adopt(..));
        let adoption = doubts().flat_map(|doubt| &doubt.ways).find(is_adoption);
        let command = adoption.map_or_else(|| self.planning(), |way| self.way(way));
        let message = format!("{}; nothing was applied", told.join("; "));
        (!told.is_empty()).then_some(Blocked { message, command })
    }

    /// The command line that shows the plan again.
    fn planning(&self) -> String {
        let Some((before, target)) = &self.mend else { return "terraform plan".to_owned() };
        format!("{} plan {target}", before.trim_end_matches(" state"))
    }

    fn told(&self, doubt: &Doubt) -> String {
        let ways = doubt.ways.iter().map(|way| match way {
            Way::Adopt(address, _) => format!("take it over as {address}: {}", self.way(way)),
            Way::Delete(_) => format!("delete it: {}", self.way(way)),
        });
        let ways = ways.collect::<Vec<_>>().join(", or ");
        if ways.is_empty() {
            return format!(
                "{}. It may hold data: compare the two before anything else",
                doubt.sentence
            );
        }
        format!("{}. Look at it, then {ways}", doubt.sentence)
    }

    fn way(&self, way: &Way) -> String {
        match way {
            Way::Adopt(address, id) => {
                self.mending("adopt", &[&format!("'{address}'"), &format!("'{id}'")])
            }
            Way::Delete(command) => command.clone(),
        }
    }

    /// The variable that makes a plan take them over, if there are any.
    pub(super) fn adopted(&self) -> Option<String> {
        let names = serde_json::json!(self.existing_log_groups);
        (!self.existing_log_groups.is_empty()).then(|| format!("-var=existing_log_groups={names}"))
    }
}

/// Whether Terraform found nothing under the id: AWS lists some things after they were deleted.
fn is_gone(error: &anyhow::Error, one: &Adoption, tell: &dyn Fn(&str)) -> bool {
    let lines = error.downcast_ref::<CommandFailure>().map(|failure| failure.tail.join("\n"));
    let lines = lines.unwrap_or_default();
    let gone = lines.contains("Cannot import non-existent remote object")
        && lines.contains(&format!("\"{}\"", one.address));
    if gone {
        tell(&format!("{} {} is gone: {} is made", one.kind, one.id, one.address));
    }
    gone
}

/// The doubt about something that would have to be replaced: its name is that of ours, but it is not
/// the same.
fn unfit(plan: &Plan, one: &Adoption) -> Option<Doubt> {
    let deeds = plan.deeds();
    let (_, change) = deeds
        .iter()
        .find(|(deed, change)| *deed == Deed::Replace && change.address == one.address)?;
    let path = change.forced_by().unwrap_or_default();
    Some(Doubt {
        sentence: format!(
            "AWS has {} {} with this environment's tags, which is not what {} is to be: it differs in `{path}`",
            one.kind, one.id, one.address
        ),
        ways: lost::deletion(one.kind, &one.id).into_iter().collect(),
    })
}

/// The names of the log groups that a plan creates.
fn wanted(plan: &Plan) -> Vec<&str> {
    let creations = plan.deeds().into_iter().filter(|(deed, change)| {
        *deed == Deed::Create && change.kind == "aws_cloudwatch_log_group"
    });
    creations.filter_map(|(_, change)| change.change.after["name"].as_str()).collect()
}

/// Whether a log group of this name belongs to the environment with these names, whoever made it.
/// No name that another environment's begins with: `supabase-dev` is not `supabase-dev-eu`.
pub(crate) fn is_log_group_of(name_prefix: &str, group: &str) -> bool {
    group == format!("aws-waf-logs-{name_prefix}")
        || folders(name_prefix).iter().any(|folder| group.starts_with(folder))
}

/// What the names of an environment's log groups begin with.
pub(crate) fn log_group_prefixes(name_prefix: &str) -> Vec<String> {
    let mut prefixes = folders(name_prefix);
    prefixes.push(format!("aws-waf-logs-{name_prefix}"));
    prefixes
}

fn folders(name_prefix: &str) -> Vec<String> {
    [
        format!("/aws/containerinsights/{name_prefix}/"),
        format!("/aws/eks/{name_prefix}/"),
        format!("/aws/rds/instance/{name_prefix}/"),
        format!("/aws/rds/instance/{name_prefix}-replica/"),
        format!("/aws/vpc/{name_prefix}/"),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_created_is_looked_for() {
        let change = |kind: &str, name: &str, actions: &[&str]| json!({"address": format!("{kind}.{name}"), "type": kind, "mode": "managed", "change": {"actions": actions, "after": {"name": name}}});
        let changes = [
            change("aws_cloudwatch_log_group", "/aws/eks/supabase-dev/cluster", &["create"]),
            change("aws_cloudwatch_log_group", "aws-waf-logs-supabase-dev", &["update"]),
            change("aws_iam_role", "supabase-dev", &["create"]),
        ];
        let plan = Plan::parse(&json!({"resource_changes": changes}).to_string()).unwrap();
        assert_eq!(wanted(&plan), ["/aws/eks/supabase-dev/cluster"]);
    }

    #[test]
    fn a_neighbours_log_group_is_not_ours() {
        let ours = |group: &str| is_log_group_of("supabase-dev", group);
        assert!(ours("/aws/eks/supabase-dev/cluster"));
        assert!(ours("/aws/rds/instance/supabase-dev-replica/postgresql"));
        assert!(ours("aws-waf-logs-supabase-dev"));
        assert!(!ours("/aws/eks/supabase-dev-eu/cluster"));
        assert!(!ours("aws-waf-logs-supabase-dev-eu"));
        assert!(!ours("RDSOSMetrics"));
    }

    /// Every log group of the modules is found by a tear-down and can be taken over by a deployment.
    #[test]
    fn every_log_group_of_the_code_is_known() {
        let terraform = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
        let adoption = fs::read_to_string(terraform.join("adoption.tf")).unwrap();
        let mut seen = 0;
        for module in fs::read_dir(terraform.join("modules")).unwrap() {
            let module = module.unwrap().path();
            for file in fs::read_dir(&module).unwrap() {
                let text = fs::read_to_string(file.unwrap().path()).unwrap();
                for resource in text.split("resource \"aws_cloudwatch_log_group\" \"").skip(1) {
                    let label = resource.split('"').next().unwrap();
                    let module = module.file_name().unwrap().to_str().unwrap();
                    let address = format!(".aws_cloudwatch_log_group.{label}");
                    let imported = adoption.lines().any(|line| {
                        line.contains(&format!("module.{module}")) && line.contains(&address)
                    });
                    assert!(imported, "adoption.tf imports no {module}{address}");
                    let start = ["/aws/", "aws-waf-logs-"].map(|start| format!("\"{start}"));
                    let name = resource.find(&start[0]).or_else(|| resource.find(&start[1]));
                    let name = resource[name.unwrap() + 1..].split('"').next().unwrap();
                    let filled =
                        ["${var.name}", "${var.name_prefix}", "${var.cluster_name}", "${pair[0]}"]
                            .iter()
                            .fold(name.to_owned(), |name, hole| name.replace(hole, "supabase-dev"));
                    assert!(is_log_group_of("supabase-dev", &filled), "{filled} is not looked for");
                    seen += 1;
                }
            }
        }
        assert!(seen >= 5, "only {seen} log groups found");
    }
}
