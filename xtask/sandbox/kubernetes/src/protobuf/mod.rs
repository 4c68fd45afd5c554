//! The few kinds that clients send as protobuf only: helm its releases, kubectl its `create`
//! commands, Go clients their deletions and reviews.

mod messages;

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use prost::Message;
use serde_json::{Map, Value, json};

use self::messages::{
    AccessReview, Bare, ConfigMap, DeleteOptions, ObjectMeta, OpenApi, OpenApiInfo, RulesReview,
    Secret, TokenRequest, Unknown,
};
use crate::status::{Answer, Failure};

/// How a protobuf body begins.
pub(crate) const MAGIC: &[u8] = b"k8s\0";

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
        "SelfSubjectRulesReview" => {
            let spec = RulesReview::decode(raw).map_err(fault)?.spec.unwrap_or_default();
            json!({"metadata": {}, "spec": {"namespace": spec.namespace}})
        }
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
    use super::{messages::TypeMeta, *};

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
