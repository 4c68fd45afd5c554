//! A job that GitHub cancels while Terraform makes something, and `--resume` after it.
//!
//! Not part of the test command: each type takes a sandbox of its own and minutes. By hand or at night:
//!
//!     XTASK_CANCEL_TYPES=aws_subnet,aws_nat_gateway XTASK_CANCEL_SEED=7 XTASK_CANCEL_AT_ONCE=2 \
//!         cargo nextest run --workspace --run-ignored only -E 'test(cancelled)' --no-capture
//!
//! GitHub's cancel is SIGINT to the entry process alone, SIGTERM after 7.5 s, SIGKILL 2.5 s later, and
//! SIGKILL to whatever carries the mark of the job in its environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{
    leftovers::holdings,
    sandbox::{Sandbox, tell},
};
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

/// Sandboxes at the same time: an apply waits most of its time.
const AT_ONCE: usize = 2;

/// Lists of what AWS holds and the types that make it, with the attribute by which a list names it.
const MADE: [(&str, &[(&str, &str)]); 19] = [
    ("budgets describe_budgets", &[("aws_budgets_budget", "name")]),
    ("ec2 describe_addresses", &[("aws_eip", "id")]),
    ("ec2 describe_flow_logs", &[("aws_flow_log", "id")]),
    ("ec2 describe_internet_gateways", &[("aws_internet_gateway", "id")]),
    ("ec2 describe_launch_templates", &[("aws_launch_template", "name")]),
    ("ec2 describe_nat_gateways", &[("aws_nat_gateway", "id")]),
    // A network has one of its own.
    ("ec2 describe_route_tables", &[("aws_route_table", "id"), ("aws_vpc", "main_route_table_id")]),
    (
        "ec2 describe_security_groups",
        &[
            ("aws_security_group", "id"),
            ("aws_default_security_group", "id"),
            // That of the cluster is EKS's own.
            ("aws_eks_cluster", "vpc_config.0.cluster_security_group_id"),
        ],
    ),
    ("ec2 describe_subnets", &[("aws_subnet", "id")]),
    ("ec2 describe_vpc_endpoints", &[("aws_vpc_endpoint", "id")]),
    ("ec2 describe_vpcs", &[("aws_vpc", "id")]),
    ("iam list_open_id_connect_providers", &[("aws_iam_openid_connect_provider", "arn")]),
    ("iam list_roles", &[("aws_iam_role", "name")]),
    ("kms list_aliases", &[("aws_kms_alias", "name")]),
    ("kms list_keys", &[("aws_kms_key", "key_id")]),
    ("logs describe_log_groups", &[("aws_cloudwatch_log_group", "name")]),
    ("rds describe_db_parameter_groups", &[("aws_db_parameter_group", "name")]),
    ("rds describe_db_subnet_groups", &[("aws_db_subnet_group", "name")]),
    ("sns list_topics", &[("aws_sns_topic", "arn")]),
];

#[test]
#[ignore = "takes minutes a type; see the module"]
fn a_deployment_cancelled_while_something_is_made_is_completed_by_resume() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let types = std::env::var("XTASK_CANCEL_TYPES").unwrap_or_else(|_| FIRST.join(","));
    let seed = number("XTASK_CANCEL_SEED", 1);
    let at_once = usize::try_from(number("XTASK_CANCEL_AT_ONCE", AT_ONCE as u64)).unwrap();
    let waiting = Mutex::new((seed..).zip(types.split(',')));
    let unfinished = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap().next();
    std::thread::scope(|scope| {
        for slot in 0..at_once {
            let (next, unfinished) = (&next, &unfinished);
            scope.spawn(move || {
                while let Some((seed, kind)) = next() {
                    if let Err(said) = cancelled(slot, kind, seed) {
                        tell(&format!("{kind}: NOT completed (seed {seed})\n{said}"));
                        unfinished.lock().unwrap().push(kind);
                    }
                }
            });
        }
    });
    let unfinished = unfinished.into_inner().unwrap();
    assert!(unfinished.is_empty(), "--resume did not complete {unfinished:?}");
}

/// Cancels one deployment; what was said when `--resume` was not done.
fn cancelled(slot: usize, kind: &str, seed: u64) -> Result<(), String> {
    let sandbox = Sandbox::called(&format!("c{slot}"));
    // Outside of the job, so that the job's end does not take it along.
    sandbox.must("sandbox up");
    let before = holdings(&sandbox);
    // A little later than the first word of it, and not always the same little.
    let delay = Duration::from_millis(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
    let begun = format!("{kind}.");
    cancel(&sandbox, delay, |line| line.contains(&begun) && line.contains(": Creating..."))?;
    let tainted = sandbox.terraform_state("dev").matches("\"status\": \"tainted\"").count();
    let begun = Instant::now();
    let resumed = sandbox.xtask("deploy dev --sandbox --resume").run();
    let seconds = begun.elapsed().as_secs();
    if resumed.code != 0 {
        return Err(format!("{}\n{}", resumed.out, resumed.error));
    }
    let left = sandbox.xtask("plan dev --sandbox").run();
    if !left.out.contains("No changes") {
        return Err(format!("something is left to do:\n{}\n{}", left.out, left.error));
    }
    let guests =
        sandbox.cloud().guests(&[("Project", "supabase"), ("Environment", "dev")]).unwrap();
    let guests: BTreeSet<String> =
        guests.endpoints.into_iter().chain(guests.security_groups).collect();
    let after =
        holdings(&sandbox).into_iter().filter(|one| !guests.iter().any(|it| one.ends_with(it)));
    nothing_twice(&before, &after.collect(), &sandbox.terraform_state("dev"))?;
    let adopted = resumed.out.matches("taken over as").count();
    tell(&format!(
        "{kind}: cancelled after {delay:?}, {tainted} tainted, {adopted} taken over, completed in {seconds} s"
    ));
    Ok(())
}

/// Whether AWS holds of each type what the state holds, and none beside: what GuardDuty put there is
/// not among it.
fn nothing_twice(
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    state: &str,
) -> Result<(), String> {
    let state: Value = serde_json::from_str(state).unwrap();
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (list, types) in MADE {
        let names = types.iter().flat_map(|(kind, attribute)| attributes(&state, kind, attribute));
        known.insert(list, names.collect());
    }
    let mut wrong = Vec::new();
    for (list, known) in known {
        assert!(!known.is_empty(), "the state has nothing of {list}");
        let has: BTreeSet<String> = after
            .difference(before)
            .filter_map(|one| one.strip_prefix(list)?.strip_prefix(": ").map(str::to_owned))
            .collect();
        if has != known {
            wrong.push(format!("{list}: AWS has {has:?}, the state has {known:?}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// An attribute (a path with dots) of every resource of a type.
fn attributes(state: &Value, kind: &str, attribute: &str) -> Vec<String> {
    let pointer = format!("/attributes/{}", attribute.replace('.', "/"));
    let resources = state["resources"].as_array().unwrap().iter();
    resources
        .filter(|resource| resource["type"] == kind && resource["mode"] == "managed")
        .flat_map(|resource| resource["instances"].as_array().unwrap())
        .filter_map(|instance| instance.pointer(&pointer)?.as_str().map(str::to_owned))
        .collect()
}

fn cancel(
    sandbox: &Sandbox,
    delay: Duration,
    is_time: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let slot = sandbox.folder.file_name().unwrap().to_str().unwrap();
    let mark = format!("RUNNER_TRACKING_ID=xtask_{}_{slot}", std::process::id());
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
    if started.is_none() {
        entry.wait().unwrap();
        return Err("it ended before it could be cancelled".to_owned());
    }
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
    Ok(())
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
    let until = Instant::now() + time;
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
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
