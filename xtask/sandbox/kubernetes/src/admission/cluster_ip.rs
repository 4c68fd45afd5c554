//! Addresses and node ports of Services.

use std::{collections::BTreeSet, net::Ipv4Addr};

use serde_json::{Value, json};

use crate::{
    resources::GroupResource,
    store::Store,
    value::{at, default, items_mut, list, remove, set, text},
};

/// The Service network of an EKS cluster; the first address is the API server's own.
const NETWORK: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 0);
const ADDRESSES: u32 = 1 << 16;
const NODE_PORTS: std::ops::RangeInclusive<u64> = 30_000..=32_767;

/// Gives a Service what it lacks; an update keeps what the old one has.
pub(super) fn allocate(store: &Store, old: Option<&Value>, service: &mut Value) {
    if text(service, "spec.type") == "ExternalName" {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            remove(service, &format!("spec.{field}"));
        }
        return;
    }
    if let Some(old) = old {
        keep(old, service);
    }
    if text(service, "spec.clusterIP").is_empty() {
        set(service, "spec.clusterIP", free_address(store));
    }
    let address = at(service, "spec.clusterIP").clone();
    default(service, "spec.clusterIPs", json!([address]));
    default(service, "spec.ipFamilies", json!(["IPv4"]));
    default(service, "spec.ipFamilyPolicy", "SingleStack");
    if matches!(text(service, "spec.type"), "NodePort" | "LoadBalancer")
        && at(service, "spec.allocateLoadBalancerNodePorts") != false
    {
        let mut taken = node_ports(store);
        for port in items_mut(service, "spec.ports") {
            let free = NODE_PORTS
                .into_iter()
                .find(|port| !taken.contains(port))
                .unwrap_or(*NODE_PORTS.end());
            default(port, "nodePort", free);
            taken.extend(port["nodePort"].as_u64());
        }
    }
}

fn keep(old: &Value, service: &mut Value) {
    for field in ["spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"] {
        if !at(old, field).is_null() {
            default(service, field, at(old, field).clone());
        }
    }
    let old_ports = list(old, "spec.ports").to_vec();
    for port in items_mut(service, "spec.ports") {
        let same = old_ports
            .iter()
            .find(|one| one["port"] == port["port"] && one["protocol"] == port["protocol"]);
        if let Some(node_port) = same.and_then(|one| one.get("nodePort")) {
            default(port, "nodePort", node_port.clone());
        }
    }
}

fn services(store: &Store) -> Vec<&Value> {
    store.list(&GroupResource::new("", "services"), "").map(AsRef::as_ref).collect()
}

fn free_address(store: &Store) -> String {
    let taken: BTreeSet<&str> =
        services(store).into_iter().map(|service| text(service, "spec.clusterIP")).collect();
    let addresses =
        (1..ADDRESSES).map(|host| Ipv4Addr::from(u32::from(NETWORK) + host).to_string());
    addresses.into_iter().find(|address| !taken.contains(address.as_str())).unwrap_or_default()
}

fn node_ports(store: &Store) -> BTreeSet<u64> {
    let ports = services(store).into_iter().flat_map(|service| list(service, "spec.ports"));
    ports.filter_map(|port| port["nodePort"].as_u64()).collect()
}
