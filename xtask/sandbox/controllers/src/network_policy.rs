//! What the NetworkPolicies of a cluster let through.
//!
//! The rules are those of Kubernetes: a Pod that no policy selects for a direction is open in it; one
//! that is selected is open exactly where a rule of a selecting policy says so.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::objects::container_port;
use crate::selectors::matches;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer<'a> {
    /// A Pod of the cluster.
    Pod(&'a Pod),
    /// An address outside of the cluster's Pods.
    Address(IpAddr),
    /// Somewhere outside whose address is not known here: any block may be meant.
    Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

/// Whether `pod` may be reached by `peer` on `port`; else which policy is in the way.
pub(crate) fn permits_ingress(
    cluster: &Cluster,
    pod: &Pod,
    peer: Peer<'_>,
    port: u16,
) -> Result<(), String> {
    judge(cluster, pod, peer, port, Direction::Ingress)
}

/// Whether `pod` may reach `peer` on `port`; else which policy is in the way.
pub(crate) fn permits_egress(
    cluster: &Cluster,
    pod: &Pod,
    peer: Peer<'_>,
    port: u16,
) -> Result<(), String> {
    judge(cluster, pod, peer, port, Direction::Egress)
}

/// Whether `pod` may reach something outside of the cluster on `port`.
pub(crate) fn permits_outside(cluster: &Cluster, pod: &Pod, port: u16) -> Result<(), String> {
    permits_egress(cluster, pod, Peer::Outside, port)
}

fn judge(
    cluster: &Cluster,
    pod: &Pod,
    peer: Peer<'_>,
    port: u16,
    direction: Direction,
) -> Result<(), String> {
    let namespace = pod.namespace().unwrap_or_default();
    let policies = cluster.network_policies.in_namespace(&namespace);
    let labels_of = |name: &str| {
        cluster
            .namespaces
            .get("", name)
            .map(|namespace| namespace.labels().clone())
            .unwrap_or_default()
    };
    let selecting: Vec<_> =
        policies.iter().filter(|policy| selects(policy, pod, direction)).collect();
    if selecting.is_empty() {
        return Ok(());
    }
    let open = selecting.iter().any(|policy| {
        rules(policy, direction).into_iter().any(|(peers, ports)| {
            let target = match (direction, peer) {
                (Direction::Ingress, _) => Some(pod),
                (Direction::Egress, Peer::Pod(target)) => Some(target),
                (Direction::Egress, _) => None,
            };
            fits_ports(ports, port, target)
                && (peers.is_empty()
                    || peers.iter().any(|known| fits_peer(known, peer, &namespace, &labels_of)))
        })
    });
    if open { Ok(()) } else { Err(blocked(&selecting, pod, peer, port, direction)) }
}

fn selects(policy: &NetworkPolicy, pod: &Pod, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else { return false };
    let named = |wanted: &str| spec.policy_types.iter().flatten().any(|kind| kind == wanted);
    let concerns = match direction {
        // Without a list a policy is about ingress, and about egress if it has such rules.
        Direction::Ingress => spec.policy_types.is_none() || named("Ingress"),
        Direction::Egress => {
            named("Egress") || spec.policy_types.is_none() && spec.egress.is_some()
        }
    };
    concerns && spec.pod_selector.as_ref().is_none_or(|selector| matches(selector, pod.labels()))
}

type Rule<'a> = (&'a [NetworkPolicyPeer], &'a [NetworkPolicyPort]);

fn rules(policy: &NetworkPolicy, direction: Direction) -> Vec<Rule<'_>> {
    let Some(spec) = &policy.spec else { return Vec::new() };
    match direction {
        Direction::Ingress => spec
            .ingress
            .iter()
            .flatten()
            .map(|rule| {
                (
                    rule.from.as_deref().unwrap_or_default(),
                    rule.ports.as_deref().unwrap_or_default(),
                )
            })
            .collect(),
        Direction::Egress => spec
            .egress
            .iter()
            .flatten()
            .map(|rule| {
                (rule.to.as_deref().unwrap_or_default(), rule.ports.as_deref().unwrap_or_default())
            })
            .collect(),
    }
}

fn fits_ports(ports: &[NetworkPolicyPort], port: u16, target: Option<&Pod>) -> bool {
    ports.is_empty()
        || ports.iter().any(|known| {
            if known.protocol.as_deref().is_some_and(|protocol| protocol != "TCP") {
                return false;
            }
            let first = match &known.port {
                None => return true,
                Some(IntOrString::Int(number)) => Some(*number),
                Some(IntOrString::String(name)) => target.and_then(|pod| container_port(pod, name)),
            };
            first.is_some_and(|first| {
                (first..=known.end_port.unwrap_or(first)).contains(&i32::from(port))
            })
        })
}

fn fits_peer(
    known: &NetworkPolicyPeer,
    peer: Peer<'_>,
    own_namespace: &str,
    labels_of: &impl Fn(&str) -> std::collections::BTreeMap<String, String>,
) -> bool {
    if let Some(block) = &known.ip_block {
        let contains = |cidr: &str, address: IpAddr| {
            cidr.parse::<ipnet::IpNet>().is_ok_and(|network| network.contains(&address))
        };
        return match peer {
            Peer::Outside => true,
            // The VPC CNI does not match Pods by address blocks.
            Peer::Pod(_) => false,
            Peer::Address(address) => {
                contains(&block.cidr, address)
                    && !block.except.iter().flatten().any(|except| contains(except, address))
            }
        };
    }
    let Peer::Pod(pod) = peer else { return false };
    let namespace = pod.namespace().unwrap_or_default();
    let in_namespace = match &known.namespace_selector {
        Some(selector) => matches(selector, &labels_of(&namespace)),
        None => namespace == own_namespace,
    };
    in_namespace
        && known.pod_selector.as_ref().is_none_or(|selector| matches(selector, pod.labels()))
}

/// One sentence that names the policies in the way.
fn blocked(
    policies: &[&Arc<NetworkPolicy>],
    pod: &Pod,
    peer: Peer<'_>,
    port: u16,
    direction: Direction,
) -> String {
    let names: Vec<_> = policies.iter().map(|policy| policy.name_any()).collect();
    let other = match peer {
        Peer::Pod(other) => describe(other),
        Peer::Address(address) => address.to_string(),
        Peer::Outside => "the outside".to_owned(),
    };
    let edge = match direction {
        Direction::Ingress => format!("{other} -> {}:{port}", describe(pod)),
        Direction::Egress => format!("{} -> {other}:{port}", describe(pod)),
    };
    let (rule, noun) = match direction {
        Direction::Ingress => ("ingress", "from"),
        Direction::Egress => ("egress", "to"),
    };
    format!(
        "NetworkPolicy {} blocks {edge}: no {rule} rule of it is open {noun} there",
        names.join(", ")
    )
}

/// The component of a Pod, or its name.
fn describe(pod: &Pod) -> String {
    let component = pod.labels().get("app.kubernetes.io/component").cloned();
    component.unwrap_or_else(|| pod.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(component: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": component, "namespace": "supabase",
                "labels": {"app.kubernetes.io/component": component}},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 3000}]}]},
        }))
        .unwrap()
    }

    fn policy(value: serde_json::Value) -> NetworkPolicy {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": value})).unwrap()
    }

    fn open(policy: &NetworkPolicy, target: &Pod, peer: Peer<'_>, port: u16) -> bool {
        let labels = |_: &str| Default::default();
        rules(policy, Direction::Ingress).into_iter().any(|(peers, ports)| {
            fits_ports(ports, port, Some(target))
                && (peers.is_empty()
                    || peers.iter().any(|known| fits_peer(known, peer, "supabase", &labels)))
        })
    }

    #[test]
    fn an_edge_is_open_for_the_named_component_and_port_only() {
        let policy = policy(json!({
            "podSelector": {"matchLabels": {"app.kubernetes.io/component": "rest"}},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "kong"}}}],
                "ports": [{"protocol": "TCP", "port": "http"}],
            }],
        }));
        let (rest, kong, auth) = (pod("rest"), pod("kong"), pod("auth"));
        assert!(
            selects(&policy, &rest, Direction::Ingress)
                && !selects(&policy, &kong, Direction::Ingress)
        );
        assert!(!selects(&policy, &rest, Direction::Egress));
        assert!(open(&policy, &rest, Peer::Pod(&kong), 3000));
        assert!(!open(&policy, &rest, Peer::Pod(&auth), 3000));
        assert!(!open(&policy, &rest, Peer::Pod(&kong), 3001));
    }

    #[test]
    fn address_blocks_and_their_exceptions_count() {
        let policy = policy(json!({"podSelector": {}, "ingress": [{"from": [
            {"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.9.0/24"]}}
        ]}]}));
        let from = |address: &str| {
            open(&policy, &pod("kong"), Peer::Address(address.parse().unwrap()), 8000)
        };
        assert!(from("10.0.1.7"));
        assert!(!from("10.0.9.7"));
        assert!(!from("192.0.2.1"));
        assert!(!open(&policy, &pod("kong"), Peer::Pod(&pod("auth")), 8000));
    }

    #[test]
    fn a_deny_all_policy_has_no_open_rule() {
        let policy = policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
        assert!(selects(&policy, &pod("rest"), Direction::Egress));
        assert!(!open(&policy, &pod("rest"), Peer::Outside, 3000));
    }
}
