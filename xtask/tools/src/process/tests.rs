//! The wrapper against real children.

use std::{collections::BTreeMap, fs, path::Path, sync::mpsc, time::Duration};

use serde_json::Value;

use super::*;
use crate::Secret;

const CANARY: &str = "canary/7Yq+T0p&Secret";

fn shell(processes: &Processes, script: &str) -> Command {
    processes.command("sh").args(["-c", script])
}

fn failure(result: anyhow::Result<impl std::fmt::Debug>) -> CommandFailure {
    result.unwrap_err().downcast().unwrap()
}

#[test]
fn lines_come_as_they_are_printed_and_the_log_has_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("deep/down/apply.log");
    let script = "echo one; echo two >&2; printf three; exit 3";
    let command = shell(&Processes::default(), script).allow_codes(&[0, 3]).log_to(&log);
    let mut lines = Vec::new();
    let finished =
        command.run(&mut |line| lines.push((line.stream, line.text.to_owned()))).unwrap();
    assert_eq!(finished.code, 3);
    lines.sort_by_key(|(stream, _)| *stream == Stream::Error);
    let expected = [(Stream::Output, "one"), (Stream::Output, "three"), (Stream::Error, "two")];
    assert_eq!(lines, expected.map(|(stream, text)| (stream, text.to_owned())));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.starts_with("$ sh -c 'echo one; "), "{log}");
    for line in ["\none\n", "\ntwo\n", "\nthree\n", "\n-> exit status: 3 after "] {
        assert!(log.contains(line), "{line:?} is missing in {log}");
    }
}

#[test]
fn a_failure_is_one_sentence_with_purpose_line_reason_and_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let script = "echo fine; echo 'Error: no such bucket' >&2; echo 'see above' >&2; exit 7";
    let command = shell(&Processes::default(), script).purpose("read the state").log_to(&log);
    let failure = failure(command.run_quietly());
    assert_eq!(failure.cause, Cause::Code(7));
    let line = command.line();
    let expected = format!(
        "failed to read the state: `{line}` ended with exit code 7: Error: no such bucket (log: {})",
        log.display()
    );
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn a_child_holds_the_file_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lock");
    let file = std::sync::Arc::new(fs::File::create(&path).unwrap());
    shell(&Processes::default(), "echo held >&0").holding(&file).run_quietly().unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "held\n");
}

#[test]
fn a_missing_program_is_named() {
    let failure = failure(Processes::default().command("no-such-program").arg("x").run_quietly());
    assert_eq!(failure.cause, Cause::NotFound);
    assert_eq!(failure.to_string(), "the program of `no-such-program x` was not found");
}

#[test]
fn captured_output_is_data_and_stays_out_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let processes = Processes::default();
    let command = shell(&processes, r#"echo '{"a": [1, 2]}'; echo warned >&2"#).log_to(&log);
    assert_eq!(command.json::<Value>().unwrap(), serde_json::json!({"a": [1, 2]}));
    let logged = fs::read_to_string(log).unwrap();
    assert!(logged.contains("\nwarned\n") && !logged.contains("\n{\"a\""), "{logged}");
    let failure = failure(shell(&processes, "echo canary").json::<Value>());
    let text = failure.to_string();
    assert!(text.ends_with("is unreadable: not the expected JSON at line 1"), "{text}");
}

#[test]
fn much_output_arrives_complete() {
    let text = shell(&Processes::default(), "seq 1 200000").output().unwrap();
    assert_eq!(text.lines().count(), 200_000);
    assert!(text.ends_with("200000\n"));
}

#[test]
fn standard_input_environment_and_folder_reach_the_child() {
    let folder = tempfile::tempdir().unwrap();
    let layer = BTreeMap::from([
        ("LAYER".to_owned(), "low".to_owned()),
        ("BOTH".to_owned(), "low".to_owned()),
    ]);
    let script = r#"cat; echo "$LAYER $BOTH ${HOME:-gone} $(pwd -P)""#;
    let command = shell(&Processes::default(), script)
        .env("BOTH", "high")
        .environment(&layer)
        .env_remove("HOME")
        .cwd(folder.path())
        .stdin("given\n");
    let real = fs::canonicalize(folder.path()).unwrap();
    assert_eq!(command.output().unwrap(), format!("given\nlow high gone {}\n", real.display()));
    assert!(
        command.line().starts_with(&format!("(cd {} && BOTH=high sh -c ", folder.path().display()))
    );
    assert_eq!(
        shell(&Processes::default(), "cat").output().unwrap(),
        "",
        "nothing is read otherwise"
    );
}

#[test]
fn a_canary_is_in_no_log_error_line_or_callback() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let encode = r#"printf %s "$TOKEN" | base64; echo "Error: $TOKEN is wrong" >&2; exit 1"#;
    let script = format!("echo \"token $TOKEN\"; {encode}");
    let command = shell(&Processes::default(), &script)
        .secret_env("TOKEN", &Secret::new(CANARY))
        .purpose("sing")
        .log_to(&log);
    let mut seen = String::new();
    let failure = failure(command.run(&mut |line| seen.push_str(line.text)));
    let shown = [
        seen,
        fs::read_to_string(log).unwrap(),
        format!("{failure} {failure:?} {:?}", failure.tail),
        format!("{command} {command:?}"),
    ];
    for text in &shown {
        assert!(!text.contains(CANARY) && !text.contains("Y2FuYXJ5LzdZc"), "{text}");
    }
    assert!(shown[0].contains("token <secret>"));
    assert!(shown[2].contains("Error: <secret> is wrong"));
    assert!(shown[3].starts_with("TOKEN=\"$TOKEN\" sh -c "), "{}", shown[3]);
}

#[test]
fn an_argument_with_a_secret_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("started");
    let processes = Processes::default();
    processes.redactor().register(&Secret::new(CANARY)).unwrap();
    let command = processes.command("touch").arg(&marker).arg(format!("--reference={CANARY}"));
    let failure = failure(command.run_quietly());
    assert_eq!(failure.cause, Cause::SecretArgument(2));
    assert!(!failure.to_string().contains(CANARY));
    assert!(failure.to_string().ends_with("holds a secret, so it was not started"), "{failure}");
    assert!(!marker.exists());
    // A secret of this very command counts, too, and so does the start of a daemon.
    let own = processes.command("touch").arg("abcdefgh").secret_env("X", &Secret::new("abcdefgh"));
    assert!(own.run_quietly().is_err() && own.spawn_daemon().is_err());
}

#[test]
fn after_a_stop_was_asked_for_only_what_must_be_done_is_started() {
    let processes = Processes::default();
    processes.interrupt().request();
    let failure = failure(shell(&processes, "true").run_quietly());
    assert_eq!(failure.cause, Cause::Interrupted { started: false, killed: false });
    assert!(failure.is_interrupted());
    let script = "kill -0 $$ && echo undisturbed";
    assert_eq!(shell(&processes, script).despite_interrupt().output().unwrap(), "undisturbed\n");
}

#[test]
fn a_child_gets_one_interrupt_however_often_a_stop_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    let script = format!(
        "n=0; trap 'n=$((n+1)); echo interrupted' INT; echo ready; \
         while [ ! -e {} ]; do echo tick; sleep 0.02; done; echo interrupts=$n; exit 1",
        release.display()
    );
    let processes = Processes::default();
    let command = shell(&processes, &script).timeout(Duration::from_secs(600));
    let (sender, lines) = mpsc::channel();
    let run = std::thread::spawn(move || {
        command.run(&mut |line| sender.send(line.text.to_owned()).unwrap_or_default())
    });
    let wait_for = |text: &str| lines.iter().find(|line| line == text).expect(text);
    wait_for("ready");
    processes.interrupt().request();
    wait_for("interrupted");
    processes.interrupt().request();
    processes.interrupt().request();
    // Each tick was passed on by a look at the child that came after the further requests.
    (0..10).for_each(|_| drop(wait_for("tick")));
    fs::write(&release, "").unwrap();
    let last = lines.iter().last().unwrap();
    assert_eq!(last, "interrupts=1");
    let failure = failure(run.join().unwrap());
    assert_eq!(failure.cause, Cause::Interrupted { started: true, killed: false });
}

#[test]
fn a_child_that_ignores_the_interrupt_at_its_deadline_is_killed_after_the_grace_time() {
    // A machine under load may need long until the child ignores the signal: then give it longer.
    for timeout in [200, 1000, 5000, 60_000] {
        let script = "trap '' INT; echo ready; while :; do sleep 0.05; done";
        let command = shell(&Processes::default(), script)
            .timeout(Duration::from_millis(timeout))
            .grace(Duration::from_millis(100));
        let failure = failure(command.run_quietly());
        if failure.tail != ["ready"] {
            continue;
        }
        assert!(matches!(failure.cause, Cause::Deadline { killed: true, .. }), "{failure}");
        let text = failure.to_string();
        assert!(text.contains("did not end when it was interrupted at its deadline"), "{text}");
        return;
    }
    panic!("the child was never ready");
}

#[test]
fn a_child_at_its_deadline_may_still_end_well() {
    for timeout in [200, 1000, 5000, 60_000] {
        let script = "trap 'echo saved; exit 1' INT; echo ready; while :; do sleep 0.05; done";
        let command = shell(&Processes::default(), script).timeout(Duration::from_millis(timeout));
        let failure = failure(command.run_quietly());
        if failure.tail.first().map(String::as_str) != Some("ready") {
            continue;
        }
        assert_eq!(failure.tail.last().unwrap(), "saved");
        assert!(matches!(failure.cause, Cause::Deadline { killed: false, .. }), "{failure}");
        return;
    }
    panic!("the child was never ready");
}

#[test]
fn a_daemon_has_a_session_of_its_own_and_can_be_recognised_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("daemon.log");
    let script = "ps -o sid= -p $$; echo up; while :; do sleep 0.05; done";
    let mut daemon = shell(&Processes::default(), script).log_to(&log).spawn_daemon().unwrap();
    let identity = daemon.identity().clone();
    assert!(identity.is_running());
    assert!(!ProcessIdentity { started: "0".to_owned(), ..identity.clone() }.is_running());
    let text = wait_for_text(&log, "up\n");
    if Path::new("/proc/self/stat").exists() {
        assert_eq!(text.split_whitespace().next().unwrap(), identity.pid.to_string());
    }
    assert_eq!(daemon.ended().unwrap(), None);
    daemon.stop(Duration::from_secs(60)).unwrap();
    assert!(!identity.is_running());
    assert_eq!(daemon.ended().unwrap().unwrap(), "was ended by signal 15");
    assert!(!identity.stop(Duration::ZERO), "it no longer runs");
}

fn wait_for_text(file: &Path, text: &str) -> String {
    let pause = Interrupt::new();
    loop {
        let content = fs::read_to_string(file).unwrap_or_default();
        if content.contains(text) {
            return content;
        }
        pause.wait_timeout(Duration::from_millis(10));
    }
}

/// GitHub's runner kills all that carry its mark when a job is cancelled.
#[test]
fn a_child_does_not_carry_the_mark_of_a_job() {
    let script = "printf '%s' \"${RUNNER_TRACKING_ID-none} ${OTHER-none}\"";
    let command = shell(&Processes::default(), script)
        .env("RUNNER_TRACKING_ID", "github_1")
        .env("OTHER", "kept");
    assert_eq!(command.output().unwrap(), "none kept");
}

#[test]
fn what_the_caller_read_in_the_output_is_the_reason() {
    let mut failure =
        failure(shell(&Processes::default(), "echo 'Error: no'; exit 1").run_quietly());
    assert_eq!(failure.reason(), Some("Error: no"));
    failure.said = Some("dev.tfvars:3: no such region".to_owned());
    assert!(
        failure.to_string().ends_with("exit code 1: dev.tfvars:3: no such region"),
        "{failure}"
    );
}
