//! The kinds that a cluster serves: built-in ones and those of its custom resource definitions.

mod custom;
mod discovery;
mod openapi;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use serde_json::Value;

pub(crate) use discovery::{
    aggregated, api_group, api_group_list, api_resource_list, api_versions, scale_kind,
};
pub(crate) use openapi::{index as openapi_index, of_group_version as openapi_document};

use crate::schema::Schema;

/// One kind in one version.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Empty for the core group.
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    /// Status is written through `/status` only.
    pub(crate) status: bool,
    pub(crate) scale: Option<Scale>,
    /// Subresources beside `status` and `scale`.
    pub(crate) subresources: &'static [&'static str],
    /// Objects count their changes of intent in `metadata.generation`.
    pub(crate) generation: bool,
    pub(crate) custom: bool,
    /// Answers requests but keeps nothing: reviews.
    pub(crate) virtual_only: bool,
    pub(crate) schema: Schema,
    /// The columns of a custom kind in tables: `additionalPrinterColumns`.
    pub(crate) columns: Vec<Value>,
    /// The OpenAPI document of a custom kind; built-in kinds have theirs in the shared table.
    pub(crate) document: Option<Value>,
    /// The name of the kind's type in OpenAPI documents.
    pub(crate) type_name: String,
}

/// Where `/scale` reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) spec: String,
    pub(crate) status: String,
    /// A text, or a label selector object.
    pub(crate) selector: String,
}

/// What keeps objects of a kind together, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupResource {
    pub(crate) group: String,
    pub(crate) plural: String,
}

impl GroupResource {
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self { group: group.to_owned(), plural: plural.to_owned() }
    }
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        group_version(&self.group, &self.version)
    }

    pub(crate) fn group_resource(&self) -> GroupResource {
        // `events.k8s.io` shows the events of the core group in another shape.
        if self.plural == "events" {
            return GroupResource::new("", "events");
        }
        GroupResource::new(&self.group, &self.plural)
    }

    /// `deployments.apps`, as messages call the resource.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    pub(crate) fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

pub(crate) fn group_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// The group and the version in an `apiVersion`.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Group, version and plural of a resource.
type Path = (String, String, String);

static BUILTIN: LazyLock<Vec<Arc<Resource>>> =
    LazyLock::new(|| table::resources().map(Arc::new).collect());

/// The kinds of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    resources: BTreeMap<Path, Arc<Resource>>,
}

impl Registry {
    pub(crate) fn builtin() -> Self {
        let mut registry = Self { resources: BTreeMap::new() };
        BUILTIN.iter().for_each(|resource| registry.insert(resource.clone()));
        registry
    }

    fn insert(&mut self, resource: Arc<Resource>) {
        let path = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
        self.resources.insert(path, resource);
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources.get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The kind of an object.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Arc<Resource>> {
        let (group, version) = split_api_version(api_version);
        self.all().find(|one| one.group == group && one.version == version && one.kind == kind)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    pub(crate) fn groups(&self) -> BTreeSet<&str> {
        self.all().map(|one| one.group.as_str()).collect()
    }

    /// The versions of a group, the preferred one first.
    pub(crate) fn versions(&self, group: &str) -> Vec<&str> {
        let versions: BTreeSet<&str> =
            self.all().filter(|one| one.group == group).map(|one| one.version.as_str()).collect();
        let mut versions: Vec<&str> = versions.into_iter().collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version_priority(version)));
        versions
    }

    pub(crate) fn of_group_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.all().filter(move |one| one.group == group && one.version == version)
    }

    /// Serves the kinds of a custom resource definition, in place of what it defined before.
    pub(crate) fn define(&mut self, definition: &Value) {
        self.undefine(definition);
        custom::resources(definition).into_iter().for_each(|one| self.insert(Arc::new(one)));
    }

    /// Ends serving the kinds of a custom resource definition.
    pub(crate) fn undefine(&mut self, definition: &Value) {
        let group = crate::value::text(definition, "spec.group");
        let plural = crate::value::text(definition, "spec.names.plural");
        self.resources.retain(|_, one| !(one.custom && one.group == group && one.plural == plural));
    }
}

/// Stable versions before beta before alpha, higher numbers first.
fn version_priority(version: &str) -> (u8, u32, u32) {
    let parsed = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at(digits);
        let major = major.parse().ok()?;
        if rest.is_empty() {
            return Some((3, major, 0));
        }
        let (stage, number) = rest.split_at(rest.find(|one: char| one.is_ascii_digit())?);
        let rank = match stage {
            "beta" => 2,
            "alpha" => 1,
            _ => return None,
        };
        Some((rank, major, number.parse().ok()?))
    };
    parsed().unwrap_or((0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_before_older_and_unfinished_ones() {
        let mut versions = ["v1alpha1", "v1", "v2beta1", "v1beta1", "v2", "v1beta2", "odd"];
        versions.sort_by_key(|version| std::cmp::Reverse(version_priority(version)));
        assert_eq!(versions, ["v2", "v1", "v2beta1", "v1beta2", "v1beta1", "v1alpha1", "odd"]);
    }

    #[test]
    fn every_builtin_kind_has_a_schema() {
        for resource in &*BUILTIN {
            assert!(resource.schema.field("metadata").is_some(), "{}", resource.type_name);
            assert!(
                !matches!(resource.schema.resolve().shape, crate::schema::Shape::Any),
                "{}",
                resource.kind
            );
        }
    }
}
