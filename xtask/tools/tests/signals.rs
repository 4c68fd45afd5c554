//! Real signals to a real runner. Each test starts this very test program again as the runner.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use xtask_tools::{Cause, CommandFailure, Daemon, Interrupt, Processes, Redactor};

/// Nothing that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often the scripts look for a file, every 20 ms. They have to end by themselves: a test that
/// is interrupted cannot end them.
const LOOKS: u32 = 9000;

/// Not a test of its own: the runner of the tests below. It runs the shell script `RUN_SCRIPT` and
/// then prints how that ended.
#[test]
fn runner() {
    let Some(script) = env::var_os("RUN_SCRIPT") else { return };
    let interrupt = Interrupt::on_signals().unwrap();
    let processes = Processes::new(Redactor::new(), interrupt.clone());
    let command = processes.command("sh").arg("-c").arg(script).timeout(Duration::from_secs(600));
    let failure = command.run(&mut |line| println!("child: {}", line.text)).unwrap_err();
    let failure: CommandFailure = failure.downcast().unwrap();
    let interrupted = matches!(failure.cause, Cause::Interrupted { started: true, killed: false });
    println!("runner: interrupted={interrupted} requests={}", interrupt.requests());
}

fn start_runner(folder: &Path, script: &str) -> Daemon {
    Processes::default()
        .command(env::current_exe().unwrap())
        .args(["--exact", "runner", "--nocapture"])
        .env("RUN_SCRIPT", script)
        .log_to(folder.join("log"))
        .spawn_daemon()
        .unwrap()
}

#[track_caller]
fn wait_for(mut condition: impl FnMut() -> bool) {
    let pause = Interrupt::new();
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "still not so");
        pause.wait_timeout(Duration::from_millis(10));
    }
}

/// How it ended, as soon as the system tells.
fn ended(daemon: &mut Daemon) -> String {
    let mut how = None;
    wait_for(|| {
        how = daemon.ended().unwrap();
        how.is_some()
    });
    how.unwrap()
}

/// To the runner alone, as a workflow's runner does it.
fn send(daemon: &Daemon, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_cancelled_job_interrupts_the_child_once_and_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let ticks = || log().matches("child: tick").count();
    let script = format!(
        "n=0; left={LOOKS}; trap 'n=$((n+1)); echo interrupted' INT; trap 'echo terminated' TERM; \
         echo ready; while [ ! -e {}/release ] && [ $left -gt 0 ]; do \
         left=$((left-1)); echo tick; sleep 0.02; done; echo interrupts=$n; exit 1",
        folder.path().display()
    );
    let mut runner = start_runner(folder.path(), &script);
    wait_for(|| log().contains("child: ready"));
    send(&runner, Signal::INT);
    wait_for(|| log().contains("child: interrupted"));
    let before = ticks();
    send(&runner, Signal::TERM);
    wait_for(|| ticks() > before + 10);
    send(&runner, Signal::INT);
    let before = ticks();
    wait_for(|| ticks() > before + 10);
    assert_eq!(runner.ended().unwrap(), None, "the runner waits for its child");
    fs::write(folder.path().join("release"), "").unwrap();
    let ended = ended(&mut runner);
    let log = log();
    assert!(log.contains("child: interrupts=1\n"), "{log}");
    assert!(!log.contains("terminated"), "{log}");
    assert!(log.contains("runner: interrupted=true requests=3\n"), "{log}");
    assert_eq!(ended, "ended with exit code 0");
}

#[test]
fn a_child_of_a_killed_runner_can_still_print_and_finish() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let script = format!(
        "cd {}; left={LOOKS}; echo ready; while [ ! -e killed ] && [ $left -gt 0 ]; do \
         left=$((left-1)); sleep 0.02; done; \
         seq 1 20000 && seq 1 20000 >&2 && echo saved > state",
        folder.path().display()
    );
    let mut runner = start_runner(folder.path(), &script);
    wait_for(|| fs::read_to_string(at("log")).unwrap_or_default().contains("child: ready"));
    send(&runner, Signal::KILL);
    assert_eq!(ended(&mut runner), "was ended by signal 9");
    fs::write(at("killed"), "").unwrap();
    wait_for(|| fs::read_to_string(at("state")).is_ok_and(|state| state == "saved\n"));
}
