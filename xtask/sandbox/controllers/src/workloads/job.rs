//! Runs the Pods of a Job until enough of them succeeded or too many failed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::DeleteParams;
use kube::{Resource, ResourceExt};

use super::pods::{
    controlled, count, from_template, is_active, is_ready, missing_service_account, phase,
};
use crate::cluster::Cluster;
use crate::events::EventType::{Normal, Warning};
use crate::names;

const COMPONENT: &str = "job-controller";
/// The pause after the first failed Pod; it doubles with each further one. Upstream starts with 10 s.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    job: Arc<Job>,
) -> anyhow::Result<Option<Duration>> {
    let namespace = job.namespace().unwrap_or_default();
    let spec = job.spec.clone().unwrap_or_default();
    let mut status = job.status.clone().unwrap_or_default();
    if let Some(finished) = finished_at(&status) {
        return expire(&cluster, &job, &spec, finished).await;
    }
    if job.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let pods = controlled(&cluster, &namespace, job.metadata.uid.as_deref());
    let in_phase = |wanted: &str| count(pods.iter().filter(|pod| phase(pod) == wanted));
    let active: Vec<_> = pods.iter().filter(|pod| is_active(pod)).cloned().collect();
    let (succeeded, failed) = (in_phase("Succeeded"), in_phase("Failed"));
    let now = jiff::Timestamp::now();
    if spec.suspend != Some(true) {
        status.start_time.get_or_insert(Time(now));
    }

    let verdict = judge(&spec, &status, &pods, succeeded, failed);
    let mut again = spec.active_deadline_seconds.and_then(|limit| left(&status, limit));
    let wanted = match &verdict {
        Verdict::GoesOn if spec.suspend == Some(true) => 0,
        Verdict::GoesOn => {
            let rest = spec.completions.map_or(i32::MAX, |completions| completions - succeeded);
            // Without `completions`, one success means that no further Pod starts.
            let rest =
                if spec.completions.is_none() && succeeded > 0 { count(&active) } else { rest };
            spec.parallelism.unwrap_or(1).min(rest)
        }
        _ => 0,
    };
    let missing = wanted - count(&active);
    if missing < 0 {
        for pod in active.iter().take(missing.unsigned_abs() as usize) {
            cluster.delete(&cluster.pods, pod, &DeleteParams::default()).await?;
        }
    } else if missing > 0 {
        match pause(&pods, failed, now) {
            Some(pause) => again = Some(again.map_or(pause, |again| again.min(pause))),
            None => {
                for _ in 0..missing {
                    create(&cluster, &job, &spec, &namespace).await?;
                }
            }
        }
    }
    let left_over = controlled(&cluster, &namespace, job.metadata.uid.as_deref());
    let active = left_over.iter().filter(|pod| is_active(pod));
    status.active = some(count(active.clone()));
    status.ready = Some(count(active.filter(|pod| is_ready(pod))));
    status.terminating = Some(0);
    status.succeeded = some(succeeded);
    status.failed = some(failed);
    status.uncounted_terminated_pods = Some(UncountedTerminatedPods::default());
    conclude(&cluster, &job, &mut status, verdict).await?;
    Ok(again)
}

enum Verdict {
    GoesOn,
    Complete,
    Failed { reason: &'static str, message: String },
}

fn judge(
    spec: &JobSpec,
    status: &JobStatus,
    pods: &[Arc<Pod>],
    succeeded: i32,
    failed: i32,
) -> Verdict {
    let active = pods.iter().any(|pod| is_active(pod));
    let enough = spec.completions.map_or(succeeded > 0 && !active, |wanted| succeeded >= wanted);
    if enough {
        return Verdict::Complete;
    }
    if spec.active_deadline_seconds.is_some_and(|limit| left(status, limit).is_none()) {
        let message = "Job was active longer than specified deadline".to_owned();
        return Verdict::Failed { reason: "DeadlineExceeded", message };
    }
    // Containers that a Pod restarts by itself count as well.
    let restarts: i32 = pods
        .iter()
        .filter(|pod| is_active(pod))
        .flat_map(|pod| {
            pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
        })
        .map(|container| container.restart_count)
        .sum();
    if failed + restarts > spec.backoff_limit.unwrap_or(6) {
        let message = "Job has reached the specified backoff limit".to_owned();
        return Verdict::Failed { reason: "BackoffLimitExceeded", message };
    }
    Verdict::GoesOn
}

/// What is left of a deadline that counts from the Job's start.
fn left(status: &JobStatus, limit: i64) -> Option<Duration> {
    let start = status.start_time.as_ref().map_or_else(jiff::Timestamp::now, |Time(time)| *time);
    let left = limit * 1000
        - i64::try_from(jiff::Timestamp::now().duration_since(start).as_millis())
            .unwrap_or(i64::MAX);
    u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
}

/// How long to wait before the next Pod after a failure.
fn pause(pods: &[Arc<Pod>], failed: i32, now: jiff::Timestamp) -> Option<Duration> {
    let last =
        pods.iter().filter(|pod| phase(pod) == "Failed").filter_map(|pod| ended(pod)).max()?;
    let doublings = u32::try_from(failed - 1).unwrap_or(0).min(6);
    let pause = (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
    let since = Duration::try_from(now.duration_since(last)).unwrap_or_default();
    pause.checked_sub(since).filter(|left| !left.is_zero())
}

fn ended(pod: &Pod) -> Option<jiff::Timestamp> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers
        .iter()
        .filter_map(|container| container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref())
        .map(|Time(time)| *time)
        .max()
}

async fn create(
    cluster: &Cluster,
    job: &Job,
    spec: &JobSpec,
    namespace: &str,
) -> anyhow::Result<()> {
    let job_name = job.name_any();
    let name = format!("{}-{}", names::cut(&job_name, 57), names::random_suffix(5));
    if let Some(refusal) =
        missing_service_account(cluster, namespace, &spec.template, &format!("{job_name}-"))
    {
        let message = format!("Error creating: {refusal}");
        cluster.events.record(COMPONENT, job, (Warning, "FailedCreate", &message)).await;
        return Ok(());
    }
    let owner = job.controller_owner_ref(&()).context("a Job without a uid")?;
    let uid = owner.uid.clone();
    let labels = [
        ("batch.kubernetes.io/controller-uid", uid.as_str()),
        ("batch.kubernetes.io/job-name", job_name.as_str()),
        ("controller-uid", uid.as_str()),
        ("job-name", job_name.as_str()),
    ];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let pod = from_template(&spec.template, namespace, name.clone(), owner, labels);
    cluster.create(&cluster.pods, &pod).await?;
    let message = format!("Created pod: {name}");
    cluster.events.record(COMPONENT, job, (Normal, "SuccessfulCreate", &message)).await;
    Ok(())
}

/// Writes the status; a finished Job gets its conditions in the order in which upstream sets them.
async fn conclude(
    cluster: &Cluster,
    job: &Job,
    status: &mut JobStatus,
    verdict: Verdict,
) -> anyhow::Result<()> {
    let (first, last) = match verdict {
        Verdict::GoesOn => {
            if job.status.as_ref() != Some(status) {
                write(cluster, job, status).await?;
            }
            return Ok(());
        }
        Verdict::Complete => {
            let message = "Reached expected number of succeeded pods".to_owned();
            status.completion_time = Some(Time(jiff::Timestamp::now()));
            let event = (Normal, "Completed", "Job completed");
            cluster.events.record(COMPONENT, job, event).await;
            let reason = "CompletionsReached";
            (("SuccessCriteriaMet", reason, message.clone()), ("Complete", reason, message))
        }
        Verdict::Failed { reason, message } => {
            cluster.events.record(COMPONENT, job, (Warning, reason, &message)).await;
            (("FailureTarget", reason, message.clone()), ("Failed", reason, message))
        }
    };
    add_condition(status, first);
    let job = write(cluster, job, status).await?;
    add_condition(status, last);
    write(cluster, &job, status).await?;
    Ok(())
}

fn add_condition(status: &mut JobStatus, (kind, reason, message): (&str, &str, String)) {
    let now = Time(jiff::Timestamp::now());
    let conditions = status.conditions.get_or_insert_default();
    if conditions.iter().any(|condition| condition.type_ == kind) {
        return;
    }
    conditions.push(JobCondition {
        type_: kind.to_owned(),
        status: "True".to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_probe_time: Some(now.clone()),
        last_transition_time: Some(now),
    });
}

async fn write(cluster: &Cluster, job: &Job, status: &JobStatus) -> anyhow::Result<Job> {
    let written = Job { status: Some(status.clone()), ..job.clone() };
    cluster.replace_status(&cluster.jobs, &written).await?;
    let namespace = job.namespace().unwrap_or_default();
    let current = cluster.jobs.get(&namespace, &job.name_any());
    Ok(current.map_or(written, |job| (*job).clone()))
}

fn some(number: i32) -> Option<i32> {
    (number != 0).then_some(number)
}

fn finished_at(status: &JobStatus) -> Option<jiff::Timestamp> {
    let condition = status.conditions.iter().flatten().find(|condition| {
        matches!(condition.type_.as_str(), "Complete" | "Failed") && condition.status == "True"
    })?;
    let Time(time) = condition.last_transition_time.as_ref()?;
    Some(*time)
}

/// Deletes a finished Job once its time to live is over.
async fn expire(
    cluster: &Cluster,
    job: &Job,
    spec: &JobSpec,
    finished: jiff::Timestamp,
) -> anyhow::Result<Option<Duration>> {
    let Some(ttl) = spec.ttl_seconds_after_finished else { return Ok(None) };
    let left = i64::from(ttl) - jiff::Timestamp::now().duration_since(finished).as_secs();
    match u64::try_from(left) {
        Ok(left) if left > 0 => Ok(Some(Duration::from_secs(left))),
        _ => {
            cluster.delete(&cluster.jobs, job, &DeleteParams::background()).await?;
            Ok(None)
        }
    }
}
