//! One answer for all clients to the question which proxy a request takes.
//!
//! Terraform, Helm and kubectl decide by the rules of Go's standard library, and nobody can change
//! them there. So these are the rules here too, for every client of this package: what
//! `HTTPS_PROXY` and `NO_PROXY` mean must not depend on who asks.

use std::{fmt, net::IpAddr};

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use url::{Host, Url};

/// Which proxy a request takes. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Takes every request, those to this machine included.
    always: Option<Url>,
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Exception>,
}

impl fmt::Debug for Proxies {
    /// Without the URLs: a proxy's may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies")
            .field("always", &self.always.is_some())
            .field("http", &self.http.is_some())
            .field("https", &self.https.is_some())
            .field("direct", &self.direct)
            .finish()
    }
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    /// `suffix` begins with a dot; `itself`: whether the name without the dot is meant, too.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// What the environment of this process says.
    ///
    /// # Errors
    /// When a proxy's URL cannot be used; the sentence names the variable, never its value.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same for any source of variables: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and, where one
    /// of these is empty or not set, its name in lower case. `ALL_PROXY` is not read, as in Go.
    ///
    /// # Errors
    /// As [`Self::from_env`].
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| {
            [name.to_owned(), name.to_lowercase()].into_iter().find_map(|name| {
                let value = read(&name)?.trim().to_owned();
                (!value.is_empty()).then_some((name, value))
            })
        };
        let proxy = |name: &str| {
            variable(name).map(|(name, value)| proxy_url(&value).context(name)).transpose()
        };
        let direct = variable("NO_PROXY").map(|(_, value)| exceptions(&value)).unwrap_or_default();
        Ok(Self { always: None, http: proxy("HTTP_PROXY")?, https: proxy("HTTPS_PROXY")?, direct })
    }

    /// One proxy for every request, whatever the environment says.
    ///
    /// # Errors
    /// When `url` is not the URL of a proxy.
    pub fn always(url: &str) -> Result<Self> {
        Ok(Self { always: Some(proxy_url(url)?), ..Self::default() })
    }

    /// The proxy for a request to `url`, or none. This machine is always reached directly.
    #[must_use]
    pub fn for_url(&self, url: &Url) -> Option<&Url> {
        if self.always.is_some() {
            return self.always.as_ref();
        }
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !is_loopback(url) && !self.is_excepted(url))
    }

    /// The proxy for requests over TLS with its exceptions in the form of `NO_PROXY`, for a client
    /// that has rules of its own: they agree with ours but for `.name`, which covers `name` there, too.
    pub(crate) fn for_tls(&self) -> Option<(&Url, String)> {
        if let Some(proxy) = &self.always {
            return Some((proxy, String::new()));
        }
        let mut exceptions: Vec<String> =
            self.direct.iter().filter_map(Exception::for_tls).collect();
        exceptions.extend(["localhost", "127.0.0.0/8", "::1"].map(str::to_owned));
        Some((self.https.as_ref()?, exceptions.join(",")))
    }

    fn is_excepted(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        self.direct.iter().any(|exception| exception.covers(url, port))
    }
}

impl Exception {
    fn for_tls(&self) -> Option<String> {
        let is_tls = |port: &Option<u16>| port.is_none_or(|port| port == 443);
        match self {
            Self::Everything => Some("*".to_owned()),
            Self::Network(network) => Some(network.to_string()),
            Self::Address(address, port) => is_tls(port).then(|| address.to_string()),
            Self::Domain { suffix, itself, port } => {
                is_tls(port).then(|| suffix[usize::from(*itself)..].to_owned())
            }
        }
    }

    fn covers(&self, url: &Url, port: Option<u16>) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        let is_port = |wanted: &Option<u16>| wanted.is_none() || *wanted == port;
        match self {
            Self::Everything => true,
            Self::Network(network) => address.is_some_and(|ip| network.contains(&ip)),
            Self::Address(wanted, port) => address == Some(*wanted) && is_port(port),
            Self::Domain { suffix, itself, port } => {
                let name = url.host_str().unwrap_or_default();
                let name = name.trim_matches(['[', ']']);
                (name.ends_with(suffix.as_str()) || (*itself && name == &suffix[1..]))
                    && is_port(port)
            }
        }
    }
}

fn proxy_url(value: &str) -> Result<Url> {
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&whole)
        .ok()
        .filter(Url::has_host)
        .context("is not the URL of a proxy; write http://HOST:PORT, or unset it")?;
    ensure!(
        ["http", "https"].contains(&url.scheme()),
        "names a proxy of the kind `{}`; only http:// and https:// proxies are supported",
        url.scheme()
    );
    Ok(url)
}

fn exceptions(value: &str) -> Vec<Exception> {
    value.split(',').filter_map(|entry| exception(&entry.trim().to_lowercase())).collect()
}

fn exception(entry: &str) -> Option<Exception> {
    if entry.is_empty() {
        return None;
    }
    if entry == "*" {
        return Some(Exception::Everything);
    }
    if let Ok(network) = entry.parse() {
        return Some(Exception::Network(network));
    }
    if let Ok(address) = entry.trim_matches(['[', ']']).parse() {
        return Some(Exception::Address(address, None));
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => (name, Some(port.parse().ok()?)),
        None => (entry, None),
    };
    if let Ok(address) = name.trim_matches(['[', ']']).parse() {
        return Some(Exception::Address(address, port));
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    if name.is_empty() || name == "." {
        return None;
    }
    let itself = !name.starts_with('.');
    let suffix = if itself { format!(".{name}") } else { name.to_owned() };
    Some(Exception::Domain { suffix, itself, port })
}

/// Whether `url` names this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies> {
        Proxies::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn is_direct(no_proxy: &str, url: &str) -> bool {
        let proxies =
            proxies(&[("HTTPS_PROXY", "http://proxy.corp:3128"), ("NO_PROXY", no_proxy)]).unwrap();
        proxies.for_url(&Url::parse(url).unwrap()).is_none()
    }

    /// Each row was put to kubectl 1.32 with a proxy that counts its connections.
    #[test]
    fn exceptions_mean_what_they_mean_to_terraform_and_helm() {
        let rows = [
            ("", "https://a.example", false),
            ("*", "https://a.example", true),
            ("a.example", "https://a.example", true),
            ("example", "https://a.example", true),
            (".example", "https://a.example", true),
            ("*.example", "https://a.example", true),
            (".a.example", "https://a.example", false),
            ("*.a.example", "https://a.example", false),
            ("ample", "https://a.example", false),
            ("A.EXAMPLE", "https://a.example", true),
            (" b.example , a.example ", "https://a.example", true),
            ("a.example:443", "https://a.example", true),
            ("a.example:443", "https://a.example:6443", false),
            ("a.example:6443", "https://a.example:6443", true),
            ("198.51.100.7", "https://198.51.100.7", true),
            ("198.51.100.0/24", "https://198.51.100.7", true),
            ("198.51.100.0/24", "https://203.0.113.1", false),
            ("198.51.100.7:6443", "https://198.51.100.7:6443", true),
            ("198.51.100.7:6443", "https://198.51.100.7", false),
            ("", "https://127.0.0.1:6443", true),
            ("", "https://localhost:6443", true),
        ];
        for (no_proxy, url, direct) in rows {
            assert_eq!(is_direct(no_proxy, url), direct, "NO_PROXY={no_proxy} {url}");
        }
    }

    #[test]
    fn the_scheme_of_the_request_chooses_the_variable() {
        let both = proxies(&[
            ("HTTP_PROXY", "plain.corp:3128"),
            ("https_proxy", "http://user:word@tls.corp:3129"),
        ])
        .unwrap();
        let host = |url: &str| {
            both.for_url(&Url::parse(url).unwrap()).and_then(Url::host_str).map(str::to_owned)
        };
        assert_eq!(host("http://a.example").as_deref(), Some("plain.corp"));
        assert_eq!(host("https://a.example").as_deref(), Some("tls.corp"));
        assert!(!format!("{both:?}").contains("word"));
    }

    #[test]
    fn an_empty_variable_is_one_that_is_not_set() {
        let set = [("HTTPS_PROXY", ""), ("https_proxy", "http://tls.corp:1"), ("NO_PROXY", " ")];
        let proxies = proxies(&set).unwrap();
        assert!(proxies.for_url(&Url::parse("https://a.example").unwrap()).is_some());
    }

    #[test]
    fn an_odd_value_is_named_by_its_variable_and_not_shown() {
        for value in ["socks5://u:hidden-word@p:1080", "http://u:hidden-word@", "::::"] {
            let told = format!("{:#}", proxies(&[("https_proxy", value)]).unwrap_err());
            assert!(told.starts_with("https_proxy: ") && !told.contains("hidden"), "{told}");
        }
    }
}
