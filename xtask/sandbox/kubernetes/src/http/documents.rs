//! What a cluster says of itself: version, health, discovery, OpenAPI.

use hyper::header;
use serde_json::{Value, json};

use super::{Head, Reply, typed};
use crate::{
    VERSION,
    cluster::Cluster,
    resources,
    status::{Answer, Failure},
};

/// What everybody may read.
pub(super) fn open(path: &str) -> Option<Reply> {
    match path.trim_end_matches('/') {
        "version" => Some(super::json(200, &version())),
        "healthz" | "livez" | "readyz" => {
            Some(typed(200, "text/plain; charset=utf-8", "ok".to_owned()))
        }
        _ => None,
    }
}

fn version() -> Value {
    let mut numbers = VERSION.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next(), numbers.next());
    json!({"major": major, "minor": minor, "gitVersion": VERSION, "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH)})
}

/// Discovery and OpenAPI, if that is what the path is about.
pub(super) fn discovery(
    cluster: &Cluster,
    head: &Head,
    prefix: &str,
    address: &str,
) -> Answer<Option<Reply>> {
    let path = head.path.trim_end_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    // A path longer than a group and version is about a resource.
    let store = cluster.store();
    let registry = &store.registry;
    let accept = head.header(header::ACCEPT);
    let document = match *segments.as_slice() {
        [""] => Some(
            json!({"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v3", "/version"]}),
        ),
        [root @ ("api" | "apis")] => {
            if let Some(version) = aggregated_version(accept) {
                let list = resources::aggregated(registry, root == "api", version);
                let media = format!(
                    "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                );
                return readable(head).map(|()| Some(typed(200, &media, list.to_string())));
            }
            Some(if root == "api" {
                resources::api_versions(address)
            } else {
                resources::api_group_list(registry)
            })
        }
        ["apis", group] => resources::api_group(registry, group),
        ["api", version] => resources::api_resource_list(registry, "", version),
        ["apis", group, version] => resources::api_resource_list(registry, group, version),
        ["openapi", "v2"] => return readable(head).map(|()| Some(openapi_v2(accept))),
        ["openapi", "v3"] => Some(resources::openapi_index(registry, prefix)),
        ["openapi", "v3", "api", version] => resources::openapi_document(registry, "", version),
        ["openapi", "v3", "apis", group, version] => {
            resources::openapi_document(registry, group, version)
        }
        _ => return Ok(None),
    };
    readable(head)?;
    let document = document.ok_or_else(Failure::no_such_path)?;
    Ok(Some(super::json(200, &document)))
}

/// The old OpenAPI document, without content: clients that miss a kind in the new one look here
/// before they say that nobody knows it.
fn openapi_v2(accept: &str) -> Reply {
    const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2";
    if accept.contains(PROTOBUF) {
        let media = format!("{PROTOBUF}.v1.0+protobuf");
        return super::reply(200, &media, crate::protobuf::empty_openapi_v2("Kubernetes", VERSION));
    }
    let info = json!({"title": "Kubernetes", "version": VERSION});
    super::json(200, &json!({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}))
}

fn readable(head: &Head) -> Answer<()> {
    if matches!(head.method.as_str(), "GET" | "HEAD") {
        Ok(())
    } else {
        Err(Failure::method_not_allowed())
    }
}

/// The newest aggregated form that a client reads; the first that it names is the one it likes
/// best.
fn aggregated_version(accept: &str) -> Option<&'static str> {
    let first = accept.split(',').find(|one| one.contains("as=APIGroupDiscoveryList"))?;
    if first.contains("v=v2beta1") { Some("v2beta1") } else { Some("v2") }
}
