//! Ingress -> load balancer, while the AWS Load Balancer Controller runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::networking::v1::{
    Ingress, IngressBackend, IngressLoadBalancerIngress, IngressLoadBalancerStatus, IngressStatus,
};
use kube::ResourceExt;
use kube::api::Api;
use tokio::task::JoinSet;

use super::annotations::{Settings, unknown};
use super::attachments;
use super::elbv2::{self, Wanted};
use super::registry::{LoadBalancer, Site};
use crate::addons::{LOAD_BALANCER_CONTROLLER, Running};
use crate::aws::Aws;
use crate::cluster::{Cluster, manager};
use crate::control::control;
use crate::events::EventType::{Normal, Warning};
use crate::faults::Fault;
use crate::irsa;
use crate::kubelet::Kubelet;
use crate::names;

/// The reporting component, the field manager and the finalizer of the real controller.
const COMPONENT: &str = "ingress";
const MANAGER: &str = "controller";
const FINALIZER: &str = "ingress.k8s.aws/resources";
const CLASS_CONTROLLER: &str = "ingress.k8s.aws/alb";
/// A load balancer takes minutes; long enough here that nobody can rely on it being there at once.
const BIRTH: Duration = Duration::from_millis(1500);
const AGAIN: Duration = Duration::from_secs(5);

/// Starts the controller.
pub(crate) fn start(cluster: &Arc<Cluster>, kubelet: &Arc<Kubelet>, tasks: &mut JoinSet<()>) {
    let site_kubelet = kubelet.clone();
    let queue = control(cluster, &cluster.ingresses, tasks, "ingress", move |cluster, ingress| {
        let site = Site { cluster, kubelet: site_kubelet.clone() };
        reconcile(site, ingress)
    });
    let all = queue.clone();
    cluster.deployments.on_change(move |deployment| {
        if LOAD_BALANCER_CONTROLLER.is(deployment) {
            all.add_all();
        }
    });
    let of_namespace = queue.clone();
    cluster.services.on_change(move |service| {
        of_namespace.add_namespace(service.metadata.namespace.as_deref().unwrap_or_default());
    });
    let mut faults = cluster.config.faults.changes();
    tasks.spawn(async move {
        while faults.changed().await.is_ok() {
            queue.add_all();
        }
    });
}

async fn reconcile(site: Site, ingress: Arc<Ingress>) -> anyhow::Result<Option<Duration>> {
    let cluster = &site.cluster;
    if !is_ours(cluster, &ingress) {
        return Ok(None);
    }
    let Some(running) = LOAD_BALANCER_CONTROLLER.available(cluster) else { return Ok(None) };
    let settings = Settings::read(ingress.annotations());
    if ingress.metadata.deletion_timestamp.is_some() {
        return remove(&site, &ingress, settings.ok()).await;
    }
    for name in unknown(ingress.annotations()) {
        let message = format!("unknown annotation alb.ingress.kubernetes.io/{name} is ignored");
        cluster.events.record(COMPONENT, &*ingress, (Warning, "UnknownAnnotation", &message)).await;
    }
    let model = settings.and_then(|settings| {
        check_backends(cluster, &ingress)?;
        Ok(settings)
    });
    let settings = match model {
        Ok(settings) => settings,
        Err(why) => {
            let message =
                format!("Failed build model due to ingress: {}: {why}", full_name(&ingress));
            cluster
                .events
                .record(COMPONENT, &*ingress, (Warning, "FailedBuildModel", &message))
                .await;
            return Ok(Some(AGAIN));
        }
    };
    if is_settled(cluster, &ingress, &settings) {
        return Ok(None);
    }
    let ingress = add_finalizer(cluster, &ingress, &settings).await?;
    let made = match deploy(cluster, &running, &ingress, &settings).await {
        Ok(made) => made,
        Err(error) => {
            let message = format!("Failed deploy model due to {error:#}");
            cluster
                .events
                .record(COMPONENT, &*ingress, (Warning, "FailedDeployModel", &message))
                .await;
            return Ok(Some(AGAIN));
        }
    };
    let key = (ingress.namespace().unwrap_or_default(), ingress.name_any());
    cluster.config.load_balancers.put(LoadBalancer {
        hostname: made.hostname.clone(),
        site: site.clone(),
        ingress: key,
        settings,
        address: made.address,
    });
    publish(cluster, &ingress, made.hostname).await
}

/// Whether the Ingress' class belongs to this controller.
fn is_ours(cluster: &Cluster, ingress: &Ingress) -> bool {
    let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    let class = class.and_then(|class| cluster.ingress_classes.get("", class));
    class.is_some_and(|class| {
        class.spec.as_ref().and_then(|spec| spec.controller.as_deref()) == Some(CLASS_CONTROLLER)
    })
}

/// Whether the load balancer is there, as the Ingress wants it, and its name is published.
fn is_settled(cluster: &Cluster, ingress: &Ingress, settings: &Settings) -> bool {
    let published = ingress.status.as_ref().and_then(|status| {
        status.load_balancer.as_ref()?.ingress.as_ref()?.first()?.hostname.clone()
    });
    let Some(one) = published.and_then(|hostname| cluster.config.load_balancers.find(&hostname))
    else {
        return false;
    };
    let key = (ingress.namespace().unwrap_or_default(), ingress.name_any());
    one.ingress == key && one.settings == *settings
}

/// Every Service and port of the rules has to exist.
fn check_backends(cluster: &Cluster, ingress: &Ingress) -> Result<(), String> {
    let namespace = ingress.namespace().unwrap_or_default();
    let spec = ingress.spec.clone().unwrap_or_default();
    let rules = spec.rules.unwrap_or_default();
    let paths = rules.iter().filter_map(|rule| rule.http.as_ref()).flat_map(|http| &http.paths);
    let backends: Vec<&IngressBackend> =
        paths.map(|path| &path.backend).chain(spec.default_backend.as_ref()).collect();
    for service in backends.iter().filter_map(|backend| backend.service.as_ref()) {
        let found = cluster.services.get(&namespace, &service.name);
        let found = found.ok_or_else(|| format!("Service \"{}\" not found", service.name))?;
        let ports = found.spec.as_ref().and_then(|spec| spec.ports.as_ref());
        let wanted = service.port.clone().unwrap_or_default();
        let known = ports.into_iter().flatten().any(|port| {
            Some(port.port) == wanted.number || wanted.name.is_some() && port.name == wanted.name
        });
        if !known {
            let port = wanted.name.or_else(|| wanted.number.map(|port| port.to_string()));
            return Err(format!(
                "unable to find port {} on service {namespace}/{}",
                port.unwrap_or_default(),
                service.name
            ));
        }
    }
    Ok(())
}

async fn deploy(
    cluster: &Cluster,
    running: &Running,
    ingress: &Ingress,
    settings: &Settings,
) -> anyhow::Result<elbv2::Made> {
    anyhow::ensure!(
        !cluster.config.faults.is_on(&Fault::LoadBalancerNever),
        "sandbox: no load balancer comes because the fault load-balancer-never is on"
    );
    irsa::role_of(cluster, &running.namespace(), &running.service_account()).await?;
    let vpc = running.option("--aws-vpc-id");
    let vpc =
        vpc.ok_or_else(|| anyhow::anyhow!("failed to introspect vpcID: --aws-vpc-id is not set"))?;
    let wanted = Wanted {
        name: balancer_name(cluster, ingress, settings),
        internet_facing: settings.internet_facing,
        vpc,
        cluster: running.option("--cluster-name").unwrap_or_default(),
        stack: settings.group.clone().unwrap_or_else(|| full_name(ingress)),
        port: settings.listeners.first().map_or(80, |(_, port)| *port),
    };
    let aws = Aws::new(cluster.config.aws.clone());
    let made = elbv2::ensure(&aws, &wanted).await?;
    attachments::ensure(&aws, &wanted.name, &made.arn, settings).await?;
    Ok(made)
}

/// `k8s-<namespace>-<name>-<hash>`, as the controller names what has no name of its own.
fn balancer_name(cluster: &Cluster, ingress: &Ingress, settings: &Settings) -> String {
    if let Some(name) = &settings.name {
        return name.clone();
    }
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let scheme = if settings.internet_facing { "internet-facing" } else { "internal" };
    let hash =
        |stack: &str| names::hash_suffix(&format!("{}/{stack}/{scheme}", cluster.config.name), 10);
    if let Some(group) = &settings.group {
        return format!("k8s-{}-{}", names::cut(&plain(group), 17), hash(group));
    }
    let (namespace, name) =
        (plain(&ingress.namespace().unwrap_or_default()), plain(&ingress.name_any()));
    let hash = hash(&full_name(ingress));
    format!("k8s-{}-{}-{hash}", names::cut(&namespace, 8), names::cut(&name, 8))
}

fn full_name(ingress: &Ingress) -> String {
    format!("{}/{}", ingress.namespace().unwrap_or_default(), ingress.name_any())
}

fn finalizer(settings: &Settings) -> String {
    match &settings.group {
        Some(group) => format!("group.ingress.k8s.aws/{group}"),
        None => FINALIZER.to_owned(),
    }
}

async fn add_finalizer(
    cluster: &Cluster,
    ingress: &Arc<Ingress>,
    settings: &Settings,
) -> anyhow::Result<Arc<Ingress>> {
    let finalizer = finalizer(settings);
    if ingress.finalizers().contains(&finalizer) {
        return Ok(ingress.clone());
    }
    let mut changed = (**ingress).clone();
    changed.finalizers_mut().push(finalizer);
    Ok(Arc::new(write(cluster, &changed).await?))
}

async fn write(cluster: &Cluster, ingress: &Ingress) -> kube::Result<Ingress> {
    let api: Api<Ingress> = cluster.api(&ingress.namespace().unwrap_or_default());
    let written = api.replace(&ingress.name_any(), &manager(MANAGER), ingress).await?;
    cluster.ingresses.observe(&written);
    Ok(written)
}

/// Writes the host name once the load balancer is old enough.
async fn publish(
    cluster: &Cluster,
    ingress: &Ingress,
    hostname: String,
) -> anyhow::Result<Option<Duration>> {
    let entry = IngressLoadBalancerIngress {
        hostname: Some(hostname),
        ..IngressLoadBalancerIngress::default()
    };
    let balancer = IngressLoadBalancerStatus { ingress: Some(vec![entry]) };
    let known = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    if known == Some(&balancer) {
        return Ok(None);
    }
    let born = ingress
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(jiff::Timestamp::UNIX_EPOCH, |time| time.0);
    let age = Duration::try_from(jiff::Timestamp::now().duration_since(born)).unwrap_or_default();
    if let Some(left) = BIRTH.checked_sub(age).filter(|left| !left.is_zero()) {
        return Ok(Some(left));
    }
    let status = IngressStatus { load_balancer: Some(balancer) };
    let written = Ingress { status: Some(status), ..ingress.clone() };
    let api: Api<Ingress> = cluster.api(&ingress.namespace().unwrap_or_default());
    let written = api.replace_status(&ingress.name_any(), &manager(MANAGER), &written).await?;
    cluster.ingresses.observe(&written);
    let event = (Normal, "SuccessfullyReconciled", "Successfully reconciled");
    cluster.events.record(COMPONENT, ingress, event).await;
    Ok(None)
}

/// Deletes the load balancer and only then lets the Ingress go.
async fn remove(
    site: &Site,
    ingress: &Ingress,
    settings: Option<Settings>,
) -> anyhow::Result<Option<Duration>> {
    let cluster = &site.cluster;
    let own: BTreeSet<String> = ingress
        .finalizers()
        .iter()
        .filter(|name| *name == FINALIZER || name.starts_with("group.ingress.k8s.aws/"))
        .cloned()
        .collect();
    if own.is_empty() {
        return Ok(None);
    }
    if let Some(settings) = &settings {
        if settings.deletion_protection && settings.group.is_none() {
            let message = format!(
                "Failed deploy model due to deletion_protection is enabled, cannot delete the ingress: {}",
                full_name(ingress)
            );
            cluster
                .events
                .record(COMPONENT, ingress, (Warning, "FailedDeployModel", &message))
                .await;
            return Ok(None);
        }
        if !shares_group(cluster, ingress, settings) {
            let aws = Aws::new(cluster.config.aws.clone());
            elbv2::delete(&aws, &balancer_name(cluster, ingress, settings)).await?;
        }
    }
    let namespace = ingress.namespace().unwrap_or_default();
    cluster.config.load_balancers.remove(&cluster.config.name, &namespace, &ingress.name_any());
    let mut changed = ingress.clone();
    changed.finalizers_mut().retain(|name| !own.contains(name));
    match write(cluster, &changed).await {
        Ok(_) => {}
        Err(error) if crate::cluster::is_not_found(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(None)
}

/// Whether another Ingress still uses the load balancer of the same group.
fn shares_group(cluster: &Cluster, ingress: &Ingress, settings: &Settings) -> bool {
    settings.group.is_some()
        && !cluster
            .ingresses
            .select(|other| {
                other.uid() != ingress.uid()
                    && other.metadata.deletion_timestamp.is_none()
                    && Settings::read(other.annotations())
                        .is_ok_and(|read| read.group == settings.group)
            })
            .is_empty()
}
