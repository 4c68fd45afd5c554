//! Waits for what a release brings: workloads that are rolled out, definitions that are served, an
//! Ingress with an address.

use anyhow::{Result, bail};
use kube::api::DynamicObject;

use super::{
    Cluster, Target, events,
    fields::{Fields, selects},
    kinds, pods,
    watch::{Objects, Verdict, until},
};
use crate::{Wait, runtime::wait_for};

impl Cluster {
    /// Waits until a Deployment or StatefulSet is rolled out and available.
    ///
    /// # Errors
    /// When it gives up (its progress deadline), the deadline passes or the person asks to stop.
    pub fn wait_rolled_out(&self, workload: &Target, wait: &Wait<'_>) -> Result<()> {
        wait_for(wait, &format!("{workload} to be available"), async |seen| {
            let pods = self.source(&kinds::POD, workload.namespace.as_deref(), "");
            let sources = vec![self.source_of(workload), pods];
            until(seen, sources, async |lists| rolled_out(lists, workload)).await
        })
    }

    /// Waits until the server serves what a CustomResourceDefinition defines.
    ///
    /// # Errors
    /// When the deadline passes or the person asks to stop.
    pub(super) fn wait_established(&self, definition: &Target, wait: &Wait<'_>) -> Result<()> {
        wait_for(wait, &format!("{definition} to be served"), async |seen| {
            until(seen, vec![self.source_of(definition)], async |lists| {
                let found = lists.first().and_then(|found| found.get(&definition.name));
                let established = found.and_then(|found| found.condition("Established"));
                Ok(match established {
                    Some(condition) if condition.is("True") => Verdict::Done(()),
                    _ => Verdict::Waiting(format!("{definition} is not established yet")),
                })
            })
            .await
        })
    }

    /// Waits until an Ingress has a load balancer; returns its host name (or address). `not` is that of
    /// one that is being replaced.
    ///
    /// # Errors
    /// When the deadline passes (the error tells the controller's last warning) or the person asks
    /// to stop.
    pub fn wait_ingress(
        &self,
        namespace: &str,
        name: &str,
        not: Option<&str>,
        wait: &Wait<'_>,
    ) -> Result<String> {
        let target = Target::new(kinds::INGRESS, namespace, name);
        wait_for(wait, &format!("{target} to get a host name"), async |seen| {
            let sources =
                vec![self.source_of(&target), self.source(&kinds::EVENT, Some(namespace), "")];
            until(seen, sources, async |lists| Ok(address(lists, &target, not))).await
        })
    }
}

fn address(lists: &[Objects], target: &Target, not: Option<&str>) -> Verdict<String> {
    let ingress = lists.first().and_then(|ingresses| ingresses.get(&target.name));
    let Some(ingress) = ingress else {
        return Verdict::Waiting(format!("there is no {target}"));
    };
    let balancers = ingress.items("/status/loadBalancer/ingress");
    let address = balancers.iter().find_map(|b| b.text("/hostname").or_else(|| b.text("/ip")));
    if let Some(address) = address {
        return if Some(address) == not {
            Verdict::Waiting(format!("{target} still names {address}, which is being replaced"))
        } else {
            Verdict::Done(address.to_owned())
        };
    }
    let warning = lists.get(1).and_then(|list| events::warning(list, "Ingress", &target.name));
    Verdict::Waiting(match warning {
        Some(warning) => {
            format!("{target} has no load balancer yet; its controller warns: {warning}")
        }
        None => format!("{target} has no load balancer yet"),
    })
}

fn rolled_out(lists: &[Objects], target: &Target) -> Result<Verdict<()>> {
    let [workloads, pods] = lists else { bail!("a wait without its lists") };
    let Some(workload) = workloads.get(&target.name) else {
        return Ok(Verdict::Waiting(format!("there is no {target}")));
    };
    if let Some(given_up) = given_up(workload) {
        bail!("{target} gave up: {given_up}");
    }
    let Some(state) = unfinished(workload) else { return Ok(Verdict::Done(())) };
    Ok(Verdict::Waiting(match first_trouble(workload, pods) {
        Some(trouble) => format!("waiting for {} {state} ({trouble})", target.name),
        None => format!("waiting for {} {state}", target.name),
    }))
}

fn given_up(workload: &DynamicObject) -> Option<String> {
    let progressing = workload.condition("Progressing")?;
    (is_observed(workload) && progressing.reason == "ProgressDeadlineExceeded")
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

fn first_trouble(workload: &DynamicObject, all_pods: &Objects) -> Option<String> {
    let selector = workload.at("/spec/selector/matchLabels");
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
        let target = Target::new(kinds::DEPLOYMENT, "supabase", "auth");
        let Verdict::Waiting(text) = rolled_out(&lists, &target).unwrap() else {
            panic!("it is not ready")
        };
        assert_eq!(text, "waiting for auth 1 of 2 ready (container auth: ImagePullBackOff)");
    }

    #[test]
    fn a_deployment_that_gave_up_is_an_error() {
        let status = json!({ "observedGeneration": 1, "conditions": [
            { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow" },
        ]});
        let lists = [Objects::from([("auth".into(), workload(1, &status))]), Objects::new()];
        let target = Target::new(kinds::DEPLOYMENT, "supabase", "auth");
        let error = rolled_out(&lists, &target).err().unwrap().to_string();
        assert_eq!(error, "Deployment `supabase/auth` gave up: ProgressDeadlineExceeded: too slow");
    }
}
