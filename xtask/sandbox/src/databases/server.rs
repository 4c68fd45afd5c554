//! One PostgreSQL process and its files.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use xtask_tools::{Command, Daemon, Interrupt, Secret};

use super::{Environment, settings};

/// How long a server may take to accept connections; a standby first copies what it lacks.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(30);
/// How often another port is tried when somebody took the chosen one in between.
const ATTEMPTS: usize = 3;

/// Where the parts of an instance lie.
#[derive(Debug, Clone)]
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(super) fn access(&self) -> PathBuf {
        self.0.join("pg_hba.conf")
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.0.join("postgresql.conf")
    }

    pub(super) fn pid(&self) -> PathBuf {
        self.0.join("postgresql.pid")
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.0.join("server.crt")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.0.join("server.key")
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.0.join("passfile")
    }
}

/// How a server differs from another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) force_tls: bool,
    pub(super) logical_replication: bool,
    /// The port of the server that it follows.
    pub(super) primary: Option<u16>,
}

/// A running server. Dropping it leaves it running.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) files: Files,
    pub(super) port: u16,
    pub(super) kind: Kind,
    process: Daemon,
}

impl Server {
    /// Writes the configuration around the data that is there, and starts it.
    pub(super) fn start(
        environment: &Environment,
        files: Files,
        kind: Kind,
        name: &str,
    ) -> anyhow::Result<Self> {
        write_fixed_files(environment, &files, kind)?;
        let log = environment.folder.log(&format!("database-{name}"));
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            let mut text = settings::configuration(&files, port, kind.logical_replication);
            if let Some(primary) = kind.primary {
                text.push_str(&settings::standby(&files, primary));
            }
            environment.write(&files.configuration(), text.as_bytes())?;
            let mut process = environment
                .program("postgres")
                .arg(format!("--config-file={}", files.configuration().display()))
                .purpose(&format!("start the PostgreSQL server of {name}"))
                .log_to(&log)
                .spawn_daemon()?;
            environment.records.add(&format!("database {name}"), process.identity())?;
            match wait_until_ready(environment, port, &mut process) {
                Ok(()) => return Ok(Self { files, port, kind, process }),
                Err(error) => {
                    process.stop(STOP).context("failed to stop a server that did not come up")?;
                    environment.records.forget(process.identity())?;
                    last = Some(error);
                }
            }
        }
        let reason = last.map(|error| error.to_string()).unwrap_or_default();
        bail!("the PostgreSQL server of {name} {reason}; its log is `{}`", log.display())
    }

    /// Runs a script as the administrator. Its variables go by the environment.
    pub(super) fn run_script(
        &self,
        environment: &Environment,
        purpose: &str,
        script: &str,
        variables: &[(&str, &str)],
        password: Option<&Secret>,
    ) -> anyhow::Result<()> {
        let mut command =
            self.session(environment).arg("--no-psqlrc").arg("--quiet").arg("--file=-");
        for (name, value) in variables {
            command = command.env(name, value);
        }
        if let Some(password) = password {
            command = command.secret_env("MASTER_PASSWORD", password);
        }
        command.purpose(purpose).stdin(script).run_quietly()?;
        Ok(())
    }

    fn session(&self, environment: &Environment) -> Command {
        environment
            .client("psql")
            .secret_env("PGPASSWORD", &environment.administrator_password)
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", settings::ADMINISTRATOR)
            .env("PGDATABASE", "postgres")
            .env("PGSSLMODE", "require")
            .arg("--set=ON_ERROR_STOP=1")
    }

    /// Whether its process is there.
    pub(super) fn is_running(&self) -> bool {
        self.process.identity().is_running()
    }

    /// Ends it, its clients' sessions included, and forgets it. Its files stay.
    pub(super) fn stop(mut self, environment: &Environment) -> anyhow::Result<Files> {
        let asked = environment
            .program("pg_ctl")
            .args(["stop", "--mode=fast", "--wait"])
            .arg(format!("--timeout={}", STOP.as_secs()))
            .arg(format!("--pgdata={}", self.files.data().display()))
            .purpose("stop a PostgreSQL server")
            .despite_interrupt()
            .run_quietly();
        // It may have ended by itself; what counts is that it is gone.
        if asked.is_err() || self.process.ended()?.is_none() {
            self.process.stop(STOP).context("failed to stop a PostgreSQL server")?;
        }
        environment.records.forget(self.process.identity())?;
        Ok(self.files)
    }
}

fn write_fixed_files(environment: &Environment, files: &Files, kind: Kind) -> anyhow::Result<()> {
    environment.write(&files.access(), settings::access(kind.force_tls).as_bytes())?;
    environment.write(&files.certificate(), environment.certificate.certificate_pem.as_bytes())?;
    environment.write(&files.key(), environment.certificate.key_pem.expose().as_bytes())?;
    if kind.primary.is_some() {
        let password = environment.administrator_password.expose();
        let line = format!("*:*:*:{}:{password}\n", settings::ADMINISTRATOR);
        environment.write(&files.password_file(), line.as_bytes())?;
        environment.write(&files.data().join("standby.signal"), b"")?;
    }
    Ok(())
}

fn wait_until_ready(
    environment: &Environment,
    port: u16,
    process: &mut Daemon,
) -> anyhow::Result<()> {
    let until = Instant::now() + START;
    let pause = Interrupt::new();
    while Instant::now() < until {
        if let Some(how) = process.ended()? {
            bail!("{how} before it accepted connections");
        }
        let probe = environment
            .client("pg_isready")
            .args(["--quiet", "--host=127.0.0.1", &format!("--port={port}"), "--timeout=1"])
            .allow_codes(&[0, 1, 2])
            .run_quietly()?;
        if probe.code == 0 {
            return Ok(());
        }
        pause.wait_timeout(PAUSE);
    }
    bail!("did not accept connections within {} s", START.as_secs())
}

fn free_port() -> anyhow::Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to find a free port")?;
    Ok(listener.local_addr().context("failed to find a free port")?.port())
}

impl Environment {
    /// A server's program, run as the servers' user.
    pub(super) fn program(&self, name: &str) -> Command {
        // A home of its own: that of the caller is closed to another user, and may hold settings.
        self.owner
            .run(self.processes.command(self.programs.join(name)))
            .cwd(&self.place)
            .environment([("HOME", self.place.to_string_lossy().as_ref())])
    }

    /// A client's program, run as whoever runs the sandbox.
    pub(super) fn client(&self, name: &str) -> Command {
        self.processes.command(self.programs.join(name))
    }

    /// Writes a file that only the servers' user may read.
    pub(super) fn write(&self, path: &Path, text: &[u8]) -> anyhow::Result<()> {
        crate::folder::write_private(path, text)?;
        self.owner.own(path)
    }

    /// Removes an instance's files.
    pub(super) fn remove(&self, files: &Files) -> anyhow::Result<()> {
        let folder = files.folder();
        fs::remove_dir_all(folder)
            .with_context(|| format!("failed to remove `{}`", folder.display()))
    }

    /// Copies a stopped server's data.
    pub(super) fn copy_data(&self, from: &Files, to: &Files) -> anyhow::Result<()> {
        self.owner
            .run(self.processes.command("cp"))
            .cwd(&self.place)
            .arg("-a")
            .arg(from.data())
            .arg(to.data())
            .purpose("copy the template of a database")
            .run_quietly()?;
        fs::set_permissions(to.data(), fs::Permissions::from_mode(0o700))
            .context("failed to protect the data")
    }
}
