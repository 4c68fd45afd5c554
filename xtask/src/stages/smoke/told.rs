//! What services say about their own address, held against the one under which they were asked.
//!
//! A service that was started with another address answers everything else rightly, and its mails,
//! redirects and signatures lead nowhere.

use serde_json::Value;
use xtask_cloud::Response;

/// Where in its answer a service names its address.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// GoTrue's discovery document: the issuer of its tokens.
    Issuer,
    /// PostgREST's description of the API, in OpenAPI 2.
    Description,
}

impl Told {
    /// What is wrong with what an answer says; `url` is the public address.
    pub(super) fn mismatch(self, answer: &Response, url: &str) -> Option<String> {
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let (said, expected) = match self {
            Self::Issuer => (body["issuer"].as_str().map(str::to_owned), format!("{url}/auth/v1")),
            Self::Description => (description(&body), format!("{url}/rest/v1/")),
        };
        let Some(said) = said else { return Some("does not say its own address".to_owned()) };
        (normal(&said) != normal(&expected))
            .then(|| format!("says that its address is {said}, expected {expected}"))
    }
}

fn description(body: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let scheme = text(&body["schemes"][0])?;
    Some(format!("{scheme}://{}{}", text(&body["host"])?, text(&body["basePath"])?))
}

/// Without the port that goes without saying, in lower case up to the path.
fn normal(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let host = host.strip_suffix(usual).unwrap_or(host).to_ascii_lowercase();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use xtask_cloud::Response;

    use super::Told;

    fn mismatch(told: Told, body: &str, url: &str) -> Option<String> {
        let answer = Response { status: 200, headers: BTreeMap::new(), body: body.to_owned() };
        told.mismatch(&answer, url)
    }

    #[test]
    fn scheme_host_and_path_have_to_be_those_that_were_asked() {
        let issuer = |of: &str| format!(r#"{{"issuer": "{of}"}}"#);
        let url = "https://api.example.com";
        assert_eq!(mismatch(Told::Issuer, &issuer("https://api.example.com/auth/v1"), url), None);
        for wrong in ["http://localhost:8000/auth/v1", "http://api.example.com/auth/v1", url] {
            assert_eq!(
                mismatch(Told::Issuer, &issuer(wrong), url),
                Some(format!(
                    "says that its address is {wrong}, expected https://api.example.com/auth/v1"
                ))
            );
        }
        for silent in ["{}", "not json"] {
            let said = mismatch(Told::Issuer, silent, url).unwrap();
            assert_eq!(said, "does not say its own address");
        }
    }

    #[test]
    fn a_port_that_goes_without_saying_is_no_difference() {
        let description = |scheme: &str, host: &str| {
            format!(r#"{{"schemes": ["{scheme}"], "host": "{host}", "basePath": "/rest/v1/"}}"#)
        };
        let of = |scheme: &str, host: &str, url: &str| {
            mismatch(Told::Description, &description(scheme, host), url)
        };
        assert_eq!(of("https", "api.example.com:443", "https://api.example.com"), None);
        assert_eq!(of("http", "Lb-1.elb.example:80", "http://lb-1.elb.example"), None);
        assert!(of("http", "api.example.com:80", "https://api.example.com").is_some());
        assert!(of("https", "api.example.com:80", "https://api.example.com").is_some());
        assert!(of("http", "0.0.0.0:3000", "http://lb-1.elb.example").is_some());
    }
}
