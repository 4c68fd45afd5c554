//! The values that people give to the release: the chart's own, `base.yaml` and the environment's
//! overlay, merged as Helm merges them.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::{
    located::Entries,
    placeholders::{self, Placeholder},
    schema::Schema,
    source, yaml,
};
use crate::exit::Exit;

/// The chart that overlays are for.
const CHART: &str = "helm/supabase";
const BASE: &str = "helm/overlays/base.yaml";

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Overlay {
    /// What base and overlay say.
    given: Value,
    /// The same over the chart's own values.
    merged: Value,
    /// The files, the one that wins first: overlay, base, the chart's values.
    files: [File; 3],
}

#[derive(Debug, Clone)]
struct File {
    /// The path as people know it, relative to the repository.
    shown: String,
    entries: Entries,
}

impl File {
    fn read(root: &Path, shown: &str) -> anyhow::Result<Self> {
        let text = source::read(&root.join(shown), shown)?;
        Ok(Self { shown: shown.to_owned(), entries: yaml::read(&text, shown)? })
    }
}

impl Overlay {
    /// Reads the overlay `shown` and what it is laid over, and compares all with the chart's schema.
    ///
    /// # Errors
    /// One sentence with file, line, key and remedy.
    pub(super) fn read(root: &Path, shown: &str) -> anyhow::Result<Self> {
        let files = [
            File::read(root, shown)?,
            File::read(root, BASE)?,
            File::read(root, &format!("{CHART}/values.yaml"))?,
        ];
        let overlay = Self::merged(files);
        let schema = format!("{CHART}/values.schema.json");
        let text = std::fs::read_to_string(root.join(&schema))
            .with_context(|| format!("failed to read `{schema}`"))?;
        Schema::parse(&text, &schema)?.check(&overlay)?;
        Ok(overlay)
    }

    /// An overlay over nothing, for tests.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        let file = |text: &str| File {
            shown: "x.yaml".to_owned(),
            entries: yaml::read(text, "x.yaml").unwrap(),
        };
        Self::merged([file(text), file("{}"), file("{}")])
    }

    fn merged(files: [File; 3]) -> Self {
        let [overlay, base, defaults] = &files;
        let mut given = base.entries.to_json();
        lay_over(&mut given, overlay.entries.to_json());
        let mut merged = defaults.entries.to_json();
        complete(&mut merged, given.clone());
        Self { given, merged, files }
    }

    /// True where mail goes out through SMTP, so that its credentials have to be in the store.
    pub(crate) fn smtp_enabled(&self) -> bool {
        self.is_true("/auth/smtp/enabled")
    }

    /// True where the load balancer is to be reached from inside of the network only.
    pub(crate) fn load_balancer_is_internal(&self) -> bool {
        self.value("/ingress/scheme").and_then(Value::as_str) == Some("internal")
    }

    /// The public address that a person decided, without a slash at the end.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.given("/publicUrl").and_then(Value::as_str).filter(|url| !url.is_empty())
    }

    /// Registries that have a cache, each with the cache's address.
    pub(crate) fn image_registries(&self) -> BTreeMap<String, String> {
        let given = self.given("/imageRegistries").and_then(Value::as_object);
        let text = |(registry, cache): (&String, &Value)| {
            Some((registry.clone(), cache.as_str()?.to_owned()))
        };
        given.into_iter().flatten().filter_map(text).collect()
    }

    pub(crate) fn is_true(&self, pointer: &str) -> bool {
        self.value(pointer).and_then(Value::as_bool).unwrap_or(false)
    }

    /// What the release is given at a JSON pointer such as `/auth/smtp`, before the runner's part.
    pub(crate) fn value(&self, pointer: &str) -> Option<&Value> {
        self.merged.pointer(pointer)
    }

    /// What a person wrote at a JSON pointer, in base or overlay.
    pub(crate) fn given(&self, pointer: &str) -> Option<&Value> {
        self.given.pointer(pointer)
    }

    /// Whether base or overlay say something about a path such as `["auth", "signup"]`.
    pub(crate) fn decides(&self, path: &[&str]) -> bool {
        self.files.iter().take(2).any(|file| file.entries.at(path.iter().copied()).is_some())
    }

    /// Where people wrote the value at a path, or the part of it that they wrote: `file:line`.
    pub(crate) fn place_of(&self, path: &[&str]) -> String {
        for length in (1..=path.len()).rev() {
            for file in self.files.iter().take(2) {
                let part = path.iter().take(length).copied();
                if let Some(entry) = file.entries.at(part) {
                    return format!("{}:{}", file.shown, entry.line);
                }
            }
        }
        self.shown().to_owned()
    }

    /// Where the first key that a sentence names stands: `kong.autoscaling: minReplicas 5 is …`.
    pub(crate) fn place_in(&self, sentence: &str) -> Option<String> {
        let known = |path: &[&str]| self.value(&format!("/{}", path.join("/"))).is_some();
        let mut words = sentence
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .peekable();
        while let Some(word) = words.next() {
            let mut path: Vec<&str> = word.split('.').collect();
            if path.len() > 1 && known(&path) {
                path.extend(words.peek());
                return Some(self.place_of(&path));
            }
        }
        None
    }

    /// The environment's own file.
    pub(crate) fn shown(&self) -> &str {
        &self.files[0].shown
    }

    /// Finds a key of base or overlay that the runner's own values would overwrite in silence.
    ///
    /// # Errors
    /// One sentence that names it, and where its value comes from.
    pub(crate) fn refuse_overwritten(&self, generated: &Value) -> anyhow::Result<()> {
        let mut path = Vec::new();
        let Some(found) = self.overwritten(generated, &mut path) else { return Ok(()) };
        let path: Vec<&str> = found.split('.').collect();
        Err(Exit::BadInput.error(format!(
            "{}: `{found}` would be overwritten: the runner takes its value from Terraform's outputs, so that both \
             always agree; take the line out",
            self.place_of(&path)
        )))
    }

    fn overwritten<'v>(&self, generated: &'v Value, path: &mut Vec<&'v str>) -> Option<String> {
        match generated {
            // It takes an entry of the chart's own values out.
            Value::Null => None,
            Value::Object(map) => map.iter().find_map(|(key, value)| {
                path.push(key);
                let found = self.overwritten(value, path);
                path.pop();
                found
            }),
            _ => {
                let given = self.given(&format!("/{}", path.join("/")));
                given.is_some_and(|given| given != generated).then(|| path.join("."))
            }
        }
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = Placeholder> {
        self.files.iter().take(2).flat_map(|file| placeholders::find(&file.shown, &file.entries))
    }

    pub(super) fn all(&self) -> &Value {
        &self.merged
    }
}

/// One file of values over another, as `helm -f one -f other`: maps are merged, all else replaced.
fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                match under.get_mut(&key) {
                    Some(place) => lay_over(place, value),
                    None => {
                        under.insert(key, value);
                    }
                }
            }
        }
        (under, over) => *under = over,
    }
}

/// Given values over the chart's own: null takes an entry of the chart out.
fn complete(chart: &mut Value, given: Value) {
    match (chart, given) {
        (Value::Object(chart), Value::Object(given)) => {
            let given: Map<String, Value> = given;
            for (key, value) in given {
                match chart.get_mut(&key) {
                    Some(_) if value.is_null() => {
                        chart.shift_remove(&key);
                    }
                    Some(place) => complete(place, value),
                    None => {
                        chart.insert(key, value);
                    }
                }
            }
        }
        (chart, given) => *chart = given,
    }
}

#[cfg(test)]
mod tests;
