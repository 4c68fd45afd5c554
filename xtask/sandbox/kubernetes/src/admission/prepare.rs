//! What the server itself writes into an object: identity, first status, generation, allocated
//! addresses.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{cluster_ip, pod::quality_of_service, storage};
use crate::{
    ids,
    resources::Resource,
    status::{Answer, Failure},
    store::Store,
    value::{at, copy, default, list, object, place, remove, set, text},
};

/// Keeps a definition while objects of its kind exist.
pub(crate) const DEFINITION_CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// The object of which a new one is a change, for field ownership: kinds have structs that are
/// always there.
pub(crate) fn empty_object(resource: &Resource) -> Value {
    let template = json!({"metadata": {}, "spec": {}});
    let spec = match resource.kind.as_str() {
        _ if resource.custom => return json!({"metadata": {}}),
        "Deployment" => json!({"strategy": {}, "template": template}),
        "StatefulSet" | "DaemonSet" => json!({"updateStrategy": {}, "template": template}),
        "Job" => json!({"template": template}),
        "CronJob" => json!({"jobTemplate": {"metadata": {}, "spec": {"template": template}}}),
        "ReplicaSet" => json!({"template": template}),
        "PersistentVolumeClaim" => json!({"resources": {}}),
        "CustomResourceDefinition" => json!({"names": {}}),
        "HorizontalPodAutoscaler" => json!({"scaleTargetRef": {}}),
        _ => json!({}),
    };
    json!({"metadata": {}, "spec": spec, "status": {}})
}

/// Completes a new object.
pub(crate) fn prepare_create(store: &Store, resource: &Resource, new: &mut Value) -> Answer<()> {
    set(new, "metadata.uid", ids::uid());
    set(new, "metadata.creationTimestamp", ids::now());
    if resource.generation {
        set(new, "metadata.generation", 1);
    }
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Namespace") => {
            set(new, "spec.finalizers", json!(["kubernetes"]));
            set(new, "status", json!({"phase": "Active"}));
        }
        ("", "Pod") => prepare_pod(store, resource, new)?,
        ("", "Secret") => merge_text(new),
        ("", "Service") => {
            cluster_ip::allocate(store, None, new);
            set(new, "status", json!({"loadBalancer": {}}));
        }
        ("", "PersistentVolumeClaim") => storage::prepare_claim(store, new),
        ("", "PersistentVolume") => set(new, "status", json!({"phase": "Pending"})),
        ("batch", "Job") => prepare_job(new),
        ("apiextensions.k8s.io", _) => set(new, "metadata.finalizers", json!([DEFINITION_CLEANUP])),
        _ => {}
    }
    if let Some(status) = first_status(resource) {
        default(new, "status", status);
    }
    Ok(())
}

fn first_status(resource: &Resource) -> Option<Value> {
    Some(match (resource.group.as_str(), resource.kind.as_str()) {
        ("apps", "Deployment") | ("batch", _) => json!({}),
        ("apps", "StatefulSet") => json!({"replicas": 0, "availableReplicas": 0}),
        ("apps", "ReplicaSet") => json!({"replicas": 0}),
        ("apps", "DaemonSet") => json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0}),
        ("autoscaling", _) => json!({"desiredReplicas": 0}),
        ("networking.k8s.io", "Ingress") => json!({"loadBalancer": {}}),
        ("policy", _) => json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0,
            "expectedPods": 0}),
        ("apiregistration.k8s.io", _) => json!({}),
        _ => return None,
    })
}

fn prepare_pod(store: &Store, resource: &Resource, pod: &mut Value) -> Answer<()> {
    let (namespace, name) =
        (text(pod, "metadata.namespace").to_owned(), text(pod, "metadata.name").to_owned());
    default(pod, "spec.serviceAccountName", "default");
    set(pod, "spec.serviceAccount", at(pod, "spec.serviceAccountName").clone());
    let account = text(pod, "spec.serviceAccountName");
    let accounts = crate::resources::GroupResource::new("", "serviceaccounts");
    if store.get(&accounts, &namespace, account).is_none() {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
        );
        return Err(Failure::forbidden(resource, &name, &why));
    }
    let class = text(pod, "spec.priorityClassName").to_owned();
    let classes = crate::resources::GroupResource::new("scheduling.k8s.io", "priorityclasses");
    let priority = match (class.as_str(), store.get(&classes, "", &class)) {
        ("", _) => json!(0),
        (_, Some(class)) => at(&class, "value").clone(),
        (_, None) => {
            let why = format!("no PriorityClass with name {class} was found");
            return Err(Failure::forbidden(resource, &name, &why));
        }
    };
    set(pod, "spec.priority", priority);
    default(pod, "spec.preemptionPolicy", "PreemptLowerPriority");
    let quality = quality_of_service(at(pod, "spec"));
    set(pod, "status", json!({"phase": "Pending", "qosClass": quality}));
    Ok(())
}

/// A Job without a selector of its own finds its Pods by its identity.
fn prepare_job(job: &mut Value) {
    if at(job, "spec.manualSelector") == true {
        return;
    }
    let (uid, name) = (at(job, "metadata.uid").clone(), at(job, "metadata.name").clone());
    let labels = object(place(job, "spec.template.metadata.labels"));
    for prefix in ["", "batch.kubernetes.io/"] {
        labels.insert(format!("{prefix}controller-uid"), uid.clone());
        labels.insert(format!("{prefix}job-name"), name.clone());
    }
    set(job, "spec.selector", json!({"matchLabels": {}}));
    object(place(job, "spec.selector.matchLabels"))
        .insert("batch.kubernetes.io/controller-uid".into(), uid);
}

/// `stringData` is a way to write `data`.
fn merge_text(secret: &mut Value) {
    let Some(Value::Object(texts)) = remove(secret, "stringData") else { return };
    let data = object(place(secret, "data"));
    for (key, value) in texts {
        data.insert(key, json!(STANDARD.encode(value.as_str().unwrap_or_default())));
    }
}

/// Completes a changed object: what the server keeps, and whether intent changed.
pub(crate) fn prepare_update(store: &Store, resource: &Resource, old: &Value, new: &mut Value) {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Secret") => merge_text(new),
        ("", "Service") => cluster_ip::allocate(store, Some(old), new),
        ("", "Pod") => {
            for field in ["serviceAccountName", "serviceAccount", "priority", "preemptionPolicy"] {
                if at(new, &format!("spec.{field}")).is_null() {
                    copy(old, new, &format!("spec.{field}"));
                }
            }
        }
        ("", "PersistentVolumeClaim") => {
            for field in ["spec.storageClassName", "spec.volumeName"] {
                if at(new, field).is_null() {
                    copy(old, new, field);
                }
            }
        }
        ("", "Namespace") => copy(old, new, "spec"),
        ("batch", "Job") => {
            if at(new, "spec.selector").is_null() {
                copy(old, new, "spec.selector");
            }
            for (label, value) in
                at(old, "spec.template.metadata.labels").as_object().cloned().unwrap_or_default()
            {
                if label.contains("controller-uid") || label.contains("job-name") {
                    let labels = object(place(new, "spec.template.metadata.labels"));
                    labels.entry(label).or_insert(value);
                }
            }
        }
        _ => {}
    }
    if resource.generation && intent_changed(resource, old, new) {
        let generation = at(old, "metadata.generation").as_i64().unwrap_or_default();
        set(new, "metadata.generation", generation + 1);
    }
}

/// Whether anything but metadata and status differs; a Deployment's annotations count, since they
/// undo it.
fn intent_changed(resource: &Resource, old: &Value, new: &Value) -> bool {
    let intent = |object: &Value| {
        let mut object = object.clone();
        for field in ["metadata", "status", "apiVersion", "kind"] {
            if field != "status" || resource.status {
                remove(&mut object, field);
            }
        }
        object
    };
    let annotations = "metadata.annotations";
    intent(old) != intent(new)
        || (resource.is("apps", "Deployment") && at(old, annotations) != at(new, annotations))
}

/// Whether an object of the kind may be deleted only once nothing holds it.
pub(crate) fn is_held(object: &Value) -> bool {
    !list(object, "metadata.finalizers").is_empty()
        || (text(object, "kind") == "Namespace" && !list(object, "spec.finalizers").is_empty())
}
