//! From a request's body to an object of its kind.

use serde_json::Value;

use super::{Call, Query, Validation};
use crate::{
    protobuf, schema,
    status::{Answer, Failure},
    value::{object, text},
};

/// A request's body with its media type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    /// Without parameters, for example `application/json`.
    pub(crate) media: String,
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    /// The body as JSON, whatever it was written in; null if there is none.
    pub(crate) fn value(&self) -> Answer<Value> {
        if self.bytes.is_empty() {
            return Ok(Value::Null);
        }
        if self.bytes.starts_with(protobuf::MAGIC) {
            return protobuf::decode(&self.bytes);
        }
        match self.media.as_str() {
            "application/yaml" | "application/apply-patch+yaml" => self.yaml(),
            "" | "application/json" | "text/plain" | "*/*" => self.json(),
            media if media.ends_with("+json") => self.json(),
            media => Err(Failure::unsupported_media(format!(
                "the body of the request was in an unknown format ({media}) - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
            ))),
        }
    }

    fn json(&self) -> Answer<Value> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            Failure::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
        })
    }

    fn yaml(&self) -> Answer<Value> {
        // Clients write JSON here, which is YAML too but much faster read as what it is.
        serde_json::from_slice(&self.bytes).or_else(|_| {
            serde_norway::from_slice(&self.bytes)
                .map_err(|error| Failure::bad_request(format!("error decoding YAML: {error}")))
        })
    }
}

/// An object of the request's kind, with warnings about what was wrong with it.
pub(super) fn decode(call: &Call, body: &Body) -> Answer<(Value, Vec<String>)> {
    let mut object = body.value()?;
    if !object.is_object() {
        return Err(Failure::bad_request("the body of the request is not an object"));
    }
    check_kind(call, &mut object)?;
    let warnings = conform(call, &mut object, |unknown| {
        let kind = &call.resource.kind;
        let version = &call.resource.version;
        Failure::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {unknown}"
        ))
    })?;
    locate(call, &mut object)?;
    Ok((object, warnings))
}

fn check_kind(call: &Call, object: &mut Value) -> Answer<()> {
    let resource = &call.resource;
    let (api_version, kind) = (resource.api_version(), &resource.kind);
    let given = (text(object, "apiVersion").to_owned(), text(object, "kind").to_owned());
    if !given.0.is_empty() && given.0 != api_version {
        return Err(Failure::bad_request(format!(
            "the API version in the data ({}) does not match the expected API version ({api_version})",
            given.0
        )));
    }
    if !given.1.is_empty() && given.1 != *kind {
        return Err(Failure::bad_request(format!(
            "{} in version {:?} cannot be handled as a {kind}: no kind {:?} is registered for this resource",
            given.1, resource.version, given.1
        )));
    }
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.as_str().into();
    Ok(())
}

/// Brings an object into the shape of its schema: unknown fields go, with a warning or a refusal.
pub(super) fn conform(
    call: &Call,
    object: &mut Value,
    refuse: impl FnOnce(String) -> Failure,
) -> Answer<Vec<String>> {
    let resource = &call.resource;
    let unknown = if resource.custom {
        let mut metadata = serde_json::json!({"metadata": object["metadata"].take()});
        let mut unknown = schema::check(&resource.schema, &resource.kind, &mut metadata).unknown;
        object["metadata"] = metadata["metadata"].take();
        unknown.extend(schema::prune(&resource.schema, object));
        unknown
    } else {
        let findings = schema::check(&resource.schema, &resource.kind, object);
        if let Some(mistyped) = findings.mistyped {
            let (kind, version) = (&resource.kind, &resource.version);
            return Err(Failure::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: {mistyped}"
            )));
        }
        findings.unknown
    };
    let sentences: Vec<String> =
        unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    match call.query.validation {
        _ if sentences.is_empty() => Ok(sentences),
        Validation::Strict => Err(refuse(sentences.join(", "))),
        Validation::Warn => Ok(sentences),
        Validation::Ignore => Ok(Vec::new()),
    }
}

/// Puts an object where the request's path says, or says that they contradict.
fn locate(call: &Call, value: &mut Value) -> Answer<()> {
    let metadata = object(&mut value["metadata"]);
    let given =
        |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (namespace, name) = (given("namespace"), given("name"));
    if call.resource.namespaced {
        if !namespace.is_empty() && namespace != call.namespace {
            return Err(Failure::bad_request(format!(
                "the namespace of the provided object does not match the namespace sent on the request: {namespace:?} is not {:?}",
                call.namespace
            )));
        }
        metadata.insert("namespace".into(), call.namespace.as_str().into());
    } else {
        metadata.shift_remove("namespace");
    }
    if !call.name.is_empty() {
        if !name.is_empty() && name != call.name {
            return Err(Failure::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                call.name
            )));
        }
        metadata.insert("name".into(), call.name.as_str().into());
    }
    Ok(())
}

/// `DeleteOptions`, from the body and, where it is silent, from the query.
#[derive(Debug, Default)]
pub(super) struct DeleteOptions {
    pub(super) propagation: Option<String>,
    pub(super) grace_seconds: Option<i64>,
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
    pub(super) dry_run: bool,
}

impl DeleteOptions {
    pub(super) fn of(body: &Body, query: &Query) -> Answer<Self> {
        let body = body.value()?;
        let own = |path: &str| crate::value::at(&body, path).as_str().map(str::to_owned);
        Ok(Self {
            propagation: own("propagationPolicy").or_else(|| query.propagation.clone()),
            grace_seconds: body["gracePeriodSeconds"].as_i64().or(query.grace_seconds),
            uid: own("preconditions.uid"),
            resource_version: own("preconditions.resourceVersion"),
            dry_run: body["dryRun"].as_array().is_some_and(|list| !list.is_empty()),
        })
    }
}
