//! Where objects of any kind live, as the server tells it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::GroupVersion,
    discovery::{self, ApiCapabilities, Scope},
};
use serde_json::{Value, json};

use super::super::{error, fields::Fields as _};

/// What the server said, asked once for each group and version.
pub(super) struct Discovery<'a> {
    client: &'a Client,
    /// Of objects that name none.
    namespace: &'a str,
    known: BTreeMap<String, Vec<(ApiResource, ApiCapabilities)>>,
}

impl<'a> Discovery<'a> {
    pub(super) fn new(client: &'a Client, namespace: &'a str) -> Self {
        Self { client, namespace, known: BTreeMap::new() }
    }

    /// Where an object's requests go; nothing for a kind that the server does not know.
    ///
    /// # Errors
    /// When the object does not say what it is, or the server is not reached.
    pub(super) async fn locate(&mut self, object: &Value) -> Result<Option<Api<DynamicObject>>> {
        let field = |pointer| {
            object.text(pointer).with_context(|| format!("the object has no field `{pointer}`"))
        };
        let version = field("/apiVersion")?;
        field("/kind")?;
        field("/metadata/name")?;
        if !self.known.contains_key(version) {
            let asked: GroupVersion = version.parse().context("failed to read an API version")?;
            let resources = match discovery::pinned_group(self.client, &asked).await {
                Ok(group) => group.versioned_resources(&asked.version),
                Err(failure) if error::is_not_found(&failure) => Vec::new(),
                Err(failure) => {
                    return Err(error::explain(&format!("failed to look up `{version}`"), failure));
                }
            };
            self.known.insert(version.to_owned(), resources);
        }
        Ok(self.resource(object).map(|(resource, capabilities)| match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), resource),
            Scope::Namespaced => {
                let namespace = object.text("/metadata/namespace").unwrap_or(self.namespace);
                Api::namespaced_with(self.client.clone(), namespace, resource)
            }
        }))
    }

    /// The object with the namespace that it lives in; one of an unknown kind stays as it is.
    pub(super) fn placed(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let is_namespaced = self
            .resource(&object)
            .is_some_and(|(_, capabilities)| capabilities.scope == Scope::Namespaced);
        if is_namespaced && object.text("/metadata/namespace").is_none() {
            object["metadata"]["namespace"] = json!(self.namespace);
        }
        object
    }

    fn resource(&self, object: &Value) -> Option<&(ApiResource, ApiCapabilities)> {
        let resources = self.known.get(object.text("/apiVersion")?)?;
        let kind = object.text("/kind")?;
        resources.iter().find(|(resource, _)| resource.kind == kind)
    }
}
