//! Secrets that an environment declares itself, such as that of an OAuth provider or of a function.
//!
//! The declaration is their use: where base or overlay give a component a variable from a Secret
//! `supabase-<group>` that no stage makes, its keys are read from the parameters `<group>/<key>`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::CATALOGUE;
use crate::{config::Overlay, exit::Exit};

/// Secrets of other names are the environment's own business.
const PREFIX: &str = "supabase-";

/// One key of a Kubernetes Secret, and the parameter that it comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExtraSecret {
    /// Below `/<env>/supabase/`.
    pub(crate) path: String,
    pub(crate) kubernetes_secret: String,
    pub(crate) key: String,
}

/// What base and overlay declare.
///
/// # Errors
/// When a declaration names a key that a Secret of the runner's own does not have.
pub(crate) fn extra_secrets(overlay: &Overlay) -> anyhow::Result<Vec<ExtraSecret>> {
    let mut found = BTreeSet::new();
    for (component, variable, reference) in references(overlay) {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
        let (secret, key) = (text("secret"), text("key"));
        let Some(group) = secret.strip_prefix(PREFIX) else { continue };
        let ours: Vec<_> =
            CATALOGUE.iter().filter(|spec| spec.kubernetes_secret == secret).collect();
        if ours.iter().any(|spec| spec.key == key) {
            continue;
        }
        let place = overlay.place_of(&[component, "extraSecretEnv", variable]);
        if !ours.is_empty() {
            let keys: Vec<&str> = ours.iter().map(|spec| spec.key).collect();
            return Err(Exit::BadInput.error(format!(
                "{place}: `{component}.extraSecretEnv.{variable}` asks for the key `{key}` of {secret}, which holds {}; \
                 give secrets of your own another name, such as {PREFIX}oauth",
                keys.join(", ")
            )));
        }
        if !is_plain(group) || !is_plain(key) {
            return Err(Exit::BadInput.error(format!(
                "{place}: `{component}.extraSecretEnv.{variable}` names what cannot be a parameter; use lower-case \
                 letters, digits and hyphens in `secret` and `key`"
            )));
        }
        found.insert(ExtraSecret {
            path: format!("{group}/{key}"),
            kubernetes_secret: secret.to_owned(),
            key: key.to_owned(),
        });
    }
    Ok(found.into_iter().collect())
}

/// The components that read declared secrets, each with the paths.
pub(crate) fn readers(
    overlay: &Overlay,
    extra: &[ExtraSecret],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut readers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (component, _, reference) in references(overlay) {
        let read = extra.iter().find(|it| {
            reference["secret"] == it.kubernetes_secret.as_str()
                && reference["key"] == it.key.as_str()
        });
        if let Some(read) = read {
            readers.entry(component.to_owned()).or_default().insert(read.path.clone());
        }
    }
    readers
}

/// Component, variable and what it refers to.
fn references(overlay: &Overlay) -> impl Iterator<Item = (&str, &str, &Value)> {
    let components = overlay.value("").and_then(Value::as_object).into_iter().flatten();
    components.flat_map(|(component, settings)| {
        let variables = settings.get("extraSecretEnv").and_then(Value::as_object);
        variables
            .into_iter()
            .flatten()
            .map(move |(variable, reference)| (component.as_str(), variable.as_str(), reference))
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What the chart helm/secrets is given: key and path by Secret.
pub(crate) fn as_values(extra: &[ExtraSecret]) -> Value {
    let mut values = serde_json::Map::new();
    for secret in extra {
        let keys = values
            .entry(secret.kubernetes_secret.clone())
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        keys[&secret.key] = Value::from(secret.path.as_str());
    }
    Value::Object(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{as_values, extra_secrets, readers};
    use crate::config::Overlay;

    #[test]
    fn a_variable_from_a_secret_declares_its_parameter() {
        let overlay = Overlay::of(
            "auth:\n  extraSecretEnv:\n    GOOGLE: {secret: supabase-oauth, key: google-secret}\n    JWT: {secret: \
             supabase-jwt, key: secret}\n    OWN: {secret: mine, key: Any_Key}\nfunctions:\n  extraSecretEnv:\n    \
             STRIPE: {secret: supabase-functions, key: stripe}\n    GOOGLE: {secret: supabase-oauth, key: google-secret}\n",
        );
        let found = extra_secrets(&overlay).unwrap();
        let paths: Vec<&str> = found.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["functions/stripe", "oauth/google-secret"]);
        assert_eq!(
            as_values(&found),
            json!({
                "supabase-functions": {"stripe": "functions/stripe"},
                "supabase-oauth": {"google-secret": "oauth/google-secret"}
            })
        );
        let of_functions = &readers(&overlay, &found)["functions"];
        assert_eq!(
            of_functions.iter().collect::<Vec<_>>(),
            ["functions/stripe", "oauth/google-secret"]
        );
    }

    #[test]
    fn the_runners_own_secrets_are_not_extended() {
        let overlay =
            Overlay::of("auth:\n  extraSecretEnv:\n    X: {secret: supabase-jwt, key: other}\n");
        let error = extra_secrets(&overlay).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "x.yaml:3: `auth.extraSecretEnv.X` asks for the key `other` of supabase-jwt, which holds secret, anon-key, \
             service-role-key; give secrets of your own another name, such as supabase-oauth"
        );
        let overlay =
            Overlay::of("auth:\n  extraSecretEnv:\n    X: {secret: supabase-a/b, key: other}\n");
        assert!(
            format!("{:#}", extra_secrets(&overlay).unwrap_err()).contains("cannot be a parameter")
        );
    }
}
