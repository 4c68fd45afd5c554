//! Deletes what the release before this one still used and Terraform therefore let go of: certificates
//! that were replaced.

use std::time::{Duration, Instant};

use xtask_cloud::{DeadlineExceeded, Wait};
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use crate::{
    context::{Context, waiting},
    terraform::Infrastructure,
};

/// How long the controller gets to exchange the certificate.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

pub(super) struct Retire;

impl Action<Context> for Retire {
    fn preview(&self) -> Preview {
        Preview::Request(
            "acm:DeleteCertificate for each one of this environment that was replaced".to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let (cloud, infrastructure) = (context.cloud()?, run.output::<Infrastructure>()?);
        let current = infrastructure.certificate_arn.as_deref();
        let mut deleted = Vec::new();
        for resource in context.tagged()? {
            let arn = resource.arn;
            if !is_outdated(&arn, current) || cloud.is_departing(&arn)? {
                continue;
            }
            let waited = waiting(run, |wait| {
                let deadline = wait.deadline.min(Instant::now() + PATIENCE);
                cloud.wait_unused(std::slice::from_ref(&arn), &Wait { deadline, ..*wait })
            });
            match waited {
                Ok(()) => {
                    cloud.delete_certificate(&arn)?;
                    deleted.push(arn);
                }
                // It costs nothing, and the next deployment looks again.
                Err(error) if error.is::<DeadlineExceeded>() => {
                    run.note(&format!("{arn} is kept: {error:#}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(if deleted.is_empty() {
            Outcome::Unchanged("there is none".to_owned())
        } else {
            Outcome::Changed(format!("deleted {}", deleted.join(", ")))
        })
    }
}

fn is_outdated(arn: &str, current: Option<&str>) -> bool {
    arn.split(':').nth(2) == Some("acm") && current != Some(arn)
}

#[cfg(test)]
mod tests {
    use super::is_outdated;

    #[test]
    fn only_certificates_other_than_the_current_one_are_outdated() {
        let certificate = |id: u8| format!("arn:aws:acm:eu-west-1:123456789012:certificate/{id}");
        let current = certificate(2);
        assert!(is_outdated(&certificate(1), Some(&current)));
        assert!(is_outdated(&certificate(1), None));
        assert!(!is_outdated(&current, Some(&current)));
        assert!(!is_outdated("arn:aws:kms:eu-west-1:123456789012:key/1", Some(&current)));
    }
}
