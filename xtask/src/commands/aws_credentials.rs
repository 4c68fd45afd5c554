//! `aws-credentials`: this run's credentials for its own children, see `credentials`.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::Context as _;
use xtask_cloud::{Cloud, CloudConfig};

use super::Session;
use crate::{cli::AwsCredentials, exit::Exit, report::UNWRITTEN};

pub(super) fn run(_: &Session, arguments: &AwsCredentials) -> anyhow::Result<Exit> {
    let cloud = Cloud::new(CloudConfig { region: arguments.region.clone(), env: BTreeMap::new() })?;
    // Printed because the caller, an AWS SDK, asked for it.
    writeln!(std::io::stdout().lock(), "{}", cloud.process_credentials()?.expose())
        .context(UNWRITTEN)?;
    Ok(Exit::Done)
}
