//! The Secret that an ExternalSecret makes.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta};
use kube::{Resource, ResourceExt};

use super::Operator;
use super::objects::{ExternalSecret, external_secret};
use crate::cluster::{controller_of, manager};
use crate::names;

const MANAGED_LABEL: &str = "reconcile.external-secrets.io/managed";
const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";
const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";

/// Why the Secret was not written; each has its own fixed message in the condition.
pub(super) enum Refused {
    OwnedByAnother,
    Immutable(String),
    Failed(anyhow::Error),
}

pub(super) fn name(object: &ExternalSecret) -> String {
    object.spec.target.name.clone().unwrap_or_else(|| object.name_any())
}

/// Whether the Secret is there and as the operator left it.
pub(super) fn is_intact(secret: Option<&Secret>) -> bool {
    secret.is_some_and(|secret| {
        let held = secret.annotations().get(DATA_HASH);
        secret.labels().contains_key(MANAGED_LABEL)
            && held == Some(&hash(&secret.data.clone().unwrap_or_default()))
    })
}

/// Creates the Secret or brings it up to date; true if it was written.
pub(super) async fn write(
    operator: &Operator,
    object: &ExternalSecret,
    data: BTreeMap<String, Vec<u8>>,
) -> Result<bool, Refused> {
    let namespace = object.namespace().unwrap_or_default();
    let name = name(object);
    let existing = operator.cluster.secrets.get(&namespace, &name);
    let target = &object.spec.target;
    let policy = target.creation_policy.as_deref().unwrap_or("Owner");
    if policy == "Owner"
        && let Some(existing) = &existing
        && let Some(owner) = controller_of(&existing.metadata)
        && Some(owner.uid.as_str()) != object.metadata.uid.as_deref()
    {
        return Err(Refused::OwnedByAnother);
    }
    let mut secret = existing.as_deref().cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    });
    fill(&mut secret, object, data, policy).map_err(Refused::Failed)?;
    if existing.as_deref() == Some(&secret) {
        return Ok(false);
    }
    let immutable = existing.as_ref().is_some_and(|existing| existing.immutable == Some(true));
    if immutable {
        return Err(Refused::Immutable(format!("target is immutable: Secret {name}")));
    }
    let api: Api<Secret> = operator.cluster.api(&namespace);
    let by = manager(&format!("externalsecrets.external-secrets.io/{}", object.name_any()));
    let written = match existing {
        Some(_) => api.replace(&name, &by, &secret).await,
        None => api.create(&by, &secret).await,
    };
    let written = written
        .with_context(|| format!("failed to write Secret {name}"))
        .map_err(Refused::Failed)?;
    operator.cluster.secrets.observe(&written);
    Ok(true)
}

fn fill(
    secret: &mut Secret,
    object: &ExternalSecret,
    data: BTreeMap<String, Vec<u8>>,
    policy: &str,
) -> anyhow::Result<()> {
    let template = object.spec.target.template.clone().unwrap_or_default();
    let data: BTreeMap<String, ByteString> = if template.data.is_empty() {
        data.into_iter().map(|(key, value)| (key, ByteString(value))).collect()
    } else {
        let mut rendered = BTreeMap::new();
        for (key, text) in &template.data {
            rendered.insert(key.clone(), ByteString(render(text, &data)?.into_bytes()));
        }
        rendered
    };
    secret.type_ = Some(template.kind.unwrap_or_else(|| "Opaque".to_owned()));
    if policy == "Merge" {
        secret.data.get_or_insert_default().extend(data);
    } else {
        secret.data = Some(data);
    }
    if object.spec.target.immutable {
        secret.immutable = Some(true);
    }
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.extend(template.metadata.labels);
    labels.insert(MANAGED_LABEL.to_owned(), "true".to_owned());
    let creator = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
    labels.insert(CREATED_BY.to_owned(), names::hex_digest(creator, 56));
    let hash = hash(&secret.data.clone().unwrap_or_default());
    let annotations = secret.metadata.annotations.get_or_insert_default();
    annotations.extend(template.metadata.annotations);
    annotations.insert(DATA_HASH.to_owned(), hash);
    if policy == "Owner" {
        secret.metadata.owner_references = Some(vec![owner(object)?]);
    }
    Ok(())
}

fn owner(object: &ExternalSecret) -> anyhow::Result<OwnerReference> {
    object.controller_owner_ref(&external_secret()).context("an ExternalSecret without a uid")
}

fn hash(data: &BTreeMap<String, ByteString>) -> String {
    let mut bytes = Vec::new();
    for (key, ByteString(value)) in data {
        for part in [key.as_bytes(), value] {
            bytes.extend(part.len().to_le_bytes());
            bytes.extend(part);
        }
    }
    names::hex_digest(bytes, 56)
}

/// The simplest templates: `{{ .key }}` and `{{ .key | b64enc }}`.
fn render(text: &str, data: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        let length = rest[at..].find("}}").context("could not parse template: unclosed action")?;
        let action = rest[at + 2..at + length].trim_matches(['-', ' ']);
        let mut words = action.split('|').map(str::trim);
        let key = words.next().and_then(|word| word.strip_prefix('.'));
        let value = key.and_then(|key| data.get(key));
        let value = value
            .with_context(|| format!("sandbox: the template action `{action}` is not simulated"))?;
        let mut value = String::from_utf8_lossy(value).into_owned();
        for filter in words {
            value = match filter {
                "b64enc" => STANDARD.encode(value),
                "toString" => value,
                _ => anyhow::bail!("sandbox: the template function `{filter}` is not simulated"),
            };
        }
        result.push_str(&rest[..at]);
        result.push_str(&value);
        rest = &rest[at + length + 2..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_templates_are_rendered_and_others_refused() {
        let data = BTreeMap::from([("user".to_owned(), b"me".to_vec())]);
        assert_eq!(render("u={{ .user }}; {{- .user | b64enc }}", &data).unwrap(), "u=me; bWU=");
        assert!(render("{{ range .user }}", &data).is_err());
        assert!(render("{{ .other }}", &data).is_err());
    }

    #[test]
    fn a_hand_edited_secret_is_not_intact() {
        let data = BTreeMap::from([("a".to_owned(), ByteString(b"1".to_vec()))]);
        let mut secret = Secret { data: Some(data.clone()), ..Secret::default() };
        secret.metadata.labels = Some([(MANAGED_LABEL.to_owned(), "true".to_owned())].into());
        secret.metadata.annotations = Some([(DATA_HASH.to_owned(), hash(&data))].into());
        assert!(is_intact(Some(&secret)));
        secret.data = Some([("a".to_owned(), ByteString(b"2".to_vec()))].into());
        assert!(!is_intact(Some(&secret)));
        assert!(!is_intact(None));
    }
}
