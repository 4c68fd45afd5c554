//! Our Helm release of Supabase: base, overlay, and what the other stages found out.

mod retire;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::{Value, json};
use xtask_cloud::{Cluster, Kind, Target, kinds};
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use super::{Database, address, database::only, row_security::CoverRowSecurity};
use crate::{
    authorities,
    context::{Context, NAMESPACE, waiting},
    helm::{self, Chart, Install, Made},
    terraform::Infrastructure,
};

pub(super) const RELEASE: &str = "supabase";

/// How long Helm waits for the release to work.
const TIMEOUT: Duration = Duration::from_secs(12 * 60);

/// See the module.
pub(super) struct Release;

impl Stage<Context> for Release {
    fn name(&self) -> &'static str {
        "release"
    }

    fn purpose(&self) -> &'static str {
        "every component of Supabase runs as the charts say"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["database"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        // The rest is what the tests take.
        address::PATIENCE + helm::time_for(TIMEOUT) + Duration::from_secs(10 * 60)
    }

    fn plan(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        let overlay = context.environment.overlay.shown().to_owned();
        let made = Arc::new(OnceLock::new());
        Ok(vec![
            Step::new(
                "address",
                "know the public address before anything is told it",
                Effect::Write,
                address::KnowAddress,
            )
            .leaves("the Ingress with its load balancer, which the release takes over"),
            Step::new(
                "upgrade",
                "install or upgrade the release",
                Effect::Write,
                Upgrade { overlay, made: Arc::clone(&made) },
            )
            .leaves(
                "what the message says: the revision before this one where it was rolled back, else the \
                 upgrade as far as it came, from where the next run goes on",
            ),
            Step::new("cover", "open the new tables to service_role", Effect::Write, CoverRowSecurity)
                .leaves("a Job with its log; the schedule does the same within ten minutes"),
            Step::new(
                "test",
                "ask the gateway from inside of the cluster",
                Effect::Write,
                Test { made },
            )
            .leaves("the test's Pod with its log, and the revision that the message names"),
            Step::new(
                "retire",
                "delete the certificates that were replaced",
                Effect::Write,
                retire::Retire,
            ),
        ])
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![
            Step::new(
                "load-balancer",
                "remove the load balancer while its controller runs",
                Effect::Destructive,
                RemoveIngress,
            ),
            Step::new("release", "uninstall the release", Effect::Destructive, Uninstall),
            Step::new("volumes", "delete the volumes", Effect::Destructive, DeleteVolumes),
        ])
    }
}

struct Upgrade {
    overlay: String,
    /// For the test: what to roll back when it fails.
    made: Arc<OnceLock<Made>>,
}

impl Action<Context> for Upgrade {
    fn preview(&self) -> Preview {
        Preview::Command(format!(
            "helm upgrade --install {RELEASE} helm/supabase --namespace {NAMESPACE} \
             -f helm/overlays/base.yaml -f {} -f <generated> --wait --force-conflicts",
            self.overlay
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        let url = address::known(context, &infrastructure)?;
        let install = chart(context, &generated(context, run, &url)?)?;
        let installed = context.helm()?.install(context, run, &infrastructure, &install)?;
        if let Some(made) = &installed.made {
            // A step runs once.
            let _ = self.made.set(made.clone());
        }
        Ok(installed.into())
    }
}

struct Test {
    made: Arc<OnceLock<Made>>,
}

impl Action<Context> for Test {
    fn preview(&self) -> Preview {
        Preview::Command(format!("helm test {RELEASE} --namespace {NAMESPACE} --logs"))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let helm = context.helm()?;
        // Before the tests, whose Pod's log is shown: with it, the stored secrets are hidden.
        let cluster = context.cluster(&run.output::<Infrastructure>()?)?;
        let right = helm
            .test(run, RELEASE, NAMESPACE)
            .map_err(|error| helm.reject(run, &cluster, self.made.get(), error))?;
        anyhow::ensure!(right > 0, "the tests of {RELEASE} looked at nothing");
        Ok(Outcome::Unchanged(format!("{right} answers are right")))
    }
}

/// What the other stages found out, as values of the chart.
pub(super) fn generated(
    context: &Context,
    run: &StepRun<'_>,
    public_url: &str,
) -> anyhow::Result<Value> {
    let overlay = &context.environment.overlay;
    let facts = Facts {
        infrastructure: &run.output::<Infrastructure>()?,
        database: &run.output::<Database>()?,
        authorities: &authorities::of_databases(context, run)?.pem,
        internal: overlay.load_balancer_is_internal(),
        public_url,
    };
    let mut values = facts.values()?;
    let mut decided = values.clone();
    // Switched off over the overlay's word where the server cannot carry it, with a warning.
    decided.as_object_mut().and_then(|values| values.remove("realtime"));
    overlay.refuse_overwritten(&decided)?;
    values["secretVersions"] = json!(context.secret_versions()?);
    for (component, versions) in context.reader_annotations()? {
        values[component]["podAnnotations"] = json!({"xtask/secret-versions": versions});
    }
    Ok(values)
}

/// The release with these generated values on top of base and overlay.
pub(crate) fn chart(context: &Context, generated: &Value) -> anyhow::Result<Install> {
    let overlays = context.root.join("helm/overlays");
    Ok(Install {
        release: RELEASE.to_owned(),
        namespace: NAMESPACE.to_owned(),
        chart: Chart::Local(context.root.join("helm/supabase")),
        values: vec![
            overlays.join("base.yaml"),
            context.environment.overlay_file.clone(),
            context.generated_values(RELEASE, generated)?,
        ],
        timeout: TIMEOUT,
        wait: true,
    })
}

/// What the other stages found out.
struct Facts<'a> {
    infrastructure: &'a Infrastructure,
    database: &'a Database,
    /// PEM text.
    authorities: &'a str,
    /// Whether the overlay asks for a load balancer inside of the network.
    internal: bool,
    public_url: &'a str,
}

impl Facts<'_> {
    fn values(&self) -> anyhow::Result<Value> {
        let Self { infrastructure, database, .. } = self;
        let mut values = json!({
            "environment": infrastructure.environment,
            "region": infrastructure.region,
            "publicUrl": self.public_url,
            "database": {
                "host": infrastructure.database_host,
                "replicaHost": infrastructure.database_replica_host,
                "port": infrastructure.database_port,
                "name": infrastructure.database_name,
                "caBundle": {"pem": self.authorities},
            },
            "storage": {"bucket": infrastructure.storage_bucket, "roleArn": infrastructure.role("storage")?},
            "networkPolicy": {
                "databaseCidrs": only(&infrastructure.database_subnet_cidrs),
                "loadBalancerCidrs": only(self.load_balancer_ranges()),
            },
        });
        if let Some(bucket) = &infrastructure.backup_bucket {
            values["backup"] = json!({"bucket": bucket, "roleArn": infrastructure.role("backup")?});
        }
        let ingress = [
            ("host", &infrastructure.hostname),
            ("certificateArn", &infrastructure.certificate_arn),
            ("webAclArn", &infrastructure.web_acl_arn),
            ("accessLogsBucket", &infrastructure.access_logs_bucket),
        ];
        for (key, value) in ingress {
            if let Some(value) = value {
                values["ingress"][key] = json!(value);
            }
        }
        // Only ever switched off: whether it is wanted at all is the overlay's word.
        if !database.realtime.enabled {
            values["realtime"] = json!({"enabled": false});
        }
        Ok(values)
    }

    /// The controller puts a load balancer into the subnets that carry the tag of its scheme.
    fn load_balancer_ranges(&self) -> &BTreeMap<String, String> {
        if self.internal {
            &self.infrastructure.node_subnet_cidrs
        } else {
            &self.infrastructure.public_subnet_cidrs
        }
    }
}

/// Values that stand in for Terraform's while only the chart and the overlay are checked.
pub(crate) fn sample_values(context: &Context) -> Value {
    let environment = &context.environment;
    let prefix = environment.name_prefix();
    let role =
        |purpose: &str| format!("arn:aws:iam::{}:role/{prefix}-{purpose}", environment.account_id);
    let subdomain = environment.vars.value(&["api_subdomain"]);
    let subdomain = subdomain.as_ref().and_then(Value::as_str).unwrap_or("api");
    let host = |domain: &str| format!("{subdomain}.{domain}");
    let url = match (&environment.domain, environment.overlay.public_url()) {
        (Some(domain), _) => format!("https://{}", host(domain)),
        (None, Some(url)) => url.to_owned(),
        (None, None) => address::UNKNOWN.to_owned(),
    };
    let mut values = json!({
        "environment": environment.name,
        "region": environment.region,
        "publicUrl": url,
        "database": {"host": "database.internal", "port": 5432, "name": "supabase"},
        "storage": {"bucket": format!("{prefix}-storage"), "roleArn": role("storage")},
        "backup": {"bucket": format!("{prefix}-backup"), "roleArn": role("backup")},
    });
    let arn = |service: &str, rest: &str| {
        format!("arn:aws:{service}:{}:{}:{rest}", environment.region, environment.account_id)
    };
    if let Some(domain) = &environment.domain {
        values["ingress"]["host"] = json!(host(domain));
        values["ingress"]["certificateArn"] = json!(arn("acm", "certificate/sample"));
    }
    if environment.vars.value(&["firewall"]).is_some() {
        values["ingress"]["webAclArn"] = json!(arn("wafv2", "regional/webacl/sample"));
    }
    if environment.vars.value(&["access_logs"]) != Some(json!(false)) {
        values["ingress"]["accessLogsBucket"] = json!(format!("{prefix}-access-logs"));
    }
    values
}

struct RemoveIngress;

impl Action<Context> for RemoveIngress {
    fn preview(&self) -> Preview {
        Preview::Wait("the Ingress and its load balancer are gone".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let Some(cluster) = context.cluster_if_any(run)? else {
            return Ok(Outcome::Unchanged("there is no cluster".to_owned()));
        };
        lift_protection(&cluster)?;
        removed(run, &cluster, &kinds::INGRESS)
    }
}

/// The annotation of the load balancer's attributes, and the one that keeps it from being deleted.
const ATTRIBUTES: &str = "alb.ingress.kubernetes.io/load-balancer-attributes";
const PROTECTED: &str = "deletion_protection.enabled=true";

/// The controller leaves a protected load balancer alone until its annotation says otherwise.
fn lift_protection(cluster: &Cluster) -> anyhow::Result<()> {
    for ingress in cluster.list(&kinds::INGRESS, Some(NAMESPACE), "")? {
        let attributes =
            ingress["metadata"]["annotations"][ATTRIBUTES].as_str().unwrap_or_default();
        if !attributes.contains(PROTECTED) {
            continue;
        }
        let open = attributes.replace(PROTECTED, "deletion_protection.enabled=false");
        let target = Target {
            kind: kinds::INGRESS,
            namespace: Some(NAMESPACE.to_owned()),
            name: ingress["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        };
        cluster.annotate(&target, &BTreeMap::from([(ATTRIBUTES.to_owned(), open)]))?;
    }
    Ok(())
}

/// Deletes all objects of a kind in our namespace and waits until their controllers let them go.
fn removed(run: &StepRun<'_>, cluster: &Cluster, kind: &Kind) -> anyhow::Result<Outcome> {
    let names = cluster.delete_all(kind, NAMESPACE, "")?;
    waiting(run, |wait| cluster.wait_all_gone(kind, Some(NAMESPACE), "", wait))?;
    Ok(if names.is_empty() {
        Outcome::Unchanged("there is none".to_owned())
    } else {
        Outcome::Changed(format!("removed {}", names.join(", ")))
    })
}

struct Uninstall;

impl Action<Context> for Uninstall {
    fn preview(&self) -> Preview {
        Preview::Command(format!("helm uninstall {RELEASE} --namespace {NAMESPACE} --wait"))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        context.uninstall(run, RELEASE, NAMESPACE)
    }
}

struct DeleteVolumes;

impl Action<Context> for DeleteVolumes {
    fn preview(&self) -> Preview {
        Preview::Request(format!(
            "delete every PersistentVolumeClaim in {NAMESPACE}, wait until they are gone"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let Some(cluster) = context.cluster_if_any(run)? else {
            return Ok(Outcome::Unchanged("there is no cluster".to_owned()));
        };
        removed(run, &cluster, &kinds::PERSISTENT_VOLUME_CLAIM)
    }
}
