//! Files of the repository and rendered charts, as the rows ask them.

use std::collections::BTreeMap;

use anyhow::Context as _;
use hcl::{Body, Expression};
use serde_norway::Value as Yaml;

use super::row::{Edit, Verdict, must};
use crate::{CheckContext, helm};

/// Texts by path. Rendered charts stand below `rendered/`.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    texts: BTreeMap<String, String>,
}

impl Sources {
    /// What git knows or would add of the Terraform code, the add-ons' values and the runner's way of
    /// calling Terraform, and every chart as it renders.
    pub(super) fn read(context: &CheckContext) -> anyhow::Result<Self> {
        let wanted = |path: &str| {
            path.starts_with("terraform/")
                || path.starts_with("helm/addons/")
                || path == "xtask/src/terraform/mod.rs"
        };
        let mut texts = BTreeMap::new();
        for path in context.files("", wanted)? {
            let text = context.read(&path)?;
            texts.insert(path, text);
        }
        let rendered = helm::render_all(context)?.map_err(anyhow::Error::msg)?;
        for manifest in rendered {
            texts.insert(format!("rendered/{}.yaml", manifest.name), manifest.text.clone());
        }
        Ok(Self { texts })
    }

    /// The same with one text in the place of another.
    ///
    /// # Errors
    /// When the file does not hold what is to be replaced.
    pub(super) fn edited(&self, edit: Edit) -> Result<Self, String> {
        let mut copy = self.clone();
        match edit {
            Edit::Replace { path, from, to } => {
                let text = self.text(path)?;
                let found = text.contains(from);
                must(found, format!("the counterexample finds no `{from}` in {path}"))?;
                copy.texts.insert(path.to_owned(), text.replace(from, to));
            }
            Edit::Copy { from, to } => {
                copy.texts.insert(to.to_owned(), self.text(from)?.to_owned());
            }
        }
        Ok(copy)
    }

    pub(super) fn text(&self, path: &str) -> Result<&str, String> {
        self.texts.get(path).map(String::as_str).ok_or_else(|| format!("there is no `{path}`"))
    }

    /// Paths and texts below a folder, with this ending.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
        ending: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        files.filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ending))
    }

    pub(super) fn hcl(&self, path: &str) -> Result<Body, String> {
        hcl::parse(self.text(path)?).map_err(|error| format!("`{path}` is not HCL: {error}"))
    }

    /// The values of every environment, by its name.
    pub(super) fn environments(&self) -> Result<BTreeMap<String, serde_json::Value>, String> {
        let mut found = BTreeMap::new();
        for (path, text) in self.below("terraform/environments/", ".tfvars") {
            let name =
                path.trim_start_matches("terraform/environments/").trim_end_matches(".tfvars");
            let values = hcl::from_str(text).map_err(|error| format!("`{path}`: {error}"))?;
            found.insert(name.to_owned(), values);
        }
        must(!found.is_empty(), "there is no environment")?;
        Ok(found)
    }

    pub(super) fn yaml(&self, path: &str) -> Result<Yaml, String> {
        serde_norway::from_str(self.text(path)?)
            .map_err(|error| format!("`{path}` is not YAML: {error}"))
    }

    /// The names of the rendered objects of a kind, in the charts whose file name has this ending.
    pub(super) fn rendered(&self, ending: &str, kind: &str) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        for (path, text) in self.below("rendered/", ending) {
            for document in serde_norway::Deserializer::from_str(text) {
                let object = serde::Deserialize::deserialize(document)
                    .map_err(|error| format!("`{path}` is not YAML: {error}"))?;
                let object: Yaml = object;
                if object["kind"] == *kind {
                    names.extend(object["metadata"]["name"].as_str().map(str::to_owned));
                }
            }
        }
        must(!names.is_empty(), format!("no {kind} is rendered"))?;
        Ok(names)
    }
}

/// Whether a file has, at its top or below, a block of that kind that satisfies `holds`.
pub(super) fn has_block(body: &Body, kind: &str, holds: &dyn Fn(&hcl::Block) -> bool) -> bool {
    body.blocks().any(|block| {
        (block.identifier() == kind && holds(block)) || has_block(block.body(), kind, holds)
    })
}

/// The labels of a block: `resource "a" "b"` has `a` and `b`.
pub(super) fn labels(block: &hcl::Block) -> Vec<&str> {
    block.labels().iter().map(hcl::BlockLabel::as_str).collect()
}

pub(super) fn attribute<'a>(block: &'a hcl::Block, key: &str) -> Option<&'a Expression> {
    block.body().attributes().find(|it| it.key() == key).map(hcl::Attribute::expr)
}

/// An expression as it would be written.
pub(super) fn written(expression: &Expression) -> Result<String, String> {
    hcl::format::to_string(expression)
        .context("failed to write an expression")
        .map_err(|error| format!("{error:#}"))
}

/// All verdicts hold; the error names each that does not.
pub(super) fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let wrong: Vec<_> = verdicts.into_iter().filter_map(Result::err).collect();
    must(wrong.is_empty(), wrong.join("; "))
}
