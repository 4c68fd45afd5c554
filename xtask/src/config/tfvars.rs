//! Reads a `.tfvars` file with the place of every key, so that an error can name its line.

use std::{ops::Range, path::Path};

use anyhow::Context as _;
use hcl_edit::{Span as _, structure::Body};

use super::placeholders::{self, Placeholder};
use crate::exit::Exit;

pub(super) struct Tfvars {
    text: String,
    body: Body,
    values: serde_json::Map<String, serde_json::Value>,
    /// The path as people know it, relative to the repository.
    shown: String,
}

impl Tfvars {
    pub(super) fn read(path: &Path, shown: &str) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read `{shown}`"))?;
        Self::parse(text, shown)
    }

    pub(super) fn parse(text: String, shown: &str) -> anyhow::Result<Self> {
        let body: Body = hcl_edit::parser::parse_body(&text).map_err(|error| {
            let place = error.location();
            Exit::BadInput.error(format!(
                "{shown}:{}:{}: not valid HCL, {}; compare with the lines around it",
                place.line(),
                place.column(),
                error.message().lines().next().unwrap_or("unexpected text")
            ))
        })?;
        let values = hcl::from_str(&text).map_err(|error| {
            Exit::BadInput.error(format!("{shown}: only plain values are allowed: {error}"))
        })?;
        Ok(Self { text, body, values, shown: shown.to_owned() })
    }

    pub(super) fn string(&self, key: &str) -> anyhow::Result<String> {
        match self.values.get(key) {
            Some(serde_json::Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(self.wrong(key, "must be a text in quotes")),
            None => {
                Err(Exit::BadInput.error(format!("{}: key `{key}` is missing; add it", self.shown)))
            }
        }
    }

    pub(super) fn optional_string(&self, key: &str) -> anyhow::Result<Option<String>> {
        match self.values.get(key) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(_) => self.string(key).map(Some),
        }
    }

    pub(super) fn matching(
        &self,
        key: &str,
        fits: fn(&str) -> bool,
        expected: &str,
    ) -> anyhow::Result<String> {
        let value = self.string(key)?;
        if fits(&value) {
            Ok(value)
        } else {
            Err(self.wrong(key, &format!("is \"{value}\" and must be {expected}")))
        }
    }

    /// The one sentence about a wrong value.
    pub(super) fn wrong(&self, key: &str, why: &str) -> anyhow::Error {
        Exit::BadInput.error(format!("{}:{}: `{key}` {why}", self.shown, self.line_of(key)))
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.values.iter().flat_map(|(key, value)| {
            let place = format!("{}:{}", self.shown, self.line_of(key));
            placeholders::find(&place, key, value)
        })
    }

    fn line_of(&self, key: &str) -> usize {
        let attribute = self.body.attributes().find(|attribute| attribute.key.as_str() == key);
        self.line(attribute.and_then(|found| found.span()))
    }

    fn line(&self, span: Option<Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        self.text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1
    }
}
