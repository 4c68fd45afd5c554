//! Whether a program that is only simulated could have started: its settings, its database login,
//! its configuration. What a real one would die of, its stand-in dies of.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;

use super::images::{Component, Image};
use crate::cluster::Cluster;
use crate::gateway::kong;
use crate::irsa;
use crate::mounts::Mounts;
use crate::network_policy;
use crate::postgres::Login;

const SHORTEST_JWT_SECRET: usize = 32;

/// Of the tables that Storage's own migrations make when it starts, the one that is asked for, as its role makes it.
const STORAGE_MIGRATIONS: &str = "
BEGIN;
SELECT pg_advisory_xact_lock(hashtextextended('storage migrations', 0));
CREATE TABLE IF NOT EXISTS storage.buckets (
  id text PRIMARY KEY, name text NOT NULL UNIQUE, public boolean DEFAULT false, created_at timestamptz DEFAULT now());
ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
COMMIT;
";

/// A container of a simulated program that is about to start.
pub(crate) struct Candidate<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pod: &'a Pod,
    pub(crate) container: &'a Container,
    pub(crate) image: &'a Image,
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) mounts: &'a Mounts,
}

/// What a started stand-in answers with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Started {
    /// How it logs in to its database.
    pub(crate) login: Option<Login>,
    /// Kong's configuration, with its placeholders filled in.
    pub(crate) kong: Option<std::sync::Arc<kong::Config>>,
}

impl Candidate<'_> {
    /// Starts, or says why the program would have ended.
    pub(crate) async fn start(&self) -> Result<Started, String> {
        self.require_settings()?;
        self.require_options()?;
        let mut started = Started::default();
        if let Some(settings) = &self.image.database {
            let login = Login::from_env(settings, self.env, self.mounts)?;
            network_policy::permits_outside(self.cluster, self.pod, login.port).map_err(
                |blocked| {
                    format!("connection to {}:{} timed out: {blocked}", login.host, login.port)
                },
            )?;
            login.prove(&self.cluster.config.postgres_bin).await?;
            started.login = Some(login);
        }
        match self.image.serves {
            Some(Component::Kong) => {
                started.kong = Some(std::sync::Arc::new(kong::load(self.env, self.mounts)?))
            }
            Some(Component::Storage) => {
                self.require_bucket().await?;
                if let Some(login) = &started.login {
                    let migrations = STORAGE_MIGRATIONS.to_owned();
                    login.query(&self.cluster.config.postgres_bin, migrations).await?;
                }
            }
            _ => {}
        }
        Ok(started)
    }

    fn require_settings(&self) -> Result<(), String> {
        let value = |name: &String| self.env.get(name).filter(|value| !value.is_empty());
        let missing: Vec<&str> = self
            .image
            .requires
            .iter()
            .filter(|name| value(name).is_none())
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(format!("required settings are missing: {}", missing.join(", ")));
        }
        for (name, length) in &self.image.lengths {
            let characters = value(name).map_or(0, |value| value.chars().count());
            if characters != *length {
                return Err(format!(
                    "{name} has {characters} characters, exactly {length} are needed"
                ));
            }
        }
        if let Some(name) = &self.image.jwt_secret {
            let length = value(name).map_or(0, String::len);
            if length < SHORTEST_JWT_SECRET {
                return Err(format!(
                    "{name} has {length} bytes, a JWT secret needs at least {SHORTEST_JWT_SECRET}"
                ));
            }
        }
        Ok(())
    }

    fn require_options(&self) -> Result<(), String> {
        let words = words(self.container);
        let missing = self.image.options.iter().find(|option| {
            !words.iter().any(|word| {
                word == *option
                    || word.strip_prefix(option.as_str()).is_some_and(|rest| rest.starts_with('='))
            })
        });
        missing.map_or(Ok(()), |option| Err(format!("the option {option} is missing")))
    }

    /// Storage reaches S3 with the role of its ServiceAccount.
    async fn require_bucket(&self) -> Result<(), String> {
        if self.env.get("STORAGE_BACKEND").is_none_or(|backend| backend != "s3") {
            return Ok(());
        }
        let bucket = self.env.get("STORAGE_S3_BUCKET").map(String::as_str).unwrap_or_default();
        let namespace = self.pod.namespace().unwrap_or_default();
        let account = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.clone())
            .unwrap_or_else(|| "default".to_owned());
        irsa::role_of(self.cluster, &namespace, &account)
            .await
            .map_err(|error| format!("{error:#}"))?;
        irsa::require_bucket(self.cluster, bucket).await.map_err(|error| format!("{error:#}"))
    }
}

/// Command and arguments of a container.
pub(crate) fn words(container: &Container) -> Vec<String> {
    container.command.iter().flatten().chain(container.args.iter().flatten()).cloned().collect()
}
