//! Waits for what a release brings: Deployments that are rolled out, an Ingress with an address.

use anyhow::{Result, bail};
use kube::api::DynamicObject;

use super::{
    Cluster, Target, events,
    fields::{Fields, name, selects},
    kinds, pods,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

impl Cluster {
    /// Waits until all Deployments that match `labels` (and there is one at least) are rolled out
    /// and available; returns their names.
    ///
    /// # Errors
    /// When a Deployment gives up (its progress deadline), the deadline passes or the person asks
    /// to stop.
    pub fn wait_deployments(
        &self,
        namespace: &str,
        labels: &str,
        wait: &Wait<'_>,
    ) -> Result<Vec<String>> {
        let awaited = format!("the Deployments of `{namespace}` with {labels} to be available");
        wait_for(wait, &awaited, async |seen| {
            let sources = vec![
                self.source(&kinds::DEPLOYMENT, Some(namespace), labels),
                self.source(&kinds::POD, Some(namespace), ""),
            ];
            until(seen, sources, async |lists| rolled_out(lists)).await
        })
    }

    /// Waits until an Ingress has a load balancer; returns its host name (or address).
    ///
    /// # Errors
    /// When the deadline passes (the error tells the controller's last warning) or the person asks
    /// to stop.
    pub fn wait_ingress(&self, namespace: &str, name: &str, wait: &Wait<'_>) -> Result<String> {
        let target = Target::new(kinds::INGRESS, namespace, name);
        wait_for(wait, &format!("{target} to get a host name"), async |seen| {
            let sources =
                vec![self.source_of(&target), self.source(&kinds::EVENT, Some(namespace), "")];
            until(seen, sources, async |lists| Ok(address(lists, &target))).await
        })
    }
}

fn address(lists: &[Objects], target: &Target) -> Verdict<String> {
    let ingress = lists.first().and_then(|ingresses| ingresses.get(&target.name));
    let Some(ingress) = ingress else {
        return Verdict::Waiting(format!("there is no {target}"));
    };
    let balancers = ingress.items("/status/loadBalancer/ingress");
    let address = balancers.iter().find_map(|b| b.text("/hostname").or_else(|| b.text("/ip")));
    if let Some(address) = address {
        return Verdict::Done(address.to_owned());
    }
    let warning = lists.get(1).and_then(|list| events::warning(list, "Ingress", &target.name));
    Verdict::Waiting(match warning {
        Some(warning) => {
            format!("{target} has no load balancer yet; its controller warns: {warning}")
        }
        None => format!("{target} has no load balancer yet"),
    })
}

fn rolled_out(lists: &[Objects]) -> Result<Verdict<Vec<String>>> {
    let [deployments, pods] = lists else { bail!("a wait without its lists") };
    if deployments.is_empty() {
        return Ok(Verdict::Waiting("there is no such Deployment".into()));
    }
    let mut blocked = Vec::new();
    for deployment in deployments.values() {
        if let Some(given_up) = given_up(deployment) {
            bail!("Deployment `{}` gave up: {given_up}", name(deployment));
        }
        if let Some(state) = unfinished(deployment) {
            blocked.push(match first_trouble(deployment, pods) {
                Some(trouble) => format!("{} {state} ({trouble})", name(deployment)),
                None => format!("{} {state}", name(deployment)),
            });
        }
    }
    if blocked.is_empty() {
        return Ok(Verdict::Done(deployments.keys().cloned().collect()));
    }
    Ok(Verdict::Waiting(format!("waiting for {}", blocked.join(", "))))
}

fn given_up(deployment: &DynamicObject) -> Option<String> {
    let progressing = deployment.condition("Progressing")?;
    (is_observed(deployment) && progressing.reason == "ProgressDeadlineExceeded")
        .then(|| progressing.told())
}

fn is_observed(workload: &DynamicObject) -> bool {
    workload.number("/status/observedGeneration") >= workload.metadata.generation
}

/// `1 of 2 ready` while a Deployment or StatefulSet is on its way; `None` when it has arrived.
pub(super) fn unfinished(workload: &DynamicObject) -> Option<String> {
    if !is_observed(workload) {
        return Some("not seen by its controller yet".into());
    }
    let count = |field: &str| workload.number(&format!("/status/{field}")).unwrap_or(0);
    let wanted = workload.number("/spec/replicas").unwrap_or(1);
    // A StatefulSet of an old server has no count of available replicas.
    let available = workload
        .number("/status/availableReplicas")
        .unwrap_or_else(|| if wanted == 0 { 0 } else { count("readyReplicas") });
    if count("updatedReplicas") < wanted {
        return Some(format!("{} of {wanted} updated", count("updatedReplicas")));
    }
    if count("replicas") > count("updatedReplicas").max(wanted) {
        return Some("waiting for old replicas to end".into());
    }
    (available < wanted).then(|| format!("{available} of {wanted} ready"))
}

fn first_trouble(deployment: &DynamicObject, all_pods: &Objects) -> Option<String> {
    let selector = deployment.at("/spec/selector/matchLabels");
    let trouble = all_pods
        .values()
        .filter(|pod| selects(selector, pod))
        .find_map(|pod| pods::troubles(pod).into_iter().next())?;
    Some(match trouble.container {
        Some(container) => format!("container {container}: {}", trouble.reason),
        None => trouble.reason,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn workload(generation: i64, status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": { "name": "auth", "generation": generation },
            "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "auth" } } },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_rollout_is_judged_by_what_the_controller_saw() {
        let done = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(unfinished(&workload(2, &done)), None);
        assert_eq!(unfinished(&workload(3, &done)).unwrap(), "not seen by its controller yet");
        let surge = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(unfinished(&workload(2, &surge)).unwrap(), "waiting for old replicas to end");
        let half = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1 });
        assert_eq!(unfinished(&workload(2, &half)).unwrap(), "1 of 2 ready");
    }

    #[test]
    fn what_blocks_is_named_with_its_container() {
        let half = workload(
            1,
            &json!({ "observedGeneration": 1, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1 }),
        );
        let pod: DynamicObject = serde_json::from_value(json!({
            "metadata": { "name": "auth-1", "labels": { "app": "auth" } },
            "status": { "containerStatuses": [{ "name": "auth", "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
        }))
        .unwrap();
        let lists =
            [Objects::from([("auth".into(), half)]), Objects::from([("auth-1".into(), pod)])];
        let Verdict::Waiting(text) = rolled_out(&lists).unwrap() else { panic!("it is not ready") };
        assert_eq!(text, "waiting for auth 1 of 2 ready (container auth: ImagePullBackOff)");
    }

    #[test]
    fn a_deployment_that_gave_up_is_an_error() {
        let status = json!({ "observedGeneration": 1, "conditions": [
            { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow" },
        ]});
        let lists = [Objects::from([("auth".into(), workload(1, &status))]), Objects::new()];
        let error = rolled_out(&lists).err().unwrap().to_string();
        assert_eq!(error, "Deployment `auth` gave up: ProgressDeadlineExceeded: too slow");
    }
}
