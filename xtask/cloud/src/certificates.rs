//! Bundles of certificate authorities: read, checked, and brought into one order.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The certificate authorities that a client trusts, as PEM text without comments.
///
/// The text depends on the set of certificates alone, not on their order in the source: what is
/// made from it does not change when a publisher sorts its bundle anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    pub pem: String,
    /// How many there are; at least one.
    pub count: usize,
}

impl Authorities {
    /// Reads a bundle in PEM form.
    ///
    /// # Errors
    /// When there is no certificate in it, or one that cannot be an authority.
    pub fn parse(text: &str) -> Result<Self> {
        let mut certificates = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .context("failed to read the certificates, which have to be PEM text")?;
        certificates.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        certificates.dedup();
        ensure!(!certificates.is_empty(), "there is no certificate in it");
        let mut store = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            store.add(certificate.clone()).with_context(|| {
                format!("certificate {} of {} is none", index + 1, certificates.len())
            })?;
        }
        Ok(Self { pem: certificates.iter().map(encoded).collect(), count: certificates.len() })
    }
}

fn encoded(certificate: &CertificateDer<'_>) -> String {
    /// The width that every reader of PEM accepts.
    const WIDTH: usize = 64;
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let base64 = STANDARD.encode(certificate);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(WIDTH.min(rest.len()));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::Authorities;

    fn made(name: &str) -> String {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn order_comments_and_repetitions_make_no_difference() {
        let (a, b) = (made("a"), made("b"));
        let one = Authorities::parse(&format!("# RDS\n{a}{b}")).unwrap();
        let other = Authorities::parse(&format!("{b}\r\n{a}{b}")).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.count, 2);
        assert_eq!(Authorities::parse(&one.pem).unwrap(), one);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let refusal = |text: &str| format!("{:#}", Authorities::parse(text).unwrap_err());
        assert_eq!(refusal("<html>Sign in to the proxy</html>"), "there is no certificate in it");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal(broken).starts_with("certificate 1 of 1 is none: "), "{}", refusal(broken));
        let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(refusal(open).starts_with("failed to read the certificates"), "{}", refusal(open));
    }
}
