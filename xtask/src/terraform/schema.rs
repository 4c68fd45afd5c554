//! Which attributes AWS decides, from the provider's own schema.
//!
//! Source: `terraform providers schema -json`, format version 1.x. Its 13 MB are read once a version of
//! the providers; what is needed of them is kept beside the environment's other files.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Terraform;
use crate::{
    helm::digest::{feed, read, shown},
    watch::Watch,
};

/// The computed attributes of every type of resource, as paths: `vpc_config.cluster_security_group_id`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Schema {
    types: BTreeMap<String, Computed>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Computed {
    /// Nobody can set them.
    always: BTreeSet<String>,
    /// AWS decides where the code says nothing.
    unset: BTreeSet<String>,
}

/// Whose word an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    /// By AWS alone.
    Always,
    /// By AWS, at least where the code says nothing.
    WhereUnset,
}

impl Schema {
    /// Takes out of a resource's values what AWS decides.
    pub(super) fn without(&self, kind: &str, decided: Decided, value: &Value) -> Value {
        match self.types.get(kind) {
            Some(computed) => computed.without(decided, "", value),
            None => value.clone(),
        }
    }

    /// # Errors
    /// When the text is not what `terraform providers schema -json` prints.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let document: Document = serde_json::from_str(text)
            .map_err(|error| anyhow::anyhow!("failed to read the providers' schema: {error}"))?;
        let providers = document.provider_schemas.into_values();
        let types =
            providers.flat_map(|provider| provider.resource_schemas).map(|(kind, resource)| {
                let mut computed = Computed::default();
                computed.collect("", &resource.block);
                (kind, computed)
            });
        Ok(Self { types: types.collect() })
    }
}

impl Computed {
    fn without(&self, decided: Decided, path: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(name, inner)| (joined(path, name), name, inner))
                .filter(|(path, ..)| !self.is(decided, path))
                .map(|(path, name, inner)| (name.clone(), self.without(decided, &path, inner)))
                .collect(),
            Value::Array(items) => {
                items.iter().map(|item| self.without(decided, path, item)).collect()
            }
            _ => value.clone(),
        }
    }

    fn is(&self, decided: Decided, path: &str) -> bool {
        self.always.contains(path) || (decided == Decided::WhereUnset && self.unset.contains(path))
    }

    fn collect(&mut self, path: &str, block: &Block) {
        for (name, attribute) in &block.attributes {
            let path = joined(path, name);
            if let Some(nested) = &attribute.nested_type {
                self.collect(&path, nested);
            }
            match (attribute.computed, attribute.optional) {
                (true, false) => self.always.insert(path),
                (true, true) => self.unset.insert(path),
                _ => false,
            };
        }
        for (name, inner) in &block.block_types {
            self.collect(&joined(path, name), &inner.block);
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[derive(Deserialize)]
struct Document {
    provider_schemas: BTreeMap<String, Provider>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Provider {
    resource_schemas: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Resource {
    block: Block,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block {
    attributes: BTreeMap<String, Attribute>,
    block_types: BTreeMap<String, Inner>,
}

#[derive(Deserialize)]
struct Inner {
    block: Block,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    computed: bool,
    optional: bool,
    nested_type: Option<Block>,
}

impl Terraform {
    /// The schema of the providers that the module is locked to. The module has to be connected.
    pub(crate) fn schema(&self, watch: &Watch<'_>) -> anyhow::Result<Schema> {
        let mut hash = Sha256::new();
        feed(&mut hash, &read(&self.module.join(".terraform.lock.hcl"))?);
        let file = self.folder.join(format!("schema-{}.json", shown(hash)));
        let kept = std::fs::read_to_string(&file).ok();
        if let Some(schema) = kept.and_then(|text| serde_json::from_str(&text).ok()) {
            return Ok(schema);
        }
        let command = self.command("read the providers' schema", watch);
        let text = command.args(["providers", "schema", "-json"]).output();
        let schema = Schema::parse(&text.map_err(|error| self.explained(error))?)?;
        // In one piece, for the stages that run at the same time.
        let cannot = || format!("failed to write `{}`", file.display());
        let new = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&new, serde_json::to_string(&schema)?).with_context(cannot)?;
        std::fs::rename(&new, &file).with_context(cannot)?;
        Ok(schema)
    }
}
