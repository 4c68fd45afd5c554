//! The sandbox's own certificate authority: who trusts it trusts the databases and load balancers.
//!
//! The gateway publishes it where AWS publishes the authorities of RDS.

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use xtask_tools::Secret;

/// An authority that lives as long as the daemon; its key is never written.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key_pem: Secret,
    certificate_pem: String,
}

/// A server's certificate for `127.0.0.1` and `localhost`.
#[derive(Debug, Clone)]
pub(crate) struct ServerCertificate {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: Secret,
}

impl Authority {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let make = || -> Result<Self, rcgen::Error> {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, "sandbox");
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let key = KeyPair::generate()?;
            let certificate_pem = parameters.self_signed(&key)?.pem();
            let key_pem = Secret::new(key.serialize_pem());
            Ok(Self { issuer: Issuer::new(parameters, key), key_pem, certificate_pem })
        };
        make().context("failed to make the sandbox's certificate authority")
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// For the gateway, which signs for the names of load balancers as they come.
    pub(crate) fn key_pem(&self) -> String {
        self.key_pem.expose().to_owned()
    }

    pub(crate) fn issue(&self) -> anyhow::Result<ServerCertificate> {
        let make = || -> Result<ServerCertificate, rcgen::Error> {
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut parameters = CertificateParams::new(names)?;
            parameters.distinguished_name.push(DnType::CommonName, "sandbox database");
            parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            let key = KeyPair::generate()?;
            let certificate = parameters.signed_by(&key, &self.issuer)?;
            Ok(ServerCertificate {
                certificate_pem: certificate.pem(),
                key_pem: Secret::new(key.serialize_pem()),
            })
        };
        make().context("failed to issue a server's certificate")
    }
}
