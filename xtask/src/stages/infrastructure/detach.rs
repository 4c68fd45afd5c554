//! What Terraform is about to delete is taken from the load balancer first: AWS refuses to delete a
//! firewall or a certificate in use, and a load balancer goes on filling a bucket of logs. The release
//! comes after Terraform, so the Ingress is changed here to what the release will say anyway.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use xtask_cloud::{DeadlineExceeded, Target, Wait, kinds};
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use crate::{
    context::{Context, NAMESPACE, waiting},
    exit::Exit,
    terraform::Plan,
    watch::Watch,
};

const PREFIX: &str = "alb.ingress.kubernetes.io/";
const FIREWALL: &str = "wafv2-acl-arn";
const CERTIFICATE: &str = "certificate-arn";
const ATTRIBUTES: &str = "load-balancer-attributes";

/// How long the controller gets to do what its Ingress says.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

pub(super) struct Detach;

impl Action<Context> for Detach {
    fn preview(&self) -> Preview {
        Preview::Wait(
            "the load balancer uses no certificate, firewall or bucket that the plan deletes"
                .to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let terraform = context.terraform()?;
        if !terraform.has_plan()? {
            return Ok(Outcome::Unchanged("nothing is deleted".to_owned()));
        }
        let leaving = Leaving::of(&terraform.show_plan(&Watch::of(run))?);
        if leaving.is_empty() {
            return Ok(Outcome::Unchanged("nothing that it uses is deleted".to_owned()));
        }
        let Some(cluster) = context.cluster_if_any(run)? else {
            return Ok(Outcome::Unchanged("there is no cluster".to_owned()));
        };
        let mut let_go = Vec::new();
        for ingress in cluster.list(&kinds::INGRESS, Some(NAMESPACE), "")? {
            let Some((change, told)) = leaving.detached(&ingress) else { continue };
            let name = ingress["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            told.iter().for_each(|line| run.note(line));
            let_go.push(format!("Ingress {name}"));
            let target =
                Target { kind: kinds::INGRESS, namespace: Some(NAMESPACE.to_owned()), name };
            cluster.change(&target, &change)?;
        }
        unused(context, run, &leaving)?;
        Ok(if let_go.is_empty() {
            Outcome::Unchanged("the load balancer uses none of it".to_owned())
        } else {
            Outcome::Changed(format!("taken from {}", let_go.join(", ")))
        })
    }
}

/// Also where no Ingress named it: an earlier run may have changed it and been interrupted.
fn unused(context: &Context, run: &StepRun<'_>, leaving: &Leaving) -> anyhow::Result<()> {
    let arns = [&leaving.firewalls[..], &leaving.certificates].concat();
    let cloud = context.cloud()?;
    let waited = waiting(run, |wait| {
        let deadline = wait.deadline.min(Instant::now() + PATIENCE);
        cloud.wait_unused(&arns, &Wait { deadline, ..*wait })
    });
    waited.map_err(|error| match error.downcast_ref::<DeadlineExceeded>() {
        Some(DeadlineExceeded { last_seen, .. }) => Exit::StageFailed.error(format!(
            "the plan deletes what is still in use: {last_seen}; look at the events of the Ingress and at what else \
             uses it, then run `{}` again",
            context.command_line("deploy")
        )),
        None => error,
    })
}

/// What a plan deletes of what a load balancer may use.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaving {
    /// ARNs; also those of firewalls that are replaced: two of one name cannot be there at a time.
    firewalls: Vec<String>,
    /// ARNs.
    certificates: Vec<String>,
    buckets: Vec<String>,
}

impl Leaving {
    fn of(plan: &Plan) -> Self {
        let mut leaving = Self::default();
        for (deed, change) in plan.deeds() {
            let (before, destroyed) = (&change.change.before, deed.verb() == "destroy");
            let text = |key: &str| before[key].as_str().map(str::to_owned);
            match change.kind.as_str() {
                "aws_wafv2_web_acl" if destroyed || deed.verb() == "replace" => {
                    leaving.firewalls.extend(text("arn"));
                }
                "aws_acm_certificate" if destroyed => leaving.certificates.extend(text("arn")),
                "aws_s3_bucket" if destroyed => leaving.buckets.extend(text("bucket")),
                _ => {}
            }
        }
        leaving
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What changes of an Ingress, and what that means; nothing where it uses none of these.
    fn detached(&self, ingress: &Value) -> Option<(Value, Vec<String>)> {
        let now =
            |name: &str| ingress["metadata"]["annotations"][format!("{PREFIX}{name}")].as_str();
        let uses = |name: &str, leaving: &[String]| {
            now(name).is_some_and(|used| leaving.iter().any(|one| one == used))
        };
        let (mut annotations, mut told) = (Map::new(), Vec::new());
        let mut set =
            |name: &str, value: Value| annotations.insert(format!("{PREFIX}{name}"), value);
        let mut change = json!({});
        if uses(FIREWALL, &self.firewalls) {
            // Without the annotation the controller would keep the association.
            set(FIREWALL, json!("none"));
            told.push("the load balancer has no firewall from now on".to_owned());
        }
        if uses(CERTIFICATE, &self.certificates) {
            for name in [CERTIFICATE, "ssl-redirect", "ssl-policy"] {
                set(name, Value::Null);
            }
            set("listen-ports", json!(r#"[{"HTTP":80}]"#));
            let (rules, hosts) = nameless(&ingress["spec"]["rules"]);
            change["spec"] = json!({ "rules": rules });
            told.push(format!(
                "{} is not served from now on: the load balancer answers plain HTTP under its own name",
                hosts.join(", ")
            ));
        }
        let attributes = now(ATTRIBUTES).unwrap_or_default();
        if let Some(without) = self.without_logs(attributes) {
            set(ATTRIBUTES, json!(without));
            told.push("the load balancer logs no requests from now on".to_owned());
        }
        if told.is_empty() {
            return None;
        }
        change["metadata"] = json!({ "annotations": annotations });
        Some((change, told))
    }

    /// The attributes without the log, where it goes to a bucket that is deleted.
    fn without_logs(&self, attributes: &str) -> Option<String> {
        const LOG: &str = "access_logs.s3.";
        let bucket = attributes
            .split(',')
            .find_map(|pair| pair.strip_prefix(LOG)?.strip_prefix("bucket="))?;
        if !self.buckets.iter().any(|one| one == bucket) {
            return None;
        }
        let others = attributes.split(',').filter(|pair| !pair.starts_with(LOG));
        let off = format!("{LOG}enabled=false");
        Some(others.chain([off.as_str()]).collect::<Vec<_>>().join(","))
    }
}

/// The rules without their hosts, and the hosts: the record of a name goes with the name.
fn nameless(rules: &Value) -> (Vec<Value>, Vec<String>) {
    let mut hosts = Vec::new();
    let without = rules.as_array().into_iter().flatten().map(|rule| {
        let mut rule = rule.clone();
        let host = rule.as_object_mut().and_then(|rule| rule.remove("host"));
        hosts.extend(host.and_then(|host| host.as_str().map(str::to_owned)));
        rule
    });
    (without.collect(), hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACL: &str = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/supabase-dev/1";
    const CERT: &str = "arn:aws:acm:eu-west-1:123456789012:certificate/1";

    fn leaving(changes: &[(&str, &[&str], Value)]) -> Leaving {
        let changes: Vec<Value> = changes
            .iter()
            .map(|(kind, actions, before)| json!({"address": format!("{kind}.this"), "type": kind, "mode": "managed", "change": {"actions": actions, "before": before}}))
            .collect();
        Leaving::of(&Plan::parse(&json!({"resource_changes": changes}).to_string()).unwrap())
    }

    fn ingress() -> Value {
        json!({
            "metadata": {"name": "supabase-kong", "annotations": {
                format!("{PREFIX}{FIREWALL}"): ACL,
                format!("{PREFIX}{CERTIFICATE}"): CERT,
                format!("{PREFIX}{ATTRIBUTES}"): "access_logs.s3.bucket=logs,access_logs.s3.enabled=true,access_logs.s3.prefix=alb,idle_timeout.timeout_seconds=180",
            }},
            "spec": {"rules": [{"host": "api.example.com", "http": {"paths": []}}]},
        })
    }

    #[test]
    fn a_firewall_is_taken_away_by_a_word_and_not_by_silence() {
        for actions in [&["delete"][..], &["delete", "create"]] {
            let leaving = leaving(&[("aws_wafv2_web_acl", actions, json!({"arn": ACL}))]);
            let (change, _) = leaving.detached(&ingress()).unwrap();
            let annotations = json!({format!("{PREFIX}{FIREWALL}"): "none"});
            assert_eq!(change, json!({"metadata": {"annotations": annotations}}));
        }
    }

    #[test]
    fn a_certificate_goes_with_its_listener_and_its_name() {
        let leaving = leaving(&[("aws_acm_certificate", &["delete"], json!({"arn": CERT}))]);
        let (change, told) = leaving.detached(&ingress()).unwrap();
        let annotations = &change["metadata"]["annotations"];
        assert_eq!(annotations[format!("{PREFIX}listen-ports")], r#"[{"HTTP":80}]"#);
        for gone in [CERTIFICATE, "ssl-redirect"] {
            assert_eq!(annotations.get(format!("{PREFIX}{gone}")), Some(&Value::Null), "{gone}");
        }
        assert_eq!(change["spec"]["rules"], json!([{"http": {"paths": []}}]));
        assert!(told[0].starts_with("api.example.com is not served"), "{told:?}");
    }

    #[test]
    fn a_log_is_switched_off_and_the_other_attributes_stay() {
        let leaving = leaving(&[("aws_s3_bucket", &["delete"], json!({"bucket": "logs"}))]);
        let (change, _) = leaving.detached(&ingress()).unwrap();
        assert_eq!(
            change["metadata"]["annotations"][format!("{PREFIX}{ATTRIBUTES}")],
            "idle_timeout.timeout_seconds=180,access_logs.s3.enabled=false"
        );
    }

    #[test]
    fn what_stays_or_is_somebody_elses_is_left_alone() {
        let kept = leaving(&[
            ("aws_wafv2_web_acl", &["update"], json!({"arn": ACL})),
            ("aws_acm_certificate", &["create", "delete"], json!({"arn": CERT})),
            ("aws_s3_bucket", &["create"], json!({"bucket": "logs"})),
        ]);
        assert!(kept.is_empty(), "{kept:?}");
        let other = leaving(&[("aws_wafv2_web_acl", &["delete"], json!({"arn": "another"}))]);
        assert_eq!(other.detached(&ingress()), None);
    }
}
