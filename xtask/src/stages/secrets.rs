//! Makes the secrets that are missing, stores them, and waits until the cluster holds them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;
use xtask_cloud::Parameter;
use xtask_pipeline::{Action, Effect, Outcome, Preview, Stage, Step, StepRun, Undo};
use xtask_tools::Secret;

use crate::{
    context::{Context, NAMESPACE, namespace, waiting},
    exit::Exit,
    helm::{self, Chart, Install},
    secrets::{self, JWT_SECRET, SecretSpec, Source},
    terraform::Infrastructure,
};

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
                Store { prefix: context.environment.parameter_prefix() },
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

struct Store {
    prefix: String,
}

impl Action<Context> for Store {
    fn preview(&self) -> Preview {
        Preview::Request(format!("ssm:PutParameter {}/* (each one that is absent)", self.prefix))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let key = run.output::<Infrastructure>()?.secrets_kms_key_arn;
        let cloud = context.cloud()?;
        let stored: BTreeMap<String, Parameter> = cloud
            .parameters_by_path(&context.environment.parameter_prefix())?
            .into_iter()
            .map(|parameter| (parameter.name.clone(), parameter))
            .collect();
        let missing_by_hand: Vec<&str> =
            secrets::needed(context.environment.overlay.smtp_enabled())
                .filter(|spec| {
                    spec.source == Source::Person
                        && !stored.contains_key(&context.parameter(spec.path))
                })
                .map(|spec| spec.path)
                .collect();
        if !missing_by_hand.is_empty() {
            return Err(Exit::Missing.error(format!(
                "the overlay sends mail through SMTP, but {} is not stored; store each with \
                 `{} <path>`",
                missing_by_hand.join(", "),
                context.command_line("secrets set")
            )));
        }
        let encrypted_with: BTreeMap<String, Option<String>> = cloud
            .describe_parameters(&context.environment.parameter_prefix())?
            .into_iter()
            .map(|parameter| (parameter.name, parameter.key_id))
            .collect();
        let mut jwt_secret =
            stored.get(&context.parameter(JWT_SECRET)).map(|parameter| parameter.value.clone());
        let mut made = 0;
        let mut encrypted = 0;
        for spec in secrets::needed(context.environment.overlay.smtp_enabled()) {
            let name = context.parameter(spec.path);
            run.progress(&name);
            if let Some(parameter) = stored.get(&name) {
                if spec.is_hidden() {
                    context.register(&parameter.value)?;
                }
                if is_stale(spec, &parameter.value, jwt_secret.as_ref()) {
                    run.note(&format!(
                        "{name} was not signed with the stored JWT secret: made anew"
                    ));
                    let value = make(spec, jwt_secret.as_ref())?;
                    context.register(&value)?;
                    cloud.overwrite_parameter(&name, &value, Some(&key))?;
                    made += 1;
                } else if encrypted_with.get(&name).and_then(Option::as_deref) != Some(key.as_str())
                {
                    // Stored before the environment's key existed: encrypt it with that key now.
                    cloud.overwrite_parameter(&name, &parameter.value, Some(&key))?;
                    encrypted += 1;
                }
                continue;
            }
            let value = make(spec, jwt_secret.as_ref())?;
            if spec.is_hidden() {
                context.register(&value)?;
            }
            if spec.path == JWT_SECRET {
                jwt_secret = Some(value.clone());
            }
            cloud.put_parameter_if_absent(&name, &value, Some(&key))?;
            made += 1;
        }
        Ok(if made + encrypted == 0 {
            Outcome::Unchanged("all are stored".to_owned())
        } else {
            Outcome::Changed(format!(
                "{made} made, {encrypted} encrypted with the environment's key"
            ))
        })
    }
}

/// An API key that the stored JWT secret did not sign opens nothing.
pub(crate) fn is_stale(spec: &SecretSpec, value: &Secret, jwt_secret: Option<&Secret>) -> bool {
    let Source::ApiKey(role) = spec.source else { return false };
    let claims = jwt_secret.and_then(|secret| secrets::verify(value, secret).ok());
    claims.is_none_or(|claims| claims.role != role)
}

fn make(spec: &SecretSpec, jwt_secret: Option<&Secret>) -> anyhow::Result<Secret> {
    match spec.source {
        Source::Random(length, alphabet) => secrets::random_text(length, alphabet),
        Source::Fixed(text) => Ok(Secret::new(text.to_owned())),
        Source::ApiKey(role) => {
            let secret = jwt_secret
                .ok_or_else(|| anyhow::anyhow!("`{}` is made before the JWT secret", spec.path))?;
            secrets::api_key(role, secret, jiff::Timestamp::now().as_second())
        }
        Source::Person => Err(anyhow::anyhow!("`{}` is given by a person", spec.path)),
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
        for spec in secrets::needed(context.environment.overlay.smtp_enabled()) {
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
