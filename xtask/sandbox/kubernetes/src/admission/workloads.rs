//! Defaults of the kinds that make Pods.

use serde_json::{Value, json};

use super::pod::default_spec;
use crate::{
    resources::Resource,
    value::{at, at_mut, default, text},
};

/// Defaults of the groups `apps` and `batch`.
pub(super) fn default_workload(resource: &Resource, object: &mut Value) {
    match resource.kind.as_str() {
        "Deployment" => {
            default(object, "spec.replicas", 1);
            default(object, "spec.strategy.type", "RollingUpdate");
            if text(object, "spec.strategy.type") == "RollingUpdate" {
                default(object, "spec.strategy.rollingUpdate.maxUnavailable", "25%");
                default(object, "spec.strategy.rollingUpdate.maxSurge", "25%");
            }
            default(object, "spec.revisionHistoryLimit", 10);
            default(object, "spec.progressDeadlineSeconds", 600);
        }
        "ReplicaSet" => default(object, "spec.replicas", 1),
        "StatefulSet" => {
            default(object, "spec.replicas", 1);
            default(object, "spec.podManagementPolicy", "OrderedReady");
            default(object, "spec.updateStrategy.type", "RollingUpdate");
            if text(object, "spec.updateStrategy.type") == "RollingUpdate" {
                default(object, "spec.updateStrategy.rollingUpdate.partition", 0);
            }
            default(object, "spec.revisionHistoryLimit", 10);
            default(object, "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Retain");
            default(object, "spec.persistentVolumeClaimRetentionPolicy.whenScaled", "Retain");
            for claim in crate::value::items_mut(object, "spec.volumeClaimTemplates") {
                default(claim, "apiVersion", "v1");
                default(claim, "kind", "PersistentVolumeClaim");
                default(claim, "spec.volumeMode", "Filesystem");
                default(claim, "status.phase", "Pending");
            }
        }
        "DaemonSet" => {
            default(object, "spec.updateStrategy.type", "RollingUpdate");
            if text(object, "spec.updateStrategy.type") == "RollingUpdate" {
                default(object, "spec.updateStrategy.rollingUpdate.maxUnavailable", 1);
                default(object, "spec.updateStrategy.rollingUpdate.maxSurge", 0);
            }
            default(object, "spec.revisionHistoryLimit", 10);
        }
        "Job" => default_job(object),
        "CronJob" => {
            default(object, "spec.concurrencyPolicy", "Allow");
            default(object, "spec.suspend", false);
            default(object, "spec.successfulJobsHistoryLimit", 3);
            default(object, "spec.failedJobsHistoryLimit", 1);
        }
        _ => return,
    }
    let template =
        if resource.kind == "CronJob" { "spec.jobTemplate.spec.template" } else { "spec.template" };
    if at(object, template).is_object() {
        default(object, &format!("{template}.spec"), json!({}));
    }
    if let Some(spec) = at_mut(object, &format!("{template}.spec")) {
        default_spec(spec);
    }
}

fn default_job(object: &mut Value) {
    if at(object, "spec.completions").is_null() && at(object, "spec.parallelism").is_null() {
        default(object, "spec.completions", 1);
    }
    default(object, "spec.parallelism", 1);
    // Where a failure policy decides, a Pod is replaced only once it is gone.
    let policy = at(object, "spec.podFailurePolicy").is_object();
    default(
        object,
        "spec.podReplacementPolicy",
        if policy { "Failed" } else { "TerminatingOrFailed" },
    );
    default(object, "spec.completionMode", "NonIndexed");
    default(object, "spec.suspend", false);
    default(object, "spec.manualSelector", false);
    if at(object, "spec.backoffLimitPerIndex").is_null() {
        default(object, "spec.backoffLimit", 6);
    } else {
        default(object, "spec.backoffLimit", i32::MAX);
    }
}
