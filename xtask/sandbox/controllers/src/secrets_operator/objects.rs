//! The two custom resources, as far as they are used.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ApiResource, Object};
use serde::{Deserialize, Serialize};

pub(super) type SecretStore = Object<StoreSpec, StoreStatus>;
pub(super) type ExternalSecret = Object<Spec, Status>;

pub(super) fn secret_store() -> ApiResource {
    super::resource("SecretStore", "secretstores")
}

pub(super) fn external_secret() -> ApiResource {
    super::resource("ExternalSecret", "externalsecrets")
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) last_transition_time: Time,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct StoreSpec {
    #[serde(default)]
    pub(super) provider: Provider,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Provider {
    pub(super) aws: Option<AwsProvider>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct AwsProvider {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) prefix: Option<String>,
    #[serde(default)]
    pub(super) auth: Auth,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Auth {
    pub(super) jwt: Option<Jwt>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Jwt {
    pub(super) service_account_ref: Option<Reference>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Reference {
    pub(super) name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct StoreStatus {
    pub(super) capabilities: Option<String>,
    pub(super) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) secret_store_ref: Option<StoreReference>,
    pub(super) refresh_policy: Option<String>,
    pub(super) refresh_interval: Option<String>,
    #[serde(default)]
    pub(super) target: Target,
    #[serde(default)]
    pub(super) data: Vec<Data>,
    #[serde(default)]
    pub(super) data_from: Vec<DataFrom>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct StoreReference {
    pub(super) name: String,
    pub(super) kind: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Target {
    pub(super) name: Option<String>,
    pub(super) creation_policy: Option<String>,
    pub(super) deletion_policy: Option<String>,
    pub(super) immutable: bool,
    pub(super) template: Option<Template>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Template {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) metadata: TemplateMetadata,
    pub(super) data: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct TemplateMetadata {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data {
    pub(super) secret_key: String,
    pub(super) remote_ref: RemoteReference,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct RemoteReference {
    pub(super) key: String,
    pub(super) property: Option<String>,
    pub(super) version: Option<String>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct DataFrom {
    pub(super) extract: Option<RemoteReference>,
    pub(super) find: Option<Find>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Find {
    pub(super) path: Option<String>,
    pub(super) name: Option<FindName>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct FindName {
    pub(super) regexp: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) synced_resource_version: Option<String>,
    pub(super) conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binding: Option<Binding>,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(super) struct Binding {
    pub(super) name: String,
}

/// Puts a condition into a list; its time moves only when its status does.
pub(super) fn set_condition(
    conditions: &mut Vec<Condition>,
    kind: &str,
    (status, reason, message): (bool, &str, &str),
) {
    let status = if status { "True" } else { "False" };
    let same = conditions.iter().find(|known| known.kind == kind && known.status == status);
    let since = same.map(|known| known.last_transition_time.clone());
    conditions.retain(|known| known.kind != kind);
    conditions.push(Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: since.unwrap_or_else(|| Time(jiff::Timestamp::now())),
    });
}
