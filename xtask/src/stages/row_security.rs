//! Opens the tables that a release has made to `service_role`, where the database cannot do it by itself.
//!
//! Without event triggers a schedule does it, every ten minutes: until then Storage refuses the service key.

use anyhow::Context as _;
use serde_json::{Value, json};
use xtask_cloud::{Cluster, Target, kinds};
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use super::Database;
use crate::{
    context::{Context, NAMESPACE, waiting},
    terraform::Infrastructure,
};

/// The CronJob of `helm/database`.
const SCHEDULE: &str = "supabase-database-row-security";
/// Its run that belongs to the release.
const NOW: &str = "supabase-database-row-security-now";

/// Runs the schedule's Job once.
pub(super) struct CoverRowSecurity;

impl Action<Context> for CoverRowSecurity {
    fn preview(&self) -> Preview {
        Preview::Command(format!(
            "kubectl create job --namespace {NAMESPACE} --from=cronjob/{SCHEDULE} {NOW}"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let database = run.output::<Database>()?;
        if !database.waits_for_schedule() {
            return Ok(Outcome::Skipped(format!(
                "the database does it by {}",
                database.row_security
            )));
        }
        let cluster = context.cluster(&run.output::<Infrastructure>()?)?;
        let schedule = Target::new(kinds::CRON_JOB, NAMESPACE, SCHEDULE);
        let Some(schedule) = cluster.get(&schedule)? else {
            return Ok(Outcome::Skipped("rowSecurity.schedule is empty".to_owned()));
        };
        run_once(&cluster, run, &schedule)
    }
}

fn run_once(cluster: &Cluster, run: &StepRun<'_>, schedule: &Value) -> anyhow::Result<Outcome> {
    // Its last run stayed for its log.
    let target = Target::new(kinds::JOB, NAMESPACE, NOW);
    cluster.delete(&target)?;
    waiting(run, |wait| cluster.wait_gone(&target, wait))?;
    cluster.apply(&job(schedule)?, "xtask", true)?;
    let report = waiting(run, |wait| cluster.wait_job(NAMESPACE, NOW, wait))
        .context("failed to open the release's new tables to service_role")?;
    let made = report.log_tail.last().map(|line| line.trim().to_owned()).unwrap_or_default();
    Ok(match made.as_str() {
        "0" => Outcome::Unchanged("every table was open".to_owned()),
        "1" => Outcome::Changed("made 1 policy or grant".to_owned()),
        made => Outcome::Changed(format!("made {made} policies and grants")),
    })
}

/// The Job that a CronJob would make.
fn job(schedule: &Value) -> anyhow::Result<Value> {
    let template = &schedule["spec"]["jobTemplate"];
    anyhow::ensure!(template["spec"].is_object(), "CronJob `{SCHEDULE}` has no template of a Job");
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": NOW,
            "namespace": NAMESPACE,
            "labels": template["metadata"]["labels"],
        },
        "spec": template["spec"],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_is_what_the_schedule_would_run() {
        let labels = json!({"app.kubernetes.io/component": "row-security"});
        let spec = json!({"backoffLimit": 1, "template": {"spec": {"restartPolicy": "Never"}}});
        let schedule = json!({
            "metadata": {"name": SCHEDULE, "labels": {"of": "the CronJob"}},
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"metadata": {"labels": labels}, "spec": spec}},
        });
        let job = job(&schedule).unwrap();
        assert_eq!((&job["spec"], &job["metadata"]["labels"]), (&spec, &labels));
        assert_eq!(job["metadata"]["name"], NOW);
        assert!(super::job(&json!({"spec": {}})).is_err());
    }
}
