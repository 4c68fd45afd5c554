//! The server's certificate authority and certificate.

use std::{fs, io::ErrorKind, net::IpAddr, path::Path, sync::Arc};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca-key.pem";

/// What a server speaks TLS with.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) config: Arc<ServerConfig>,
}

impl Identity {
    /// A server certificate for an address, signed by the authority of a folder or by a new one.
    pub(crate) fn new(address: IpAddr, folder: Option<&Path>) -> anyhow::Result<Self> {
        let (ca_pem, ca_key) = match folder {
            Some(folder) => kept_authority(folder)?,
            None => new_authority()?,
        };
        let ca_key = KeyPair::from_pem(&ca_key)
            .context("failed to read the key of the certificate authority")?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)
            .context("failed to read the certificate authority")?;

        let key = KeyPair::generate().context("failed to make a key for the server")?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])
            .context("failed to name the server")?;
        params.subject_alt_names.push(SanType::IpAddress(address));
        params.distinguished_name.push(DnType::CommonName, "sandbox-kubernetes");
        let certificate =
            params.signed_by(&key, &issuer).context("failed to sign the server's certificate")?;

        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("failed to choose TLS versions")?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("failed to use the server's certificate")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem, config: Arc::new(config) })
    }
}

fn new_authority() -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate().context("failed to make a key for the certificate authority")?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "sandbox-kubernetes-ca");
    let certificate =
        params.self_signed(&key).context("failed to make the certificate authority")?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// The authority that a folder keeps; the first server makes it.
fn kept_authority(folder: &Path) -> anyhow::Result<(String, String)> {
    let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    match (fs::read_to_string(&certificate), fs::read_to_string(&key)) {
        (Ok(certificate), Ok(key)) => return Ok((certificate, key)),
        (Err(error), _) | (_, Err(error)) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| {
                format!("failed to read the certificate authority in `{}`", folder.display())
            });
        }
        _ => {}
    }
    let (certificate_pem, key_pem) = new_authority()?;
    fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", folder.display()))?;
    write_private(&key, &key_pem)
        .with_context(|| format!("failed to write `{}`", key.display()))?;
    fs::write(&certificate, &certificate_pem)
        .with_context(|| format!("failed to write `{}`", certificate.display()))?;
    Ok((certificate_pem, key_pem))
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_authority() {
        let folder = tempfile::tempdir().unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        let first = Identity::new(address, Some(folder.path())).unwrap();
        let second = Identity::new(address, Some(folder.path())).unwrap();
        assert_eq!(first.ca_pem, second.ca_pem);
        assert_ne!(first.ca_pem, Identity::new(address, None).unwrap().ca_pem);
    }
}
