//! Reviews, which are answered and not kept, and tokens of service accounts.
//!
//! The sandbox has authentication but no authorization: whoever may use a cluster may do everything
//! in it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Body, Call, Done};
use crate::{
    User, ids,
    status::{Answer, Failure},
    store::Store,
    value::{at, list, set, text},
};

/// Signs and recognises the tokens of service accounts; each server has a key of its own.
#[derive(Clone)]
pub(crate) struct Issuer {
    key: [u8; 32],
    /// The cluster in which a token counts.
    cluster: String,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Who issues tokens, as the `iss` claim has it.
const ISSUER: &str = "https://kubernetes.default.svc";

impl Issuer {
    pub(crate) fn new(key: [u8; 32], cluster: &str) -> Self {
        Self { key, cluster: cluster.to_owned() }
    }

    fn signature(&self, text: &str) -> Vec<u8> {
        // A key of any length is accepted, so that this never fails.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return Vec::new() };
        mac.update(self.cluster.as_bytes());
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }

    fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.signature(&text)))
    }

    /// The service account that a token speaks for, if this server signed it and it has not
    /// expired.
    pub(crate) fn user(&self, token: &str) -> Option<User> {
        let (signed, signature) = token.rsplit_once('.')?;
        if URL_SAFE_NO_PAD.decode(signature).ok()? != self.signature(signed) {
            return None;
        }
        let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        if claims["exp"].as_i64()? < jiff::Timestamp::now().as_second() {
            return None;
        }
        let name = text(&claims, "sub");
        let namespace = name.strip_prefix("system:serviceaccount:")?.split(':').next()?;
        let groups =
            ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        Some(User { name: name.to_owned(), groups: groups.to_vec() })
    }
}

/// `POST serviceaccounts/NAME/token`.
pub(super) fn token(store: &Store, call: &Call, body: &Body) -> Answer<Done> {
    let account = call.find(store)?;
    let mut request = body.value()?;
    let seconds = at(&request, "spec.expirationSeconds").as_i64().unwrap_or(3600);
    if seconds < 600 {
        let detail = "may not specify a duration less than 10 minutes";
        let fault =
            crate::status::FieldFault::invalid("spec.expirationSeconds", &json!(seconds), detail);
        return Err(Failure::invalid(&call.resource, &call.name, &[fault]));
    }
    let audiences = match list(&request, "spec.audiences") {
        [] => json!([ISSUER]),
        given => json!(given),
    };
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "aud": audiences, "exp": now + seconds, "iat": now, "nbf": now, "iss": ISSUER, "jti": ids::uid(),
        "sub": format!("system:serviceaccount:{}:{}", call.namespace, call.name),
        "kubernetes.io": {"namespace": call.namespace,
            "serviceaccount": {"name": call.name, "uid": at(&account, "metadata.uid")}},
    });
    let status =
        json!({"token": call.issuer.sign(&claims), "expirationTimestamp": ids::later(seconds)});
    set(&mut request, "kind", "TokenRequest");
    set(&mut request, "apiVersion", "authentication.k8s.io/v1");
    set(&mut request, "metadata", json!({"name": call.name, "namespace": call.namespace}));
    set(&mut request, "spec.audiences", audiences);
    set(&mut request, "spec.expirationSeconds", seconds);
    set(&mut request, "status", status);
    Ok(Done::created(request))
}

/// Answers a review.
pub(super) fn answer(call: &Call, body: &Body) -> Answer<Done> {
    let mut review = body.value()?;
    let status = match call.resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": user_info(&call.user)}),
        "SelfSubjectRulesReview" => json!({"incomplete": false,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}]}),
        "TokenReview" => match call.issuer.user(text(&review, "spec.token")) {
            Some(user) => json!({"authenticated": true, "user": user_info(&user)}),
            None => {
                json!({"authenticated": false, "error": "the token is not one of this cluster's service accounts"})
            }
        },
        _ => json!({"allowed": true, "reason": "the sandbox authorizes every user of a cluster"}),
    };
    set(&mut review, "kind", call.resource.kind.as_str());
    set(&mut review, "apiVersion", call.resource.api_version());
    set(&mut review, "status", status);
    Ok(Done::created(review))
}

fn user_info(user: &User) -> Value {
    json!({"username": user.name, "groups": user.groups})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_count_in_their_own_cluster_only_and_only_for_a_time() {
        let issuer = Issuer::new([7; 32], "a");
        let claims = |exp: i64| json!({"sub": "system:serviceaccount:n:x", "exp": exp});
        let token = issuer.sign(&claims(i64::MAX));
        assert_eq!(issuer.user(&token).unwrap().name, "system:serviceaccount:n:x");
        assert_eq!(Issuer::new([7; 32], "b").user(&token), None);
        assert_eq!(Issuer::new([8; 32], "a").user(&token), None);
        assert_eq!(issuer.user(&issuer.sign(&claims(0))), None);
        assert_eq!(issuer.user("garbage"), None);
    }
}
