//! The plugins that the gateway's configuration uses, each with the answers that Kong gives.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::Consumer;
use super::router::{Answer, Request};
use super::template;

#[derive(Debug, Clone)]
pub(crate) enum Plugin {
    Cors(Cors),
    KeyAuth(KeyAuth),
    BasicAuth(BasicAuth),
    IpRestriction(IpRestriction),
    Acl(Acl),
    RequestTransformer(Box<RequestTransformer>),
    RequestTermination(RequestTermination),
}

/// A request on its way through the plugins.
pub(super) struct Session<'a> {
    consumers: &'a [Consumer],
    consumer: Option<&'a Consumer>,
    pub(super) request: Request,
    pub(super) answer_headers: Vec<(String, String)>,
}

impl<'a> Session<'a> {
    pub(super) fn new(consumers: &'a [Consumer], request: Request) -> Self {
        Self { consumers, consumer: None, request, answer_headers: Vec::new() }
    }
}

impl Plugin {
    /// Reads a plugin's settings.
    pub(super) fn read(name: &str, config: Value) -> Result<Self, String> {
        Ok(match name {
            "cors" => Self::Cors(settings(name, config)?),
            "key-auth" => Self::KeyAuth(settings(name, config)?),
            "basic-auth" => Self::BasicAuth(settings(name, config)?),
            "ip-restriction" => Self::IpRestriction(settings(name, config)?),
            "acl" => Self::Acl(settings(name, config)?),
            "request-transformer" => {
                let transformer: RequestTransformer = settings(name, config)?;
                transformer.check()?;
                Self::RequestTransformer(Box::new(transformer))
            }
            "request-termination" => Self::RequestTermination(settings(name, config)?),
            _ => return Err(format!("plugin '{name}' is not known to the sandbox's Kong")),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Cors(_) => "cors",
            Self::KeyAuth(_) => "key-auth",
            Self::BasicAuth(_) => "basic-auth",
            Self::IpRestriction(_) => "ip-restriction",
            Self::Acl(_) => "acl",
            Self::RequestTransformer(_) => "request-transformer",
            Self::RequestTermination(_) => "request-termination",
        }
    }

    /// Plugins run from the highest to the lowest, in Kong's order.
    pub(super) fn priority(&self) -> u32 {
        match self {
            Self::Cors(_) => 2000,
            Self::KeyAuth(_) => 1250,
            Self::BasicAuth(_) => 1100,
            Self::IpRestriction(_) => 990,
            Self::Acl(_) => 950,
            Self::RequestTransformer(_) => 801,
            Self::RequestTermination(_) => 2,
        }
    }

    /// Changes the request, or ends it with an answer.
    pub(super) fn apply(&self, session: &mut Session<'_>) -> Option<Answer> {
        match self {
            Self::Cors(cors) => cors.apply(session),
            Self::KeyAuth(auth) => auth.apply(session),
            Self::BasicAuth(auth) => auth.apply(session),
            Self::IpRestriction(restriction) => restriction.apply(session.request.client),
            Self::Acl(acl) => acl.apply(session),
            Self::RequestTransformer(transformer) => {
                transformer.apply(&mut session.request);
                None
            }
            Self::RequestTermination(termination) => Some(termination.answer()),
        }
    }
}

fn settings<T: DeserializeOwned>(name: &str, config: Value) -> Result<T, String> {
    let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config };
    serde_json::from_value(config).map_err(|error| format!("plugin '{name}': {error}"))
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    #[serde(default)]
    origins: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    exposed_headers: Vec<String>,
    #[serde(default)]
    credentials: bool,
    max_age: Option<u64>,
    #[serde(default)]
    preflight_continue: bool,
}

impl Cors {
    fn apply(&self, session: &mut Session<'_>) -> Option<Answer> {
        let origin = session.request.header("origin");
        let any = self.origins.is_empty() || self.origins.iter().any(|known| known == "*");
        let allowed = match (&origin, any) {
            (_, true) => Some("*".to_owned()),
            (Some(origin), false) => self.origins.iter().find(|known| *known == origin).cloned(),
            (None, false) => None,
        };
        let mut headers = Vec::new();
        if let Some(allowed) = allowed {
            headers.push(("access-control-allow-origin".to_owned(), allowed));
            if self.credentials {
                headers.push(("access-control-allow-credentials".to_owned(), "true".to_owned()));
            }
        }
        if !self.exposed_headers.is_empty() {
            headers
                .push(("access-control-expose-headers".to_owned(), self.exposed_headers.join(",")));
        }
        let preflight = session.request.method == "OPTIONS"
            && origin.is_some()
            && session.request.header("access-control-request-method").is_some();
        if !preflight || self.preflight_continue {
            session.answer_headers.extend(headers);
            return None;
        }
        let methods = if self.methods.is_empty() {
            "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT".to_owned()
        } else {
            self.methods.join(",")
        };
        headers.push(("access-control-allow-methods".to_owned(), methods));
        let asked = session.request.header("access-control-request-headers");
        let names = if self.headers.is_empty() { asked } else { Some(self.headers.join(",")) };
        headers.extend(names.map(|names| ("access-control-allow-headers".to_owned(), names)));
        let age = self.max_age.map(|age| ("access-control-max-age".to_owned(), age.to_string()));
        headers.extend(age);
        Some(Answer { status: 200, headers, body: String::new() })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyAuth {
    #[serde(default = "apikey")]
    key_names: Vec<String>,
    #[serde(default)]
    hide_credentials: bool,
    #[serde(default = "yes")]
    key_in_header: bool,
    #[serde(default = "yes")]
    key_in_query: bool,
}

fn apikey() -> Vec<String> {
    vec!["apikey".to_owned()]
}

fn yes() -> bool {
    true
}

impl KeyAuth {
    fn apply(&self, session: &mut Session<'_>) -> Option<Answer> {
        let request = &session.request;
        let key = self.key_names.iter().find_map(|name| {
            let in_header = self.key_in_header.then(|| request.header(name)).flatten();
            in_header.or_else(|| self.key_in_query.then(|| request.query(name)).flatten())
        });
        let refuse =
            |message| Some(Answer::message(401, message).with_header("www-authenticate", "Key"));
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return refuse("No API key found in request");
        };
        let consumer = session
            .consumers
            .iter()
            .find(|consumer| consumer.keyauth_credentials.iter().any(|known| known.key == key));
        let Some(consumer) = consumer else { return refuse("Unauthorized") };
        session.consumer = Some(consumer);
        if self.hide_credentials {
            for name in &self.key_names {
                session.request.remove_header(name);
            }
        }
        session.request.set_header("x-consumer-username", consumer.username.clone());
        None
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicAuth {
    #[serde(default)]
    hide_credentials: bool,
    #[serde(default)]
    realm: Option<String>,
}

impl BasicAuth {
    fn apply(&self, session: &mut Session<'_>) -> Option<Answer> {
        let realm = self.realm.as_deref().unwrap_or("service");
        let given = session.request.header("authorization").and_then(|header| {
            let encoded = header.strip_prefix("Basic ")?.trim().to_owned();
            let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            decoded.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned()))
        });
        let consumer = given.and_then(|(name, password)| {
            session.consumers.iter().find(|consumer| {
                let known = &consumer.basicauth_credentials;
                known.iter().any(|known| known.username == name && known.password == password)
            })
        });
        let Some(consumer) = consumer else {
            let challenge = format!("Basic realm=\"{realm}\"");
            return Some(
                Answer::message(401, "Unauthorized").with_header("www-authenticate", &challenge),
            );
        };
        session.consumer = Some(consumer);
        if self.hide_credentials {
            session.request.remove_header("authorization");
        }
        session.request.set_header("x-consumer-username", consumer.username.clone());
        None
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IpRestriction {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    status: Option<u16>,
    message: Option<String>,
}

impl IpRestriction {
    fn apply(&self, client: IpAddr) -> Option<Answer> {
        let contains = |blocks: &[String]| {
            blocks.iter().any(|block| {
                block.parse::<IpNet>().is_ok_and(|network| network.contains(&client))
                    || block.parse::<IpAddr>().is_ok_and(|address| address == client)
            })
        };
        let refused = contains(&self.deny) || !self.allow.is_empty() && !contains(&self.allow);
        let message =
            self.message.clone().unwrap_or_else(|| format!("IP address not allowed: {client}"));
        refused.then(|| Answer::message(self.status.unwrap_or(403), &message))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acl {
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    #[serde(default)]
    hide_groups_header: bool,
}

impl Acl {
    fn apply(&self, session: &mut Session<'_>) -> Option<Answer> {
        let refuse = |status, message| Some(Answer::message(status, message));
        let Some(consumer) = session.consumer else { return refuse(401, "Unauthorized") };
        let groups: Vec<&str> = consumer.acls.iter().map(|acl| acl.group.as_str()).collect();
        let is_in = |wanted: &[String]| wanted.iter().any(|group| groups.contains(&group.as_str()));
        if is_in(&self.deny) || !self.allow.is_empty() && !is_in(&self.allow) {
            return refuse(403, "You cannot consume this service");
        }
        if !self.hide_groups_header {
            session.request.set_header("x-consumer-groups", groups.join(", "));
        }
        None
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RequestTransformer {
    remove: Change,
    replace: Change,
    add: Change,
    append: Change,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Change {
    headers: Vec<String>,
    uri: Option<String>,
}

impl RequestTransformer {
    fn check(&self) -> Result<(), String> {
        let all = [&self.remove, &self.replace, &self.add, &self.append];
        let texts = all.iter().flat_map(|change| change.headers.iter().chain(&change.uri));
        for text in texts {
            if !template::is_known(text) {
                return Err(format!(
                    "plugin 'request-transformer': `{text}` is not understood here"
                ));
            }
        }
        Ok(())
    }

    fn apply(&self, request: &mut Request) {
        let before = request.clone();
        for name in &self.remove.headers {
            request.remove_header(name);
        }
        let split = |text: &str| {
            let (name, value) = text.split_once(':')?;
            Some((name.trim().to_owned(), template::render(value.trim(), &before)))
        };
        for (name, value) in self.replace.headers.iter().filter_map(|text| split(text)) {
            if request.header(&name).is_some() {
                request.set_header(&name, value);
            }
        }
        for (name, value) in self.add.headers.iter().filter_map(|text| split(text)) {
            if request.header(&name).is_none() {
                request.set_header(&name, value);
            }
        }
        for (name, value) in self.append.headers.iter().filter_map(|text| split(text)) {
            request.headers.push((name.to_lowercase(), value));
        }
        if let Some(uri) = &self.replace.uri {
            request.path = template::render(uri, &before);
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestTermination {
    #[serde(default = "unavailable")]
    status_code: u16,
    message: Option<String>,
    body: Option<String>,
    content_type: Option<String>,
}

fn unavailable() -> u16 {
    503
}

impl RequestTermination {
    fn answer(&self) -> Answer {
        match &self.body {
            Some(body) => Answer {
                status: self.status_code,
                headers: vec![(
                    "content-type".to_owned(),
                    self.content_type
                        .clone()
                        .unwrap_or_else(|| "application/json; charset=utf-8".to_owned()),
                )],
                body: body.clone(),
            },
            None => {
                let message = self.message.as_deref().unwrap_or("Service unavailable");
                Answer::message(self.status_code, message)
            }
        }
    }
}
