//! A job that GitHub cancels while Terraform makes something, and `--resume` after it.
//!
//! Not part of the test command: each type takes a sandbox of its own and minutes. By hand or at night:
//!
//!     XTASK_CANCEL_TYPES=aws_subnet,aws_nat_gateway XTASK_CANCEL_SEED=7 \
//!         cargo nextest run --workspace --run-ignored only -E 'test(cancelled)' --no-capture
//!
//! GitHub's cancel is SIGINT to the entry process alone, SIGTERM after 7.5 s, SIGKILL 2.5 s later, and
//! SIGKILL to whatever carries the mark of the job in its environment.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::sandbox::{Sandbox, tell};
use crate::harness::root;

/// The first types that a deployment makes, in the order in which it begins to.
const FIRST: [&str; 20] = [
    "aws_subnet",
    "terraform_data",
    "aws_iam_role",
    "aws_kms_key",
    "aws_eip",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_vpc",
    "aws_db_parameter_group",
    "aws_iam_role_policy_attachment",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_route_table",
    "aws_internet_gateway",
    "aws_nat_gateway",
];

#[test]
#[ignore = "takes minutes a type; see the module"]
fn a_deployment_cancelled_while_something_is_made_is_completed_by_resume() {
    let types = std::env::var("XTASK_CANCEL_TYPES").unwrap_or_else(|_| FIRST.join(","));
    let seed = std::env::var("XTASK_CANCEL_SEED").map_or(1_u64, |text| text.parse().unwrap());
    let mut unfinished = Vec::new();
    for (seed, kind) in (seed..).zip(types.split(',')) {
        if let Err(said) = cancelled(kind, seed) {
            tell(&format!("{kind}: NOT completed\n{said}"));
            unfinished.push(kind);
        }
    }
    assert!(unfinished.is_empty(), "--resume did not complete {unfinished:?} (seed {seed})");
}

/// Cancels one deployment; what was said when `--resume` was not done.
fn cancelled(kind: &str, seed: u64) -> Result<(), String> {
    let sandbox = Sandbox::new();
    // Outside of the job, so that the job's end does not take it along.
    sandbox.must("sandbox up");
    // A little later than the first word of it, and not always the same little.
    let delay = Duration::from_millis(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
    let begun = format!("{kind}.");
    cancel(&sandbox, delay, |line| line.contains(&begun) && line.contains(": Creating..."));
    let tainted = sandbox.terraform_state("dev").matches("\"status\": \"tainted\"").count();
    let resumed = sandbox.xtask("deploy dev --sandbox --resume").run();
    if resumed.code != 0 {
        return Err(format!("{}\n{}", resumed.out, resumed.error));
    }
    let left = sandbox.xtask("plan dev --sandbox").run();
    if !left.out.contains("No changes") {
        return Err(format!("something is left to do:\n{}\n{}", left.out, left.error));
    }
    tell(&format!("{kind}: cancelled after {delay:?} with {tainted} tainted, and completed"));
    Ok(())
}

fn cancel(sandbox: &Sandbox, delay: Duration, is_time: impl Fn(&str) -> bool) {
    let mark = format!("RUNNER_TRACKING_ID=xtask_{}", std::process::id());
    let (name, value) = mark.split_once('=').unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "plays GitHub's runner, which starts and stops it"
    )]
    let mut entry = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args("deploy dev --sandbox --only infrastructure --format json".split(' '))
        .env("XTASK_SANDBOX_DIR", &sandbox.folder)
        .env(name, value)
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = lines(&mut entry);
    let started = lines.iter().find(|line| is_time(line));
    assert!(started.is_some(), "it ended before it could be cancelled");
    let ended = |time| wait(&lines, time);
    ended(delay);
    let pid = Pid::from_child(&entry);
    for (signal, patience) in [(Signal::INT, 7500), (Signal::TERM, 2500), (Signal::KILL, 60_000)] {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
        if ended(Duration::from_millis(patience)) {
            break;
        }
    }
    entry.wait().unwrap();
    sweep(&mark);
}

/// What it prints, line by line; closed when it has ended.
fn lines(entry: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let output = BufReader::new(entry.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Waits so long; true as soon as the other end is closed.
fn wait(lines: &Receiver<String>, time: Duration) -> bool {
    let until = std::time::Instant::now() + time;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(std::time::Instant::now())) {
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => return true,
        }
    }
}

/// Kills whatever carries the mark.
fn sweep(mark: &str) {
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
