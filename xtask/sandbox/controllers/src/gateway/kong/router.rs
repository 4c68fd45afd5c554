//! From a request to Kong's decision: answered by itself, or sent on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::{Config, PathMatch, Route};
use super::plugins::Session;

/// A request as Kong sees it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path without the query.
    pub(crate) path: String,
    /// The query as it came, without its question mark.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) client: IpAddr,
}

/// An answer that Kong gives itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    pub(crate) route: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) request: Request,
    /// Headers that plugins add to the answer.
    pub(crate) answer_headers: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Decision {
    Answer(Answer),
    Forward(Forward),
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn set_header(&mut self, name: &str, value: String) {
        self.remove_header(name);
        self.headers.push((name.to_lowercase(), value));
    }

    pub(super) fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

impl Answer {
    /// Kong's usual JSON.
    pub(crate) fn message(status: u16, message: &str) -> Self {
        Self {
            status,
            headers: vec![(
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            )],
            body: serde_json::json!({ "message": message }).to_string(),
        }
    }

    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Config {
    /// What Kong does with a request.
    pub(crate) fn decide(&self, request: Request) -> Decision {
        let Some((route, matched)) = self.route(&request) else {
            return Decision::Answer(Answer::message(404, "no Route matched with those values"));
        };
        let mut plugins: Vec<_> = route.plugins.iter().collect();
        let own: Vec<_> = plugins.iter().map(|plugin| plugin.name()).collect();
        plugins.extend(self.plugins.iter().filter(|plugin| !own.contains(&plugin.name())));
        plugins.sort_by_key(|plugin| std::cmp::Reverse(plugin.priority()));

        let mut session = Session::new(&self.consumers, request);
        for plugin in plugins {
            if let Some(mut answer) = plugin.apply(&mut session) {
                answer.headers.extend(session.answer_headers);
                return Decision::Answer(answer);
            }
        }
        let Session { mut request, answer_headers, .. } = session;
        request.path = upstream_path(route, &request.path, matched);
        if !route.preserve_host {
            request.set_header("host", format!("{}:{}", route.host, route.port));
        }
        // Kong's own word, whatever the client sent under that name.
        request.set_header("x-real-ip", request.client.to_string());
        let (name, host, port) = (route.name.clone(), route.host.clone(), route.port);
        Decision::Forward(Forward { route: name, host, port, request, answer_headers })
    }

    /// The route with the number of bytes of the path that it matched: regular expressions first, then
    /// the longest prefix.
    fn route(&self, request: &Request) -> Option<(&Route, usize)> {
        let allowed =
            |route: &&Route| route.methods.is_empty() || route.methods.contains(&request.method);
        let candidates = || self.routes.iter().filter(allowed);
        let by_regex = candidates().find_map(|route| match &route.path {
            PathMatch::Regex(regex) => Some((route, regex.find(&request.path)?.end())),
            PathMatch::Prefix(_) => None,
        });
        by_regex.or_else(|| {
            let by_prefix = candidates().filter_map(|route| match &route.path {
                PathMatch::Prefix(prefix) if request.path.starts_with(prefix) => {
                    Some((route, prefix.len()))
                }
                _ => None,
            });
            by_prefix.max_by_key(|(_, length)| *length)
        })
    }

    /// Paths that answer 200 to a GET without any credentials, on the port that Kong proxies.
    pub(crate) fn open_paths(&self, env: &BTreeMap<String, String>) -> Vec<(u16, String)> {
        let listen = env.get("KONG_PROXY_LISTEN").map(String::as_str).unwrap_or("0.0.0.0:8000");
        let port = listen
            .split([' ', ','])
            .next()
            .and_then(|address| address.rsplit(':').next()?.parse().ok());
        let Some(port) = port else { return Vec::new() };
        let prefixes = self.routes.iter().filter_map(|route| match &route.path {
            PathMatch::Prefix(path) => Some(path.clone()),
            PathMatch::Regex(_) => None,
        });
        let open = prefixes.filter(|path| {
            let request = Request {
                method: "GET".to_owned(),
                path: path.clone(),
                query: String::new(),
                headers: Vec::new(),
                client: IpAddr::from([127, 0, 0, 1]),
            };
            matches!(self.decide(request), Decision::Answer(Answer { status: 200..400, .. }))
        });
        open.map(|path| (port, path)).collect()
    }
}

/// The path that the upstream sees.
fn upstream_path(route: &Route, path: &str, matched: usize) -> String {
    let rest = if route.strip_path { path.get(matched..).unwrap_or_default() } else { path };
    let base = route.upstream_path.as_str();
    match (rest, base) {
        ("", "") => "/".to_owned(),
        ("", base) => base.to_owned(),
        (rest, base) => {
            format!("{}/{}", base.trim_end_matches('/'), rest.trim_start_matches('/'))
        }
    }
}
