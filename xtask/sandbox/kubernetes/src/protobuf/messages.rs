//! The messages, with the field numbers of the `generated.proto` files of the Kubernetes API.

use std::collections::HashMap;

use prost::Message;

/// The envelope around every object.
#[derive(Message)]
pub(super) struct Unknown {
    #[prost(message, optional, tag = "1")]
    pub(super) type_meta: Option<TypeMeta>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) raw: Vec<u8>,
}

#[derive(Message)]
pub(super) struct TypeMeta {
    #[prost(string, tag = "1")]
    pub(super) api_version: String,
    #[prost(string, tag = "2")]
    pub(super) kind: String,
}

#[derive(Message)]
pub(super) struct ObjectMeta {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) generate_name: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(string, tag = "5")]
    pub(super) uid: String,
    #[prost(string, tag = "6")]
    pub(super) resource_version: String,
    #[prost(map = "string, string", tag = "11")]
    pub(super) labels: HashMap<String, String>,
    #[prost(map = "string, string", tag = "12")]
    pub(super) annotations: HashMap<String, String>,
    #[prost(message, repeated, tag = "13")]
    pub(super) owner_references: Vec<OwnerReference>,
    #[prost(string, repeated, tag = "14")]
    pub(super) finalizers: Vec<String>,
}

#[derive(Message)]
pub(super) struct OwnerReference {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) uid: String,
    #[prost(string, tag = "5")]
    pub(super) api_version: String,
    #[prost(bool, optional, tag = "6")]
    pub(super) controller: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(super) block_owner_deletion: Option<bool>,
}

#[derive(Message)]
pub(super) struct Secret {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(map = "string, bytes", tag = "2")]
    pub(super) data: HashMap<String, Vec<u8>>,
    #[prost(string, tag = "3")]
    pub(super) kind: String,
    #[prost(map = "string, string", tag = "4")]
    pub(super) string_data: HashMap<String, String>,
    #[prost(bool, optional, tag = "5")]
    pub(super) immutable: Option<bool>,
}

#[derive(Message)]
pub(super) struct ConfigMap {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(map = "string, string", tag = "2")]
    pub(super) data: HashMap<String, String>,
    #[prost(map = "string, bytes", tag = "3")]
    pub(super) binary_data: HashMap<String, Vec<u8>>,
    #[prost(bool, optional, tag = "4")]
    pub(super) immutable: Option<bool>,
}

/// A kind of which requests carry metadata only: Namespace and ServiceAccount.
#[derive(Message)]
pub(super) struct Bare {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
}

#[derive(Message)]
pub(super) struct DeleteOptions {
    #[prost(int64, optional, tag = "1")]
    pub(super) grace_period_seconds: Option<i64>,
    #[prost(message, optional, tag = "2")]
    pub(super) preconditions: Option<Preconditions>,
    #[prost(bool, optional, tag = "3")]
    pub(super) orphan_dependents: Option<bool>,
    #[prost(string, optional, tag = "4")]
    pub(super) propagation_policy: Option<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) dry_run: Vec<String>,
}

#[derive(Message)]
pub(super) struct Preconditions {
    #[prost(string, optional, tag = "1")]
    pub(super) uid: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) resource_version: Option<String>,
}

#[derive(Message)]
pub(super) struct AccessReview {
    #[prost(message, optional, tag = "2")]
    pub(super) spec: Option<AccessReviewSpec>,
}

#[derive(Message)]
pub(super) struct AccessReviewSpec {
    #[prost(message, optional, tag = "1")]
    pub(super) resource: Option<ResourceAttributes>,
    #[prost(message, optional, tag = "2")]
    pub(super) path: Option<PathAttributes>,
}

#[derive(Message)]
pub(super) struct ResourceAttributes {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(string, tag = "2")]
    pub(super) verb: String,
    #[prost(string, tag = "3")]
    pub(super) group: String,
    #[prost(string, tag = "4")]
    pub(super) version: String,
    #[prost(string, tag = "5")]
    pub(super) resource: String,
    #[prost(string, tag = "6")]
    pub(super) subresource: String,
    #[prost(string, tag = "7")]
    pub(super) name: String,
}

#[derive(Message)]
pub(super) struct PathAttributes {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    #[prost(string, tag = "2")]
    pub(super) verb: String,
}

#[derive(Message)]
pub(super) struct TokenRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ObjectMeta>,
    #[prost(message, optional, tag = "2")]
    pub(super) spec: Option<TokenRequestSpec>,
}

#[derive(Message)]
pub(super) struct TokenRequestSpec {
    #[prost(string, repeated, tag = "1")]
    pub(super) audiences: Vec<String>,
    #[prost(int64, optional, tag = "4")]
    pub(super) expiration_seconds: Option<i64>,
}

/// A document of the old OpenAPI, of which only the head is sent.
#[derive(Message)]
pub(super) struct OpenApi {
    #[prost(string, tag = "1")]
    pub(super) swagger: String,
    #[prost(message, optional, tag = "2")]
    pub(super) info: Option<OpenApiInfo>,
}

#[derive(Message)]
pub(super) struct OpenApiInfo {
    #[prost(string, tag = "1")]
    pub(super) title: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

#[derive(Message)]
pub(super) struct RulesReview {
    #[prost(message, optional, tag = "2")]
    pub(super) spec: Option<RulesReviewSpec>,
}

#[derive(Message)]
pub(super) struct RulesReviewSpec {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
}
