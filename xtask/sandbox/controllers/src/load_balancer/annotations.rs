//! The `alb.ingress.kubernetes.io/` annotations of an Ingress.

use std::collections::BTreeMap;

use serde_json::Value;

const PREFIX: &str = "alb.ingress.kubernetes.io/";

/// What is known; anything else with the prefix is a spelling mistake more often than not.
const KNOWN: &[&str] = &[
    "backend-protocol",
    "backend-protocol-version",
    "certificate-arn",
    "customer-owned-ipv4-pool",
    "group.name",
    "group.order",
    "healthcheck-interval-seconds",
    "healthcheck-path",
    "healthcheck-port",
    "healthcheck-protocol",
    "healthcheck-timeout-seconds",
    "healthy-threshold-count",
    "inbound-cidrs",
    "ip-address-type",
    "listen-ports",
    "load-balancer-attributes",
    "load-balancer-name",
    "manage-backend-security-group-rules",
    "mutual-authentication",
    "scheme",
    "security-groups",
    "shield-advanced-protection",
    "ssl-policy",
    "ssl-redirect",
    "subnets",
    "success-codes",
    "tags",
    "target-group-attributes",
    "target-node-labels",
    "target-type",
    "unhealthy-threshold-count",
    "wafv2-acl-arn",
    "wafv2-acl-name",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Https,
}

/// What a load balancer is told by its Ingress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) internet_facing: bool,
    pub(crate) listeners: Vec<(Protocol, u16)>,
    /// The HTTPS port that HTTP listeners send everybody to.
    pub(crate) ssl_redirect: Option<u16>,
    pub(crate) certificates: Vec<String>,
    pub(crate) health_path: String,
    /// None is the port of the traffic.
    pub(crate) health_port: Option<u16>,
    success_codes: String,
    pub(crate) group: Option<String>,
    pub(crate) deletion_protection: bool,
    pub(crate) name: Option<String>,
    /// An ARN, or `none` to have no web ACL; absent leaves what there is.
    pub(crate) web_acl: Option<String>,
}

impl Settings {
    /// Reads the annotations; the error is why no load balancer can be built from them.
    pub(crate) fn read(annotations: &BTreeMap<String, String>) -> Result<Self, String> {
        let get = |name: &str| annotations.get(&format!("{PREFIX}{name}")).map(String::as_str);
        let scheme = get("scheme").unwrap_or("internal");
        if !matches!(scheme, "internal" | "internet-facing") {
            return Err(format!("unknown scheme: {scheme}"));
        }
        let target_type = get("target-type").unwrap_or("ip");
        if target_type != "ip" {
            return Err(format!("sandbox: target-type {target_type} is not simulated, only ip is"));
        }
        let certificates = list(get("certificate-arn"));
        let listeners = match get("listen-ports") {
            Some(text) => listeners(text)?,
            None if certificates.is_empty() => vec![(Protocol::Http, 80)],
            None => vec![(Protocol::Https, 443)],
        };
        if certificates.is_empty()
            && listeners.iter().any(|(protocol, _)| *protocol == Protocol::Https)
        {
            return Err(
                "no certificate found for host: an HTTPS listener needs certificate-arn".to_owned()
            );
        }
        let ssl_redirect = match get("ssl-redirect") {
            None => None,
            Some(text) => {
                let port = number("ssl-redirect", text)?;
                if !listeners.contains(&(Protocol::Https, port)) {
                    return Err(format!("listener does not exist for SSLRedirect port: {port}"));
                }
                Some(port)
            }
        };
        let health_port = match get("healthcheck-port") {
            None | Some("traffic-port") => None,
            Some(text) => Some(number("healthcheck-port", text)?),
        };
        for name in ["load-balancer-attributes", "target-group-attributes", "tags"] {
            pairs(name, get(name))?;
        }
        let attributes = pairs("load-balancer-attributes", get("load-balancer-attributes"))?;
        let success_codes = get("success-codes").unwrap_or("200").to_owned();
        codes(&success_codes)?;
        Ok(Self {
            internet_facing: scheme == "internet-facing",
            listeners,
            ssl_redirect,
            certificates,
            health_path: get("healthcheck-path").unwrap_or("/").to_owned(),
            health_port,
            success_codes,
            group: get("group.name").map(str::to_owned),
            deletion_protection: attributes
                .get("deletion_protection.enabled")
                .is_some_and(|text| text == "true"),
            name: get("load-balancer-name").map(str::to_owned),
            web_acl: get("wafv2-acl-arn").filter(|text| !text.is_empty()).map(str::to_owned),
        })
    }

    /// Whether a health check with this answer is healthy.
    pub(crate) fn is_healthy(&self, status: u16) -> bool {
        codes(&self.success_codes)
            .is_ok_and(|ranges| ranges.iter().any(|range| range.contains(&status)))
    }

    /// The protocol of the listener on a port.
    pub(crate) fn listener(&self, port: u16) -> Option<Protocol> {
        self.listeners.iter().find(|(_, known)| *known == port).map(|(protocol, _)| *protocol)
    }
}

/// The annotations with the prefix that no load balancer controller knows.
pub(crate) fn unknown(annotations: &BTreeMap<String, String>) -> Vec<&str> {
    let ours = annotations.keys().filter_map(|key| key.strip_prefix(PREFIX));
    ours.filter(|name| {
        !KNOWN.contains(name) && !name.contains("actions.") && !name.contains("conditions.")
    })
    .collect()
}

fn list(text: Option<&str>) -> Vec<String> {
    let items = text.unwrap_or_default().split(',').map(str::trim);
    items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn number(name: &str, text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("failed to parse {name}: `{text}` is no port"))
}

fn listeners(text: &str) -> Result<Vec<(Protocol, u16)>, String> {
    let malformed = || format!("failed to parse listen-ports configuration: `{text}`");
    let entries: Vec<BTreeMap<String, Value>> =
        serde_json::from_str(text).map_err(|_| malformed())?;
    let mut all = Vec::new();
    for (protocol, port) in entries.iter().flatten() {
        let protocol = match protocol.as_str() {
            "HTTP" => Protocol::Http,
            "HTTPS" => Protocol::Https,
            _ => return Err(format!("listen protocol must be HTTP or HTTPS: {protocol}")),
        };
        let port = port.as_u64().and_then(|port| u16::try_from(port).ok()).ok_or_else(malformed)?;
        all.push((protocol, port));
    }
    if all.is_empty() { Err(malformed()) } else { Ok(all) }
}

fn pairs(name: &str, text: Option<&str>) -> Result<BTreeMap<String, String>, String> {
    list(text)
        .iter()
        .map(|item| {
            let (key, value) = item.split_once('=').ok_or_else(|| {
                format!("failed to parse stringMap annotation, {PREFIX}{name}: {item}")
            })?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

fn codes(text: &str) -> Result<Vec<std::ops::RangeInclusive<u16>>, String> {
    list(Some(text))
        .iter()
        .map(|item| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => Ok(first..=last),
                _ => Err(format!("failed to parse success-codes: `{text}`")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned())).collect()
    }

    #[test]
    fn defaults_are_those_of_the_controller() {
        let settings = Settings::read(&annotations(&[])).unwrap();
        assert_eq!(settings.listeners, [(Protocol::Http, 80)]);
        assert!(!settings.internet_facing && settings.is_healthy(200) && !settings.is_healthy(401));
        let settings = Settings::read(&annotations(&[("certificate-arn", "arn:x")])).unwrap();
        assert_eq!(settings.listeners, [(Protocol::Https, 443)]);
    }

    #[test]
    fn a_redirect_needs_its_listener() {
        let both = r#"[{"HTTP":80},{"HTTPS":443}]"#;
        let good = [("listen-ports", both), ("ssl-redirect", "443"), ("certificate-arn", "arn:x")];
        assert_eq!(Settings::read(&annotations(&good)).unwrap().ssl_redirect, Some(443));
        let bad = [("listen-ports", r#"[{"HTTP":80}]"#), ("ssl-redirect", "443")];
        assert!(Settings::read(&annotations(&bad)).unwrap_err().contains("SSLRedirect port: 443"));
        let bare = [("listen-ports", both)];
        assert!(Settings::read(&annotations(&bare)).unwrap_err().contains("certificate"));
    }

    #[test]
    fn mistakes_are_named() {
        for (name, value) in [
            ("scheme", "public"),
            ("listen-ports", "80"),
            ("load-balancer-attributes", "idle_timeout"),
            ("success-codes", "ok"),
            ("healthcheck-port", "http"),
        ] {
            let error = Settings::read(&annotations(&[(name, value)])).unwrap_err();
            assert!(error.contains(value), "{error}");
        }
        assert_eq!(
            unknown(&annotations(&[("schema", "internal"), ("scheme", "internal")])),
            ["schema"]
        );
    }

    #[test]
    fn success_codes_are_ranges_and_lists() {
        let settings = Settings::read(&annotations(&[("success-codes", "200-299,401")])).unwrap();
        assert!(settings.is_healthy(204) && settings.is_healthy(401) && !settings.is_healthy(404));
    }
}
