//! The public address: what it is, and how it is known before any service starts that is told it.
//!
//! With a domain it is written down. Without one it is the name that AWS gives to the load balancer: so
//! the gateway's Service and Ingress come before the rest of the release, marked as Helm marks what is
//! its own, and Helm takes them over. No Pod is ever told a wrong address, and no second revision is
//! needed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use xtask_cloud::{Cluster, Target, kinds};
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use super::release;
use crate::{
    context::{Context, NAMESPACE, waiting_until},
    helm::objects_of,
    terraform::Infrastructure,
};

/// The gateway's Ingress and Service, as `helm/supabase` names them.
const GATEWAY: &str = "supabase-kong";

/// Under this name Helm applies, so that a later release owns every field that is set here.
const HELM: &str = "helm";

/// Takes the place of the address while only the Ingress is of interest; `.invalid` never resolves.
pub(super) const UNKNOWN: &str = "http://unknown.invalid";

/// AWS makes a load balancer in two or three minutes; one that is late never comes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10 * 60);

const SCHEME: &str = "alb.ingress.kubernetes.io/scheme";

/// The address that somebody decided, without a slash at the end; none where AWS decides it.
pub(super) fn decided(context: &Context, infrastructure: &Infrastructure) -> Option<String> {
    match &infrastructure.hostname {
        Some(host) => Some(format!("https://{host}")),
        None => context.environment.overlay.public_url().map(str::to_owned),
    }
}

/// The address under which a load balancer of this name answers.
pub(super) fn of_load_balancer(name: &str) -> String {
    format!("http://{name}")
}

/// The address that the release is told.
///
/// # Errors
/// When the load balancer has no name yet.
pub(super) fn known(context: &Context, infrastructure: &Infrastructure) -> anyhow::Result<String> {
    if let Some(url) = decided(context, infrastructure) {
        return Ok(url);
    }
    let ingress = context.cluster(infrastructure)?.get(&ingress())?;
    let name = ingress.as_ref().and_then(load_balancer);
    let name = name.with_context(|| {
        format!(
            "the load balancer has no name yet; run `{}` again",
            context.command_line("stage release")
        )
    })?;
    Ok(of_load_balancer(name))
}

/// Waits for the name of the gateway's load balancer, or for another name than `not`.
pub(super) fn wait_for_name(
    run: &StepRun<'_>,
    cluster: &Cluster,
    not: Option<&str>,
) -> anyhow::Result<String> {
    waiting_until(run, Instant::now() + PATIENCE, |wait| {
        cluster.wait_ingress(NAMESPACE, GATEWAY, not, wait)
    })
}

/// See the module.
pub(super) struct KnowAddress;

impl Action<Context> for KnowAddress {
    fn preview(&self) -> Preview {
        Preview::Wait(format!(
            "Ingress {GATEWAY}, made before the rest, has a host name (not with a domain of one's own)"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        if let Some(url) = decided(context, &infrastructure) {
            return Ok(Outcome::Unchanged(url));
        }
        let cluster = context.cluster(&infrastructure)?;
        let before = cluster.get(&ingress())?;
        let name = before.as_ref().and_then(load_balancer);
        let internal = context.environment.overlay.load_balancer_is_internal();
        if let Some(name) = name
            && !before.as_ref().is_some_and(|ingress| is_replaced(ingress, internal))
        {
            return Ok(Outcome::Unchanged(of_load_balancer(name)));
        }
        let install = release::chart(context, &release::generated(context, run, UNKNOWN)?)?;
        for object in gateway(&context.helm()?.render(&install)?)? {
            cluster.apply(&object, HELM, true)?;
        }
        let name = wait_for_name(run, &cluster, name)?;
        Ok(Outcome::Changed(of_load_balancer(&name)))
    }
}

fn ingress() -> Target {
    Target::new(kinds::INGRESS, NAMESPACE, GATEWAY)
}

/// The name that the controller has published.
fn load_balancer(ingress: &Value) -> Option<&str> {
    ingress.pointer("/status/loadBalancer/ingress/0/hostname").and_then(Value::as_str)
}

/// Whether the release asks for another scheme, for which the controller makes another load balancer.
fn is_replaced(ingress: &Value, internal: bool) -> bool {
    let scheme = ingress["metadata"]["annotations"][SCHEME].as_str();
    (scheme == Some("internal")) != internal
}

/// The gateway's Service and Ingress in a rendered chart, as Helm marks what belongs to the release.
fn gateway(manifest: &str) -> anyhow::Result<Vec<Value>> {
    let is_wanted = |object: &Value| {
        ["Service", "Ingress"].contains(&object["kind"].as_str().unwrap_or_default())
            && object["metadata"]["name"] == GATEWAY
    };
    let mut objects = objects_of(release::RELEASE, NAMESPACE, manifest)?;
    objects.retain(is_wanted);
    ensure!(
        objects.iter().any(|object| object["kind"] == "Ingress"),
        "publicUrl must be set in the overlay: the environment has no domain, and without kong.enabled and \
         ingress.enabled it has no load balancer whose name could be the address"
    );
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{gateway, is_replaced, load_balancer};

    #[test]
    fn only_the_gateway_comes_first_and_it_belongs_to_the_release() {
        let manifest = "---\nkind: Service\nmetadata: {name: supabase-kong, annotations: {a: b}}\n---\n# empty\n---\n\
                        kind: Deployment\nmetadata: {name: supabase-kong}\n---\n\
                        kind: Service\nmetadata: {name: supabase-auth}\n---\n\
                        kind: Ingress\nmetadata: {name: supabase-kong}\n";
        let objects = gateway(manifest).unwrap();
        let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["Service", "Ingress"]);
        for object in &objects {
            let annotations = &object["metadata"]["annotations"];
            assert_eq!(annotations["meta.helm.sh/release-name"], "supabase");
            assert_eq!(annotations["meta.helm.sh/release-namespace"], "supabase");
        }
        assert_eq!(objects[0]["metadata"]["annotations"]["a"], "b");
        let error = gateway("kind: Service\nmetadata: {name: supabase-kong}\n").unwrap_err();
        assert!(error.to_string().starts_with("publicUrl must be set"), "{error}");
    }

    #[test]
    fn a_load_balancer_of_another_scheme_is_another_one() {
        let ingress = |scheme: &str| {
            json!({
                "metadata": {"annotations": {"alb.ingress.kubernetes.io/scheme": scheme}},
                "status": {"loadBalancer": {"ingress": [{"hostname": "a.elb.amazonaws.com"}]}},
            })
        };
        assert_eq!(load_balancer(&ingress("internal")), Some("a.elb.amazonaws.com"));
        assert_eq!(load_balancer(&json!({"status": {"loadBalancer": {}}})), None);
        assert!(is_replaced(&ingress("internal"), false));
        assert!(is_replaced(&ingress("internet-facing"), true));
        assert!(!is_replaced(&ingress("internet-facing"), false));
        assert!(!is_replaced(&ingress("internal"), true));
    }
}
