//! Certificates for the load balancers' names, signed by the sandbox's authority.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::Authority;

/// Makes and keeps one certificate a name.
pub(super) struct Signer {
    issuer: Issuer<'static, KeyPair>,
    known: Mutex<HashMap<String, TlsAcceptor>>,
}

impl Signer {
    pub(super) fn new(authority: &Authority) -> anyhow::Result<Self> {
        let key =
            KeyPair::from_pem(&authority.key_pem).context("failed to read the authority's key")?;
        let issuer = Issuer::from_ca_cert_pem(&authority.certificate_pem, key)
            .context("failed to read the authority's certificate")?;
        Ok(Self { issuer, known: Mutex::default() })
    }

    /// Terminates TLS for `host`.
    pub(super) fn acceptor(&self, host: &str) -> anyhow::Result<TlsAcceptor> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(acceptor) = known.get(host) {
            return Ok(acceptor.clone());
        }
        let acceptor = self.sign(host)?;
        known.insert(host.to_owned(), acceptor.clone());
        Ok(acceptor)
    }

    fn sign(&self, host: &str) -> anyhow::Result<TlsAcceptor> {
        let key = KeyPair::generate().context("failed to make a key")?;
        let params = CertificateParams::new(vec![host.to_owned()])
            .with_context(|| format!("`{host}` cannot have a certificate"))?;
        let certificate =
            params.signed_by(&key, &self.issuer).context("failed to sign a certificate")?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("failed to set TLS up")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("failed to set TLS up")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
