//! How the parts are, asked just now.

use std::time::Duration;

use super::{Parts, charts::Mirror};
use crate::{
    control::{Database, Part, Report},
    state::State,
};

const TIMEOUT: Duration = Duration::from_secs(5);

impl Parts {
    pub(super) async fn report(&self) -> Report {
        let state = self.state();
        let mut parts = Vec::new();
        for (name, url) in state.iter().flat_map(State::parts) {
            let problem = self.probe(name, url).await.err().map(|error| format!("{error:#}"));
            parts.push(Part {
                name: name.to_owned(),
                url: url.to_owned(),
                healthy: problem.is_none(),
                problem,
            });
        }
        let databases = self.databases.list().into_iter().map(|it| Database {
            log: self.folder.log(&format!("database-{}", it.identifier)),
            identifier: it.identifier,
            address: it.address.address,
            port: it.address.port,
            running: it.running,
            replica_of: it.replica_of,
        });
        let clusters = self.clusters.list().into_iter().map(|(name, problem)| Part {
            url: state
                .as_ref()
                .map(|state| format!("{}/clusters/{name}", state.kubernetes))
                .unwrap_or_default(),
            name,
            healthy: problem.is_none(),
            problem,
        });
        Report {
            parts,
            clusters: clusters.collect(),
            databases: databases.collect(),
            faults: self.faults.list(self),
        }
    }

    /// Sees whether a part answers; what it says does not matter, except where it is known.
    async fn probe(&self, name: &str, url: &str) -> anyhow::Result<()> {
        match name {
            "aws" => {
                self.get(&self.http, &format!("{url}/sandbox/faults")).await?.error_for_status()?;
            }
            "chart mirror" => {
                self.get(&self.http, &format!("{url}/{}", Mirror::index()))
                    .await?
                    .error_for_status()?;
            }
            "kubernetes" => self.clusters.probe(&format!("{url}/healthz"), TIMEOUT).await?,
            // This very answer comes from there.
            "control" => {}
            _ => {
                self.get(&self.http, url).await?;
            }
        }
        Ok(())
    }

    async fn get(&self, http: &reqwest::Client, url: &str) -> reqwest::Result<reqwest::Response> {
        http.get(url).timeout(TIMEOUT).send().await
    }
}
