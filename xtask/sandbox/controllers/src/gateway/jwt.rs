//! HS256 JSON web tokens, as the services verify them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    Signature,
    Expired,
}

impl Refused {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Malformed => "Expected 3 parts in JWT; it is malformed",
            Self::Signature => "No suitable key was found to verify the JWT: invalid signature",
            Self::Expired => "JWT expired",
        }
    }
}

/// The claims of a token that `secret` signed and whose time is not over.
pub(super) fn verify(token: &str, secret: &str) -> Result<Value, Refused> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refused::Malformed);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Malformed);
    let read = |part: &str| -> Result<Value, Refused> {
        serde_json::from_slice(&decode(part)?).map_err(|_| Refused::Malformed)
    };
    if read(header)?.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(Refused::Signature);
    }
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Refused::Signature)?;
    mac.update(header.as_bytes());
    mac.update(b".");
    mac.update(claims.as_bytes());
    mac.verify_slice(&decode(signature)?).map_err(|_| Refused::Signature)?;
    let claims = read(claims)?;
    let expired = claims.get("exp").and_then(Value::as_i64);
    if expired.is_some_and(|time| time <= jiff::Timestamp::now().as_second()) {
        return Err(Refused::Expired);
    }
    Ok(claims)
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(header: Option<&str>) -> Option<&str> {
    let (scheme, token) = header?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn sign(header: &Value, claims: &Value, secret: &str) -> String {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_token_is_good_for_its_secret_and_its_time() {
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let claims = json!({"role": "anon", "exp": jiff::Timestamp::now().as_second() + 60});
        let token = sign(&header, &claims, SECRET);
        assert_eq!(verify(&token, SECRET).unwrap()["role"], "anon");
        assert_eq!(verify(&token, "another secret").unwrap_err(), Refused::Signature);
        let old = sign(&header, &json!({"exp": 1}), SECRET);
        assert_eq!(verify(&old, SECRET).unwrap_err(), Refused::Expired);
    }

    #[test]
    fn the_algorithm_is_not_the_tokens_choice() {
        let token = sign(&json!({"alg": "none"}), &json!({"role": "service_role"}), SECRET);
        assert_eq!(verify(&token, SECRET).unwrap_err(), Refused::Signature);
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_token(text in ".*") {
            prop_assert!(verify(&text, SECRET).is_err());
        }
    }
}
