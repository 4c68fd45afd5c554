//! Starts the Jobs of a CronJob when they are due, and not those that were due before it existed.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, ObjectMeta};
use kube::{Resource, ResourceExt};

use crate::cluster::{Cluster, is_controlled_by};
use crate::events::EventType::{Normal, Warning};

const COMPONENT: &str = "cronjob-controller";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    cron: Arc<CronJob>,
) -> anyhow::Result<Option<Duration>> {
    let spec = cron.spec.clone().unwrap_or_default();
    let mut status = cron.status.clone().unwrap_or_default();
    let jobs =
        cluster.jobs.select(|job| is_controlled_by(&job.metadata, cron.metadata.uid.as_deref()));
    tidy(&cluster, &spec, &jobs).await?;
    let active: Vec<_> = jobs.iter().filter(|job| outcome(job).is_none()).collect();
    let references: Vec<_> = active.iter().map(|job| job.object_ref(&())).collect();
    status.active = (!references.is_empty()).then_some(references);
    let succeeded = jobs.iter().filter(|job| outcome(job) == Some("Complete"));
    status.last_successful_time = succeeded
        .filter_map(|job| job.status.as_ref()?.completion_time.clone())
        .max_by_key(|Time(time)| *time)
        .or(status.last_successful_time);

    let mut again = None;
    if cron.metadata.deletion_timestamp.is_none() && spec.suspend != Some(true) {
        match next(&cron, &spec, &status) {
            Err(error) => {
                let message = format!("invalid schedule: {error:#}");
                cluster
                    .events
                    .record(COMPONENT, &*cron, (Warning, "InvalidSchedule", &message))
                    .await;
            }
            Ok(due) => {
                let wait = due.duration_since(Timestamp::now());
                if wait.is_positive() {
                    again = Duration::try_from(wait).ok();
                } else {
                    start(&cluster, &cron, &spec, &active, due).await?;
                    status.last_schedule_time = Some(Time(due));
                    again = Some(Duration::from_secs(1));
                }
            }
        }
    }
    if cron.status.as_ref() != Some(&status) {
        let written = CronJob { status: Some(status), ..(*cron).clone() };
        cluster.replace_status(&cluster.cron_jobs, &written).await?;
    }
    Ok(again)
}

/// The first time after the last run, or after the CronJob was made. Of several missed times only
/// the latest counts, as upstream.
fn next(cron: &CronJob, spec: &CronJobSpec, status: &CronJobStatus) -> anyhow::Result<Timestamp> {
    let schedule =
        Cron::from_str(&spec.schedule).with_context(|| format!("`{}`", spec.schedule))?;
    let zone = match &spec.time_zone {
        Some(name) => TimeZone::get(name).with_context(|| format!("time zone `{name}`"))?,
        None => TimeZone::UTC,
    };
    let made = cron.metadata.creation_timestamp.as_ref();
    let since = status.last_schedule_time.as_ref().or(made);
    let since = since.map_or_else(Timestamp::now, |Time(time)| *time);
    let now = Timestamp::now();
    let mut due = schedule.find_next_occurrence(&since.to_zoned(zone.clone()), false)?;
    let mut steps = 0;
    while due.timestamp() <= now && steps < 100 {
        let later = schedule.find_next_occurrence(&due, false)?;
        if later.timestamp() > now {
            break;
        }
        due = later;
        steps += 1;
    }
    Ok(due.timestamp())
}

async fn start(
    cluster: &Cluster,
    cron: &CronJob,
    spec: &CronJobSpec,
    active: &[&Arc<Job>],
    due: Timestamp,
) -> anyhow::Result<()> {
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if !active.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            cluster.events.record(COMPONENT, cron, (Normal, "JobAlreadyActive", message)).await;
            return Ok(());
        }
        Some("Replace") => {
            for job in active {
                cluster.delete(&cluster.jobs, job, &DeleteParams::background()).await?;
            }
        }
        _ => {}
    }
    let template = spec.job_template.clone();
    let from = template.metadata.unwrap_or_default();
    let name = format!("{}-{}", cron.name_any(), due.as_second() / 60);
    let job = Job {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: cron.namespace(),
            labels: from.labels,
            annotations: from.annotations,
            owner_references: cron.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec,
        status: None,
    };
    cluster.create(&cluster.jobs, &job).await?;
    let message = format!("Created job {name}");
    cluster.events.record(COMPONENT, cron, (Normal, "SuccessfulCreate", &message)).await;
    Ok(())
}

/// Deletes finished Jobs beyond the history limits.
async fn tidy(cluster: &Cluster, spec: &CronJobSpec, jobs: &[Arc<Job>]) -> anyhow::Result<()> {
    let limits = [
        ("Complete", spec.successful_jobs_history_limit.unwrap_or(3)),
        ("Failed", spec.failed_jobs_history_limit.unwrap_or(1)),
    ];
    for (kind, limit) in limits {
        let mut finished: Vec<_> = jobs.iter().filter(|job| outcome(job) == Some(kind)).collect();
        finished
            .sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|Time(time)| *time));
        let surplus = finished.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for job in finished.into_iter().take(surplus) {
            cluster.delete(&cluster.jobs, job, &DeleteParams::background()).await?;
        }
    }
    Ok(())
}

fn outcome(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| {
            matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
        })
        .map(|condition| condition.type_.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &str, zone: Option<&str>, last: &str) -> anyhow::Result<Timestamp> {
        let spec = CronJobSpec {
            schedule: schedule.to_owned(),
            time_zone: zone.map(str::to_owned),
            ..CronJobSpec::default()
        };
        let status = CronJobStatus {
            last_schedule_time: Some(Time(last.parse().unwrap())),
            ..CronJobStatus::default()
        };
        next(&CronJob::default(), &spec, &status)
    }

    #[test]
    fn the_next_run_follows_the_last_one() {
        assert_eq!(
            due("15 3 * * *", None, "2999-01-01T03:15:00Z").unwrap().to_string(),
            "2999-01-02T03:15:00Z"
        );
        assert_eq!(
            due("15 3 * * *", Some("Europe/Dublin"), "2999-07-01T02:15:00Z").unwrap().to_string(),
            "2999-07-02T02:15:00Z"
        );
    }

    #[test]
    fn a_malformed_schedule_is_named() {
        let error = due("every day", None, "2999-01-01T00:00:00Z").unwrap_err();
        assert!(format!("{error:#}").contains("every day"), "{error:#}");
    }
}
