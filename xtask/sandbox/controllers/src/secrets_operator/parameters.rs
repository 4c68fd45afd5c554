//! Reading the data of an ExternalSecret out of SSM.

use std::collections::BTreeMap;

use aws_sdk_ssm::error::DisplayErrorContext;
use regex::Regex;
use serde_json::Value;

use super::Operator;
use super::objects::{ExternalSecret, Find, RemoteReference, SecretStore};

/// What a read found: the data, and keys whose parameter does not exist.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) data: BTreeMap<String, Vec<u8>>,
    /// The event texts of parameters that do not exist; only then may a deletion policy apply.
    pub(super) missing: Vec<String>,
}

enum Failure {
    Missing,
    Other(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "Secret does not exist",
            Self::Other(why) => why,
        })
    }
}

/// Reads everything; the error is the text of the operator's event.
pub(super) async fn read(
    operator: &Operator,
    object: &ExternalSecret,
    store: &SecretStore,
) -> Result<Read, String> {
    let aws = super::store::provider(store).map_err(|error| format!("{error:#}"))?;
    let prefix = aws.prefix.clone().unwrap_or_default();
    let mut read = Read::default();
    for (index, source) in object.spec.data_from.iter().enumerate() {
        if let Some(reference) = &source.extract {
            let place = format!("error processing spec.dataFrom[{index}].extract");
            match extract(operator, &prefix, reference).await {
                Ok(data) => read.data.extend(data),
                Err(Failure::Missing) => {
                    read.missing.push(format!("{place}, err: {}", Failure::Missing))
                }
                Err(other) => return Err(format!("{place}, err: {other}")),
            }
        }
        if let Some(find) = &source.find {
            let found = search(operator, &prefix, find).await;
            read.data.extend(found.map_err(|why| {
                format!("error processing spec.dataFrom[{index}].find, err: {why}")
            })?);
        }
    }
    for (index, entry) in object.spec.data.iter().enumerate() {
        let place = format!("error processing spec.data[{index}] (key: {})", entry.remote_ref.key);
        match parameter(operator, &prefix, &entry.remote_ref).await {
            Ok(value) => {
                read.data.insert(entry.secret_key.clone(), value.into_bytes());
            }
            Err(Failure::Missing) => {
                read.missing.push(format!("{place}, err: {}", Failure::Missing))
            }
            Err(other) => return Err(format!("{place}, err: {other}")),
        }
    }
    Ok(read)
}

async fn parameter(
    operator: &Operator,
    prefix: &str,
    reference: &RemoteReference,
) -> Result<String, Failure> {
    let text = get(operator, prefix, reference).await?;
    let Some(property) = &reference.property else { return Ok(text) };
    let value: Value = serde_json::from_str(&text).map_err(|_| no_property(property))?;
    match value.pointer(&format!("/{}", property.replace('.', "/"))) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(value) => Ok(value.to_string()),
        None => Err(no_property(property)),
    }
}

fn no_property(property: &str) -> Failure {
    Failure::Other(format!("key {property} does not exist in secret"))
}

async fn get(
    operator: &Operator,
    prefix: &str,
    reference: &RemoteReference,
) -> Result<String, Failure> {
    let path = format!("{prefix}{}", reference.key);
    if operator.cluster.config.faults.is_missing(&path) {
        return Err(Failure::Missing);
    }
    let name = match &reference.version {
        Some(version) => format!("{path}:{version}"),
        None => path,
    };
    let answer = operator.ssm.get_parameter().name(name).with_decryption(true).send().await;
    match answer {
        Ok(answer) => {
            Ok(answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default())
        }
        Err(error) => {
            let missing = error.as_service_error().is_some_and(|error| {
                error.is_parameter_not_found() || error.is_parameter_version_not_found()
            });
            Err(if missing {
                Failure::Missing
            } else {
                Failure::Other(DisplayErrorContext(&error).to_string())
            })
        }
    }
}

async fn extract(
    operator: &Operator,
    prefix: &str,
    reference: &RemoteReference,
) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let text = get(operator, prefix, reference).await?;
    let malformed = || {
        Failure::Other(format!(
            "unable to unmarshal secret {}: it is no JSON object",
            reference.key
        ))
    };
    let object: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(|_| malformed())?;
    let text = |value: Value| match value {
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    };
    Ok(object.into_iter().map(|(key, value)| (key, text(value))).collect())
}

/// The parameters below a path whose names fit; their keys are their names without slashes, as the
/// default conversion makes them.
async fn search(
    operator: &Operator,
    prefix: &str,
    find: &Find,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let pattern = match &find.name {
        Some(name) => Regex::new(&name.regexp)
            .map_err(|error| format!("could not compile name.regexp: {error}"))?,
        None => return Err("sandbox: find is simulated with name.regexp only".to_owned()),
    };
    let path = format!("{prefix}{}", find.path.as_deref().unwrap_or("/"));
    let pages =
        operator.ssm.get_parameters_by_path().path(path).recursive(true).with_decryption(true);
    let mut pages = pages.into_paginator().send();
    let mut data = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| DisplayErrorContext(&error).to_string())?;
        for parameter in page.parameters.unwrap_or_default() {
            let (name, value) =
                (parameter.name.unwrap_or_default(), parameter.value.unwrap_or_default());
            if pattern.is_match(&name) && !operator.cluster.config.faults.is_missing(&name) {
                data.insert(name.replace('/', "_"), value.into_bytes());
            }
        }
    }
    Ok(data)
}
