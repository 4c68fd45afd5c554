//! The columns of each kind.

use serde_json::{Value, json};

use super::{
    Cell::{At, By, Selected, Since},
    Column,
};
use crate::{
    resources::Resource,
    store::selector_text,
    value::{at, list, text},
};

const CREATED: &str = "metadata.creationTimestamp";

/// The columns of a kind.
pub(super) fn of(resource: &Resource) -> Vec<Column> {
    if resource.custom {
        return custom(resource);
    }
    let mut columns = vec![name()];
    let own: Vec<Column> = match resource.kind.as_str() {
        "Event" => return event(),
        "Pod" => pod(),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => workload(&resource.kind),
        "Job" => vec![
            Column::new("Status", By(job_status)),
            Column::new(
                "Completions",
                By(|job| ratio(job, "status.succeeded", "spec.completions")),
            ),
        ],
        "CronJob" => vec![
            Column::new("Schedule", At("spec.schedule")),
            Column::new("Suspend", At("spec.suspend")),
            Column::new("Active", By(|job| list(job, "status.active").len().to_string())),
            Column::new("Last Schedule", Since("status.lastScheduleTime")),
        ],
        "Service" => service(),
        "Ingress" => vec![
            Column::new("Class", At("spec.ingressClassName")),
            Column::new("Hosts", By(ingress_hosts)),
            Column::new("Address", By(addresses)),
            Column::new(
                "Ports",
                By(|one| if list(one, "spec.tls").is_empty() { "80" } else { "80, 443" }.into()),
            ),
        ],
        "HorizontalPodAutoscaler" => vec![
            Column::new(
                "Reference",
                By(|one| {
                    format!(
                        "{}/{}",
                        text(one, "spec.scaleTargetRef.kind"),
                        text(one, "spec.scaleTargetRef.name")
                    )
                }),
            ),
            Column::new("Targets", By(targets)),
            Column::new("MinPods", At("spec.minReplicas")),
            Column::new("MaxPods", At("spec.maxReplicas")),
            Column::new("Replicas", By(|one| number(one, "status.currentReplicas"))),
        ],
        "PodDisruptionBudget" => vec![
            Column::new("Min Available", By(|one| or(at(one, "spec.minAvailable"), "N/A"))),
            Column::new("Max Unavailable", By(|one| or(at(one, "spec.maxUnavailable"), "N/A"))),
            Column::new("Allowed Disruptions", By(|one| number(one, "status.disruptionsAllowed"))),
        ],
        "Namespace" => vec![Column::new("Status", At("status.phase"))],
        "Node" => node(),
        "PersistentVolumeClaim" => claim(),
        "ConfigMap" => vec![Column::new("Data", By(data))],
        "Secret" => vec![Column::new("Type", At("type")), Column::new("Data", By(data))],
        "NetworkPolicy" => {
            vec![Column::new("Pod-Selector", By(|one| selector(at(one, "spec.podSelector"))))]
        }
        "RoleBinding" | "ClusterRoleBinding" => vec![Column::new(
            "Role",
            By(|one| format!("{}/{}", text(one, "roleRef.kind"), text(one, "roleRef.name"))),
        )],
        "StorageClass" => vec![
            Column::new("Provisioner", At("provisioner")),
            Column::new("ReclaimPolicy", At("reclaimPolicy")),
            Column::new("VolumeBindingMode", At("volumeBindingMode")),
        ],
        "IngressClass" => vec![Column::new("Controller", At("spec.controller"))],
        "PriorityClass" => vec![Column::new("Value", At("value"))],
        "Lease" => vec![Column::new("Holder", At("spec.holderIdentity"))],
        _ => Vec::new(),
    };
    let (narrow, wide): (Vec<Column>, Vec<Column>) =
        own.into_iter().partition(|column| column.priority == 0);
    columns.extend(narrow);
    columns.push(Column::new("Age", Since(CREATED)));
    columns.extend(wide);
    columns
}

fn name() -> Column {
    Column::new("Name", At("metadata.name"))
}

fn custom(resource: &Resource) -> Vec<Column> {
    let given = resource.columns.iter().map(|column| Column {
        name: text(column, "name").to_owned(),
        kind: text(column, "type").to_owned(),
        priority: at(column, "priority").as_i64().unwrap_or_default(),
        cell: Selected {
            path: text(column, "jsonPath").to_owned(),
            date: text(column, "type") == "date",
        },
    });
    let mut columns = vec![name()];
    columns.extend(given);
    if columns.len() == 1 {
        columns.push(Column::new("Age", Since(CREATED)));
    }
    columns
}

fn event() -> Vec<Column> {
    let object = |one: &Value| {
        format!(
            "{}/{}",
            text(one, "involvedObject.kind").to_lowercase(),
            text(one, "involvedObject.name")
        )
    };
    vec![
        Column::new("Last Seen", By(last_seen)),
        Column::new("Type", At("type")),
        Column::new("Reason", At("reason")),
        Column::new("Object", By(object)),
        Column::new("Message", At("message")),
        Column::wide("Name", At("metadata.name")),
    ]
}

fn last_seen(event: &Value) -> String {
    let times = ["series.lastObservedTime", "lastTimestamp", "eventTime", CREATED];
    times
        .iter()
        .map(|path| text(event, path))
        .find(|time| !time.is_empty())
        .map_or_else(String::new, super::since)
}

fn pod() -> Vec<Column> {
    let ready = |pod: &Value| {
        let ready =
            list(pod, "status.containerStatuses").iter().filter(|one| one["ready"] == true).count();
        format!("{ready}/{}", list(pod, "spec.containers").len())
    };
    let restarts = |pod: &Value| {
        let statuses = list(pod, "status.containerStatuses").iter();
        statuses.filter_map(|one| one["restartCount"].as_i64()).sum::<i64>().to_string()
    };
    vec![
        Column::new("Ready", By(ready)),
        Column::new("Status", By(pod_status)),
        Column::new("Restarts", By(restarts)),
        Column::wide("IP", At("status.podIP")),
        Column::wide("Node", At("spec.nodeName")),
    ]
}

/// Why a Pod does not run, or its phase.
fn pod_status(pod: &Value) -> String {
    if !at(pod, "metadata.deletionTimestamp").is_null() {
        return "Terminating".to_owned();
    }
    for (index, container) in list(pod, "status.initContainerStatuses").iter().enumerate() {
        let state = at(container, "state");
        if at(state, "terminated.exitCode") == 0 {
            continue;
        }
        let total = list(pod, "spec.initContainers").len();
        return match reason(state) {
            "" | "PodInitializing" => format!("Init:{index}/{total}"),
            reason => format!("Init:{reason}"),
        };
    }
    let statuses = list(pod, "status.containerStatuses").iter();
    let mut reasons =
        statuses.map(|one| reason(at(one, "state"))).filter(|reason| !reason.is_empty());
    let phase = or(at(pod, "status.reason"), text(pod, "status.phase"));
    reasons.next_back().map_or(phase, str::to_owned)
}

fn reason(state: &Value) -> &str {
    match text(state, "waiting.reason") {
        "" => text(state, "terminated.reason"),
        reason => reason,
    }
}

fn workload(kind: &str) -> Vec<Column> {
    let mut columns = match kind {
        "Deployment" => vec![
            Column::new("Ready", By(|one| ratio(one, "status.readyReplicas", "spec.replicas"))),
            Column::new("Up-to-date", By(|one| number(one, "status.updatedReplicas"))),
            Column::new("Available", By(|one| number(one, "status.availableReplicas"))),
        ],
        "StatefulSet" => {
            vec![Column::new(
                "Ready",
                By(|one| ratio(one, "status.readyReplicas", "spec.replicas")),
            )]
        }
        "ReplicaSet" => vec![
            Column::new("Desired", At("spec.replicas")),
            Column::new("Current", By(|one| number(one, "status.replicas"))),
            Column::new("Ready", By(|one| number(one, "status.readyReplicas"))),
        ],
        _ => vec![
            Column::new("Desired", By(|one| number(one, "status.desiredNumberScheduled"))),
            Column::new("Current", By(|one| number(one, "status.currentNumberScheduled"))),
            Column::new("Ready", By(|one| number(one, "status.numberReady"))),
            Column::new("Up-to-date", By(|one| number(one, "status.updatedNumberScheduled"))),
            Column::new("Available", By(|one| number(one, "status.numberAvailable"))),
        ],
    };
    columns.push(Column::wide("Containers", By(|one| containers(one, "name"))));
    columns.push(Column::wide("Images", By(|one| containers(one, "image"))));
    columns.push(Column::wide("Selector", By(|one| selector(at(one, "spec.selector")))));
    columns
}

fn containers(object: &Value, field: &str) -> String {
    let containers = list(object, "spec.template.spec.containers").iter();
    containers.map(|one| text(one, field)).collect::<Vec<_>>().join(",")
}

fn job_status(job: &Value) -> String {
    let conditions = list(job, "status.conditions").iter();
    let ended = conditions.filter(|one| one["status"] == "True").find_map(|one| {
        one["type"].as_str().filter(|kind| matches!(*kind, "Complete" | "Failed" | "Suspended"))
    });
    ended.unwrap_or("Running").to_owned()
}

fn service() -> Vec<Column> {
    let ports = |service: &Value| {
        let port = |port: &Value| match &port["nodePort"] {
            Value::Null => format!("{}/{}", port["port"], text(port, "protocol")),
            node => format!("{}:{node}/{}", port["port"], text(port, "protocol")),
        };
        list(service, "spec.ports").iter().map(port).collect::<Vec<_>>().join(",")
    };
    let external = |service: &Value| match text(service, "spec.type") {
        "ExternalName" => text(service, "spec.externalName").to_owned(),
        "LoadBalancer" if addresses(service).is_empty() => "<pending>".to_owned(),
        "LoadBalancer" => addresses(service),
        _ => "<none>".to_owned(),
    };
    vec![
        Column::new("Type", At("spec.type")),
        Column::new("Cluster-IP", At("spec.clusterIP")),
        Column::new("External-IP", By(external)),
        Column::new("Port(s)", By(ports)),
        Column::wide(
            "Selector",
            By(|one| selector(&json!({"matchLabels": at(one, "spec.selector")}))),
        ),
    ]
}

fn ingress_hosts(ingress: &Value) -> String {
    let hosts = list(ingress, "spec.rules")
        .iter()
        .map(|rule| text(rule, "host"))
        .filter(|host| !host.is_empty());
    let hosts: Vec<&str> = hosts.collect();
    if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") }
}

/// The measured and the wanted value of each resource that an autoscaler looks at.
fn targets(autoscaler: &Value) -> String {
    let measured = list(autoscaler, "status.currentMetrics");
    let target = |metric: &Value| {
        let name = text(metric, "resource.name");
        let current = measured.iter().find(|one| text(one, "resource.name") == name);
        let current = current.map(|one| at(one, "resource.current.averageUtilization"));
        let current =
            current.and_then(Value::as_i64).map_or("<unknown>".to_owned(), |one| format!("{one}%"));
        format!("{name}: {current}/{}%", number(metric, "resource.target.averageUtilization"))
    };
    let metrics =
        list(autoscaler, "spec.metrics").iter().filter(|metric| metric["type"] == "Resource");
    metrics.map(target).collect::<Vec<_>>().join(", ")
}

/// The host names and addresses of a load balancer.
fn addresses(object: &Value) -> String {
    let entries = list(object, "status.loadBalancer.ingress").iter();
    entries.map(|one| or(at(one, "hostname"), text(one, "ip"))).collect::<Vec<_>>().join(",")
}

fn node() -> Vec<Column> {
    let status = |node: &Value| {
        let ready = list(node, "status.conditions").iter().find(|one| one["type"] == "Ready");
        let ready = ready
            .map_or("Unknown", |one| if one["status"] == "True" { "Ready" } else { "NotReady" });
        let closed =
            if at(node, "spec.unschedulable") == true { ",SchedulingDisabled" } else { "" };
        format!("{ready}{closed}")
    };
    let roles = |node: &Value| {
        let labels = at(node, "metadata.labels").as_object().into_iter().flatten();
        let roles: Vec<&str> = labels
            .filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/"))
            .collect();
        if roles.is_empty() { "<none>".to_owned() } else { roles.join(",") }
    };
    vec![
        Column::new("Status", By(status)),
        Column::new("Roles", By(roles)),
        Column::new("Version", At("status.nodeInfo.kubeletVersion")),
    ]
}

fn claim() -> Vec<Column> {
    let modes = |claim: &Value| {
        let short = |mode: &Value| match mode.as_str().unwrap_or_default() {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            _ => "RWOP",
        };
        list(claim, "status.accessModes").iter().map(short).collect::<Vec<_>>().join(",")
    };
    vec![
        Column::new("Status", At("status.phase")),
        Column::new("Volume", By(|one| text(one, "spec.volumeName").to_owned())),
        Column::new("Capacity", By(|one| text(one, "status.capacity.storage").to_owned())),
        Column::new("Access Modes", By(modes)),
        Column::new("StorageClass", By(|one| text(one, "spec.storageClassName").to_owned())),
    ]
}

fn data(object: &Value) -> String {
    let count = |field: &str| at(object, field).as_object().map_or(0, serde_json::Map::len);
    (count("data") + count("binaryData")).to_string()
}

fn selector(selector: &Value) -> String {
    let text = selector_text(selector);
    if text.is_empty() { "<none>".to_owned() } else { text }
}

fn number(object: &Value, path: &str) -> String {
    at(object, path).as_i64().unwrap_or_default().to_string()
}

fn ratio(object: &Value, some: &str, all: &str) -> String {
    format!("{}/{}", number(object, some), number(object, all))
}

fn or(value: &Value, otherwise: &str) -> String {
    match value {
        Value::Null => otherwise.to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
