//! The state file: what a client needs to use a running sandbox.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::folder::{Folder, write_private};

/// The version of the file's form.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) schema: u32,
    pub(crate) pid: u32,
    pub(crate) started_at: Timestamp,
    /// The environment of clients: endpoint, credentials and region.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) aws: String,
    pub(crate) kubernetes: String,
    /// The certificates (PEM) of all authorities in the sandbox.
    pub(crate) ca_file: PathBuf,
    pub(crate) gateway: String,
    pub(crate) chart_mirror: String,
    /// `sha256:...` of the mirror's archives by chart: they are stand-ins, so not the pinned ones.
    pub(crate) chart_digests: BTreeMap<String, String>,
    pub(crate) control: String,
}

impl State {
    /// Nothing when no sandbox is up, or when the file has another form (and is stale then).
    pub(crate) fn read(folder: &Folder) -> anyhow::Result<Option<Self>> {
        let path = folder.state_file();
        match fs::read(&path) {
            Ok(text) => {
                Ok(serde_json::from_slice(&text).ok().filter(|state: &Self| state.schema == SCHEMA))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("failed to read `{}`", path.display()))
            }
        }
    }

    pub(crate) fn write(&self, folder: &Folder) -> anyhow::Result<()> {
        write_private(&folder.state_file(), &serde_json::to_vec_pretty(self)?)
    }

    /// The parts by the names that `up` and `status` print.
    pub(crate) fn parts(&self) -> [(&'static str, &str); 5] {
        [
            ("aws", &self.aws),
            ("kubernetes", &self.kubernetes),
            ("gateway", &self.gateway),
            ("chart mirror", &self.chart_mirror),
            ("control", &self.control),
        ]
    }
}
