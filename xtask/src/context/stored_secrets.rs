//! The secrets that the Parameter Store holds, hidden from every output as soon as they are known.

use std::collections::BTreeMap;

use xtask_tools::Secret;

use super::Context;
use crate::{
    config::Environment,
    exit::Exit,
    secrets::{self, MASTER_PASSWORD},
};

impl Context {
    /// A parameter's full name.
    pub(crate) fn parameter(&self, path: &str) -> String {
        format!("{}/{path}", self.environment.parameter_prefix())
    }

    /// From here on this value is hidden wherever it would be printed.
    pub(crate) fn register(&self, secret: &Secret) -> anyhow::Result<()> {
        self.processes.redactor().register(secret)
    }

    /// From here on no stored secret of this environment is printed; they are read once a run.
    pub(super) fn hide_stored_secrets(&self) -> anyhow::Result<()> {
        if self.hidden.get().is_none() {
            self.read_secrets()?;
            self.hidden.get_or_init(|| ());
        }
        Ok(())
    }

    /// The stored secrets by their full names, hidden from now on.
    fn read_secrets(&self) -> anyhow::Result<BTreeMap<String, Secret>> {
        let stored = self.cloud()?.parameters_by_path(&self.environment.parameter_prefix())?;
        let mut secrets = BTreeMap::new();
        // Terraform keeps plain names below the same prefix.
        for spec in secrets::known(&self.environment) {
            let named = |name: &str| stored.iter().find(|parameter| parameter.name == name);
            let name = self.parameter(spec.path);
            let found = named(&name);
            let waiting = named(&self.parameter(&secrets::waiting_path(spec.path)));
            for parameter in found.into_iter().chain(waiting).filter(|_| spec.is_hidden()) {
                self.register(&parameter.value)?;
            }
            secrets.extend(found.map(|parameter| (name, parameter.value.clone())));
        }
        Ok(secrets)
    }

    /// A stored secret of this environment; read once a run.
    pub(crate) fn secret(&self, path: &str) -> anyhow::Result<Secret> {
        let secrets = match self.secrets.get() {
            Some(secrets) => secrets,
            None => {
                let read = self.read_secrets()?;
                self.secrets.get_or_init(|| read)
            }
        };
        secrets.get(&self.parameter(path)).cloned().ok_or_else(|| {
            Exit::Missing.error(format!(
                "secret {} is not stored; run `{}`",
                self.parameter(path),
                self.command_line("stage secrets")
            ))
        })
    }

    /// How often each Kubernetes Secret was written, by its name in the chart.
    pub(crate) fn secret_versions(&self) -> anyhow::Result<BTreeMap<String, String>> {
        Ok(secrets::versions(&self.stored_versions()?))
    }

    /// Annotations of the Pods that read secrets which the overlay declares, by component: with
    /// another version they are other Pods, so that a new value restarts who reads it.
    pub(crate) fn reader_annotations(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let Environment { overlay, extra_secrets, .. } = &self.environment;
        if extra_secrets.is_empty() {
            return Ok(BTreeMap::new());
        }
        let stored = self.stored_versions()?;
        let told =
            |path: &String| format!("{path}={}", stored.get(path).copied().unwrap_or_default());
        let readers = secrets::readers(overlay, extra_secrets).into_iter();
        Ok(readers
            .map(|(component, paths)| {
                (component, paths.iter().map(told).collect::<Vec<_>>().join(","))
            })
            .collect())
    }

    /// How often each parameter was written, by its path below the environment's prefix.
    fn stored_versions(&self) -> anyhow::Result<BTreeMap<String, i64>> {
        let prefix = format!("{}/", self.environment.parameter_prefix());
        let described = self.cloud()?.describe_parameters(prefix.trim_end_matches('/'))?;
        let below = described.into_iter().filter_map(|parameter| {
            let path = parameter.name.strip_prefix(&prefix)?.to_owned();
            Some((path, parameter.version))
        });
        Ok(below.collect())
    }

    /// The live value of a secret: what waits for the environment's key was given last.
    pub(crate) fn live_secret(&self, path: &str) -> anyhow::Result<Option<Secret>> {
        let cloud = self.cloud()?;
        let found = match cloud.parameter(&self.parameter(&secrets::waiting_path(path)))? {
            None => cloud.parameter(&self.parameter(path))?,
            waiting => waiting,
        };
        found.as_ref().map(|parameter| self.register(&parameter.value)).transpose()?;
        Ok(found.map(|parameter| parameter.value))
    }

    pub(crate) fn master_password(&self) -> anyhow::Result<Secret> {
        self.live_secret(MASTER_PASSWORD)?.ok_or_else(|| {
            Exit::Missing.error(format!(
                "the database's password {} is not stored; run `{}`",
                self.parameter(MASTER_PASSWORD),
                self.command_line("stage infrastructure")
            ))
        })
    }
}
