//! Where a run happens: AWS, or stand-ins on this machine. The only seam between the two.
//!
//! Architecture invariant: no stage asks which platform it runs on. A platform is a set of
//! environment variables for child processes and clients, plus three addresses that any company
//! behind a proxy or with a chart mirror could set just as well.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;
use xtask_cloud::Proxies;

/// What children and clients are given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Platform {
    /// Journals, logs and generated files of the environments on this platform.
    pub(crate) files: PathBuf,
    /// Whether it consists of local stand-ins, so that a command line can be told to a person.
    is_sandbox: bool,
    /// Tells one sandbox from the next; empty on AWS.
    pub(crate) instance: String,
    /// Layered over the environment of this process.
    pub(crate) env: BTreeMap<String, String>,
    /// A Helm repository that holds the add-ons' charts in place of their own repositories.
    pub(crate) chart_mirror: Option<String>,
    /// Digests of the mirror's own archives by chart, where they are not those of the originals.
    pub(crate) chart_digests: BTreeMap<String, String>,
    /// The HTTP proxy through which the public address is reached, whatever the environment says.
    pub(crate) proxy: Option<String>,
    /// A certificate authority that clients trust beside the usual ones.
    pub(crate) extra_ca: Option<PathBuf>,
    /// What every summary has to say about this platform, such as what is simulated.
    pub(crate) notice: Option<String>,
}

/// The file in which a running sandbox says where its parts are (`xtask-sandbox` writes it).
#[derive(Debug, Deserialize)]
struct SandboxState {
    started_at: String,
    env: BTreeMap<String, String>,
    ca_file: PathBuf,
    gateway: String,
    chart_mirror: String,
    chart_digests: BTreeMap<String, String>,
}

impl Platform {
    /// AWS as this process sees it; company mirrors come from the environment.
    pub(crate) fn ambient(root: &Path) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            files: root.join("target/xtask/aws"),
            is_sandbox: false,
            instance: String::new(),
            env: BTreeMap::new(),
            chart_mirror: variable("XTASK_CHART_MIRROR"),
            chart_digests: BTreeMap::new(),
            proxy: None,
            extra_ca: variable("SSL_CERT_FILE").map(PathBuf::from),
            notice: None,
        }
    }

    /// The stand-ins that a sandbox's state file describes.
    pub(crate) fn from_sandbox_state(text: &str, folder: &Path) -> anyhow::Result<Self> {
        let state: SandboxState =
            serde_json::from_str(text).context("failed to read the sandbox's state")?;
        Ok(Self {
            files: sandbox_files(folder),
            is_sandbox: true,
            instance: state.started_at,
            env: state.env,
            chart_mirror: Some(state.chart_mirror),
            chart_digests: state.chart_digests,
            proxy: Some(state.gateway),
            extra_ca: Some(state.ca_file),
            notice: Some(
                "sandbox: AWS, the Kubernetes nodes, the add-ons with their charts and the Supabase images are \
                 simulated on this machine; Terraform, its AWS provider, Helm, our own charts, the API requests \
                 and the SQL are real"
                    .to_owned(),
            ),
        })
    }

    /// The sandbox in `folder`, whether it runs or not: for commands that only look at files.
    pub(crate) fn sandbox_at_rest(folder: &Path) -> Self {
        Self { files: sandbox_files(folder), is_sandbox: true, ..Self::default() }
    }

    /// How the public address and downloads are reached.
    ///
    /// # Errors
    /// When a variable such as HTTPS_PROXY holds no proxy's URL.
    pub(crate) fn proxies(&self) -> anyhow::Result<Proxies> {
        match &self.proxy {
            Some(proxy) => Proxies::always(proxy),
            None => Proxies::from_env(),
        }
    }

    /// Whether the values that this repository ships are right here as they are: nobody's account,
    /// network or mail is behind them.
    pub(crate) fn takes_shipped_values(&self) -> bool {
        self.is_sandbox
    }

    /// What a command has to say to work on this platform again.
    pub(crate) fn flags(&self) -> &'static str {
        if self.is_sandbox { " --sandbox" } else { "" }
    }
}

/// Beside the sandbox's own folder, which is emptied with the sandbox: a journal outlives it.
fn sandbox_files(folder: &Path) -> PathBuf {
    folder.with_file_name(format!(
        "{}-runs",
        folder.file_name().unwrap_or_default().to_string_lossy()
    ))
}
