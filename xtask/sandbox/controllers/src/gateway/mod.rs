//! The way into the clusters: from a load balancer's name to the Pod that answers.
//!
//! It listens as an HTTP proxy, so that a client reaches `https://<load balancer>/...` under its real
//! name, and answers `http://<environment>.localhost` directly. Every step is taken on the objects
//! that are in the cluster: Ingress rule, Service, endpoints, NetworkPolicies, Kong's configuration.
//! Where a step fails, the answer says which one and why.
//!
//! It also stands for the one public web server that a deployment asks, RDS's trust store.

mod connection;
mod journey;
mod jwt;
pub(crate) mod kong;
mod reply;
mod tls;
mod truststore;
mod upstream;

use std::future::Future;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::load_balancer::LoadBalancers;

/// The certificate authority that signs for the load balancers' names, and for the databases.
#[derive(Clone)]
pub struct Authority {
    /// The authority's certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Answers on `listener` until `shutdown` completes.
///
/// # Errors
/// When the authority cannot sign, or the listener has no address.
pub async fn serve(
    listener: TcpListener,
    load_balancers: Arc<LoadBalancers>,
    authority: &Authority,
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("failed to read the gateway's address")?;
    let gateway = Arc::new(connection::Gateway {
        load_balancers: load_balancers.clone(),
        signer: tls::Signer::new(authority)?,
        database_authority: authority.certificate_pem.clone(),
    });
    load_balancers.set_gateway(Some(address));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(connection::serve(gateway.clone(), stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
    load_balancers.set_gateway(None);
    Ok(())
}
