//! Planted faults: some in the controllers, one in AWS, one in the Kubernetes API.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use sandbox_controllers::Fault;
use serde_json::json;
use xtask_tools::did_you_mean;

use super::Parts;

const THROTTLE: &str = "throttle";
const WATCH_DROP: &str = "watch-drop";
const TIMEOUT: Duration = Duration::from_secs(5);

/// The AWS services that throttle; the controllers keep their own faults.
#[derive(Debug, Default)]
pub(super) struct Faults {
    throttled: Mutex<BTreeSet<String>>,
}

impl Faults {
    pub(super) async fn plant(&self, parts: &Parts, fault: &str) -> anyhow::Result<()> {
        if let Some(service) = fault.strip_prefix(THROTTLE) {
            self.throttled().insert(target(service, fault)?);
            return self.tell_aws(parts).await;
        }
        if fault == WATCH_DROP {
            return parts.clusters.drop_watches();
        }
        let fault = fault.parse::<Fault>().map_err(|_| unknown(fault))?;
        parts.clusters.faults().set(fault);
        Ok(())
    }

    /// Removes one, or all.
    pub(super) async fn remove(&self, parts: &Parts, fault: Option<&str>) -> anyhow::Result<()> {
        let Some(fault) = fault else {
            self.throttled().clear();
            parts.clusters.faults().clear_all();
            return self.tell_aws(parts).await;
        };
        let removed = if let Some(service) = fault.strip_prefix(THROTTLE) {
            self.throttled().remove(&target(service, fault)?)
        } else {
            let fault = fault.parse::<Fault>().map_err(|_| unknown(fault))?;
            parts.clusters.faults().clear(&fault)
        };
        if !removed {
            bail!("the fault `{fault}` is not planted");
        }
        self.tell_aws(parts).await
    }

    pub(super) fn list(&self, parts: &Parts) -> Vec<String> {
        let throttled = self.throttled();
        let throttled = throttled.iter().map(|service| format!("{THROTTLE}:{service}"));
        parts.clusters.faults().list().iter().map(ToString::to_string).chain(throttled).collect()
    }

    async fn tell_aws(&self, parts: &Parts) -> anyhow::Result<()> {
        let throttled: Vec<_> = self.throttled().iter().cloned().collect();
        let aws = parts.state().context("AWS is not up yet")?.aws;
        let request = parts
            .http
            .put(format!("{aws}/sandbox/faults"))
            .timeout(TIMEOUT)
            .json(&json!({ "throttled_services": throttled }));
        let answer = request.send().await.context("failed to reach AWS")?;
        answer.error_for_status().context("AWS did not take the fault")?;
        Ok(())
    }

    fn throttled(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.throttled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn target(rest: &str, fault: &str) -> anyhow::Result<String> {
    let service = rest.strip_prefix(':').filter(|service| !service.is_empty());
    service
        .map(str::to_owned)
        .with_context(|| format!("`{fault}` names no service: {THROTTLE} <service>"))
}

/// What a planted fault's text begins with.
const KINDS: [&str; 6] =
    ["pod-crash", "upgrade-crash", "secret-missing", "load-balancer-never", THROTTLE, WATCH_DROP];

fn unknown(fault: &str) -> anyhow::Error {
    let kind = fault.split(':').next().unwrap_or_default();
    let meant = if KINDS.contains(&kind) { String::new() } else { did_you_mean(kind, KINDS) };
    anyhow::anyhow!(
        "there is no fault `{fault}`{meant}: pod-crash <component>, upgrade-crash <component>, secret-missing <end of a \
         parameter's path>, load-balancer-never, {THROTTLE} <service>, {WATCH_DROP}"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use xtask_tools::Processes;

    use super::unknown;

    /// The middleware alone, which needs nothing but Python, as a client sees it.
    #[test]
    fn a_throttled_service_says_what_its_clients_send_again_after() {
        let script = r#"
from gate import Gate
gate = Gate(lambda environ, start: start("200 OK", []) or [b""], lambda environ, service: None)
gate.throttled = frozenset(["s3", "ec2", "eks"])
for service in ["s3", "ec2", "eks", "rds"]:
    told = []
    signed = f"AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/{service}/aws4_request, Signature=x"
    gate({"HTTP_AUTHORIZATION": signed}, lambda status, headers: told.extend([status, dict(headers).get("x-amzn-ErrorType")]))
    print(service, *told)
"#;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws/sandbox_aws");
        let python = Processes::default().command("python3").args(["-B", "-c", script]).cwd(folder);
        let told = python.output().unwrap();
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "s3 503 Slow Down SlowDown",
                "ec2 503 Service Unavailable RequestLimitExceeded",
                "eks 400 Bad Request ThrottlingException",
                "rds 200 OK None",
            ]
        );
    }

    #[test]
    fn a_misspelt_fault_is_seen_through() {
        let told = |fault: &str| format!("{:#}", unknown(fault));
        assert!(
            told("throttl:ec2")
                .starts_with("there is no fault `throttl:ec2` (did you mean `throttle`?)")
        );
        assert!(
            told("pod-crash").starts_with("there is no fault `pod-crash`: pod-crash <component>")
        );
    }
}
