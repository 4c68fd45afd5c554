//! RDS's trust store: the certificate authorities of the databases, a bundle a region.

use super::kong::Request;
use super::reply::Reply;

/// The public name of the real one.
pub(super) const HOST: &str = "truststore.pki.rds.amazonaws.com";

/// Every region has the same authority here: the sandbox's own.
pub(super) fn answer(request: &Request, authority: &str) -> Reply {
    if !is_bundle(&request.path) {
        return Reply::text(404, format!("the trust store has no {}", request.path));
    }
    Reply::new(200, "application/x-pem-file", authority.as_bytes().to_vec())
        .with("x-sandbox", "simulated")
}

/// `/<region>/<region>-bundle.pem`, or `global` in the place of a region.
fn is_bundle(path: &str) -> bool {
    let Some((region, file)) = path.strip_prefix('/').and_then(|path| path.split_once('/')) else {
        return false;
    };
    !region.is_empty() && file.strip_suffix("-bundle.pem") == Some(region)
}

#[cfg(test)]
mod tests {
    use super::is_bundle;

    #[test]
    fn a_bundle_is_named_after_its_region() {
        assert!(is_bundle("/eu-west-1/eu-west-1-bundle.pem"));
        assert!(is_bundle("/global/global-bundle.pem"));
        for other in ["/", "//-bundle.pem", "/eu-west-1/us-east-1-bundle.pem", "/eu-west-1"] {
            assert!(!is_bundle(other), "{other}");
        }
    }
}
