//! Waits for a Job, and brings home what its container left as its last message.

use std::fmt;

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use serde::Serialize;

use super::{
    Cluster, Target,
    fields::{Fields, name},
    kinds, pods,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobReport {
    /// The Pod that ended last.
    pub pod: String,
    /// What its container wrote to its termination log.
    pub termination_message: Option<String>,
    /// Not redacted: the caller does that.
    pub log_tail: Vec<String>,
}

/// A Job that failed for good. Found in the chain of a returned error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFailure {
    pub job: String,
    /// `BackoffLimitExceeded: Job has reached the specified backoff limit`.
    pub reason: String,
    /// Absent when no Pod of the Job is left.
    pub report: Option<JobReport>,
}

impl fmt::Display for JobFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job `{}` failed ({})", self.job, self.reason)?;
        let Some(report) = &self.report else { return Ok(()) };
        if let Some(message) = &report.termination_message {
            write!(f, ": {}", message.trim())?;
        }
        match report.log_tail.as_slice() {
            [] => Ok(()),
            lines => write!(f, "; the last lines of its log:\n{}", lines.join("\n")),
        }
    }
}

impl std::error::Error for JobFailure {}

const LOG_LINES: i64 = 20;

/// What the Job's own status says.
enum End {
    Complete,
    Failed(String),
}

impl Cluster {
    /// Waits until a Job is complete.
    ///
    /// # Errors
    /// [`JobFailure`] when it failed for good; else when the deadline passes or the person asks to
    /// stop.
    pub fn wait_job(&self, namespace: &str, name: &str, wait: &Wait<'_>) -> Result<JobReport> {
        let target = Target::new(kinds::JOB, namespace, name);
        wait_for(wait, &format!("{target} to be complete"), async |seen| {
            let sources =
                vec![self.source_of(&target), self.source(&kinds::POD, Some(namespace), "")];
            let end = until(seen, sources, async |lists| Ok(end_of(lists, &target))).await?;
            // The watch of the Pods may be a moment behind that of the Job: read them anew.
            let report = self.report(namespace, name).await?;
            match end {
                End::Complete => report.with_context(|| {
                    format!("{target} is complete, but no Pod of it is left to tell the result")
                }),
                End::Failed(reason) => {
                    let job = format!("{namespace}/{name}");
                    Err(JobFailure { job, reason, report }.into())
                }
            }
        })
    }

    async fn report(&self, namespace: &str, job: &str) -> Result<Option<JobReport>> {
        let all = self.find_all(&kinds::POD, Some(namespace), "").await?;
        let last = all
            .iter()
            .filter(|pod| belongs_to(pod, job))
            .max_by_key(|pod| (is_over(pod), pod.metadata.creation_timestamp.clone()));
        let Some(pod) = last else { return Ok(None) };
        let status = pod.items("/status/containerStatuses").first();
        let message = status.and_then(|status| {
            status
                .text("/state/terminated/message")
                .or_else(|| status.text("/lastState/terminated/message"))
        });
        let container = status.and_then(|status| status.text("/name"));
        Ok(Some(JobReport {
            pod: name(pod).to_owned(),
            termination_message: message.map(str::to_owned),
            log_tail: self.log_tail(pod, container, false, LOG_LINES).await,
        }))
    }
}

fn end_of(lists: &[Objects], target: &Target) -> Verdict<End> {
    let Some(job) = lists.first().and_then(|jobs| jobs.get(&target.name)) else {
        return Verdict::Waiting(format!("there is no {target}"));
    };
    if job.condition("Complete").is_some_and(|complete| complete.is("True")) {
        return Verdict::Done(End::Complete);
    }
    if let Some(failed) = job.condition("Failed").filter(|failed| failed.is("True")) {
        return Verdict::Done(End::Failed(failed.told()));
    }
    let of_job = lists.get(1).into_iter().flat_map(Objects::values);
    let trouble = of_job
        .filter(|pod| belongs_to(pod, &target.name))
        .find_map(|pod| pods::troubles(pod).into_iter().next());
    Verdict::Waiting(match trouble {
        Some(trouble) => format!("{target} runs ({})", trouble.reason),
        None => format!("{target} runs"),
    })
}

fn belongs_to(pod: &DynamicObject, job: &str) -> bool {
    let labels = pod.metadata.labels.as_ref();
    ["batch.kubernetes.io/job-name", "job-name"]
        .iter()
        .any(|label| labels.and_then(|labels| labels.get(*label)).map(String::as_str) == Some(job))
}

fn is_over(pod: &DynamicObject) -> bool {
    matches!(pod.text("/status/phase"), Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_the_job_said() {
        let report = JobReport {
            pod: "p".into(),
            termination_message: Some("007-passwords.sql: permission denied\n".into()),
            log_tail: vec!["one".into(), "two".into()],
        };
        let failure = JobFailure {
            job: "supabase/bootstrap".into(),
            reason: "BackoffLimitExceeded".into(),
            report: Some(report),
        };
        assert_eq!(
            failure.to_string(),
            "Job `supabase/bootstrap` failed (BackoffLimitExceeded): 007-passwords.sql: permission denied; the last lines of its log:\none\ntwo"
        );
    }
}
