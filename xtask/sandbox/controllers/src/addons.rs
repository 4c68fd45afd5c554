//! Which add-ons run: a controller here acts only while the Deployment of the real one is available.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use kube::ResourceExt;

use crate::cluster::Cluster;

/// The end of the image's repository of an add-on's controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addon(&'static str);

pub(crate) const EXTERNAL_SECRETS: Addon = Addon("/external-secrets");
pub(crate) const LOAD_BALANCER_CONTROLLER: Addon = Addon("/aws-load-balancer-controller");

impl Addon {
    /// Whether `deployment` runs the add-on's controller (and not its webhook or its certificates).
    pub(crate) fn is(self, deployment: &Deployment) -> bool {
        self.container(deployment).is_some()
    }

    fn container(self, deployment: &Deployment) -> Option<&Container> {
        let spec = deployment.spec.as_ref()?.template.spec.as_ref()?;
        spec.containers.iter().find(|container| {
            let image = container.image.as_deref().unwrap_or_default();
            let image = image.split('@').next().unwrap_or_default();
            let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
            let helper = ["webhook", "certcontroller"];
            repository.ends_with(self.0)
                && !container.args.iter().flatten().any(|word| helper.contains(&word.as_str()))
        })
    }

    /// The available Deployment of the add-on.
    pub(crate) fn available(self, cluster: &Cluster) -> Option<Running> {
        let all = cluster
            .deployments
            .select(|deployment| self.is(deployment) && is_available(deployment));
        all.into_iter().next().map(|deployment| Running { deployment, addon: self })
    }
}

/// An add-on that runs.
pub(crate) struct Running {
    deployment: Arc<Deployment>,
    addon: Addon,
}

impl Running {
    pub(crate) fn namespace(&self) -> String {
        self.deployment.namespace().unwrap_or_default()
    }

    pub(crate) fn service_account(&self) -> String {
        let spec = self.deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        spec.and_then(|spec| spec.service_account_name.clone())
            .unwrap_or_else(|| "default".to_owned())
    }

    /// The value of a command line option `--name=value`.
    pub(crate) fn option(&self, name: &str) -> Option<String> {
        let container = self.addon.container(&self.deployment)?;
        let words = container.command.iter().flatten().chain(container.args.iter().flatten());
        words
            .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            .next()
            .map(str::to_owned)
    }
}

fn is_available(deployment: &Deployment) -> bool {
    let conditions = deployment.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Available" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_webhook_is_not_the_controller() {
        let deployment = |args: serde_json::Value| -> Deployment {
            serde_json::from_value(json!({"spec": {"selector": {}, "template": {"spec": {"containers": [
                {"name": "c", "image": "ghcr.io/external-secrets/external-secrets:v2.9.0@sha256:00", "args": args}
            ]}}}}))
            .unwrap()
        };
        assert!(EXTERNAL_SECRETS.is(&deployment(json!(["--concurrent=1"]))));
        assert!(!EXTERNAL_SECRETS.is(&deployment(json!(["webhook", "--port=10250"]))));
        assert!(!LOAD_BALANCER_CONTROLLER.is(&deployment(json!([]))));
    }
}
