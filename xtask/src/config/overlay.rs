//! Reads a Helm overlay: only what the runner itself decides by. The chart's schema checks the rest.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde_json::Value;

use super::placeholders::{self, Placeholder};
use crate::exit::Exit;

/// The overlay of one environment.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    values: Value,
    shown: String,
    text: String,
}

impl Overlay {
    pub(super) fn read(path: &Path, shown: &str) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read `{shown}`"))?;
        Self::parse(text, shown)
    }

    pub(super) fn parse(text: String, shown: &str) -> anyhow::Result<Self> {
        let values: Value = serde_norway::from_str(&text).map_err(|error| {
            let place = error
                .location()
                .map(|at| format!(":{}:{}", at.line(), at.column()))
                .unwrap_or_default();
            let message = error.to_string();
            let reason = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Exit::BadInput.error(format!(
                "{shown}{place}: not valid YAML, {reason}; check indentation and quotes"
            ))
        })?;
        if !(values.is_object() || values.is_null()) {
            return Err(Exit::BadInput
                .error(format!("{shown}:1: an overlay is a map of values, not a list or a text")));
        }
        Ok(Self { values, shown: shown.to_owned(), text })
    }

    /// True where mail goes out through SMTP, so that its credentials have to be in the store.
    pub(crate) fn smtp_enabled(&self) -> bool {
        self.values.pointer("/auth/smtp/enabled").and_then(Value::as_bool).unwrap_or(false)
    }

    /// True where the load balancer is to be reached from inside of the network only.
    pub(crate) fn load_balancer_is_internal(&self) -> bool {
        self.values.pointer("/ingress/scheme").and_then(Value::as_str) == Some("internal")
    }

    /// The public address that a person decided, without a slash at the end.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.values.pointer("/publicUrl").and_then(Value::as_str).filter(|url| !url.is_empty())
    }

    /// Registries that have a cache, each with the cache's address.
    pub(crate) fn image_registries(&self) -> BTreeMap<String, String> {
        let given = self.values.pointer("/imageRegistries").and_then(Value::as_object);
        let text = |(registry, cache): (&String, &Value)| {
            Some((registry.clone(), cache.as_str()?.to_owned()))
        };
        given.into_iter().flatten().filter_map(text).collect()
    }

    /// The line on which a key path such as `/auth/smtp` starts, searched level by level.
    pub(crate) fn line_of(&self, pointer: &str) -> usize {
        let mut line = 0;
        for key in pointer.split('/').filter(|part| !part.is_empty()) {
            let found = self
                .text
                .lines()
                .skip(line)
                .position(|text| text.trim_start().starts_with(&format!("{key}:")));
            match found {
                Some(offset) => line += offset + 1,
                None => break,
            }
        }
        line.max(1)
    }

    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.values.as_object().into_iter().flatten().flat_map(|(key, value)| {
            placeholders::find(&format!("{}:{}", self.shown, self.line_of(key)), key, value)
        })
    }
}
