//! The runner with small checks that meet, fail, break off and wait for each other.

use std::{
    io,
    sync::{Condvar, Mutex},
};

use super::*;
use crate::Lane;

const PASS: Check = Check {
    name: "pass",
    kind: Kind::Fast,
    lane: Lane::Computes,
    alone: &[],
    claim: "it holds",
    remedy: "none",
    run: |_| Ok(CheckOutcome::Passed("1 thing".to_owned())),
};
const FAIL: Check = Check {
    name: "fail",
    remedy: "mend it",
    run: |_| Ok(CheckOutcome::Failed("line one\nline two".to_owned())),
    ..PASS
};
const BREAK: Check = Check { name: "break", run: |_| bail!("no tool"), ..PASS };
const PANIC: Check = Check { name: "panic", run: |_| panic!("oops"), ..PASS };
const SLOW: Check = Check { name: "slow", kind: Kind::Slow, ..PASS };

/// Longer than any machine needs; only a broken runner waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A place where checks wait until enough of them are there.
struct Meeting {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    const fn new() -> Self {
        Self { arrived: Mutex::new(0), changed: Condvar::new() }
    }

    fn arrive(&self) {
        *self.arrived.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    fn wait_for(&self, enough: usize) {
        let arrived = self.arrived.lock().unwrap();
        let waited = self.changed.wait_timeout_while(arrived, PATIENCE, |count| *count < enough);
        assert!(!waited.unwrap().1.timed_out(), "the others did not come");
    }

    fn meet(&self, enough: usize) {
        self.arrive();
        self.wait_for(enough);
    }
}

fn run_all(checks: &[Check], selection: &Selection) -> (anyhow::Result<Tally>, String) {
    let folder = tempfile::tempdir().unwrap();
    let context = CheckContext::without_tools(folder.path());
    let mut out = Vec::new();
    let tally = run(&context, checks, selection, &mut out);
    (tally, String::from_utf8(out).unwrap())
}

#[test]
fn all_fast_checks_run_after_a_failure_and_slow_ones_wait() {
    let (tally, text) = run_all(&[SLOW, FAIL, BREAK, PASS], &Selection::default());
    assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 2, skipped: 1 });
    assert_eq!(text.lines().last(), Some("1 passed, 2 failed, 1 skipped"));
    assert!(text.contains("    line two\n    remedy: mend it\n"), "{text}");
    assert!(text.contains("    no tool\n"), "{text}");
    assert!(text.contains("[ 4/4] slow: it holds ... skipped: an earlier check failed"), "{text}");
    assert!(text.find("fail:") < text.find("slow:"), "fast ones first: {text}");
}

#[test]
fn keep_going_runs_the_slow_ones_too() {
    let selection = Selection { keep_going: true, ..Selection::default() };
    let (tally, _) = run_all(&[FAIL, SLOW], &selection);
    assert_eq!(tally.unwrap(), Tally { passed: 1, failed: 1, skipped: 0 });
}

#[test]
fn a_selection_picks_and_refuses_unknown_names() {
    let only = Selection { only: vec!["pass".to_owned()], ..Selection::default() };
    let (tally, _) = run_all(&[PASS, FAIL], &only);
    assert_eq!(tally.unwrap(), Tally { passed: 1, ..Tally::default() });
    let skip = Selection { skip: vec!["nothing".to_owned()], ..Selection::default() };
    let (tally, text) = run_all(&[PASS, FAIL], &skip);
    assert_eq!(
        tally.unwrap_err().to_string(),
        "there is no check `nothing`; there are: pass, fail"
    );
    assert_eq!(text, "");
}

#[test]
fn a_check_that_panics_is_a_failed_check_and_the_other_lane_goes_on() {
    static BOTH: Meeting = Meeting::new();
    let panics = |_: &CheckContext| {
        BOTH.meet(2);
        panic!("oops")
    };
    let passes = |context: &CheckContext| {
        BOTH.meet(2);
        (PASS.run)(context)
    };
    let other = Check { name: "other", lane: Lane::Waits, run: passes, ..PASS };
    let (tally, text) =
        run_all(&[Check { run: panics, ..PANIC }, other, PASS], &Selection::default());
    assert_eq!(tally.unwrap(), Tally { passed: 2, failed: 1, skipped: 0 }, "{text}");
    assert!(text.contains("    the check itself broke off\n"), "{text}");
}

/// Two failures at the same time: each is told whole, and in the order in which they ended.
#[test]
fn what_fails_side_by_side_is_told_one_after_the_other() {
    static BOTH: Meeting = Meeting::new();
    let lines = |word: &str| format!("{word}\n").repeat(100);
    let fails = |_: &CheckContext| {
        BOTH.meet(2);
        Ok(CheckOutcome::Failed("here\n".repeat(100)))
    };
    let breaks = |_: &CheckContext| {
        BOTH.meet(2);
        bail!("there\n".repeat(100))
    };
    let here = Check { run: fails, ..FAIL };
    let there = Check { name: "there", lane: Lane::Waits, run: breaks, ..FAIL };
    let (tally, text) = run_all(&[here, there, SLOW], &Selection::default());
    assert_eq!(tally.unwrap(), Tally { passed: 0, failed: 2, skipped: 1 });
    for word in ["here", "there"] {
        let whole = lines(&format!("    {word}")) + "    remedy: mend it\n";
        assert!(text.contains(&whole), "{text}");
    }
    assert!(text.contains("[ 1/3] ") && text.contains("[ 2/3] ") && text.contains("[ 3/3] slow:"));
}

#[test]
fn after_a_slow_failure_what_runs_ends_and_nothing_else_starts() {
    static BOTH: Meeting = Meeting::new();
    static TOLD: Meeting = Meeting::new();
    let fails = |_: &CheckContext| {
        BOTH.meet(2);
        Ok(CheckOutcome::Failed("no".to_owned()))
    };
    // Ends only after the failure was told, when the other lane is free.
    let goes_on = |context: &CheckContext| {
        BOTH.meet(2);
        TOLD.wait_for(1);
        (PASS.run)(context)
    };
    let first = Check { name: "first", run: fails, ..SLOW };
    let beside = Check { name: "beside", lane: Lane::Waits, run: goes_on, ..SLOW };
    let (tally, text) = run_watched(&[first, beside, SLOW], HEARTBEAT, |text| {
        if text.contains("remedy") {
            TOLD.arrive();
        }
    });
    assert_eq!(tally, Tally { passed: 1, failed: 1, skipped: 1 }, "{text}");
    assert!(text.find("first:") < text.find("beside:"), "{text}");
    assert!(text.find("beside:") < text.find("slow:"), "{text}");
}

#[test]
fn an_interrupt_ends_both_lanes_and_nothing_else_starts() {
    static BOTH: Meeting = Meeting::new();
    let asks = |context: &CheckContext| {
        BOTH.meet(2);
        context.processes.interrupt().request();
        bail!("it was interrupted")
    };
    let hears = |context: &CheckContext| {
        BOTH.meet(2);
        let heard = context.processes.interrupt().wait_timeout(PATIENCE);
        bail!("interrupted as well: {heard}")
    };
    let first = Check { name: "first", run: asks, ..PASS };
    let second = Check { name: "second", lane: Lane::Waits, run: hears, ..PASS };
    let selection = Selection { keep_going: true, ..Selection::default() };
    let (tally, text) = run_all(&[first, second, PASS, SLOW], &selection);
    assert_eq!(tally.unwrap(), Tally { passed: 0, failed: 2, skipped: 2 }, "{text}");
    assert!(text.contains("interrupted as well: true"), "{text}");
    assert!(text.contains("[ 4/4] slow: it holds ... skipped: you asked to stop"), "{text}");
}

#[test]
fn a_long_silence_names_what_runs() {
    static BOTH: Meeting = Meeting::new();
    static TOLD: Meeting = Meeting::new();
    let waits = |context: &CheckContext| {
        BOTH.meet(2);
        TOLD.wait_for(1);
        (PASS.run)(context)
    };
    let first = Check { name: "first", run: waits, ..PASS };
    let second = Check { name: "second", lane: Lane::Waits, run: waits, ..PASS };
    let (tally, text) = run_watched(&[first, second], Duration::from_millis(1), |text| {
        if text.contains("running: first (") && text.contains(" s), second (") {
            TOLD.arrive();
        }
    });
    assert_eq!(tally, Tally { passed: 2, ..Tally::default() });
    assert!(text.starts_with("        running: first ("), "{text}");
}

#[test]
fn one_at_a_time_keeps_the_order_of_the_table() {
    let other = Check { name: "other", lane: Lane::Waits, ..PASS };
    let slow = Check { lane: Lane::Waits, ..SLOW };
    let selection = Selection { one_at_a_time: true, ..Selection::default() };
    let (_, text) = run_all(&[slow, PASS, other], &selection);
    let told = text.lines().filter_map(|line| line.strip_prefix("[ ")?.split([' ', ':']).nth(1));
    let names: Vec<_> = told.collect();
    assert_eq!(names, ["pass", "other", "slow"], "{text}");
}

/// Runs checks while `watch` sees all that was written so far.
fn run_watched(checks: &[Check], heartbeat: Duration, watch: fn(&str)) -> (Tally, String) {
    struct Watched(Vec<u8>, fn(&str));
    impl Write for Watched {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            (self.1)(std::str::from_utf8(&self.0).unwrap());
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let context = CheckContext::without_tools(folder.path());
    let mut out = Watched(Vec::new(), watch);
    let tally =
        run_with_heartbeat(&context, checks, &Selection::default(), heartbeat, &mut out).unwrap();
    (tally, String::from_utf8(out.0).unwrap())
}
