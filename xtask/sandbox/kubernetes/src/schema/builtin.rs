//! The types of the built-in kinds: fields from `k8s-openapi`, list identities from
//! `data/list-types.json`, and the few facts that neither has.

use std::{collections::HashMap, sync::LazyLock};

use k8s_openapi::{
    api::{
        admissionregistration::v1 as admission, apps::v1 as apps,
        authentication::v1 as authentication, authorization::v1 as authorization,
        autoscaling::v1 as autoscaling_v1, autoscaling::v2 as autoscaling, batch::v1 as batch,
        coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery,
        networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
        scheduling::v1 as scheduling, storage::v1 as storage,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions,
    kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration,
    schemars::{SchemaGenerator, generate::SchemaSettings},
};
use serde_json::{Map, Value, json};

use super::{ANY, Schema, from_openapi};

/// OpenAPI extensions by `Type.field`, taken from a 1.36 API server.
const LIST_TYPES: &str = include_str!("../../data/list-types.json");

/// Structs and maps that are owned and replaced as a whole.
const ATOMIC: [&str; 24] = [
    "io.k8s.api.core.v1.ConfigMapKeySelector",
    "io.k8s.api.core.v1.ConfigMapNodeConfigSource",
    "io.k8s.api.core.v1.EndpointAddress",
    "io.k8s.api.core.v1.EndpointPort",
    "io.k8s.api.core.v1.FileKeySelector",
    "io.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.NodeSelector",
    "io.k8s.api.core.v1.NodeSelectorTerm",
    "io.k8s.api.core.v1.ObjectFieldSelector",
    "io.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.ResourceFieldSelector",
    "io.k8s.api.core.v1.ScopeSelector",
    "io.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.SecretReference",
    "io.k8s.api.core.v1.TopologySelectorTerm",
    "io.k8s.api.core.v1.TypedLocalObjectReference",
    "io.k8s.api.discovery.v1.EndpointPort",
    "io.k8s.api.networking.v1.ServiceBackendPort",
    "io.k8s.api.rbac.v1.RoleRef",
    "io.k8s.api.rbac.v1.Subject",
    "io.k8s.api.admissionregistration.v1.ParamRef",
    "io.k8s.api.admissionregistration.v1.ParamKind",
    "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
    "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
];

/// Map fields, as `(type, field)`, that are owned and replaced as a whole.
const ATOMIC_FIELDS: [(&str, &str); 4] = [
    ("io.k8s.api.core.v1.PodSpec", "nodeSelector"),
    ("io.k8s.api.core.v1.ReplicationControllerSpec", "selector"),
    ("io.k8s.api.core.v1.ServiceSpec", "selector"),
    ("io.k8s.api.core.v1.CSIPersistentVolumeSource", "volumeAttributes"),
];

/// List fields that `data/list-types.json` does not have, as `(type, field, key)`.
const KEYED_FIELDS: [(&str, &str, &str); 5] = [
    ("io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration", "webhooks", "name"),
    ("io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration", "webhooks", "name"),
    ("io.k8s.api.admissionregistration.v1.MutatingWebhook", "matchConditions", "name"),
    ("io.k8s.api.admissionregistration.v1.ValidatingWebhook", "matchConditions", "name"),
    ("io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus", "conditions", "type"),
];

/// Keys of list items that are filled in before items are told apart.
const KEY_DEFAULTS: [(&str, &str, &str); 3] = [
    ("io.k8s.api.core.v1.ContainerPort", "protocol", "TCP"),
    ("io.k8s.api.core.v1.EphemeralContainer", "protocol", "TCP"),
    ("io.k8s.api.core.v1.ServicePort", "protocol", "TCP"),
];

struct Builtin {
    documents: Map<String, Value>,
    schemas: HashMap<String, Schema>,
}

static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| {
    let mut documents = generate();
    annotate(&mut documents);
    let schemas =
        documents.iter().map(|(name, schema)| (name.clone(), from_openapi(schema))).collect();
    Builtin { documents, schemas }
});

/// A built-in type by its OpenAPI name; an unknown one lets anything pass.
pub(crate) fn builtin(name: &str) -> &'static Schema {
    BUILTIN.schemas.get(name).unwrap_or(&ANY)
}

/// The OpenAPI documents of all built-in types by name.
pub(crate) fn documents() -> &'static Map<String, Value> {
    &BUILTIN.documents
}

macro_rules! include_types {
    ($generator:ident, $($type:ty),+ $(,)?) => { $($generator.subschema_for::<$type>();)+ };
}

fn generate() -> Map<String, Value> {
    let mut settings = SchemaSettings::openapi3();
    settings.definitions_path = "/components/schemas".into();
    let mut generator: SchemaGenerator = settings.into_generator();
    include_types!(
        generator,
        admission::MutatingWebhookConfiguration,
        admission::ValidatingAdmissionPolicy,
        admission::ValidatingAdmissionPolicyBinding,
        admission::ValidatingWebhookConfiguration,
        apiextensions::CustomResourceDefinition,
        apiregistration::APIService,
        apps::ControllerRevision,
        apps::DaemonSet,
        apps::Deployment,
        apps::ReplicaSet,
        apps::StatefulSet,
        authentication::SelfSubjectReview,
        authentication::TokenRequest,
        authentication::TokenReview,
        authorization::SelfSubjectAccessReview,
        authorization::SelfSubjectRulesReview,
        authorization::SubjectAccessReview,
        autoscaling::HorizontalPodAutoscaler,
        autoscaling_v1::Scale,
        batch::CronJob,
        batch::Job,
        coordination::Lease,
        core::ConfigMap,
        core::Endpoints,
        core::Event,
        core::LimitRange,
        core::Namespace,
        core::Node,
        core::PersistentVolume,
        core::PersistentVolumeClaim,
        core::Pod,
        core::PodTemplate,
        core::ReplicationController,
        core::ResourceQuota,
        core::Secret,
        core::Service,
        core::ServiceAccount,
        discovery::EndpointSlice,
        k8s_openapi::api::events::v1::Event,
        networking::Ingress,
        networking::IngressClass,
        networking::NetworkPolicy,
        node::RuntimeClass,
        policy::PodDisruptionBudget,
        rbac::ClusterRole,
        rbac::ClusterRoleBinding,
        rbac::Role,
        rbac::RoleBinding,
        scheduling::PriorityClass,
        storage::CSIDriver,
        storage::CSINode,
        storage::StorageClass,
        storage::VolumeAttachment,
    );
    generator.take_definitions(true)
}

fn annotate(documents: &mut Map<String, Value>) {
    let list_types: Map<String, Value> = serde_json::from_str(LIST_TYPES).unwrap_or_default();
    for (path, extensions) in &list_types {
        let Some((name, field)) = path.rsplit_once('.') else { continue };
        for (extension, value) in extensions.as_object().into_iter().flatten() {
            extend(documents, name, field, extension, value.clone());
        }
    }
    for (name, field, key) in KEYED_FIELDS {
        extend(documents, name, field, "x-kubernetes-list-type", json!("map"));
        extend(documents, name, field, "x-kubernetes-list-map-keys", json!([key]));
        extend(documents, name, field, "x-kubernetes-patch-strategy", json!("merge"));
        extend(documents, name, field, "x-kubernetes-patch-merge-key", json!(key));
    }
    for (name, field) in ATOMIC_FIELDS {
        extend(documents, name, field, "x-kubernetes-map-type", json!("atomic"));
    }
    for (name, field, value) in KEY_DEFAULTS {
        extend(documents, name, field, "default", json!(value));
    }
    for name in ATOMIC {
        if let Some(document) = documents.get_mut(name).and_then(Value::as_object_mut) {
            document.insert("x-kubernetes-map-type".into(), json!("atomic"));
        }
    }
    // The generated types demand `metadata`; a request may leave it to the server.
    for document in documents.values_mut() {
        let properties = document.get("properties");
        let is_kind = properties.is_some_and(|fields| fields.get("kind").is_some());
        if let (true, Some(required)) =
            (is_kind, document.get_mut("required").and_then(Value::as_array_mut))
        {
            required.retain(|field| field != "metadata");
        }
    }
}

fn extend(
    documents: &mut Map<String, Value>,
    name: &str,
    field: &str,
    extension: &str,
    value: Value,
) {
    let property = documents
        .get_mut(name)
        .and_then(|document| document.get_mut("properties")?.get_mut(field)?.as_object_mut());
    if let Some(property) = property {
        property.insert(extension.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Identity, Shape};

    /// Types of the data file that no kind in use refers to, and a field that is newer than the
    /// types.
    const UNUSED: [&str; 6] = [
        "io.k8s.api.core.v1.ComponentStatus",
        "io.k8s.api.core.v1.NodeAllocatable",
        "io.k8s.api.core.v1.PodStatus.nodeAllocatable",
        "io.k8s.apimachinery.pkg.apis.meta.v1.APIResource",
        "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
        "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails",
    ];

    #[test]
    fn every_list_type_names_a_field_that_exists() {
        let list_types: Map<String, Value> = serde_json::from_str(LIST_TYPES).unwrap();
        assert!(list_types.len() > 150);
        let missing: Vec<&String> = list_types
            .keys()
            .filter(|path| !UNUSED.iter().any(|unused| path.starts_with(unused)))
            .filter(|path| {
                let (name, field) = path.rsplit_once('.').unwrap();
                documents()
                    .get(name)
                    .is_none_or(|document| document["properties"].get(field).is_none())
            })
            .collect();
        assert_eq!(missing, Vec::<&String>::new());
    }

    #[test]
    fn every_hand_written_fact_names_a_field_that_exists() {
        for name in ATOMIC {
            assert!(documents().contains_key(name), "{name}");
        }
        let fields = ATOMIC_FIELDS.iter().copied();
        for (name, field) in
            fields.chain(KEYED_FIELDS.iter().map(|(name, field, _)| (*name, *field)))
        {
            assert!(documents()[name]["properties"].get(field).is_some(), "{name}.{field}");
        }
    }

    #[test]
    fn container_ports_are_told_apart_by_port_and_protocol() {
        let container = builtin("io.k8s.api.core.v1.Container");
        let Shape::List(ports) = &container.field("ports").unwrap().shape else {
            panic!("not a list")
        };
        assert_eq!(ports.identity, Identity::Keys(vec!["containerPort".into(), "protocol".into()]));
        assert_eq!(ports.items.field("protocol").unwrap().default, Some(json!("TCP")));
    }
}
