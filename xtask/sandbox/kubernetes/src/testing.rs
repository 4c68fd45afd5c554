//! A cluster without HTTP, for tests.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    User,
    api::{Body, Done},
    cluster::Cluster,
    http,
    resources::GroupResource,
    status::{Answer, Failure},
    store::Change,
};

/// Sends requests to a cluster of its own.
pub(crate) struct Probe {
    pub(crate) cluster: Cluster,
}

impl Probe {
    pub(crate) fn new() -> Self {
        Self { cluster: Cluster::new("test", "PEM".into(), [0; 32]) }
    }

    /// Sends a request with a body of a media type; the path may have a query.
    pub(crate) fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer<Done> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let user = User { name: "tester".into(), groups: Vec::new() };
        let call =
            http::call(&self.cluster, path.trim_start_matches('/'), query, "tester/1", user)?;
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.cluster.respond(&call, method, &Body { media: media.to_owned(), bytes })
    }

    /// Sends a request that has to succeed.
    pub(crate) fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        self.send(method, path, "application/json", &body)
            .unwrap_or_else(|fault| panic!("{fault:?}"))
            .body
    }

    /// Sends a request that has to fail.
    pub(crate) fn fails(&self, method: &str, path: &str, body: Value) -> Failure {
        match self.send(method, path, "application/json", &body) {
            Ok(done) => panic!("succeeded: {}", done.body),
            Err(failure) => failure,
        }
    }

    pub(crate) fn patch(&self, path: &str, kind: &str, body: Value) -> Answer<Value> {
        self.send("PATCH", path, &format!("application/{kind}-patch+json"), &body)
            .map(|done| done.body)
    }

    /// Applies an object at a path as a manager.
    pub(crate) fn apply(&self, path: &str, manager: &str, object: &Value) -> Answer<Value> {
        let path = format!("{path}?fieldManager={manager}");
        self.send("PATCH", &path, "application/apply-patch+yaml", object).map(|done| done.body)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.cluster.store().revision()
    }

    /// What happened to a resource after a version, as pairs of change and name.
    pub(crate) fn history(&self, since: u64, group: &str, plural: &str) -> Vec<(Change, String)> {
        let store = self.cluster.store();
        let events = store.events_after(since, &GroupResource::new(group, plural)).unwrap();
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
        events.iter().map(|event| (event.change, name(&event.object))).collect()
    }
}

/// A Deployment of one container.
pub(crate) fn deployment(name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": "app:1", "ports": [{"containerPort": 80}]}]}}}})
}

/// A ConfigMap with some data.
pub(crate) fn config_map(name: &str, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<&str, &str> = data.iter().copied().collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// The reference by which an owned object names its owner.
pub(crate) fn owner_reference(owner: &Value) -> Value {
    json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true})
}
