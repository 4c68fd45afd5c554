//! Moto, the AWS stand-in, as a child process.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use xtask_tools::{Daemon, Interrupt, Processes};

use crate::{
    folder::{Folder, create_private},
    records::Records,
};

/// The launcher; part of this binary, so that it fits it.
static LAUNCHER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/aws/sandbox_aws");

/// Moto imports a good part of botocore; a busy machine takes its time.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(25);

/// A running Moto.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(crate) endpoint: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    process: Daemon,
}

/// What the launcher writes when it listens.
#[derive(Deserialize)]
struct Ready {
    port: u16,
    access_key_id: String,
    secret_access_key: String,
}

impl Aws {
    /// Returns when it listens. It ends by itself when this process does.
    pub(crate) fn start(
        folder: &Folder,
        python: &Path,
        control: &str,
        processes: &Processes,
        records: &Records,
    ) -> anyhow::Result<Self> {
        let place = folder.join("aws");
        let package = place.join("sandbox_aws");
        create_private(&package)?;
        extract(&LAUNCHER, &package)?;
        let ready = place.join("ready.json");
        let log = folder.log("aws");
        let mut process = processes
            .command(python)
            .args(["-m", "sandbox_aws"])
            .env("PYTHONPATH", &place)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SANDBOX_CONTROL_URL", control)
            .env("SANDBOX_READY_FILE", &ready)
            .env("SANDBOX_SUPERVISOR_PID", std::process::id().to_string())
            // A proxy or a real endpoint of the caller's shell is not for Moto's own clients.
            .env_remove("AWS_ENDPOINT_URL")
            .cwd(&place)
            .purpose("start the sandbox's AWS")
            .log_to(&log)
            .spawn_daemon()?;
        records.add("aws", process.identity())?;
        let until = Instant::now() + START;
        let pause = Interrupt::new();
        loop {
            if let Ok(text) = fs::read(&ready) {
                let Ready { port, access_key_id, secret_access_key } =
                    serde_json::from_slice(&text)
                        .with_context(|| format!("failed to read `{}`", ready.display()))?;
                let endpoint = format!("http://127.0.0.1:{port}");
                return Ok(Self { endpoint, access_key_id, secret_access_key, process });
            }
            if let Some(how) = process.ended()? {
                bail!("the sandbox's AWS {how} before it listened; its log is `{}`", log.display());
            }
            if Instant::now() > until {
                process.stop(STOP)?;
                bail!(
                    "the sandbox's AWS did not listen within {} s; its log is `{}`",
                    START.as_secs(),
                    log.display()
                );
            }
            pause.wait_timeout(PAUSE);
        }
    }

    /// How it ended, or nothing while it runs.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<String>> {
        self.process.ended().context("failed to ask for the sandbox's AWS")
    }

    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.process.stop(STOP).context("failed to stop the sandbox's AWS")
    }
}

/// Writes the Python files of a folder, and of those in it. (Byte code beside them is not ours.)
fn extract(from: &Dir<'_>, to: &Path) -> anyhow::Result<()> {
    let failed = |path: &Path| format!("failed to write `{}`", path.display());
    for file in from.files().filter(|file| file.path().extension().is_some_and(|it| it == "py")) {
        let path = to.join(file.path());
        fs::write(&path, file.contents()).with_context(|| failed(&path))?;
    }
    for folder in from.dirs() {
        create_private(&to.join(folder.path()))?;
        extract(folder, to)?;
    }
    Ok(())
}
