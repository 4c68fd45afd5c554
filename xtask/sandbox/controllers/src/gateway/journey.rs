//! The way of a request: listener, Ingress rule, Service, endpoints, NetworkPolicies, Pod, and from
//! Kong on to the next Service.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::api::networking::v1::{HTTPIngressPath, IngressBackend, ServiceBackendPort};
use kube::ResourceExt;

use super::kong::{Decision, Request};
use super::reply::Reply;
use super::upstream;
use crate::kubelet::images::Component;
use crate::kubelet::stand_in::words;
use crate::load_balancer::{LoadBalancer, LoadBalancers, Protocol, Site};
use crate::network_policy::{Peer, permits_egress, permits_ingress};
use crate::objects::target_port;
use crate::selectors::contains;

/// A gateway behind a gateway behind a gateway is a loop.
const LONGEST_CHAIN: usize = 4;

/// A request with its body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
}

/// Where a connection to a Pod comes from.
#[derive(Clone)]
enum Source {
    LoadBalancer(Arc<LoadBalancer>),
    Pod(Arc<Pod>),
}

/// A request that reached a listener of a load balancer under the name `host`.
pub(super) async fn arrive(
    balancer: &Arc<LoadBalancer>,
    (protocol, port): (Protocol, u16),
    host: &str,
    mut call: Call,
) -> Reply {
    let settings = &balancer.settings;
    if let (Protocol::Http, Some(secure)) = (protocol, settings.ssl_redirect) {
        let query = if call.request.query.is_empty() {
            String::new()
        } else {
            format!("?{}", call.request.query)
        };
        let location = format!("https://{host}:{secure}{}{query}", call.request.path);
        return Reply::text(301, "").with("location", &location);
    }
    let (namespace, name) = &balancer.ingress;
    let Some(backend) = backend(balancer, host, &call.request.path) else {
        return Reply::blocked(
            404,
            &format!("no rule of Ingress {namespace}/{name} is for {host}{}", call.request.path),
        );
    };
    let Some(backend) = backend.service else {
        return Reply::blocked(
            503,
            &format!("the backend of Ingress {namespace}/{name} is no Service"),
        );
    };
    let scheme = if protocol == Protocol::Https { "https" } else { "http" };
    let forwarded = [
        ("host", host.to_owned()),
        ("x-forwarded-for", call.request.client.to_string()),
        ("x-forwarded-proto", scheme.to_owned()),
        ("x-forwarded-port", port.to_string()),
    ];
    call.request.headers.retain(|(name, _)| !forwarded.iter().any(|(ours, _)| name == ours));
    call.request.headers.extend(forwarded.map(|(name, value)| (name.to_owned(), value)));

    let site = &balancer.site;
    let target = match find_pod(site, namespace, &backend.name, &backend.port.unwrap_or_default()) {
        Ok(target) => target,
        Err(why) => return Reply::blocked(503, &why),
    };
    if let Err(why) = health(balancer, &target).await {
        return Reply::blocked(503, &why);
    }
    reach(site, &Source::LoadBalancer(balancer.clone()), &target, call, 0).await
}

/// A request that a Pod of a cluster sends to a Service.
pub(super) async fn from_pod(
    balancers: &LoadBalancers,
    uid: &str,
    (host, port): (&str, u16),
    call: Call,
) -> Reply {
    let site = balancers.site_of_pod(uid);
    let Some(site) = site else {
        return Reply::blocked(502, "this Pod is not known to the sandbox");
    };
    let pods = site.cluster.pods.select(|pod| pod.metadata.uid.as_deref() == Some(uid));
    let Some(pod) = pods.into_iter().next() else {
        return Reply::blocked(502, "this Pod is not known to the sandbox");
    };
    to_service(&site, pod, (host, port), call, 0).await
}

/// The host of the first rule that has one.
pub(super) fn first_host(balancer: &LoadBalancer) -> Option<String> {
    let rules = balancer.current_ingress()?.spec.clone()?.rules?;
    rules.into_iter().find_map(|rule| rule.host)
}

/// The backend of the best rule: an exact path, else the longest prefix.
fn backend(balancer: &LoadBalancer, host: &str, path: &str) -> Option<IngressBackend> {
    let spec = balancer.current_ingress()?.spec.clone()?;
    let rules = spec.rules.unwrap_or_default();
    let fitting = rules
        .iter()
        .filter(|rule| rule.host.as_deref().is_none_or(|wanted| fits_host(wanted, host)));
    let paths = fitting.filter_map(|rule| rule.http.as_ref()).flat_map(|http| &http.paths);
    let best = paths.filter(|known| fits_path(known, path)).max_by_key(|known| {
        (known.path_type == "Exact", known.path.as_deref().unwrap_or("/").len())
    });
    best.map(|known| known.backend.clone()).or(spec.default_backend)
}

fn fits_host(wanted: &str, host: &str) -> bool {
    match wanted.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => wanted.eq_ignore_ascii_case(host),
    }
}

fn fits_path(known: &HTTPIngressPath, path: &str) -> bool {
    let wanted = known.path.as_deref().unwrap_or("/");
    if known.path_type == "Exact" {
        return wanted == path;
    }
    let wanted = wanted.trim_end_matches('/');
    path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A Pod that a Service leads to, and the port on it.
struct Target {
    pod: Arc<Pod>,
    port: u16,
    service: String,
}

/// A ready Pod behind a Service's port; the error names what is missing on the way.
fn find_pod(
    site: &Site,
    namespace: &str,
    name: &str,
    wanted: &ServiceBackendPort,
) -> Result<Target, String> {
    let cluster = &site.cluster;
    let service = cluster
        .services
        .get(namespace, name)
        .ok_or_else(|| format!("Service {namespace}/{name} does not exist"))?;
    let port = service_port(&service, wanted).ok_or_else(|| {
        let wanted = wanted.name.clone().or_else(|| wanted.number.map(|port| port.to_string()));
        format!("Service {namespace}/{name} has no port {}", wanted.unwrap_or_default())
    })?;
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    let selected = cluster.pods.select(|pod| {
        pod.metadata.namespace.as_deref() == Some(namespace)
            && !selector.is_empty()
            && contains(pod.labels(), &selector)
    });
    if selected.is_empty() {
        let labels: Vec<_> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        return Err(format!(
            "the selector of Service {namespace}/{name} matches nothing: {}",
            labels.join(",")
        ));
    }
    let slices = cluster.endpoint_slices.select(|slice| {
        slice.metadata.namespace.as_deref() == Some(namespace)
            && slice.labels().get("kubernetes.io/service-name").is_some_and(|of| of == name)
    });
    let ready: Vec<String> = slices
        .iter()
        .flat_map(|slice| &slice.endpoints)
        .filter(|endpoint| {
            endpoint.conditions.as_ref().is_some_and(|conditions| conditions.ready == Some(true))
        })
        .filter_map(|endpoint| endpoint.target_ref.as_ref()?.uid.clone())
        .collect();
    let pod = selected.iter().find(|pod| pod.uid().is_some_and(|uid| ready.contains(&uid)));
    let Some(pod) = pod else {
        let states: Vec<_> = selected.iter().map(|pod| describe(pod)).collect();
        return Err(format!(
            "Service {namespace}/{name} has no ready endpoint: {}",
            states.join("; ")
        ));
    };
    let number = target_port(&port, pod).and_then(|number| u16::try_from(number).ok());
    let number = number.ok_or_else(|| {
        format!(
            "port {} of Service {namespace}/{name} leads to no port of Pod {}",
            port.port,
            pod.name_any()
        )
    })?;
    Ok(Target { pod: pod.clone(), port: number, service: format!("{namespace}/{name}") })
}

fn service_port(service: &Service, wanted: &ServiceBackendPort) -> Option<ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let fits = |port: &&ServicePort| match (&wanted.name, wanted.number) {
        (Some(name), _) => port.name.as_deref() == Some(name),
        (None, Some(number)) => port.port == number,
        (None, None) => ports.len() == 1,
    };
    ports.iter().find(fits).cloned()
}

/// Why a Pod is not ready, in its own words.
fn describe(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let waiting = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten())
        .find_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            let reason = waiting.reason.clone()?;
            Some(match &waiting.message {
                Some(message) => format!("{reason}: {message}"),
                None => reason,
            })
        });
    let unready = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "Ready" && condition.status != "True")
        .and_then(|condition| condition.message.clone());
    match waiting.or(unready) {
        Some(why) => format!("Pod {} is not ready ({why})", pod.name_any()),
        None => format!("Pod {} is not yet among the endpoints", pod.name_any()),
    }
}

/// What the load balancer's health check finds. A real one sends requests to all targets once none is
/// healthy; here the request fails, because that state is never wanted.
async fn health(balancer: &Arc<LoadBalancer>, target: &Target) -> Result<(), String> {
    let settings = &balancer.settings;
    let port = settings.health_port.unwrap_or(target.port);
    let checked = Target { pod: target.pod.clone(), port, service: target.service.clone() };
    let call = Call {
        request: Request {
            method: "GET".to_owned(),
            path: settings.health_path.clone(),
            query: String::new(),
            headers: vec![("user-agent".to_owned(), "ELB-HealthChecker/2.0".to_owned())],
            client: balancer.address,
        },
        body: Vec::new(),
    };
    let reply =
        reach(&balancer.site, &Source::LoadBalancer(balancer.clone()), &checked, call, 0).await;
    if settings.is_healthy(reply.status) {
        return Ok(());
    }
    if reply.header("x-sandbox-blocked").is_some() {
        return Err(message_of(&reply));
    }
    Err(format!(
        "the load balancer's health check fails: GET {} on port {port} of Pod {} answers {}",
        settings.health_path,
        target.pod.name_any(),
        reply.status
    ))
}

fn message_of(reply: &Reply) -> String {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    body.get("message").and_then(|text| text.as_str()).unwrap_or_default().to_owned()
}

/// Opens the connection, if the policies of both ends let it through, and has the Pod answer.
async fn reach(site: &Site, source: &Source, target: &Target, call: Call, depth: usize) -> Reply {
    let (pod, port) = (&target.pod, target.port);
    let permitted = match source {
        Source::LoadBalancer(balancer) => {
            permits_ingress(&site.cluster, pod, Peer::Address(balancer.address), port)
        }
        Source::Pod(from) => permits_egress(&site.cluster, from, Peer::Pod(pod), port)
            .and_then(|()| permits_ingress(&site.cluster, pod, Peer::Pod(from), port)),
    };
    if let Err(why) = permitted {
        return Reply::blocked(503, &why);
    }
    let runtime = pod.uid().and_then(|uid| site.kubelet.runtime(&uid));
    let container_words = |name: &str| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.filter(|container| container.name == name).flat_map(words).collect()
    };
    let Some(runtime) = runtime.and_then(|runtime| runtime.listening_on(port, container_words))
    else {
        return Reply::blocked(
            503,
            &format!(
                "connection refused: nothing listens on port {port} of Pod {} (Service {})",
                pod.name_any(),
                target.service
            ),
        );
    };
    if runtime.image.serves != Some(Component::Kong) {
        return upstream::answer(site, &runtime, &call).await.with("x-sandbox", "simulated");
    }
    let Some(kong) = &runtime.started.kong else {
        return Reply::blocked(503, "Kong has no configuration");
    };
    match kong.decide(call.request.clone()) {
        Decision::Answer(answer) => Reply::from(answer),
        Decision::Forward(forward) => {
            let address = (forward.host.as_str(), forward.port);
            let call = Call { request: forward.request, body: call.body };
            let mut reply = Box::pin(to_service(site, pod.clone(), address, call, depth + 1)).await;
            reply.headers.extend(forward.answer_headers);
            reply.with("x-sandbox-route", &forward.route)
        }
    }
}

/// A Pod's request to a Service by its name in the cluster.
async fn to_service(
    site: &Site,
    from: Arc<Pod>,
    (host, port): (&str, u16),
    call: Call,
    depth: usize,
) -> Reply {
    if depth > LONGEST_CHAIN {
        return Reply::blocked(508, "the request goes in circles");
    }
    let own = from.namespace().unwrap_or_default();
    let mut labels = host.split('.');
    let name = labels.next().unwrap_or_default();
    let namespace = labels.next().unwrap_or(&own);
    if site.cluster.services.get(namespace, name).is_none() {
        return Reply::blocked(
            503,
            &format!("name resolution failed: there is no Service {namespace}/{name}"),
        );
    }
    let wanted = ServiceBackendPort { name: None, number: Some(i32::from(port)) };
    match find_pod(site, namespace, name, &wanted) {
        Ok(target) => reach(site, &Source::Pod(from), &target, call, depth).await,
        Err(why) => Reply::blocked(503, &why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: &str, path: &str) -> HTTPIngressPath {
        HTTPIngressPath {
            path: Some(path.to_owned()),
            path_type: kind.to_owned(),
            ..HTTPIngressPath::default()
        }
    }

    #[test]
    fn prefixes_end_at_a_slash() {
        assert!(fits_path(&path("Prefix", "/"), "/rest/v1/"));
        assert!(fits_path(&path("Prefix", "/rest"), "/rest"));
        assert!(fits_path(&path("Prefix", "/rest/"), "/rest/v1"));
        assert!(!fits_path(&path("Prefix", "/rest"), "/restful"));
        assert!(!fits_path(&path("Exact", "/rest"), "/rest/"));
    }

    #[test]
    fn a_wildcard_host_is_one_label() {
        assert!(fits_host("api.example.com", "API.example.com"));
        assert!(fits_host("*.example.com", "api.example.com"));
        assert!(!fits_host("*.example.com", "a.b.example.com"));
        assert!(!fits_host("*.example.com", "example.com"));
    }
}
