//! The tools of `xtask-tools`, joined with our HTTP client, for stages and for checks alike.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use xtask_cloud::{Http, HttpConfig, Proxies};
use xtask_tools::{Processes, Surroundings};

use crate::report::Console;

/// The provider that Terraform is locked to (`terraform/.terraform.lock.hcl`).
const PROVIDER: (&str, &str) = ("hashicorp/aws", "5.100.0");

/// See the module. Clones share what was found.
#[derive(Debug, Clone)]
pub(crate) struct Toolbox {
    tools: Arc<xtask_tools::Toolbox>,
}

impl Toolbox {
    /// Installs what is missing below `target/tools/`, and says so on standard error.
    pub(crate) fn new(
        root: &Path,
        processes: &Processes,
        console: &Console,
    ) -> anyhow::Result<Self> {
        let download = Arc::new(Http::new(HttpConfig {
            proxies: Proxies::from_env()?,
            ..HttpConfig::default()
        })?);
        let console = console.clone();
        let tools =
            xtask_tools::Toolbox::new(root.join("target/tools"), processes.clone(), download)
                .saying(move |message| console.remark(message));
        Ok(Self { tools: Arc::new(tools) })
    }

    pub(crate) fn find(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.tools.ensure(name)?.path)
    }

    pub(crate) fn terraform_environment(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let (provider, version) = PROVIDER;
        let installation =
            self.tools.terraform_providers(provider, version, &Surroundings::of_this_process())?;
        Ok(installation.environment)
    }

    /// The same tools, for the checks.
    pub(crate) fn shared(&self) -> Arc<xtask_tools::Toolbox> {
        Arc::clone(&self.tools)
    }

    /// What was found of each tool; nothing is installed for it.
    pub(crate) fn doctor(&self) -> Vec<xtask_tools::Finding> {
        self.tools.doctor()
    }
}
