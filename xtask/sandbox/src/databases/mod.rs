//! PostgreSQL as the RDS instances: one real server an instance.
//!
//! The master user is no superuser and may make event triggers all the same (`sql/rds.sql`); TLS is forced
//! unless the parameter group says otherwise, and the password is the one that the RDS API was given.
//! Its version is that of this machine's PostgreSQL, which the API does not know; `status` tells it.
//!
//! Invariant: a password reaches a program by its environment or a private file, never as an argument,
//! and no server logs a statement.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod bootstrap;
mod owner;
mod server;
mod settings;
mod template;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use anyhow::{Context, bail};
use serde::Serialize;
use xtask_tools::{Processes, Secret};

use self::{
    owner::Owner,
    server::{Files, Kind, Server},
};
use crate::{daemon::ServerCertificate, folder::Folder, records::Records};

/// What the servers share.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: Folder,
    /// The folder of all servers.
    place: PathBuf,
    /// Where `postgres`, `initdb` and `psql` are.
    programs: PathBuf,
    owner: Owner,
    processes: Processes,
    records: Records,
    certificate: ServerCertificate,
    administrator_password: Secret,
}

/// A DB instance as the RDS API was asked for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) identifier: String,
    pub(crate) master_username: String,
    pub(crate) master_password: Secret,
    pub(crate) database_name: Option<String>,
    pub(crate) force_tls: bool,
    pub(crate) logical_replication: bool,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Address {
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// What `status` tells about an instance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    pub(crate) identifier: String,
    #[serde(flatten)]
    pub(crate) address: Address,
    pub(crate) running: bool,
    /// The instance that it follows.
    pub(crate) replica_of: Option<String>,
}

#[derive(Debug)]
struct Instance {
    server: Server,
    master_username: String,
    replica_of: Option<String>,
}

/// All DB instances. Clones are the same instances. Every call blocks.
#[derive(Debug, Clone)]
pub(crate) struct Databases(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    environment: Environment,
    template: OnceLock<Result<Files, String>>,
    instances: Mutex<BTreeMap<String, Instance>>,
}

impl Databases {
    /// Nothing is started yet; see [`Databases::warm_up`].
    pub(crate) fn new(
        folder: &Folder,
        programs: &Path,
        processes: Processes,
        records: Records,
        certificate: ServerCertificate,
    ) -> anyhow::Result<Self> {
        let owner = Owner::choose()?;
        let place = owner.place(folder.root());
        if !place.starts_with(folder.root()) {
            records.add_folder(place.clone())?;
        }
        owner.create_folder(&place)?;
        let environment = Environment {
            folder: folder.clone(),
            place,
            programs: programs.to_owned(),
            owner,
            processes,
            records,
            certificate,
            administrator_password: random_password()?,
        };
        let shared = Shared { environment, template: OnceLock::new(), instances: Mutex::default() };
        Ok(Self(Arc::new(shared)))
    }

    /// Makes the template that instances are copied from, so that the first one need not wait for it.
    pub(crate) fn warm_up(&self) -> anyhow::Result<()> {
        self.template().map(|_| ())
    }

    fn template(&self) -> anyhow::Result<&Files> {
        let made = self.0.template.get_or_init(|| {
            template::make(&self.0.environment).map_err(|error| format!("{error:#}"))
        });
        made.as_ref().map_err(|reason| anyhow::anyhow!("{reason}"))
    }

    /// Starts an instance; it accepts its master user on return.
    pub(crate) fn create(&self, request: &Request) -> anyhow::Result<Address> {
        let environment = &self.0.environment;
        let files = self.new_files(&request.identifier)?;
        let kind = Kind {
            force_tls: request.force_tls,
            logical_replication: request.logical_replication,
            primary: None,
        };
        let start = || {
            environment.copy_data(self.template()?, &files)?;
            let server = Server::start(environment, files.clone(), kind, &request.identifier)?;
            let variables = [
                ("MASTER_USERNAME", request.master_username.as_str()),
                ("DATABASE_NAME", request.database_name.as_deref().unwrap_or_default()),
            ];
            let script = include_str!("sql/instance.sql");
            let password = Some(&request.master_password);
            let purpose = "make the master user";
            match server.run_script(environment, purpose, script, &variables, password) {
                Ok(()) => Ok(server),
                Err(error) => {
                    server.stop(environment)?;
                    Err(error)
                }
            }
        };
        self.keep(&request.identifier, &files, start(), &request.master_username, None)
    }

    /// Starts a hot standby of an instance.
    pub(crate) fn create_replica(&self, identifier: &str, source: &str) -> anyhow::Result<Address> {
        let environment = &self.0.environment;
        let (primary, mut kind, master) = {
            let instances = self.instances();
            let source = found(&instances, source)?;
            (source.server.port, source.server.kind, source.master_username.clone())
        };
        kind.primary = Some(primary);
        let files = self.new_files(identifier)?;
        let start = || {
            template::copy_running(environment, primary, &files)?;
            Server::start(environment, files.clone(), kind, identifier)
        };
        self.keep(identifier, &files, start(), &master, Some(source))
    }

    /// Makes the folder of a new instance.
    fn new_files(&self, identifier: &str) -> anyhow::Result<Files> {
        check_identifier(identifier)?;
        if self.instances().contains_key(identifier) {
            bail!("there is a database `{identifier}` already");
        }
        let environment = &self.0.environment;
        let files = Files::new(&environment.place.join(identifier));
        environment.owner.create_folder(files.folder())?;
        Ok(files)
    }

    /// Remembers a server that started, or removes the files of one that did not.
    fn keep(
        &self,
        identifier: &str,
        files: &Files,
        started: anyhow::Result<Server>,
        master_username: &str,
        replica_of: Option<&str>,
    ) -> anyhow::Result<Address> {
        let server = match started {
            Ok(server) => server,
            Err(error) => {
                self.0.environment.remove(files)?;
                return Err(error);
            }
        };
        let address = address(&server);
        let instance = Instance {
            server,
            master_username: master_username.to_owned(),
            replica_of: replica_of.map(str::to_owned),
        };
        self.instances().insert(identifier.to_owned(), instance);
        Ok(address)
    }

    /// Gives the master user another password.
    pub(crate) fn set_password(&self, identifier: &str, password: &Secret) -> anyhow::Result<()> {
        let instances = self.instances();
        let instance = found(&instances, identifier)?;
        instance.server.run_script(
            &self.0.environment,
            "set the master password",
            include_str!("sql/password.sql"),
            &[("MASTER_USERNAME", &instance.master_username)],
            Some(password),
        )
    }

    /// Stops an instance and removes its data.
    pub(crate) fn delete(&self, identifier: &str) -> anyhow::Result<()> {
        let Some(instance) = self.instances().remove(identifier) else {
            bail!("there is no database `{identifier}`");
        };
        let files = instance.server.stop(&self.0.environment)?;
        self.0.environment.remove(&files)
    }

    /// Stops all instances, replicas first; goes on after a failure and returns the last one.
    pub(crate) fn stop_all(&self) -> anyhow::Result<()> {
        let instances = std::mem::take(&mut *self.instances());
        let (replicas, primaries): (Vec<_>, Vec<_>) =
            instances.into_values().partition(|instance| instance.replica_of.is_some());
        let mut result = Ok(());
        for instance in replicas.into_iter().chain(primaries) {
            if let Err(error) = instance.server.stop(&self.0.environment) {
                result = Err(error);
            }
        }
        result
    }

    pub(crate) fn list(&self) -> Vec<Status> {
        let status = |(identifier, instance): (&String, &Instance)| Status {
            identifier: identifier.clone(),
            address: address(&instance.server),
            running: instance.server.is_running(),
            replica_of: instance.replica_of.clone(),
        };
        self.instances().iter().map(status).collect()
    }

    fn instances(&self) -> MutexGuard<'_, BTreeMap<String, Instance>> {
        self.0.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(server: &Server) -> Address {
    Address { address: "127.0.0.1".to_owned(), port: server.port }
}

fn found<'a>(
    instances: &'a BTreeMap<String, Instance>,
    identifier: &str,
) -> anyhow::Result<&'a Instance> {
    instances.get(identifier).with_context(|| format!("there is no database `{identifier}`"))
}

/// The identifier becomes a folder's name.
fn check_identifier(identifier: &str) -> anyhow::Result<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if identifier.is_empty() || identifier.len() > 63 || !identifier.bytes().all(good) {
        bail!(
            "`{identifier}` is no identifier of a database: letters, digits and hyphens, at most 63"
        );
    }
    Ok(())
}

fn random_password() -> anyhow::Result<Secret> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("failed to make a password: {error}"))?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_in_its_folder() {
        assert!(check_identifier("supabase-dev").is_ok());
        for bad in ["", "..", "a/b", "a b", &"x".repeat(64)] {
            assert!(check_identifier(bad).is_err(), "{bad}");
        }
    }
}
