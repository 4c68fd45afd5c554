//! What a probe of a stand-in finds: the ports and paths that the real image has.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::images::Image;
use crate::objects::container_port;

/// What answers in a container.
pub(crate) struct Listening<'a> {
    pub(crate) image: &'a Image,
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) words: &'a [String],
    /// Paths that the configuration adds, by port.
    pub(crate) more: &'a [(u16, String)],
}

impl Listening<'_> {
    /// The status of a GET of `path` on `port`; none if nothing listens there.
    pub(crate) fn get(&self, port: u16, path: &str) -> Option<u16> {
        let path = path.split('?').next().unwrap_or_default();
        let found = self
            .image
            .ports
            .iter()
            .find(|known| known.number(self.env, self.words) == Some(port))?;
        let known = found.paths.iter().any(|known| known == path)
            || self.more.iter().any(|(of, known)| *of == port && known == path);
        Some(if known { 200 } else { 404 })
    }

    /// Whether something listens on `port`.
    pub(crate) fn listens(&self, port: u16) -> bool {
        self.image.ports.iter().any(|known| known.number(self.env, self.words) == Some(port))
    }
}

/// What a probe finds; the error is what a kubelet reports after `Readiness probe failed: `.
pub(crate) fn check(
    probe: &Probe,
    container: &Container,
    pod: &Pod,
    address: &str,
    listening: &Listening<'_>,
) -> Result<(), String> {
    if let Some(get) = &probe.http_get {
        let port = port_number(&get.port, container, pod)?;
        let path = get.path.as_deref().unwrap_or("/");
        let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        return match listening.get(port, path) {
            Some(status) if (200..400).contains(&status) => Ok(()),
            Some(status) => Err(format!("HTTP probe failed with statuscode: {status}")),
            None => Err(format!(
                "Get \"{scheme}://{address}:{port}{path}\": dial tcp {address}:{port}: connect: connection refused"
            )),
        };
    }
    if let Some(socket) = &probe.tcp_socket {
        let port = port_number(&socket.port, container, pod)?;
        return if listening.listens(port) {
            Ok(())
        } else {
            Err(format!("dial tcp {address}:{port}: connect: connection refused"))
        };
    }
    if let Some(exec) = &probe.exec {
        let program = exec.command.iter().flatten().next().map(String::as_str).unwrap_or_default();
        return if listening.image.exec.iter().any(|known| known == program) {
            Ok(())
        } else {
            Err(format!("sandbox: the stand-in knows no command `{program}`"))
        };
    }
    if let Some(grpc) = &probe.grpc {
        let port = u16::try_from(grpc.port).unwrap_or_default();
        return if listening.listens(port) {
            Ok(())
        } else {
            Err(format!("timeout: failed to connect service \"{address}:{port}\" within 1s"))
        };
    }
    Ok(())
}

fn port_number(port: &IntOrString, container: &Container, pod: &Pod) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port)
            .or_else(|| container_port(pod, name)),
    };
    match (number.and_then(|number| u16::try_from(number).ok()), port) {
        (Some(number), _) => Ok(number),
        (None, IntOrString::String(name)) => Err(format!("couldn't find port: \"{name}\" in pod")),
        (None, IntOrString::Int(number)) => Err(format!("invalid port number: {number}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kubelet::images::Images;

    fn checked(probe: serde_json::Value) -> Result<(), String> {
        let images = Images::load().unwrap();
        let image = images.find("postgrest/postgrest:v14.12").unwrap();
        let env = [("PGRST_ADMIN_SERVER_PORT".to_owned(), "3001".to_owned())].into();
        let listening = Listening { image, env: &env, words: &[], more: &[] };
        let container: Container = serde_json::from_value(json!({
            "name": "rest", "ports": [{"name": "http", "containerPort": 3000}, {"name": "admin", "containerPort": 3001}]
        }))
        .unwrap();
        check(
            &serde_json::from_value(probe).unwrap(),
            &container,
            &Pod::default(),
            "10.0.1.2",
            &listening,
        )
    }

    #[test]
    fn the_right_path_on_the_right_port_is_ready() {
        assert_eq!(checked(json!({"httpGet": {"path": "/ready", "port": "admin"}})), Ok(()));
        assert_eq!(checked(json!({"tcpSocket": {"port": 3000}})), Ok(()));
        assert_eq!(checked(json!({"exec": {"command": ["postgrest", "--ready"]}})), Ok(()));
    }

    #[test]
    fn a_wrong_port_path_or_name_says_what_a_kubelet_says() {
        let wrong_path = checked(json!({"httpGet": {"path": "/healthz", "port": "admin"}}));
        assert_eq!(wrong_path.unwrap_err(), "HTTP probe failed with statuscode: 404");
        let wrong_port = checked(json!({"httpGet": {"path": "/ready", "port": 8080}}));
        assert!(
            wrong_port
                .unwrap_err()
                .ends_with("dial tcp 10.0.1.2:8080: connect: connection refused")
        );
        let wrong_name = checked(json!({"tcpSocket": {"port": "metrics"}}));
        assert_eq!(wrong_name.unwrap_err(), "couldn't find port: \"metrics\" in pod");
    }
}
