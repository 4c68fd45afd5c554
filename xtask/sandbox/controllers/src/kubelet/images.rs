//! What the nodes know of container images: the table `images.yaml`.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

/// All known images.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Images {
    images: Vec<Image>,
}

/// One repository and what a container of it does.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    repository: String,
    tags: Vec<String>,
    /// Takes everything but the tags from another repository of the table.
    like: Option<String>,
    #[serde(default)]
    pub(crate) behaviour: Behaviour,
    /// Programs that must be on the path of `run`.
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    /// The Supabase component that the stand-in answers as.
    pub(crate) serves: Option<Component>,
    /// Variables that must be set and not empty.
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    /// Variables whose values have a fixed number of characters.
    #[serde(default)]
    pub(crate) lengths: BTreeMap<String, usize>,
    /// The variable with the JWT secret.
    pub(crate) jwt_secret: Option<String>,
    pub(crate) database: Option<Database>,
    #[serde(default)]
    pub(crate) options: Vec<String>,
    #[serde(default)]
    pub(crate) ports: Vec<Port>,
    #[serde(default)]
    pub(crate) exec: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Behaviour {
    Run,
    StandIn,
    #[default]
    Static,
}

/// A component of Supabase that a stand-in answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Component {
    Kong,
    Auth,
    Rest,
    Realtime,
    Storage,
    Imgproxy,
    Meta,
    Studio,
    Functions,
}

/// How the program finds its database: by a URL, or by one variable for each part.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) driver: Driver,
    pub(crate) url: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) name: Option<String>,
}

/// The client library: each makes something else of the same TLS settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Driver {
    Libpq,
    Pgx,
    Node,
    Meta,
    Postgrex,
}

/// One listening port.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    /// The variable that holds the number, alone or after an address; without `number` the port
    /// listens only when the variable is set.
    variable: Option<String>,
    /// The command line option that is followed by the number.
    option: Option<String>,
    number: Option<u16>,
    /// Paths that answer 200 to a GET.
    #[serde(default)]
    pub(crate) paths: Vec<String>,
}

impl Images {
    /// The table that comes with the sandbox.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let table: Self = serde_norway::from_str(include_str!("../../images.yaml"))
            .context("failed to read images.yaml")?;
        for image in &table.images {
            if let Some(other) = &image.like
                && !table.images.iter().any(|image| image.repository == *other)
            {
                anyhow::bail!("images.yaml: {} is like unknown `{other}`", image.repository);
            }
        }
        Ok(table)
    }

    /// The image that `reference` names; else why a node cannot pull it.
    pub(crate) fn find(&self, reference: &str) -> Result<&Image, String> {
        let (repository, tag) = split(reference);
        let known = self.images.iter().find(|image| image.repository == repository);
        let known = known.filter(|image| image.tags.iter().any(|pattern| fits(pattern, tag)));
        let Some(image) = known else {
            let canonical = canonical(repository, tag);
            return Err(format!(
                "rpc error: code = NotFound desc = failed to pull and unpack image \"{canonical}\": \
                 failed to resolve reference \"{canonical}\": {canonical}: not found"
            ));
        };
        let other = image.like.as_ref();
        let other =
            other.and_then(|like| self.images.iter().find(|image| image.repository == *like));
        Ok(other.unwrap_or(image))
    }
}

impl Port {
    /// The number that the program listens on with this environment and command line.
    pub(crate) fn number(&self, env: &BTreeMap<String, String>, words: &[String]) -> Option<u16> {
        let from_variable = self.variable.as_ref().and_then(|name| env.get(name));
        let from_variable = from_variable.map(|text| parse_listen(text));
        let from_option = self.option.as_ref().and_then(|option| {
            let position = words.iter().position(|word| word == option)?;
            words.get(position + 1)?.parse().ok()
        });
        match from_variable {
            Some(number) => number,
            None => from_option.or(self.number),
        }
    }
}

/// The port in `8000`, `:5001`, `0.0.0.0:8100` or `0.0.0.0:8000 reuseport`; `off` is none.
fn parse_listen(text: &str) -> Option<u16> {
    let first = text.split([',', ' ']).next()?;
    first.rsplit(':').next()?.parse().ok()
}

/// Repository and tag; a digest is not looked at, since there is no registry to ask.
fn split(reference: &str) -> (&str, &str) {
    let named = reference.split_once('@').map_or(reference, |(named, _)| named);
    let (repository, tag) = match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (named, "latest"),
    };
    let repository = repository.strip_prefix("docker.io/").unwrap_or(repository);
    (repository.strip_prefix("library/").unwrap_or(repository), tag)
}

/// The reference as a container runtime spells it out.
fn canonical(repository: &str, tag: &str) -> String {
    let first = repository.split('/').next().unwrap_or_default();
    if !repository.contains('/') {
        format!("docker.io/library/{repository}:{tag}")
    } else if first.contains(['.', ':']) {
        format!("{repository}:{tag}")
    } else {
        format!("docker.io/{repository}:{tag}")
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            (0..=left.len()).any(|skip| left.get(skip..).is_some_and(|left| fits(rest, left)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_images_are_found_by_every_spelling() {
        let images = Images::load().unwrap();
        for reference in [
            "postgres:17-alpine",
            "docker.io/library/postgres:17.2",
            "kong/kong:3.9.1",
            "kong:3.9.1",
            "postgrest/postgrest:v14.12@sha256:0000",
            "ghcr.io/external-secrets/external-secrets:v2.9.0",
        ] {
            images.find(reference).unwrap();
        }
        assert_eq!(images.find("kong:3.9.1").unwrap().serves, Some(Component::Kong));
    }

    #[test]
    fn an_unknown_tag_cannot_be_pulled() {
        let images = Images::load().unwrap();
        let error = images.find("supabase/gotrue:no-such-tag").unwrap_err();
        assert!(error.contains("docker.io/supabase/gotrue:no-such-tag: not found"), "{error}");
        let error = images.find("nginx").unwrap_err();
        assert!(error.contains("docker.io/library/nginx:latest: not found"), "{error}");
    }

    #[test]
    fn ports_follow_the_settings() {
        let images = Images::load().unwrap();
        let rest = images.find("postgrest/postgrest:v14.12").unwrap();
        let none = BTreeMap::new();
        assert_eq!(rest.ports[0].number(&none, &[]), Some(3000));
        assert_eq!(rest.ports[1].number(&none, &[]), None);
        let env = [("PGRST_ADMIN_SERVER_PORT".to_owned(), "3001".to_owned())].into();
        assert_eq!(rest.ports[1].number(&env, &[]), Some(3001));
        assert_eq!(parse_listen("0.0.0.0:8100"), Some(8100));
        assert_eq!(parse_listen(":5001"), Some(5001));
        assert_eq!(parse_listen("off"), None);
        let functions = images.find("supabase/edge-runtime:v1.74.0").unwrap();
        let words = ["start", "--port", "9001"].map(str::to_owned);
        assert_eq!(functions.ports[0].number(&none, &words), Some(9001));
    }

    #[test]
    fn patterns_match_any_text_at_a_star() {
        assert!(fits("v2.*", "v2.189.0"));
        assert!(fits("17*-alpine", "17.2-alpine"));
        assert!(!fits("v2.*", "v3.0"));
        assert!(!fits("17*-alpine", "17.2"));
    }
}
