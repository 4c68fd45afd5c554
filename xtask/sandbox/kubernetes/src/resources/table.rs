//! The built-in kinds.

use super::{Resource, Scale};
use crate::schema::{Schema, Shape};

/// A row: kind, plural, short names, and what is special.
struct Row {
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    traits: &'static [Trait],
}

#[derive(Clone, Copy, PartialEq)]
enum Trait {
    /// Not in a namespace.
    Cluster,
    Status,
    Scale,
    Generation,
    /// In the category `all`.
    All,
    /// Answered, not kept.
    Virtual,
    Subresources(&'static [&'static str]),
}

use Trait::{All, Cluster, Generation, Status, Subresources, Virtual};

const fn row(
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    traits: &'static [Trait],
) -> Row {
    Row { kind, plural, short_names, traits }
}

/// Group, version, the package of the OpenAPI names, rows.
const GROUPS: [(&str, &str, &str, &[Row]); 18] = [
    (
        "",
        "v1",
        "io.k8s.api.core.v1",
        &[
            row("ConfigMap", "configmaps", &["cm"], &[]),
            row("Endpoints", "endpoints", &["ep"], &[]),
            row("Event", "events", &["ev"], &[]),
            row("LimitRange", "limitranges", &["limits"], &[]),
            row(
                "Namespace",
                "namespaces",
                &["ns"],
                &[Cluster, Status, Subresources(&["finalize"])],
            ),
            row("Node", "nodes", &["no"], &[Cluster, Status]),
            row("PersistentVolume", "persistentvolumes", &["pv"], &[Cluster, Status]),
            row("PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"], &[Status]),
            row(
                "Pod",
                "pods",
                &["po"],
                &[Status, Generation, All, Subresources(&["binding", "eviction", "log"])],
            ),
            row("PodTemplate", "podtemplates", &[], &[]),
            row(
                "ReplicationController",
                "replicationcontrollers",
                &["rc"],
                &[Status, Trait::Scale, Generation, All],
            ),
            row("ResourceQuota", "resourcequotas", &["quota"], &[Status]),
            row("Secret", "secrets", &[], &[]),
            row("Service", "services", &["svc"], &[Status, All]),
            row("ServiceAccount", "serviceaccounts", &["sa"], &[Subresources(&["token"])]),
        ],
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "io.k8s.api.admissionregistration.v1",
        &[
            row(
                "MutatingWebhookConfiguration",
                "mutatingwebhookconfigurations",
                &[],
                &[Cluster, Generation],
            ),
            row(
                "ValidatingAdmissionPolicy",
                "validatingadmissionpolicies",
                &[],
                &[Cluster, Status, Generation],
            ),
            row(
                "ValidatingAdmissionPolicyBinding",
                "validatingadmissionpolicybindings",
                &[],
                &[Cluster, Generation],
            ),
            row(
                "ValidatingWebhookConfiguration",
                "validatingwebhookconfigurations",
                &[],
                &[Cluster, Generation],
            ),
        ],
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
        &[row(
            "CustomResourceDefinition",
            "customresourcedefinitions",
            &["crd", "crds"],
            &[Cluster, Status, Generation],
        )],
    ),
    (
        "apiregistration.k8s.io",
        "v1",
        "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
        &[row("APIService", "apiservices", &[], &[Cluster, Status])],
    ),
    (
        "apps",
        "v1",
        "io.k8s.api.apps.v1",
        &[
            row("ControllerRevision", "controllerrevisions", &[], &[]),
            row("DaemonSet", "daemonsets", &["ds"], &[Status, Generation, All]),
            row("Deployment", "deployments", &["deploy"], &[Status, Trait::Scale, Generation, All]),
            row("ReplicaSet", "replicasets", &["rs"], &[Status, Trait::Scale, Generation, All]),
            row("StatefulSet", "statefulsets", &["sts"], &[Status, Trait::Scale, Generation, All]),
        ],
    ),
    (
        "authentication.k8s.io",
        "v1",
        "io.k8s.api.authentication.v1",
        &[
            row("SelfSubjectReview", "selfsubjectreviews", &[], &[Cluster, Virtual]),
            row("TokenReview", "tokenreviews", &[], &[Cluster, Virtual]),
        ],
    ),
    (
        "authorization.k8s.io",
        "v1",
        "io.k8s.api.authorization.v1",
        &[
            row("SelfSubjectAccessReview", "selfsubjectaccessreviews", &[], &[Cluster, Virtual]),
            row("SelfSubjectRulesReview", "selfsubjectrulesreviews", &[], &[Cluster, Virtual]),
            row("SubjectAccessReview", "subjectaccessreviews", &[], &[Cluster, Virtual]),
        ],
    ),
    (
        "autoscaling",
        "v2",
        "io.k8s.api.autoscaling.v2",
        &[row("HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], &[Status, All])],
    ),
    (
        "batch",
        "v1",
        "io.k8s.api.batch.v1",
        &[
            row("CronJob", "cronjobs", &["cj"], &[Status, Generation, All]),
            row("Job", "jobs", &[], &[Status, Generation, All]),
        ],
    ),
    (
        "coordination.k8s.io",
        "v1",
        "io.k8s.api.coordination.v1",
        &[row("Lease", "leases", &[], &[])],
    ),
    (
        "discovery.k8s.io",
        "v1",
        "io.k8s.api.discovery.v1",
        &[row("EndpointSlice", "endpointslices", &[], &[Generation])],
    ),
    ("events.k8s.io", "v1", "io.k8s.api.events.v1", &[row("Event", "events", &["ev"], &[])]),
    (
        "networking.k8s.io",
        "v1",
        "io.k8s.api.networking.v1",
        &[
            row("Ingress", "ingresses", &["ing"], &[Status, Generation]),
            row("IngressClass", "ingressclasses", &[], &[Cluster, Generation]),
            row("NetworkPolicy", "networkpolicies", &["netpol"], &[Generation]),
        ],
    ),
    (
        "node.k8s.io",
        "v1",
        "io.k8s.api.node.v1",
        &[row("RuntimeClass", "runtimeclasses", &[], &[Cluster])],
    ),
    (
        "policy",
        "v1",
        "io.k8s.api.policy.v1",
        &[row("PodDisruptionBudget", "poddisruptionbudgets", &["pdb"], &[Status, Generation])],
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "io.k8s.api.rbac.v1",
        &[
            row("ClusterRole", "clusterroles", &[], &[Cluster]),
            row("ClusterRoleBinding", "clusterrolebindings", &[], &[Cluster]),
            row("Role", "roles", &[], &[]),
            row("RoleBinding", "rolebindings", &[], &[]),
        ],
    ),
    (
        "scheduling.k8s.io",
        "v1",
        "io.k8s.api.scheduling.v1",
        &[row("PriorityClass", "priorityclasses", &["pc"], &[Cluster, Generation])],
    ),
    (
        "storage.k8s.io",
        "v1",
        "io.k8s.api.storage.v1",
        &[
            row("CSIDriver", "csidrivers", &[], &[Cluster]),
            row("CSINode", "csinodes", &[], &[Cluster]),
            row("StorageClass", "storageclasses", &["sc"], &[Cluster]),
            row("VolumeAttachment", "volumeattachments", &[], &[Cluster, Status]),
        ],
    ),
];

pub(super) fn resources() -> impl Iterator<Item = Resource> {
    GROUPS.iter().flat_map(|(group, version, package, rows)| {
        rows.iter().map(move |row| row.resource(group, version, package))
    })
}

impl Row {
    fn resource(&self, group: &str, version: &str, package: &str) -> Resource {
        let has = |one: Trait| self.traits.contains(&one);
        let subresources = self.traits.iter().find_map(|one| match one {
            Subresources(names) => Some(*names),
            _ => None,
        });
        let type_name = format!("{package}.{}", self.kind);
        Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.kind.to_owned(),
            list_kind: format!("{}List", self.kind),
            plural: self.plural.to_owned(),
            singular: self.kind.to_lowercase(),
            short_names: self.short_names.iter().map(ToString::to_string).collect(),
            categories: if has(All) { vec!["all".to_owned()] } else { Vec::new() },
            namespaced: !has(Cluster),
            status: has(Status),
            scale: has(Trait::Scale).then(|| Scale {
                spec: "spec.replicas".to_owned(),
                status: "status.replicas".to_owned(),
                selector: "spec.selector".to_owned(),
            }),
            subresources: subresources.unwrap_or_default(),
            generation: has(Generation),
            custom: false,
            virtual_only: has(Virtual),
            schema: Schema::of(Shape::Reference(type_name.clone())),
            columns: Vec::new(),
            document: None,
            type_name,
        }
    }
}
