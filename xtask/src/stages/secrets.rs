//! Makes the secrets that are missing, stores them, and waits until the cluster holds them.

mod store;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};

use crate::{
    context::{Context, NAMESPACE, namespace, waiting},
    exit::Exit,
    helm::{self, Chart, Install},
    secrets,
    terraform::Infrastructure,
};

pub(crate) use store::is_stale;

const RELEASE: &str = "supabase-secrets";

/// How long Helm waits for the release to work.
const TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// See the module.
pub(super) struct Secrets;

impl Stage<Context> for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn purpose(&self) -> &'static str {
        "every secret is in the Parameter Store and, freshly synced, in the cluster"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["addons"]
    }

    fn effect(&self) -> Effect {
        Effect::Write
    }

    fn undo(&self) -> Undo {
        Undo::TearDown
    }

    fn deadline(&self) -> Duration {
        // The rest is what the synchronisation takes.
        helm::time_for(TIMEOUT) + Duration::from_secs(5 * 60)
    }

    fn plan(&self, context: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        Ok(vec![
            Step::new(
                "store",
                "make and store the secrets that are missing",
                Effect::Write,
                store::Store { prefix: context.environment.parameter_prefix() },
            ),
            Step::new(
                "release",
                "install the store and its external secrets",
                Effect::Write,
                InstallStore,
            ),
            Step::new(
                "sync",
                "wait until every secret is in the cluster, refreshed in this run",
                Effect::Write,
                Sync,
            ),
        ])
    }

    fn tear_down(&self, _: &Context) -> anyhow::Result<Vec<Step<Context>>> {
        // The operator removes its finalizers, so the external secrets go while it still runs.
        Ok(vec![Step::new(
            "release",
            "remove the external secrets",
            Effect::Destructive,
            RemoveStore,
        )])
    }
}

struct InstallStore;

impl Action<Context> for InstallStore {
    fn preview(&self) -> Preview {
        Preview::Command(format!(
            "helm upgrade --install {RELEASE} helm/secrets --namespace {NAMESPACE}"
        ))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let infrastructure = run.output::<Infrastructure>()?;
        // The first of ours to come into the namespace makes it.
        let applied = context.cluster(&infrastructure)?.apply(&namespace(), "xtask", true)?;
        if applied.changed && !applied.created {
            run.note(&format!("namespace {NAMESPACE} has its labels again"));
        }
        let values = context.generated_values(
            RELEASE,
            &json!({
                "environment": infrastructure.environment,
                "region": infrastructure.region,
                "parameterPrefix": infrastructure.parameter_prefix,
                "serviceAccount": {"roleArn": infrastructure.role("external_secrets")?},
                "smtp": {"enabled": context.environment.overlay.smtp_enabled()},
                "extraSecrets": secrets::as_values(&context.environment.extra_secrets),
            }),
        )?;
        let install = Install {
            release: RELEASE.to_owned(),
            namespace: NAMESPACE.to_owned(),
            chart: Chart::Local(context.root.join("helm/secrets")),
            values: vec![values],
            timeout: TIMEOUT,
            // The operator may see a secret before its store, and a role before it has spread: the
            // next step waits until all are synchronised.
            wait: false,
        };
        Ok(context.helm()?.install(context, run, &infrastructure, &install)?.into())
    }
}

struct Sync;

impl Action<Context> for Sync {
    fn preview(&self) -> Preview {
        Preview::Wait("every ExternalSecret is SecretSynced with all its keys".to_owned())
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let cluster = context.cluster(&run.output::<Infrastructure>()?)?;
        let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for spec in secrets::needed(&context.environment) {
            expected
                .entry(spec.kubernetes_secret.to_owned())
                .or_default()
                .insert(spec.key.to_owned());
        }
        let names: Vec<&str> = expected.keys().map(String::as_str).collect();
        let synced = waiting(run, |wait| cluster.sync_external_secrets(NAMESPACE, &names, wait))?;
        for state in &synced {
            let missing: Vec<&str> = expected
                .get(&state.target)
                .into_iter()
                .flatten()
                .filter(|key| !state.keys.contains(*key))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                return Err(Exit::StageFailed.error(format!(
                    "Secret {} has no {}; helm/secrets does not list what the runner stores",
                    state.target,
                    missing.join(", ")
                )));
            }
        }
        Ok(Outcome::Unchanged(format!("{} secrets are in the cluster", synced.len())))
    }
}

struct RemoveStore;

impl Action<Context> for RemoveStore {
    fn preview(&self) -> Preview {
        Preview::Command(format!("helm uninstall {RELEASE} --namespace {NAMESPACE} --wait"))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        context.uninstall(run, RELEASE, NAMESPACE)
    }
}
