//! Log groups that AWS makes again after a tear-down deleted them, because a service delivers its last
//! lines late. A deployment takes them over, where creating them would fail each time.

use xtask_cloud::Cloud;
use xtask_tools::Secret;

use super::{
    Mode, Terraform,
    plan::{Deed, Plan},
};
use crate::watch::Watch;

impl Terraform {
    /// The plan, and whether there is something to apply. A log group that the plan would create although it exists is
    /// taken over instead, named to `tell` first.
    pub(crate) fn plan_adopting(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        cloud: &Cloud,
        tell: &dyn Fn(&str),
    ) -> anyhow::Result<(Plan, bool)> {
        let changes = self.plan(watch, password, Mode::Normal)?;
        let plan = self.show_plan(watch)?;
        let mut existing = Vec::new();
        for name in wanted(&plan) {
            if cloud.log_groups(name)?.iter().any(|found| found == name) {
                tell(&format!("log group {name} exists already, made by AWS itself: taken over"));
                existing.push(name.to_owned());
            }
        }
        if existing.is_empty() {
            return Ok((plan, changes));
        }
        let adopting = Self { existing_log_groups: existing, ..self.clone() };
        let changes = adopting.plan(watch, password, Mode::Normal)?;
        Ok((adopting.show_plan(watch)?, changes))
    }

    /// The variable that makes a plan take them over, if there are any.
    pub(super) fn adopted(&self) -> Option<String> {
        let names = serde_json::json!(self.existing_log_groups);
        (!self.existing_log_groups.is_empty()).then(|| format!("-var=existing_log_groups={names}"))
    }
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
