//! Owners, finalizers, namespaces and definitions, seen as a client sees them.

use serde_json::{Value, json};

use crate::{
    store::Change::{Added, Deleted, Modified},
    testing::{Probe, config_map, deployment, owner_reference},
};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// An owner and what it owns, which owns something too.
fn chain(probe: &Probe) -> Value {
    let owner = probe.ok("POST", DEPLOYMENTS, deployment("top"));
    let mut middle = config_map("middle", &[]);
    middle["metadata"]["ownerReferences"] = json!([owner_reference(&owner)]);
    let middle = probe.ok("POST", MAPS, middle);
    let mut bottom = config_map("bottom", &[]);
    bottom["metadata"]["ownerReferences"] = json!([owner_reference(&middle)]);
    probe.ok("POST", MAPS, bottom);
    owner
}

#[test]
fn dependents_go_after_their_owner_in_the_background() {
    let probe = Probe::new();
    chain(&probe);
    let since = probe.revision();
    probe.ok("DELETE", &format!("{DEPLOYMENTS}/top"), Value::Null);
    assert_eq!(probe.history(since, "apps", "deployments"), [(Deleted, "top".to_owned())]);
    let maps = probe.history(since, "", "configmaps");
    assert_eq!(maps, [(Deleted, "middle".to_owned()), (Deleted, "bottom".to_owned())]);
}

#[test]
fn dependents_go_before_their_owner_in_the_foreground() {
    let probe = Probe::new();
    chain(&probe);
    let since = probe.revision();
    probe.ok("DELETE", &format!("{DEPLOYMENTS}/top"), json!({"propagationPolicy": "Foreground"}));
    let owner = probe.history(since, "apps", "deployments");
    assert_eq!(owner, [(Modified, "top".to_owned()), (Deleted, "top".to_owned())]);
    let store = probe.cluster.store();
    let all = |group, plural| {
        store.events_after(since, &crate::resources::GroupResource::new(group, plural)).unwrap()
    };
    let gone = all("apps", "deployments").last().unwrap().revision;
    assert!(all("", "configmaps").iter().all(|event| event.revision < gone));
}

#[test]
fn orphans_stay_and_forget_their_owner() {
    let probe = Probe::new();
    chain(&probe);
    probe.ok("DELETE", &format!("{DEPLOYMENTS}/top?propagationPolicy=Orphan"), Value::Null);
    assert_eq!(probe.fails("GET", &format!("{DEPLOYMENTS}/top"), Value::Null).code(), 404);
    let middle = probe.ok("GET", &format!("{MAPS}/middle"), Value::Null);
    assert_eq!(middle["metadata"].get("ownerReferences"), None);
}

#[test]
fn an_object_whose_owner_never_was_is_collected() {
    let probe = Probe::new();
    let mut map = config_map("lost", &[]);
    map["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "none"}]);
    probe.ok("POST", MAPS, map);
    assert_eq!(probe.fails("GET", &format!("{MAPS}/lost"), Value::Null).code(), 404);
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone() {
    let probe = Probe::new();
    let mut map = config_map("held", &[]);
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    probe.ok("POST", MAPS, map);
    let path = format!("{MAPS}/held");
    let dying = probe.ok("DELETE", &path, Value::Null);
    assert!(dying["metadata"]["deletionTimestamp"].is_string());
    let more = json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}});
    assert!(
        probe
            .patch(&path, "merge", more)
            .unwrap_err()
            .message()
            .contains("no new finalizers can be added")
    );
    let since = probe.revision();
    probe.patch(&path, "merge", json!({"metadata": {"finalizers": null}})).unwrap();
    assert_eq!(probe.history(since, "", "configmaps"), [(Deleted, "held".to_owned())]);
}

#[test]
fn a_namespace_goes_after_its_contents() {
    let probe = Probe::new();
    let namespaces = "/api/v1/namespaces";
    let created = probe.ok("POST", namespaces, json!({"metadata": {"name": "n"}}));
    assert_eq!(created["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(created["status"]["phase"], json!("Active"));
    probe.ok("GET", "/api/v1/namespaces/n/serviceaccounts/default", Value::Null);
    let mut map = config_map("held", &[]);
    map["metadata"]["finalizers"] = json!(["example.com/hold"]);
    probe.ok("POST", "/api/v1/namespaces/n/configmaps", map);

    let since = probe.revision();
    let dying = probe.ok("DELETE", &format!("{namespaces}/n"), Value::Null);
    assert_eq!(dying["status"]["phase"], json!("Terminating"));
    let refused = probe.fails("POST", "/api/v1/namespaces/n/configmaps", config_map("late", &[]));
    assert_eq!(refused.code(), 403);
    assert_eq!(refused.to_value()["details"]["causes"][0]["reason"], json!("NamespaceTerminating"));
    assert_eq!(probe.history(since, "", "namespaces"), [(Modified, "n".to_owned())]);

    let free = json!({"metadata": {"finalizers": null}});
    probe.patch("/api/v1/namespaces/n/configmaps/held", "merge", free).unwrap();
    assert_eq!(probe.history(since, "", "namespaces").last().unwrap(), &(Deleted, "n".to_owned()));
    assert_eq!(
        probe.fails("POST", "/api/v1/namespaces/n/configmaps", config_map("late", &[])).code(),
        404
    );
}

#[test]
fn a_deleted_default_service_account_comes_back() {
    let probe = Probe::new();
    let path = "/api/v1/namespaces/default/serviceaccounts/default";
    let since = probe.revision();
    probe.ok("DELETE", path, Value::Null);
    let history = probe.history(since, "", "serviceaccounts");
    assert_eq!(history, [(Deleted, "default".to_owned()), (Added, "default".to_owned())]);
}

#[test]
fn a_running_pod_gets_its_time_to_stop() {
    let probe = Probe::new();
    let pods = "/api/v1/namespaces/default/pods";
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b:1"}]}});
    probe.ok("POST", pods, pod.clone());
    probe.ok("DELETE", &format!("{pods}/p"), Value::Null);
    assert_eq!(
        probe.fails("GET", &format!("{pods}/p"), Value::Null).code(),
        404,
        "no node runs it"
    );

    probe.ok("POST", pods, pod);
    let target = json!({"target": {"kind": "Node", "name": "node-1"}});
    probe.ok("POST", &format!("{pods}/p/binding"), target);
    let dying = probe.ok("DELETE", &format!("{pods}/p"), Value::Null);
    assert_eq!(dying["metadata"]["deletionGracePeriodSeconds"], json!(30));
    probe.ok("GET", &format!("{pods}/p"), Value::Null);
    probe.ok("DELETE", &format!("{pods}/p"), json!({"gracePeriodSeconds": 0}));
    assert_eq!(probe.fails("GET", &format!("{pods}/p"), Value::Null).code(), 404);
}

#[test]
fn a_claim_stays_while_a_pod_uses_it() {
    let probe = Probe::new();
    let (claims, pods) =
        ("/api/v1/namespaces/default/persistentvolumeclaims", "/api/v1/namespaces/default/pods");
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    let claim = probe.ok("POST", claims, claim);
    assert_eq!(claim["status"]["phase"], json!("Pending"));
    let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "c"}});
    let pod = json!({"metadata": {"name": "p"},
        "spec": {"volumes": [volume], "containers": [{"name": "a", "image": "b:1"}]}});
    probe.ok("POST", pods, pod);
    probe.ok("DELETE", &format!("{claims}/c"), Value::Null);
    probe.ok("GET", &format!("{claims}/c"), Value::Null);
    probe.ok("DELETE", &format!("{pods}/p"), Value::Null);
    assert_eq!(probe.fails("GET", &format!("{claims}/c"), Value::Null).code(), 404);
}

#[test]
fn a_kind_ends_with_its_definition_after_its_objects() {
    let probe = Probe::new();
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Cluster", "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    probe.ok("POST", definitions, definition);
    let definition = probe.ok("GET", &format!("{definitions}/widgets.example.com"), Value::Null);
    let types: Vec<&str> = definition["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["NamesAccepted", "Established"]);

    let widgets = "/apis/example.com/v1/widgets";
    let mut widget = json!({"metadata": {"name": "w", "finalizers": ["example.com/hold"]}});
    probe.ok("POST", widgets, widget.clone());
    probe.ok("DELETE", &format!("{definitions}/widgets.example.com"), Value::Null);
    widget = probe.ok("GET", &format!("{widgets}/w"), Value::Null);
    assert!(widget["metadata"]["deletionTimestamp"].is_string());
    probe.patch(&format!("{widgets}/w"), "merge", json!({"metadata": {"finalizers": []}})).unwrap();
    assert_eq!(probe.fails("GET", widgets, Value::Null).code(), 404);
}
