//! `fault`: lets something go wrong on purpose.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::print;
use crate::{
    control::{Client, FaultRequest},
    folder::Folder,
    state::State,
};

/// Which fault, and whether it begins or ends.
#[derive(Debug, Args)]
#[command(after_help = "Kinds:
  pod-crash <component>        containers of the component exit with code 1
  upgrade-crash <component>    the same for Pods of the next upgrade alone: what it replaces lives
  secret-missing <path's end>  the parameter is not found when secrets are synced
  load-balancer-never          load balancers get no host name
  throttle <service>           the AWS service refuses every call (ec2, eks, rds, s3, ssm, …)
  watch-drop                   the Kubernetes API ends every watch, once

Without a kind: the faults that are planted now.")]
pub(crate) struct Arguments {
    kind: Option<String>,
    target: Option<String>,
    /// Remove the fault; without a kind, all of them.
    #[arg(long)]
    clear: bool,
}

pub(crate) fn run(folder: &Folder, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let state = State::read(folder)?.context("no sandbox is up: start one with `up`")?;
    let client = Client::new(&state.control)?;
    let request = arguments.kind.as_ref().map(|kind| FaultRequest {
        fault: arguments
            .target
            .as_ref()
            .map_or_else(|| kind.clone(), |target| format!("{kind}:{target}")),
    });
    let planted = match (&request, arguments.clear) {
        (request, true) => client.remove(request.as_ref())?,
        (Some(request), false) => client.plant(request)?,
        (None, false) => client.report()?.faults,
    };
    let text = if planted.is_empty() {
        "no fault is planted\n".to_owned()
    } else {
        planted.join("\n") + "\n"
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
