//! Gives each namespace its `default` ServiceAccount and the cluster's CA certificate.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::ResourceExt;
use kube::api::ObjectMeta;

use crate::cluster::{Cluster, is_conflict};

const CA_CONFIG_MAP: &str = "kube-root-ca.crt";

pub(crate) async fn reconcile(
    cluster: Arc<Cluster>,
    namespace: Arc<Namespace>,
) -> anyhow::Result<Option<Duration>> {
    if namespace.metadata.deletion_timestamp.is_some() {
        return Ok(None);
    }
    let name = namespace.name_any();
    let meta = |object: &str| ObjectMeta {
        name: Some(object.to_owned()),
        namespace: Some(name.clone()),
        ..ObjectMeta::default()
    };
    if cluster.service_accounts.get(&name, "default").is_none() {
        let account = ServiceAccount { metadata: meta("default"), ..ServiceAccount::default() };
        tolerate_existing(cluster.create(&cluster.service_accounts, &account).await)?;
    }
    if cluster.config_maps.get(&name, CA_CONFIG_MAP).is_none() {
        let map = ConfigMap {
            metadata: meta(CA_CONFIG_MAP),
            data: Some([("ca.crt".to_owned(), ca_pem(&cluster.config.kubernetes))].into()),
            ..ConfigMap::default()
        };
        tolerate_existing(cluster.create(&cluster.config_maps, &map).await)?;
    }
    Ok(None)
}

fn tolerate_existing<K>(created: kube::Result<K>) -> kube::Result<()> {
    match created {
        Err(error) if !is_conflict(&error) => Err(error),
        _ => Ok(()),
    }
}

fn ca_pem(config: &kube::Config) -> String {
    let mut pem = String::new();
    for certificate in config.root_cert.iter().flatten() {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let text = STANDARD.encode(certificate);
        for line in text.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}
