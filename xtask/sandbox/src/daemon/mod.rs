//! The daemon: starts the parts, watches over them, and ends them.

mod authenticator;
mod authority;
mod aws;
mod charts;
mod clusters;
mod control;
mod faults;
mod report;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio::{net::TcpListener, runtime::Runtime};
use xtask_tools::{Interrupt, Processes, Redactor};

pub(crate) use self::authority::{Authority, ServerCertificate};
use self::{aws::Aws, charts::Mirror, clusters::Clusters, faults::Faults};
use crate::{
    control::loopback_client,
    databases::Databases,
    folder::{Folder, write_private},
    records::Records,
    state::{SCHEMA, State},
    tools::Tools,
};

/// How often the children are looked at.
const WATCH: Duration = Duration::from_millis(500);
/// Threads of the runtime: the sandbox shares a small machine with what it serves.
const THREADS: usize = 2;
/// The region of clients that name none.
const REGION: &str = "eu-west-1";

/// What the control endpoint needs of the parts.
#[derive(Debug)]
struct Parts {
    http: reqwest::Client,
    /// Set once AWS listens: it is told the control endpoint's address when it starts.
    state: Mutex<Option<State>>,
    clusters: Clusters,
    databases: Databases,
    charts: Mirror,
    faults: Faults,
    folder: Folder,
}

impl Parts {
    fn state(&self) -> Option<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs until SIGINT or SIGTERM, or until a part fails. `ready` is called once, with what clients need.
pub(crate) fn run(
    folder: &Folder,
    tools: &Path,
    gateway_port: u16,
    ready: impl FnOnce(&State) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let interrupt = Interrupt::on_signals()?;
    // The children are ended by the daemon, one by one, and not by a signal that it passes on.
    let processes = Processes::new(Redactor::default(), Interrupt::new());
    let records = Records::start(folder)?;
    let tools = Tools::ensure(folder, tools, &processes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("failed to start the daemon's runtime")?;
    let start =
        Start { folder, tools: &tools, processes: &processes, records: &records, gateway_port };
    let result = start.run(&runtime, &interrupt, ready);
    runtime.shutdown_timeout(Duration::from_secs(2));
    // After a failure the logs are all that tells why; the next `up` or `down` removes them.
    result.and_then(|()| records.remove_folders(folder))
}

/// What the parts are started with.
struct Start<'a> {
    folder: &'a Folder,
    tools: &'a Tools,
    processes: &'a Processes,
    records: &'a Records,
    gateway_port: u16,
}

impl Start<'_> {
    fn run(
        &self,
        runtime: &Runtime,
        interrupt: &Interrupt,
        ready: impl FnOnce(&State) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let authority = Authority::new()?;
        let databases = Databases::new(
            self.folder,
            &self.tools.postgres,
            self.processes.clone(),
            self.records.clone(),
            authority.issue()?,
        )?;
        let result = self.serve(runtime, interrupt, &authority, &databases, ready);
        // Also after a failure: a database that goes on would be nobody's.
        let stopped = databases.stop_all();
        result.and(stopped)
    }

    fn serve(
        &self,
        runtime: &Runtime,
        interrupt: &Interrupt,
        authority: &Authority,
        databases: &Databases,
        ready: impl FnOnce(&State) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let http = loopback_client(None)?;
        let control = runtime.block_on(listen(0)).context("failed to open the control endpoint")?;
        let gateway =
            runtime.block_on(listen(self.gateway_port)).context("failed to open the gateway")?;
        let control_url = format!("http://{}", control.local_addr()?);
        let clusters = Clusters::new(self.folder, &self.tools.postgres);
        let parts = Arc::new(Parts {
            http: http.clone(),
            state: Mutex::default(),
            clusters,
            databases: databases.clone(),
            charts: Mirror::package()?,
            faults: Faults::default(),
            folder: self.folder.clone(),
        });
        runtime.spawn(control::serve(control, parts.clone()));
        let warming = databases.clone();
        runtime.spawn_blocking(move || {
            if let Err(error) = warming.warm_up() {
                // The first database will fail with the same reason, where somebody waits for it.
                let _ = writeln!(io::stderr(), "failed to prepare the databases: {error:#}");
            }
        });
        let mut aws = Aws::start(
            self.folder,
            &self.tools.python,
            &control_url,
            self.processes,
            self.records,
        )?;
        let clusters = runtime.block_on(parts.clusters.start(http, &aws, authority, gateway));
        let result = clusters.and_then(|clusters| {
            let ca_file = self.folder.join("ca.pem");
            let authorities = format!("{}{}", authority.certificate_pem(), clusters.authority);
            write_private(&ca_file, authorities.as_bytes())?;
            let state = State {
                schema: SCHEMA,
                pid: std::process::id(),
                started_at: Timestamp::now(),
                env: environment(&aws),
                aws: aws.endpoint.clone(),
                kubernetes: clusters.kubernetes,
                ca_file,
                gateway: clusters.gateway,
                chart_mirror: format!("{control_url}/charts"),
                chart_digests: parts.charts.digests().clone(),
                control: control_url.clone(),
            };
            *parts.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.clone());
            state.write(self.folder)?;
            ready(&state)?;
            watch(interrupt, &mut aws, &parts)
        });
        // First of all, so that nobody takes the ending sandbox for a running one.
        let _ = fs::remove_file(self.folder.state_file());
        parts.clusters.stop(runtime);
        let stopped = aws.stop();
        result.and(stopped)
    }
}

/// Waits for the wish to stop, or for the end of a part that the others cannot do without.
fn watch(interrupt: &Interrupt, aws: &mut Aws, parts: &Parts) -> anyhow::Result<()> {
    while !interrupt.wait_timeout(WATCH) {
        if let Some(how) = aws.ended()? {
            bail!(
                "the sandbox's AWS {how}, and its state with it; its log is `{}`",
                parts.folder.log("aws").display()
            );
        }
        if let Some(how) = parts.clusters.ended() {
            bail!("{how}");
        }
        if !parts.folder.state_file().exists() {
            bail!("the state folder was removed under the running sandbox");
        }
    }
    Ok(())
}

/// The environment of clients. The endpoint is an address, not a name: S3 would get host names of its
/// own (`bucket.localhost`), which nobody resolves.
fn environment(aws: &Aws) -> BTreeMap<String, String> {
    [
        ("AWS_ENDPOINT_URL", aws.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", &aws.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &aws.secret_access_key),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Listens on loopback. Port 0 picks a free one.
async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!(
                "port {port} is in use: end the program that has it, or choose another with --gateway-port"
            )
        }
        other => other.context("failed to listen on loopback"),
    }
}
