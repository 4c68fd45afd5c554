//! `eks-token`: the login that kubectl, helm and our own client share; no AWS CLI is needed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use xtask_cloud::{Cloud, CloudConfig};

use super::Session;
use crate::{cli::EksToken, exit::Exit, report::UNWRITTEN};

pub(super) fn run(_: &Session, arguments: &EksToken) -> anyhow::Result<Exit> {
    use std::io::Write as _;
    let cloud = Cloud::new(CloudConfig { region: arguments.region.clone(), env: BTreeMap::new() })?;
    let credential = cloud.eks_token(&arguments.cluster)?;
    // Printed because the caller asked for it, and short-lived.
    writeln!(std::io::stdout().lock(), "{}", credential.to_json()?.expose()).context(UNWRITTEN)?;
    Ok(Exit::Done)
}
