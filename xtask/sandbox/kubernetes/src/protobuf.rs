//! The few kinds that clients send as protobuf only: helm its releases, kubectl its `create` commands, Go
//! clients their deletions and reviews.
//!
//! Field numbers are those of the `generated.proto` files of the Kubernetes API.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Map, Value, json};

use crate::status::{Answer, Failure};

/// How a protobuf body begins.
pub(crate) const MAGIC: &[u8] = b"k8s\0";

/// The envelope around every object.
#[derive(Message)]
struct Unknown {
    #[prost(message, optional, tag = "1")]
    type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", tag = "2")]
    raw: Vec<u8>,
}

#[derive(Message)]
struct TypeMeta {
    #[prost(string, tag = "1")]
    api_version: String,
    #[prost(string, tag = "2")]
    kind: String,
}

#[derive(Message)]
struct ObjectMeta {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    generate_name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(map = "string, string", tag = "11")]
    labels: HashMap<String, String>,
    #[prost(map = "string, string", tag = "12")]
    annotations: HashMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    owner_references: Vec<OwnerReference>,
    #[prost(string, repeated, tag = "14")]
    finalizers: Vec<String>,
}

#[derive(Message)]
struct OwnerReference {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    uid: String,
    #[prost(string, tag = "5")]
    api_version: String,
    #[prost(bool, optional, tag = "6")]
    controller: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    block_owner_deletion: Option<bool>,
}

#[derive(Message)]
struct Secret {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
    #[prost(map = "string, bytes", tag = "2")]
    data: HashMap<String, Vec<u8>>,
    #[prost(string, tag = "3")]
    kind: String,
    #[prost(map = "string, string", tag = "4")]
    string_data: HashMap<String, String>,
    #[prost(bool, optional, tag = "5")]
    immutable: Option<bool>,
}

#[derive(Message)]
struct ConfigMap {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
    #[prost(map = "string, string", tag = "2")]
    data: HashMap<String, String>,
    #[prost(map = "string, bytes", tag = "3")]
    binary_data: HashMap<String, Vec<u8>>,
    #[prost(bool, optional, tag = "4")]
    immutable: Option<bool>,
}

/// A kind of which requests carry metadata only: Namespace and ServiceAccount.
#[derive(Message)]
struct Bare {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
}

#[derive(Message)]
struct DeleteOptions {
    #[prost(int64, optional, tag = "1")]
    grace_period_seconds: Option<i64>,
    #[prost(message, optional, tag = "2")]
    preconditions: Option<Preconditions>,
    #[prost(bool, optional, tag = "3")]
    orphan_dependents: Option<bool>,
    #[prost(string, optional, tag = "4")]
    propagation_policy: Option<String>,
    #[prost(string, repeated, tag = "5")]
    dry_run: Vec<String>,
}

#[derive(Message)]
struct Preconditions {
    #[prost(string, optional, tag = "1")]
    uid: Option<String>,
    #[prost(string, optional, tag = "2")]
    resource_version: Option<String>,
}

#[derive(Message)]
struct AccessReview {
    #[prost(message, optional, tag = "2")]
    spec: Option<AccessReviewSpec>,
}

#[derive(Message)]
struct AccessReviewSpec {
    #[prost(message, optional, tag = "1")]
    resource: Option<ResourceAttributes>,
    #[prost(message, optional, tag = "2")]
    path: Option<PathAttributes>,
}

#[derive(Message)]
struct ResourceAttributes {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    verb: String,
    #[prost(string, tag = "3")]
    group: String,
    #[prost(string, tag = "4")]
    version: String,
    #[prost(string, tag = "5")]
    resource: String,
    #[prost(string, tag = "6")]
    subresource: String,
    #[prost(string, tag = "7")]
    name: String,
}

#[derive(Message)]
struct PathAttributes {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    verb: String,
}

#[derive(Message)]
struct TokenRequest {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    spec: Option<TokenRequestSpec>,
}

#[derive(Message)]
struct TokenRequestSpec {
    #[prost(string, repeated, tag = "1")]
    audiences: Vec<String>,
    #[prost(int64, optional, tag = "4")]
    expiration_seconds: Option<i64>,
}

/// A document of the old OpenAPI, of which only the head is sent.
#[derive(Message)]
struct OpenApi {
    #[prost(string, tag = "1")]
    swagger: String,
    #[prost(message, optional, tag = "2")]
    info: Option<OpenApiInfo>,
}

#[derive(Message)]
struct OpenApiInfo {
    #[prost(string, tag = "1")]
    title: String,
    #[prost(string, tag = "2")]
    version: String,
}

/// A document of the old OpenAPI that describes no kind.
pub(crate) fn empty_openapi_v2(title: &str, version: &str) -> Vec<u8> {
    let info = OpenApiInfo { title: title.to_owned(), version: version.to_owned() };
    OpenApi { swagger: "2.0".to_owned(), info: Some(info) }.encode_to_vec()
}

/// An object as JSON.
pub(crate) fn decode(bytes: &[u8]) -> Answer<Value> {
    let fault = |error: prost::DecodeError| {
        Failure::bad_request(format!("error decoding protobuf: {error}"))
    };
    let envelope = Unknown::decode(bytes.strip_prefix(MAGIC).unwrap_or(bytes)).map_err(fault)?;
    let types = envelope.type_meta.unwrap_or_default();
    let raw = envelope.raw.as_slice();
    let mut object = match types.kind.as_str() {
        "Secret" => secret(Secret::decode(raw).map_err(fault)?),
        "ConfigMap" => config_map(ConfigMap::decode(raw).map_err(fault)?),
        "Namespace" | "ServiceAccount" | "SelfSubjectReview" => {
            json!({"metadata": metadata(Bare::decode(raw).map_err(fault)?.metadata)})
        }
        "DeleteOptions" => delete_options(DeleteOptions::decode(raw).map_err(fault)?),
        "SelfSubjectAccessReview" => access_review(AccessReview::decode(raw).map_err(fault)?),
        "TokenRequest" => token_request(TokenRequest::decode(raw).map_err(fault)?),
        kind => {
            return Err(Failure::unsupported_media(format!(
                "the sandbox does not read {kind} as protobuf: send it as application/json, for example with `kubectl apply -f`"
            )));
        }
    };
    object["apiVersion"] = json!(types.api_version);
    object["kind"] = json!(types.kind);
    Ok(object)
}

fn texts(map: HashMap<String, String>) -> Option<Value> {
    let map: Map<String, Value> = map.into_iter().map(|(key, value)| (key, json!(value))).collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn bytes(map: HashMap<String, Vec<u8>>) -> Option<Value> {
    texts(map.into_iter().map(|(key, value)| (key, STANDARD.encode(value))).collect())
}

/// An object of the fields that are there.
fn fields<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect())
}

fn given(text: String) -> Option<Value> {
    (!text.is_empty()).then(|| json!(text))
}

fn metadata(metadata: Option<ObjectMeta>) -> Value {
    let metadata = metadata.unwrap_or_default();
    let owners: Vec<Value> = metadata
        .owner_references
        .into_iter()
        .map(|one| {
            fields([
                ("apiVersion", given(one.api_version)),
                ("kind", given(one.kind)),
                ("name", given(one.name)),
                ("uid", given(one.uid)),
                ("controller", one.controller.map(Value::from)),
                ("blockOwnerDeletion", one.block_owner_deletion.map(Value::from)),
            ])
        })
        .collect();
    fields([
        ("name", given(metadata.name)),
        ("generateName", given(metadata.generate_name)),
        ("namespace", given(metadata.namespace)),
        ("uid", given(metadata.uid)),
        ("resourceVersion", given(metadata.resource_version)),
        ("labels", texts(metadata.labels)),
        ("annotations", texts(metadata.annotations)),
        ("ownerReferences", (!owners.is_empty()).then(|| json!(owners))),
        ("finalizers", (!metadata.finalizers.is_empty()).then(|| json!(metadata.finalizers))),
    ])
}

fn secret(secret: Secret) -> Value {
    fields([
        ("metadata", Some(metadata(secret.metadata))),
        ("data", bytes(secret.data)),
        ("stringData", texts(secret.string_data)),
        ("type", given(secret.kind)),
        ("immutable", secret.immutable.map(Value::from)),
    ])
}

fn config_map(map: ConfigMap) -> Value {
    fields([
        ("metadata", Some(metadata(map.metadata))),
        ("data", texts(map.data)),
        ("binaryData", bytes(map.binary_data)),
        ("immutable", map.immutable.map(Value::from)),
    ])
}

fn delete_options(options: DeleteOptions) -> Value {
    let orphan = options.orphan_dependents.filter(|orphan| *orphan).map(|_| "Orphan".to_owned());
    let preconditions = options.preconditions.map(|one| {
        fields([
            ("uid", one.uid.map(Value::from)),
            ("resourceVersion", one.resource_version.map(Value::from)),
        ])
    });
    fields([
        ("gracePeriodSeconds", options.grace_period_seconds.map(Value::from)),
        ("preconditions", preconditions),
        ("propagationPolicy", options.propagation_policy.or(orphan).map(Value::from)),
        ("dryRun", (!options.dry_run.is_empty()).then(|| json!(options.dry_run))),
    ])
}

fn access_review(review: AccessReview) -> Value {
    let spec = review.spec.unwrap_or_default();
    let resource = spec.resource.map(|one| {
        fields([
            ("namespace", given(one.namespace)),
            ("verb", given(one.verb)),
            ("group", given(one.group)),
            ("version", given(one.version)),
            ("resource", given(one.resource)),
            ("subresource", given(one.subresource)),
            ("name", given(one.name)),
        ])
    });
    let path = spec.path.map(|one| fields([("path", given(one.path)), ("verb", given(one.verb))]));
    let spec = fields([("resourceAttributes", resource), ("nonResourceAttributes", path)]);
    json!({"metadata": {}, "spec": spec})
}

fn token_request(request: TokenRequest) -> Value {
    let spec = request.spec.unwrap_or_default();
    let spec = fields([
        ("audiences", (!spec.audiences.is_empty()).then(|| json!(spec.audiences))),
        ("expirationSeconds", spec.expiration_seconds.map(Value::from)),
    ]);
    json!({"metadata": metadata(request.metadata), "spec": spec})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(api_version: &str, kind: &str, message: &impl Message) -> Vec<u8> {
        let type_meta = Some(TypeMeta { api_version: api_version.into(), kind: kind.into() });
        let envelope = Unknown { type_meta, raw: message.encode_to_vec() };
        [MAGIC, &envelope.encode_to_vec()].concat()
    }

    #[test]
    fn a_secret_reads_as_its_json() {
        let metadata = ObjectMeta {
            name: "x".into(),
            labels: [("owner".into(), "helm".into())].into(),
            ..Default::default()
        };
        let secret = Secret {
            metadata: Some(metadata),
            data: [("release".into(), vec![1, 2, 3])].into(),
            kind: "helm.sh/release.v1".into(),
            ..Default::default()
        };
        assert_eq!(
            decode(&encode("v1", "Secret", &secret)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
                "metadata": {"name": "x", "labels": {"owner": "helm"}}, "data": {"release": "AQID"}})
        );
    }

    #[test]
    fn a_kind_that_is_not_read_is_refused_with_the_remedy() {
        let fault = decode(&encode("apps/v1", "Deployment", &Bare::default())).unwrap_err();
        assert_eq!(fault.code(), 415);
        assert!(fault.message().contains("application/json"));
        assert_eq!(decode(b"k8s\0\xff\xff").unwrap_err().code(), 400);
    }
}
