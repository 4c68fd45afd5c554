//! Makes the secrets that are missing and stores every one under the environment's key alone.

use std::{collections::BTreeMap, time::Duration};

use xtask_cloud::{ParameterVersion, Recreation};
use xtask_pipeline::{Action, Outcome, Preview, StepRun};
use xtask_tools::Secret;

use crate::{
    context::{Context, waiting},
    exit::Exit,
    secrets::{self, Deed, JWT_SECRET, SecretSpec, Source},
    terraform::Infrastructure,
};

/// How long SSM asks to wait before a deleted parameter's name is used again.
///
/// Source: "DeleteParameters", AWS Systems Manager API Reference.
const NAME_RESTS: Duration = Duration::from_secs(30);

pub(super) struct Store {
    pub(super) prefix: String,
}

impl Action<Context> for Store {
    fn preview(&self) -> Preview {
        Preview::Request(format!("ssm:PutParameter {}/* (each one that is absent)", self.prefix))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let key = run.output::<Infrastructure>()?.secrets_kms_key_arn;
        let held = Held::read(context)?;
        held.all_given_by_hand(context)?;
        let mut work = Work { context, run, key: &key, made: 0, moved: 0, exposed: Vec::new() };
        let mut jwt_secret = held.value(JWT_SECRET).cloned();
        for spec in secrets::known(&context.environment) {
            if let Some(value) = work.settle(&held, &spec, jwt_secret.as_ref())?
                && spec.path == JWT_SECRET
            {
                jwt_secret = Some(value);
            }
        }
        work.recreate()?;
        // Only now: until here each of them is the way back after a crash.
        context.cloud()?.delete_parameters(&held.waiting_names(context))?;
        Ok(if work.made + work.moved == 0 {
            Outcome::Unchanged("all are stored".to_owned())
        } else {
            Outcome::Changed(format!(
                "{} made, {} brought under the environment's key",
                work.made, work.moved
            ))
        })
    }
}

/// What the Parameter Store holds, by the secret's path.
struct Held<'a> {
    versions: BTreeMap<&'a str, Vec<ParameterVersion>>,
    waiting: BTreeMap<&'a str, Secret>,
}

impl<'a> Held<'a> {
    /// Every value that is read is hidden from here on.
    fn read(context: &'a Context) -> anyhow::Result<Self> {
        let (cloud, prefix) = (context.cloud()?, context.environment.parameter_prefix());
        let stored: BTreeMap<_, _> = cloud
            .parameters_by_path(&prefix)?
            .into_iter()
            .map(|parameter| (parameter.name, parameter.value))
            .collect();
        let described: BTreeMap<_, _> = cloud
            .describe_parameters(&prefix)?
            .into_iter()
            .map(|parameter| (parameter.name.clone(), parameter))
            .collect();
        let mut held = Self { versions: BTreeMap::new(), waiting: BTreeMap::new() };
        for spec in secrets::known(&context.environment) {
            let name = context.parameter(spec.path);
            if let Some(value) = stored.get(&context.parameter(&secrets::waiting_path(spec.path))) {
                held.waiting.insert(spec.path, value.clone());
            }
            let Some(value) = stored.get(&name) else { continue };
            let versions = match described.get(&name) {
                // The first version is all there is.
                Some(only) if only.version == 1 => {
                    vec![ParameterVersion { value: value.clone(), key_id: only.key_id.clone() }]
                }
                _ => cloud.parameter_versions(&name)?,
            };
            held.versions.insert(spec.path, versions);
        }
        for spec in secrets::known(&context.environment).filter(SecretSpec::is_hidden) {
            held.value(spec.path).map(|value| context.register(value)).transpose()?;
        }
        Ok(held)
    }

    /// The live value: what waits was given last.
    fn value(&self, path: &str) -> Option<&Secret> {
        let stored = || self.versions.get(path).and_then(|all| all.last()).map(|one| &one.value);
        self.waiting.get(path).or_else(stored)
    }

    fn versions(&self, path: &str) -> &[ParameterVersion] {
        self.versions.get(path).map_or(&[], Vec::as_slice)
    }

    fn waiting_names(&self, context: &Context) -> Vec<String> {
        let paths = self.waiting.keys();
        paths.map(|path| context.parameter(&secrets::waiting_path(path))).collect()
    }

    fn all_given_by_hand(&self, context: &Context) -> anyhow::Result<()> {
        let missing: Vec<&str> = secrets::needed(&context.environment)
            .filter(|spec| spec.source == Source::Person && self.value(spec.path).is_none())
            .map(|spec| spec.path)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Exit::Missing.error(format!(
            "the overlay asks for {}, which nobody has stored; store each with `{} <path>`",
            missing.join(", "),
            context.command_line("secrets set")
        )))
    }
}

struct Work<'a> {
    context: &'a Context,
    run: &'a StepRun<'a>,
    key: &'a str,
    made: usize,
    moved: usize,
    /// Readable under another key, with the live value of each.
    exposed: Vec<(String, Secret)>,
}

impl Work<'_> {
    /// The live value, once it is stored as it should be or known to be exposed; nothing where an
    /// environment does not need the secret.
    fn settle(
        &mut self,
        held: &Held<'_>,
        spec: &SecretSpec<'_>,
        jwt_secret: Option<&Secret>,
    ) -> anyhow::Result<Option<Secret>> {
        let name = self.context.parameter(spec.path);
        self.run.progress(&name);
        let value = match held.value(spec.path) {
            Some(value) if !is_stale(spec, value, jwt_secret) => value.clone(),
            None if !self.is_needed(spec) => return Ok(None),
            found => {
                if found.is_some() {
                    self.run.note(&format!(
                        "{name} was not signed with the stored JWT secret: regenerated"
                    ));
                }
                let value = make(spec, jwt_secret)?;
                if spec.is_hidden() {
                    self.context.register(&value)?;
                }
                self.made += 1;
                value
            }
        };
        let cloud = self.context.cloud()?;
        match secrets::deed(&value, held.versions(spec.path), self.key) {
            Deed::Keep => {}
            Deed::Create => {
                cloud.put_parameter_if_absent(&name, &value, Some(self.key))?;
                self.moved += usize::from(held.waiting.contains_key(spec.path));
            }
            Deed::Overwrite => drop(cloud.overwrite_parameter(&name, &value, Some(self.key))?),
            Deed::Recreate => self.exposed.push((spec.path.to_owned(), value.clone())),
        }
        Ok(Some(value))
    }

    fn is_needed(&self, spec: &SecretSpec<'_>) -> bool {
        secrets::needed(&self.context.environment).any(|needed| needed.path == spec.path)
    }

    /// Every value has a copy under the environment's key before its parameter is deleted.
    fn recreate(&mut self) -> anyhow::Result<()> {
        if self.exposed.is_empty() {
            return Ok(());
        }
        let exposed: Vec<Recreation> = self
            .exposed
            .iter()
            .map(|(path, value)| Recreation {
                name: self.context.parameter(path),
                copy: self.context.parameter(&secrets::waiting_path(path)),
                value: value.clone(),
            })
            .collect();
        for each in &exposed {
            self.run.note(&format!(
                "{} could be read under another key than the environment's: stored again, without its old versions",
                each.name
            ));
        }
        let cloud = self.context.cloud()?;
        waiting(self.run, |wait| cloud.recreate_parameters(&exposed, self.key, NAME_RESTS, wait))?;
        self.moved += exposed.len();
        Ok(())
    }
}

/// An API key that the stored JWT secret did not sign opens nothing.
pub(crate) fn is_stale(spec: &SecretSpec<'_>, value: &Secret, jwt_secret: Option<&Secret>) -> bool {
    let Source::ApiKey(role) = spec.source else { return false };
    let claims = jwt_secret.and_then(|secret| secrets::verify(value, secret).ok());
    claims.is_none_or(|claims| claims.role != role)
}

fn make(spec: &SecretSpec<'_>, jwt_secret: Option<&Secret>) -> anyhow::Result<Secret> {
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
