//! The certificate authorities that sign RDS instances: fetched, checked, and given to the charts.
//!
//! Architecture invariant: no release goes out with unverified connections because the authorities
//! could not be had. The last copy that was good is used with a warning; without one the run stops.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use xtask_cloud::{Authorities, Method, Wait};
use xtask_pipeline::StepRun;

use crate::{context::Context, exit::Exit};

/// How long a proxy or a network that has just come up may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The authorities of a region's databases; fetched once a run.
///
/// # Errors
/// When they can neither be fetched nor read from the last run: the text says how to go on.
pub(crate) fn of_databases<'a>(
    context: &'a Context,
    run: &StepRun<'_>,
) -> anyhow::Result<&'a Authorities> {
    if let Some(authorities) = context.authorities.get() {
        return Ok(authorities);
    }
    let authorities = match fetch(context, run) {
        Ok(authorities) => {
            keep(&file(context), &authorities)?;
            authorities
        }
        Err(error) => {
            let authorities = kept(&file(context), &error)?;
            run.note(&format!(
                "warning: RDS's certificate authorities could not be fetched, those of the last run are used: {error:#}"
            ));
            authorities
        }
    };
    Ok(context.authorities.get_or_init(|| authorities))
}

/// Where AWS publishes the bundle of a region.
pub(crate) fn url(region: &str) -> String {
    format!("https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem")
}

fn fetch(context: &Context, run: &StepRun<'_>) -> anyhow::Result<Authorities> {
    let url = url(&context.environment.region);
    let interrupted = || run.interrupted();
    let progress = |message: &str| run.progress(message);
    let deadline = run.deadline.min(Instant::now() + PATIENCE);
    let wait = Wait::until(deadline, &interrupted, &progress);
    let answer = context.http()?.send_until_reachable(Method::Get, &url, &[], None, &wait)?;
    if answer.status != 200 {
        bail!("{url} answers {}", answer.status);
    }
    Authorities::parse(&answer.body).with_context(|| format!("failed to read {url}"))
}

fn file(context: &Context) -> PathBuf {
    context.folder().join(format!("rds-{}.pem", context.environment.region))
}

fn keep(path: &Path, authorities: &Authorities) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
    }
    fs::write(path, &authorities.pem)
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// The copy of an earlier run, or one that a person put there.
fn kept(path: &Path, error: &anyhow::Error) -> anyhow::Result<Authorities> {
    let Ok(text) = fs::read_to_string(path) else {
        return Err(Exit::StageFailed.error(format!(
            "the database's clients have nothing to verify its certificate with: {error:#}; let this machine \
             reach that address (HTTPS_PROXY is heeded), or save the bundle as {}",
            path.display()
        )));
    };
    Authorities::parse(&text).with_context(|| format!("failed to read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn each_region_has_its_own_bundle() {
        assert_eq!(
            url("eu-west-1"),
            "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem"
        );
    }

    fn self_signed() -> String {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn the_last_good_copy_takes_the_place_of_one_that_cannot_be_fetched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev/rds-eu-west-1.pem");
        let unreachable = anyhow!("no route to the trust store");

        let missing = format!("{:#}", kept(&path, &unreachable).unwrap_err());
        assert!(missing.contains("no route to the trust store"), "{missing}");
        assert!(missing.contains(&format!("save the bundle as {}", path.display())), "{missing}");

        let authority = Authorities::parse(&self_signed()).unwrap();
        keep(&path, &authority).unwrap();
        assert_eq!(kept(&path, &unreachable).unwrap().pem, authority.pem);

        fs::write(&path, "<html>sign in to this network</html>").unwrap();
        let broken = format!("{:#}", kept(&path, &unreachable).unwrap_err());
        assert!(broken.contains(&format!("failed to read `{}`", path.display())), "{broken}");
    }
}
