//! The configuration file: what of Kong's format is known here. An unknown field or plugin is an
//! error, as it is for Kong.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::plugins::Plugin;
use crate::mounts::Mounts;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(super) consumers: Vec<Consumer>,
    pub(super) routes: Vec<Route>,
    pub(super) plugins: Vec<Plugin>,
}

/// Who may come in, with what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consumer {
    pub(super) username: String,
    #[serde(default)]
    pub(super) keyauth_credentials: Vec<Key>,
    #[serde(default)]
    pub(super) basicauth_credentials: Vec<Password>,
    #[serde(default)]
    pub(super) acls: Vec<Group>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(super) key: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    pub(super) username: String,
    pub(super) password: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(super) group: String,
}

/// One path of one route, with the service behind it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(super) name: String,
    pub(super) path: PathMatch,
    pub(super) methods: Vec<String>,
    pub(super) strip_path: bool,
    pub(super) preserve_host: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) upstream_path: String,
    pub(super) plugins: Vec<Plugin>,
}

#[derive(Debug, Clone)]
pub(super) enum PathMatch {
    Prefix(String),
    Regex(Regex),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "_format_version")]
    format_version: String,
    #[serde(default, rename = "_transform")]
    _transform: bool,
    #[serde(default)]
    consumers: Vec<Consumer>,
    #[serde(default)]
    services: Vec<ServiceEntry>,
    #[serde(default)]
    plugins: Vec<PluginEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntry {
    name: String,
    url: String,
    #[serde(default)]
    routes: Vec<RouteEntry>,
    #[serde(default)]
    plugins: Vec<PluginEntry>,
    #[serde(default, rename = "read_timeout")]
    _read_timeout: Option<u64>,
    #[serde(default, rename = "write_timeout")]
    _write_timeout: Option<u64>,
    #[serde(default, rename = "connect_timeout")]
    _connect_timeout: Option<u64>,
    #[serde(default, rename = "retries")]
    _retries: Option<u32>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    name: String,
    paths: Vec<String>,
    #[serde(default = "yes")]
    strip_path: bool,
    #[serde(default)]
    preserve_host: bool,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    plugins: Vec<PluginEntry>,
    #[serde(default, rename = "protocols")]
    _protocols: Vec<String>,
    #[serde(default, rename = "request_buffering")]
    _request_buffering: Option<bool>,
    #[serde(default, rename = "response_buffering")]
    _response_buffering: Option<bool>,
    #[serde(default, rename = "regex_priority")]
    _regex_priority: Option<i64>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginEntry {
    name: String,
    #[serde(default)]
    config: Value,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Reads the configuration that a Kong container with this environment and these files would start
/// with; the error is what Kong, or the script before it, would end with.
pub(crate) fn load(env: &BTreeMap<String, String>, mounts: &Mounts) -> Result<Config, String> {
    // The template's path is the chart's own setting; without it Kong reads the file as it is mounted.
    let path = env.get("KONG_CONFIG_TEMPLATE").or_else(|| env.get("KONG_DECLARATIVE_CONFIG"));
    let path = path.ok_or("KONG_DECLARATIVE_CONFIG is not set")?;
    let local = mounts.local(path).ok_or_else(|| format!("no volume is mounted at {path}"))?;
    let text = std::fs::read_to_string(&local).map_err(|_| format!("{path} does not exist"))?;
    let enabled = env.get("KONG_PLUGINS").map(|names| names.split(',').map(str::trim).collect());
    parse(&fill_in(&text, env)?, &enabled.unwrap_or_else(|| BTreeSet::from(["bundled"])))
}

/// Replaces each `${NAME}` by the environment's value.
fn fill_in(text: &str, env: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(length) = rest[at..].find('}') else { break };
        let name = &rest[at + 2..at + length];
        let value = env.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            format!("the template needs the environment variable {name}, which is empty or missing")
        })?;
        if value.contains(['"', '\\', '\n']) {
            return Err(format!("the value of {name} holds a quote, a backslash or a line break"));
        }
        filled.push_str(&rest[..at]);
        filled.push_str(value);
        rest = &rest[at + length + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Reads a configuration whose placeholders are filled in. `enabled` names the plugins that Kong loads.
pub(super) fn parse(text: &str, enabled: &BTreeSet<&str>) -> Result<Config, String> {
    let malformed = |error: &dyn std::fmt::Display| {
        format!("failed parsing declarative configuration: {error}")
    };
    let file: File = serde_norway::from_str(text).map_err(|error| malformed(&error))?;
    if !matches!(file.format_version.as_str(), "1.1" | "2.1" | "3.0") {
        return Err(malformed(&format!("unknown _format_version {}", file.format_version)));
    }
    let read = |entries: &[PluginEntry]| -> Result<Vec<Plugin>, String> {
        let entries = entries.iter().filter(|entry| entry.enabled);
        entries
            .map(|entry| read_plugin(entry, enabled).map_err(|error| malformed(&error)))
            .collect()
    };
    let mut routes = Vec::new();
    for service in &file.services {
        let url = url::Url::parse(&service.url)
            .map_err(|error| malformed(&format!("services.{}.url: {error}", service.name)))?;
        let of_service = read(&service.plugins)?;
        for route in &service.routes {
            let mut plugins = read(&route.plugins)?;
            // A route's plugin overrules the same one of its service.
            let own: Vec<&str> = plugins.iter().map(Plugin::name).collect();
            let inherited: Vec<Plugin> =
                of_service.iter().filter(|plugin| !own.contains(&plugin.name())).cloned().collect();
            plugins.extend(inherited);
            for path in &route.paths {
                routes.push(Route {
                    name: route.name.clone(),
                    path: path_match(path).map_err(|error| malformed(&error))?,
                    methods: route.methods.clone(),
                    strip_path: route.strip_path,
                    preserve_host: route.preserve_host,
                    host: url.host_str().unwrap_or_default().to_owned(),
                    port: url.port_or_known_default().unwrap_or(80),
                    upstream_path: url.path().to_owned(),
                    plugins: plugins.clone(),
                });
            }
        }
    }
    Ok(Config { consumers: file.consumers, routes, plugins: read(&file.plugins)? })
}

fn read_plugin(entry: &PluginEntry, enabled: &BTreeSet<&str>) -> Result<Plugin, String> {
    let name = entry.name.as_str();
    if !enabled.contains(name) && !enabled.contains("bundled") {
        return Err(format!(
            "plugin '{name}' not enabled; add it to the 'plugins' configuration property"
        ));
    }
    Plugin::read(name, entry.config.clone())
}

fn path_match(path: &str) -> Result<PathMatch, String> {
    match path.strip_prefix('~') {
        Some(pattern) => Regex::new(&format!("^(?:{pattern})"))
            .map(PathMatch::Regex)
            .map_err(|error| format!("paths: invalid regex '{pattern}': {error}")),
        None if path.starts_with('/') => Ok(PathMatch::Prefix(path.to_owned())),
        None => Err(format!("paths: should start with: / (fixed path) or ~/ (regex path): {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_from_the_environment() {
        let env = BTreeMap::from([("KEY".to_owned(), "abc".to_owned())]);
        assert_eq!(fill_in("a: \"${KEY}\" $x ${", &env).unwrap(), "a: \"abc\" $x ${");
        assert!(fill_in("${OTHER}", &env).unwrap_err().contains("OTHER"));
    }

    #[test]
    fn what_kong_refuses_is_refused() {
        let all = BTreeSet::from(["bundled"]);
        for (text, expected) in [
            ("services: []", "_format_version"),
            (
                "_format_version: \"3.0\"\nservices: [{name: a, url: 'http://a', colour: red}]",
                "colour",
            ),
            ("_format_version: \"3.0\"\nplugins: [{name: magic}]", "magic"),
            (
                "_format_version: \"3.0\"\nservices: [{name: a, url: 'http://a', routes: [{name: r, paths: [x]}]}]",
                "should start with",
            ),
        ] {
            let error = parse(text, &all).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let some = BTreeSet::from(["cors"]);
        let text = "_format_version: \"3.0\"\nplugins: [{name: key-auth}]";
        assert!(parse(text, &some).unwrap_err().contains("not enabled"));
    }
}
