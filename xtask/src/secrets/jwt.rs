//! The two API keys: HS256 JWTs with exactly the claims that self-hosted Supabase gives them.
//!
//! A JWT crate would bring a second cryptography stack for one HMAC; `hmac` and `sha2` are in the
//! tree through the AWS SDK already.

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use xtask_tools::Secret;

/// Five years of 365 days, as upstream's key generator has it.
const LIFETIME_SECONDS: i64 = 5 * 365 * 24 * 60 * 60;

/// The database role that an API key speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ApiRole {
    Anon,
    ServiceRole,
}

/// The claims of an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    pub(crate) role: ApiRole,
    pub(crate) iss: String,
    /// Seconds since 1970.
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// Signs the key of a role with the JWT secret, used as its UTF-8 bytes.
///
/// # Errors
/// When the secret is shorter than the 32 bytes that HS256 asks for.
pub(crate) fn api_key(role: ApiRole, secret: &Secret, now_seconds: i64) -> anyhow::Result<Secret> {
    if secret.expose().len() < 32 {
        bail!("the JWT secret is shorter than 32 bytes; rotate it");
    }
    let claims = Claims {
        role,
        iss: "supabase".to_owned(),
        iat: now_seconds,
        exp: now_seconds + LIFETIME_SECONDS,
    };
    let header = BASE64.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", BASE64.encode(serde_json::to_vec(&claims)?));
    let signature = BASE64.encode(mac(secret, &signed)?.finalize().into_bytes());
    Ok(Secret::new(format!("{signed}.{signature}")))
}

/// Checks the signature of a key and returns its claims.
///
/// # Errors
/// When it is not a JWT, was signed with another secret, or has other claims.
pub(crate) fn verify(key: &Secret, secret: &Secret) -> anyhow::Result<Claims> {
    let (signed, signature) = key.expose().rsplit_once('.').context("is not a JWT")?;
    let signature =
        BASE64.decode(signature).ok().context("has a signature that is not base64url")?;
    if mac(secret, signed)?.verify_slice(&signature).is_err() {
        bail!("was not signed with this JWT secret");
    }
    let payload = signed.split_once('.').map(|(_, payload)| payload).context("has no claims")?;
    let claims = BASE64.decode(payload).ok().context("has claims that are not base64url")?;
    serde_json::from_slice(&claims).ok().context("has other claims than role, iss, iat and exp")
}

fn mac(secret: &Secret, signed: &str) -> anyhow::Result<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
        .context("failed to use the JWT secret")?;
    mac.update(signed.as_bytes());
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use xtask_tools::Secret;

    use super::{ApiRole, api_key, verify};

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_key_verifies_against_its_secret_only() {
        let jwt_secret = secret("0123456789abcdef0123456789abcdef");
        let key = api_key(ApiRole::Anon, &jwt_secret, 1_700_000_000).unwrap();
        let claims = verify(&key, &jwt_secret).unwrap();
        assert_eq!((claims.role, claims.iss.as_str()), (ApiRole::Anon, "supabase"));
        assert_eq!(claims.exp - claims.iat, 157_680_000);
        assert!(verify(&key, &secret("another secret of at least 32 bytes")).is_err());
        assert!(verify(&secret(&key.expose().replace('.', "")), &jwt_secret).is_err());
    }

    #[test]
    fn header_and_claims_are_those_of_upstream() {
        let key = api_key(ApiRole::ServiceRole, &secret(&"x".repeat(64)), 0).unwrap();
        let parts: Vec<String> = key
            .expose()
            .split('.')
            .take(2)
            .map(|part| String::from_utf8(BASE64.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], r#"{"alg":"HS256","typ":"JWT"}"#);
        assert_eq!(parts[1], r#"{"role":"service_role","iss":"supabase","iat":0,"exp":157680000}"#);
    }

    /// RFC 7515 appendix A.1 signs other claims; its signing input and signature pin the algorithm.
    #[test]
    fn the_signature_is_hs256() {
        let key = BASE64
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(&key).unwrap();
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        hmac::Mac::update(&mut mac, input.as_bytes());
        assert_eq!(
            BASE64.encode(hmac::Mac::finalize(mac).into_bytes()),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(api_key(ApiRole::Anon, &secret("short"), 0).is_err());
    }
}
