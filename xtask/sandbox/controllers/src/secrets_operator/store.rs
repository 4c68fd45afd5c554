//! Validates SecretStores: the account, its role and the role's trust policy.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::objects::{AwsProvider, SecretStore, StoreStatus, secret_store, set_condition};
use super::{Operator, rights};
use crate::addons::{EXTERNAL_SECRETS, Running};
use crate::events::EventType::{Normal, Warning};
use crate::irsa;

const COMPONENT: &str = "secret-store";
const AGAIN: Duration = Duration::from_secs(300);

/// Why a store is not valid.
enum Invalid {
    /// The settings do not make a client.
    Client(anyhow::Error),
    /// The client gets no credentials.
    Store(anyhow::Error),
}

pub(super) async fn reconcile(
    operator: Arc<Operator>,
    store: Arc<SecretStore>,
) -> anyhow::Result<Option<Duration>> {
    let Some(running) = EXTERNAL_SECRETS.available(&operator.cluster) else { return Ok(None) };
    if store.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let before = store.status.clone().unwrap_or_default();
    let mut status = StoreStatus { capabilities: Some("ReadWrite".to_owned()), ..before.clone() };
    let about = store.object_ref(&secret_store());
    let events = &operator.cluster.events;
    match validate(&operator, &store, &running).await {
        Ok(()) => {
            set_condition(&mut status.conditions, "Ready", (true, "Valid", "store validated"));
            if status != before {
                events.record_about(COMPONENT, &about, (Normal, "Valid", "store validated")).await;
            }
        }
        Err(invalid) => {
            let (message, cause) = match invalid {
                Invalid::Client(cause) => ("unable to create client", cause),
                Invalid::Store(cause) => ("unable to validate store", cause),
            };
            set_condition(
                &mut status.conditions,
                "Ready",
                (false, "InvalidProviderConfig", message),
            );
            let event = format!("{message}: {cause:#}");
            events
                .record_about(COMPONENT, &about, (Warning, "InvalidProviderConfig", &event))
                .await;
        }
    }
    if status != before {
        let namespace = store.namespace().unwrap_or_default();
        let api: Api<SecretStore> =
            Api::namespaced_with(operator.cluster.client.clone(), &namespace, &secret_store());
        let patch = Patch::Merge(json!({ "status": status }));
        let written = api
            .patch_status(&store.name_any(), &PatchParams::apply("external-secrets"), &patch)
            .await?;
        operator.stores.observe(&written);
    }
    Ok(Some(AGAIN))
}

async fn validate(
    operator: &Operator,
    store: &SecretStore,
    running: &Running,
) -> Result<(), Invalid> {
    let namespace = store.namespace().unwrap_or_default();
    let aws = provider(store).map_err(Invalid::Client)?;
    let account = aws.auth.jwt.as_ref().and_then(|jwt| jwt.service_account_ref.as_ref());
    let account = account.ok_or_else(|| {
        Invalid::Client(anyhow::anyhow!(
            "sandbox: only auth.jwt.serviceAccountRef is simulated; without it the operator would use a role of its own"
        ))
    })?;
    let own = (running.namespace(), running.service_account());
    rights::require_token_right(&operator.cluster, (&own.0, &own.1), &namespace, &account.name)
        .await
        .map_err(Invalid::Store)?;
    irsa::role_of(&operator.cluster, &namespace, &account.name).await.map_err(|error| {
        let of_settings = error.to_string().starts_with("an IAM role must be associated");
        if of_settings { Invalid::Client(error) } else { Invalid::Store(error) }
    })?;
    Ok(())
}

/// The AWS settings of a store for the parameter store.
pub(super) fn provider(store: &SecretStore) -> anyhow::Result<&AwsProvider> {
    let aws = store.spec.provider.aws.as_ref();
    let aws = aws.ok_or_else(|| anyhow::anyhow!("sandbox: only the provider aws is simulated"))?;
    anyhow::ensure!(
        aws.service == "ParameterStore",
        "sandbox: only the service ParameterStore is simulated, not {}",
        aws.service
    );
    anyhow::ensure!(!aws.region.is_empty(), "region is required");
    Ok(aws)
}

/// Whether a store may be used.
pub(super) fn is_ready(store: &SecretStore) -> bool {
    let conditions = store.status.as_ref().map(|status| &status.conditions);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.kind == "Ready" && condition.status == "True")
}
