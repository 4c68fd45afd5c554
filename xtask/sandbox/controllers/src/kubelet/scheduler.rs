//! Picks a node for a Pod: selectors, required node affinity and topology spread.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{
    NodeSelectorRequirement, NodeSelectorTerm, Pod, TopologySpreadConstraint,
};
use kube::ResourceExt;

use crate::nodes;
use crate::selectors::{contains, matches};

/// The index of the node for `pod`, given the Pods of its namespace; else the scheduler's message.
pub(crate) fn pick(region: &str, pod: &Pod, others: &[Arc<Pod>]) -> Result<usize, String> {
    let spec = pod.spec.clone().unwrap_or_default();
    let names = nodes::names(region);
    let all: Vec<_> = (0..names.len()).map(|index| (index, nodes::labels(region, index))).collect();
    let selector = spec.node_selector.unwrap_or_default();
    let terms: Vec<NodeSelectorTerm> = spec
        .affinity
        .and_then(|affinity| affinity.node_affinity)
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution)
        .map(|required| required.node_selector_terms)
        .unwrap_or_default();
    let fitting: Vec<_> = all
        .iter()
        .filter(|(_, labels)| contains(labels, &selector))
        .filter(|(_, labels)| terms.is_empty() || terms.iter().any(|term| fits(term, labels)))
        .collect();
    if fitting.is_empty() {
        let count = names.len();
        return Err(format!(
            "0/{count} nodes are available: {count} node(s) didn't match Pod's node affinity/selector. \
             preemption: 0/{count} nodes are available: {count} Preemption is not helpful for scheduling."
        ));
    }
    let placed: Vec<(usize, &Pod)> = others
        .iter()
        .filter(|other| other.uid() != pod.uid())
        .filter_map(|other| {
            let node = other.spec.as_ref()?.node_name.as_ref()?;
            Some((names.iter().position(|name| name == node)?, &**other))
        })
        .collect();
    let constraints = spec.topology_spread_constraints.unwrap_or_default();
    let best = fitting.iter().min_by_key(|(index, labels)| {
        let crowding: Vec<usize> = constraints
            .iter()
            .map(|constraint| crowd(constraint, pod, labels, &placed, &all))
            .collect();
        let on_node = placed.iter().filter(|(node, _)| node == index).count();
        (crowding, on_node)
    });
    best.map(|(index, _)| *index).ok_or_else(|| "no nodes".to_owned())
}

/// How many Pods of a constraint are already in the same domain as a node with `labels`.
fn crowd(
    constraint: &TopologySpreadConstraint,
    pod: &Pod,
    labels: &BTreeMap<String, String>,
    placed: &[(usize, &Pod)],
    all: &[(usize, BTreeMap<String, String>)],
) -> usize {
    let domain = labels.get(&constraint.topology_key);
    placed
        .iter()
        .filter(|(node, _)| {
            all.iter().any(|(index, labels)| {
                index == node && labels.get(&constraint.topology_key) == domain
            })
        })
        .filter(|(_, other)| {
            constraint
                .label_selector
                .as_ref()
                .is_some_and(|selector| matches(selector, other.labels()))
                && constraint
                    .match_label_keys
                    .iter()
                    .flatten()
                    .all(|key| other.labels().get(key) == pod.labels().get(key))
        })
        .count()
}

fn fits(term: &NodeSelectorTerm, labels: &BTreeMap<String, String>) -> bool {
    term.match_expressions.iter().flatten().all(|requirement| meets(requirement, labels))
}

fn meets(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = || {
        value.is_some_and(|value| requirement.values.iter().flatten().any(|wanted| wanted == value))
    };
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: Option<usize>) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": name, "labels": {"app": "rest"}},
            "spec": {
                "containers": [],
                "nodeName": node.map(|index| nodes::names("eu-west-1")[index].clone()),
                "topologySpreadConstraints": [{
                    "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "rest"}},
                }],
            },
        }))
        .unwrap()
    }

    #[test]
    fn pods_of_one_kind_go_to_different_zones() {
        let mut placed = Vec::new();
        for name in ["a", "b", "c"] {
            let index = pick("eu-west-1", &pod(name, None), &placed).unwrap();
            placed.push(Arc::new(pod(name, Some(index))));
        }
        let mut zones: Vec<_> =
            placed.iter().map(|pod| pod.spec.clone().unwrap().node_name).collect();
        zones.dedup();
        assert_eq!(zones.len(), 3);
    }

    #[test]
    fn a_selector_that_no_node_has_keeps_the_pod_pending() {
        let mut unplaceable = pod("a", None);
        unplaceable.spec.as_mut().unwrap().node_selector =
            Some([("gpu".to_owned(), "true".to_owned())].into());
        let message = pick("eu-west-1", &unplaceable, &[]).unwrap_err();
        assert!(message.starts_with("0/3 nodes are available"), "{message}");
    }
}
