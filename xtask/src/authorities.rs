//! The certificate authorities that sign RDS instances: fetched, checked, and given to the charts.
//!
//! Architecture invariant: no release goes out with unverified connections because the authorities
//! could not be had. The last copy that was good is used with a warning; without one the run stops.

use std::{
    fs,
    path::PathBuf,
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
            keep(context, &authorities)?;
            authorities
        }
        Err(error) => {
            let authorities = kept(context, &error)?;
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

fn keep(context: &Context, authorities: &Authorities) -> anyhow::Result<()> {
    let path = file(context);
    let folder = context.folder();
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create `{}`", folder.display()))?;
    fs::write(&path, &authorities.pem)
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// The copy of an earlier run, or one that a person put there.
fn kept(context: &Context, error: &anyhow::Error) -> anyhow::Result<Authorities> {
    let path = file(context);
    let Ok(text) = fs::read_to_string(&path) else {
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
    use super::url;

    #[test]
    fn each_region_has_its_own_bundle() {
        assert_eq!(
            url("eu-west-1"),
            "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem"
        );
    }
}
