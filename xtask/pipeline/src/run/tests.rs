//! Whole runs with fake stages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    Effect, Failure, Interrupted, Never, Operation, Outcome, Output, Selection, Silent, StepResult,
    Table,
    fake::{Fake, World, stage, table},
};

/// A folder for the journal, and the runs in it.
struct Bench {
    folder: tempfile::TempDir,
    world: World,
    /// What stages are made from, where it is not the same as ever.
    inputs: Mutex<BTreeMap<String, String>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            world: World::default(),
            inputs: Mutex::default(),
        }
    }

    fn journal(&self) -> Journal {
        Journal::at(self.folder.path().join("runs"))
            .redacting(|text| text.replace("canary", "<secret>"))
    }

    fn run(&self, table: &Table<World>, selection: &Selection) -> RunReport {
        let plan = Plan::deploy(table, selection, "dev", &self.world).unwrap();
        self.carry_out(&plan, &Silent, &Never, None).unwrap()
    }

    fn all(&self, table: &Table<World>) -> RunReport {
        self.run(table, &Selection::default())
    }

    fn resume(&self, table: &Table<World>) -> RunReport {
        let record = self.journal().resumable("dev", Operation::Deploy).unwrap();
        let plan = Plan::deploy(table, &record.selection(), "dev", &self.world).unwrap();
        self.carry_out(&plan, &Silent, &Never, Some(&record)).unwrap()
    }

    fn carry_out(
        &self,
        plan: &Plan<World>,
        reporter: &dyn Reporter,
        interruption: &dyn Interruption,
        resume: Option<&RunRecord>,
    ) -> anyhow::Result<RunReport> {
        let options = RunOptions {
            journal: &self.journal(),
            reporter,
            interruption,
            resume,
            inputs: &|stage| {
                self.inputs.lock().unwrap().get(stage).cloned().or(Some("same".into()))
            },
            resume_command: "xtask deploy dev --resume",
            stage_command: &|stage| format!("xtask stage {stage} dev"),
        };
        run(plan, &self.world, &options)
    }

    /// What was done since the last call.
    fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.world.done.lock().unwrap())
    }

    fn journal_text(&self) -> String {
        let files = fs::read_dir(self.folder.path().join("runs")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

fn states(report: &RunReport) -> Vec<StageState> {
    report.stages.iter().map(|stage| stage.state).collect()
}

fn changed() -> anyhow::Result<Outcome> {
    Ok(Outcome::Changed("done".to_owned()))
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

impl Output for Bucket {
    const STAGE: &'static str = "storage";
}

fn publishes(name: &'static str) -> Fake {
    stage("storage", &[]).step("make", Effect::Write, move |_, run| {
        run.publish(&Bucket { name: name.to_owned() })?;
        changed()
    })
}

fn uses() -> Fake {
    stage("web", &["storage"]).step("use", Effect::Read, |world, run| {
        let bucket: Bucket = run.output()?;
        world.done.lock().unwrap().push(format!("uses {}", bucket.name));
        Ok(Outcome::Unchanged("used".to_owned()))
    })
}

#[test]
fn stages_run_in_order_and_the_journal_tells_it() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![
        stage("a", &[]).changes("one").changes("two"),
        stage("b", &["a"]).changes("three"),
    ]));
    assert_eq!(report.verdict, Verdict::Done);
    assert_eq!(bench.done(), ["a/one", "a/two", "b/three"]);
    assert_eq!(report.stages[0].changed, 2);
    assert_eq!(report.next_command, None);
    assert_eq!(report.to_string(), "deploy dev was done");
    let record = bench.journal().last_run("dev").unwrap().unwrap();
    assert_eq!(record.file, report.journal);
    assert_eq!((record.id.as_str(), record.verdict), (report.run.as_str(), Some(Verdict::Done)));
    assert_eq!(record.finished_stages(), ["a", "b"]);
    let step = &record.stages["a"].steps[1];
    let outcome = Outcome::Changed("one thing".to_owned());
    assert_eq!((step.id.as_str(), &step.result), ("two", &Some(StepResult::Done { outcome })));
    assert!(record.left_behind().is_empty());
    assert!(bench.journal().last_run("prod").unwrap().is_none());
}

#[test]
fn a_step_is_in_the_journal_before_it_starts() {
    let bench = Bench::new();
    let journal = bench.journal();
    let looks = stage("a", &[]).changes("one").step("two", Effect::Write, move |_, _| {
        // What a run that is killed now leaves.
        let record = journal.last_run("dev")?.unwrap();
        let steps: Vec<_> = record.stages["a"]
            .steps
            .iter()
            .map(|step| (step.id.as_str(), step.result.is_some()))
            .collect();
        assert_eq!(steps, [("one", true), ("two", false)]);
        assert_eq!(record.left_behind()[0].1.leaves.as_deref(), Some("half a bucket"));
        changed()
    });
    assert_eq!(bench.all(&table(vec![looks.leaves("half a bucket")])).verdict, Verdict::Done);
}

#[test]
fn independent_stages_run_at_the_same_time() {
    // Each waits for the other: one after the other they would never end.
    let meeting = Arc::new(Barrier::new(2));
    let meets = |name| {
        let meeting = Arc::clone(&meeting);
        stage(name, &["a"]).step("meet", Effect::Read, move |_, _| {
            meeting.wait();
            Ok(Outcome::Unchanged("met".to_owned()))
        })
    };
    let bench = Bench::new();
    let report =
        bench.all(&table(vec![stage("a", &[]), meets("b"), meets("c"), stage("d", &["b", "c"])]));
    assert_eq!(report.verdict, Verdict::Done);
}

#[test]
fn a_failure_says_where_what_is_left_what_never_ran_and_what_is_next() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![
        stage("a", &[]).changes("one"),
        stage("b", &["a"])
            .fails("two", "the canary is dead")
            .leaves("half a cluster")
            .changes("never"),
        stage("c", &["b"]).changes("never"),
    ]));
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(states(&report), [StageState::Finished, StageState::Failed, StageState::NeverRan]);
    assert_eq!(bench.done(), ["a/one", "b/two"]);
    expect_test::expect![[r#"
        deploy dev failed
          stage b, step two: the <secret> is dead
          left behind:
            b: half a cluster
            a: done, and stays as it is
          never ran: c
          next: xtask deploy dev --resume"#]]
    .assert_eq(&report.to_string());
    let Failure { error, .. } = &report.failures[0];
    assert_eq!(error.to_string(), "the canary is dead");
    let record = bench.journal().last_run("dev").unwrap().unwrap();
    let left: Vec<_> =
        record.left_behind().iter().map(|(stage, step)| (*stage, step.leaves.clone())).collect();
    assert_eq!(left, [("b", Some("half a cluster".to_owned()))]);
    assert!(!bench.journal_text().contains("canary"));
    serde_json::to_string(&report).unwrap();
}

#[test]
fn a_stage_that_runs_is_brought_to_its_end_when_another_fails() {
    let began = Arc::new(Barrier::new(2));
    let other = Arc::clone(&began);
    let bench = Bench::new();
    let journal = bench.journal();
    let report = bench.all(&table(vec![
        stage("a", &[]).step("fail", Effect::Write, move |_, _| {
            began.wait();
            anyhow::bail!("no")
        }),
        stage("b", &[])
            .step("wait", Effect::Read, move |_, _| {
                other.wait();
                let has_failed = || -> anyhow::Result<bool> {
                    let record = journal.last_run("dev")?.unwrap();
                    Ok(record.stages.get("a").is_some_and(|a| a.state == Some(StageState::Failed)))
                };
                while !has_failed()? {
                    std::thread::yield_now();
                }
                changed()
            })
            .changes("more"),
        stage("c", &["b"]).changes("never"),
    ]));
    assert_eq!(states(&report), [StageState::Failed, StageState::Finished, StageState::NeverRan]);
    assert!(bench.done().contains(&"b/more".to_owned()));
}

#[test]
fn resume_goes_on_where_the_last_run_failed_and_can_be_resumed_in_turn() {
    let bench = Bench::new();
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = Arc::clone(&broken);
    let stages = table(vec![
        stage("a", &[]).changes("one"),
        stage("b", &["a"]).changes("two").step("three", Effect::Write, move |_, _| {
            anyhow::ensure!(!is_broken.load(Ordering::SeqCst), "broken");
            changed()
        }),
        stage("c", &["b"]).changes("four"),
        stage("d", &["c"]).changes("not selected"),
    ]);
    let selection = Selection { to: Some("c".to_owned()), ..Selection::default() };
    let first = bench.run(&stages, &selection);
    assert_eq!(first.verdict, Verdict::Failed);
    assert_eq!(bench.done(), ["a/one", "b/two", "b/three"]);
    let unfinished = bench.journal().resumable("dev", Operation::Deploy).unwrap();
    let plan = Plan::deploy(&stages, &unfinished.selection(), "dev", &bench.world).unwrap();
    assert_eq!(plan.still_done(&unfinished, &|_| Some("same".to_owned())), ["a"]);

    let second = bench.resume(&stages);
    assert_eq!(
        states(&second),
        [StageState::FinishedBefore, StageState::Failed, StageState::NeverRan]
    );
    assert_eq!(bench.done(), ["b/two", "b/three"]);

    // A stage run by itself in between does not count.
    let plan = Plan::stage(&stages, "a", "dev", &bench.world).unwrap();
    assert_eq!(bench.carry_out(&plan, &Silent, &Never, None).unwrap().verdict, Verdict::Done);
    assert_eq!(bench.done(), ["a/one"]);

    broken.store(false, Ordering::SeqCst);
    let third = bench.resume(&stages);
    assert_eq!(third.verdict, Verdict::Done);
    assert_eq!(bench.done(), ["b/two", "b/three", "c/four"]);
    let runs: Vec<_> = bench.journal().newest_first("dev").unwrap().collect();
    let resumes: Vec<_> = runs.iter().map(|run| run.resumes.clone()).collect();
    assert_eq!(resumes, [Some(second.run), None, Some(first.run), None]);

    let error = bench.journal().resumable("dev", Operation::Deploy).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("nothing to resume: the last deploy of `dev` ({}) was finished", third.run)
    );
    let error = bench.journal().resumable("dev", Operation::Destroy).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("nothing to resume: the last run of `dev` ({}) was a deploy", third.run)
    );
    let error = bench.journal().resumable("prod", Operation::Deploy).unwrap_err().to_string();
    assert!(error.starts_with("nothing to resume: `prod` has no run in `"), "{error}");
}

#[test]
fn outputs_reach_later_stages_of_this_run_and_of_later_runs() {
    let bench = Bench::new();
    let stages = table(vec![publishes("first"), uses()]);
    let only = |name: &str| Selection { only: vec![name.to_owned()], ..Selection::default() };
    let missing = bench.run(&stages, &only("web"));
    assert_eq!(
        missing.failures[0].message,
        "stage `storage` has not been done for `dev`: run `xtask stage storage dev` first"
    );
    bench.done();
    bench.all(&stages);
    assert_eq!(bench.done(), ["storage/make", "web/use", "uses first"]);
    bench.run(&stages, &only("web"));
    assert_eq!(bench.done(), ["web/use", "uses first"]);
    let failing = table(vec![publishes("second").fails("then", "no"), uses()]);
    assert_eq!(bench.all(&failing).verdict, Verdict::Failed);
    bench.done();
    bench.run(&stages, &only("web"));
    assert_eq!(bench.done(), ["web/use", "uses first"], "only a finished stage counts");

    let plan = Plan::destroy(&stages, &only("storage"), "dev", &bench.world).unwrap();
    assert_eq!(bench.carry_out(&plan, &Silent, &Never, None).unwrap().verdict, Verdict::Done);
    let gone = bench.run(&stages, &only("web"));
    assert!(gone.failures[0].message.starts_with("stage `storage` has not been done"));
}

#[test]
fn an_output_with_a_secret_or_of_another_stage_is_refused() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![publishes("the canary")]));
    assert_eq!(
        report.failures[0].message,
        "the output of stage `storage` holds a secret, so it was not published"
    );
    assert!(!bench.journal_text().contains("canary"));
    let other = stage("other", &[]).step("x", Effect::Read, |_, run| {
        run.publish(&Bucket { name: "x".to_owned() })?;
        changed()
    });
    let report = bench.all(&table(vec![other]));
    assert_eq!(
        report.failures[0].message,
        "stage `other` cannot publish the output of stage `storage`"
    );
}

#[test]
fn after_an_interrupt_no_step_starts() {
    let bench = Bench::new();
    let asked = Arc::new(AtomicBool::new(false));
    let ask = Arc::clone(&asked);
    let stages = table(vec![
        stage("a", &[])
            .step("one", Effect::Write, move |_, run| {
                ask.store(true, Ordering::SeqCst);
                assert!(run.interrupted());
                changed()
            })
            .changes("two"),
        stage("b", &["a"]).changes("three"),
    ]);
    let plan = Plan::deploy(&stages, &Selection::default(), "dev", &bench.world).unwrap();
    let interruption = || asked.load(Ordering::SeqCst);
    let report = bench.carry_out(&plan, &Silent, &interruption, None).unwrap();
    assert_eq!(bench.done(), ["a/one"]);
    assert_eq!(report.verdict, Verdict::Interrupted);
    assert_eq!(states(&report), [StageState::Interrupted, StageState::NeverRan]);
    assert_eq!(
        report.to_string(),
        "deploy dev was interrupted\n  never ran: b\n  next: xtask deploy dev --resume"
    );
    asked.store(false, Ordering::SeqCst);
    assert_eq!(bench.journal().resumable("dev", Operation::Deploy).unwrap().id, report.run);
}

#[test]
fn a_step_that_gives_up_because_of_an_interrupt_is_not_called_a_failure() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![
        stage("a", &[])
            .step("wait", Effect::Write, |_, _| Err(Interrupted.into()))
            .leaves("a half"),
    ]));
    assert_eq!(report.verdict, Verdict::Interrupted);
    assert_eq!(report.left_behind(), ["a: a half"]);
}

#[test]
fn no_step_starts_behind_the_deadline_of_its_stage() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![stage("a", &[]).deadline(Duration::ZERO).changes("one")]));
    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(report.failures[0].message, "not started: the stage has used up its 0 min");
    assert!(bench.done().is_empty());
}

#[test]
fn a_defect_in_a_step_fails_its_stage_alone() {
    let bench = Bench::new();
    let report = bench.all(&table(vec![
        stage("a", &[]).step("x", Effect::Read, |_, _| panic!("index out of range")),
        stage("b", &[]).changes("y"),
    ]));
    assert_eq!(report.failures[0].message, "the program has a defect here: index out of range");
    assert_eq!(states(&report), [StageState::Failed, StageState::Finished]);
}

#[test]
fn files_that_are_no_runs_keep_nobody_from_the_others() {
    let bench = Bench::new();
    let broken = stage("a", &[]).step("one", Effect::Write, |_, _| anyhow::bail!("no"));
    let first = bench.all(&table(vec![broken]));
    let runs = bench.folder.path().join("runs");
    fs::write(runs.join("99990101T000000.000000Z.jsonl"), "garbage\nmore\n").unwrap();
    fs::create_dir(runs.join("99990102T000000.000000Z.jsonl")).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&told);
    let journal = bench.journal().telling(move |text| hear.lock().unwrap().push(text.to_owned()));
    assert_eq!(journal.resumable("dev", Operation::Deploy).unwrap().id, first.run);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().all(|text| text.contains("9999010") && text.contains("left out")),
        "{told:?}"
    );
}

#[test]
fn a_resumed_run_does_again_what_is_made_from_something_else_now_and_all_behind_it() {
    let bench = Bench::new();
    let stages = table(vec![
        stage("a", &[]).changes("one"),
        stage("b", &["a"]).changes("two"),
        stage("c", &["b"]).changes("three"),
        stage("beside", &["a"]).changes("four"),
        stage("d", &["c", "beside"]).fails("five", "broken"),
    ]);
    assert_eq!(bench.all(&stages).verdict, Verdict::Failed);
    bench.done();

    bench.inputs.lock().unwrap().insert("b".to_owned(), "changed".to_owned());
    let second = bench.resume(&stages);
    assert_eq!(bench.done(), ["b/two", "c/three", "d/five"]);
    assert_eq!(second.in_state(StageState::FinishedBefore).collect::<Vec<_>>(), ["a", "beside"]);

    // What was skipped and what was repeated is known to the next one, too.
    bench.resume(&stages);
    assert_eq!(bench.done(), ["d/five"]);
}

#[test]
fn an_error_that_names_the_command_that_helps_is_heard() {
    let bench = Bench::new();
    let stages = table(vec![stage("a", &[]).step("one", Effect::Write, |_, _| {
        let (message, command) = ("locked".to_owned(), "xtask unlock dev 7".to_owned());
        Err(anyhow::Error::new(Blocked { message, command }).context("failed to plan"))
    })]);
    let report = bench.all(&stages);
    assert_eq!(report.next_command.as_deref(), Some("xtask unlock dev 7"));
    assert!(report.failures[0].message.ends_with("failed to plan: locked"), "{report}");
}

#[test]
fn a_second_run_of_the_same_environment_is_kept_out() {
    let bench = Bench::new();
    let journal = bench.journal();
    let inner = stage("a", &[]).step("again", Effect::Read, move |_, _| {
        let stages = table(vec![stage("x", &[])]);
        let world = World::default();
        let options = RunOptions {
            journal: &journal,
            reporter: &Silent,
            interruption: &Never,
            resume: None,
            inputs: &|_| None,
            resume_command: "",
            stage_command: &|_| String::new(),
        };
        for environment in ["prod", "dev"] {
            let plan = Plan::deploy(&stages, &Selection::default(), environment, &world)?;
            run(&plan, &world, &options)?;
        }
        changed()
    });
    let report = bench.all(&table(vec![inner]));
    let message = &report.failures[0].message;
    assert!(
        message.starts_with("another run works on `dev`: run ")
            && message.contains(&format!("process {}", std::process::id())),
        "{message}"
    );
    assert!(bench.journal().last_run("prod").unwrap().is_some());
}

#[test]
fn events_are_told_in_order_and_without_secrets() {
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);
    impl Reporter for Told {
        fn report(&self, event: &Event<'_>) {
            let value = serde_json::to_value(event).unwrap();
            assert!(!value.to_string().contains("canary"), "{value}");
            self.0.lock().unwrap().push(value["event"].as_str().unwrap().to_owned());
        }
    }
    let bench = Bench::new();
    let stages = table(vec![stage("a", &[]).step("x", Effect::Read, |_, run| {
        run.progress("the canary sits");
        run.note("the canary sings");
        anyhow::bail!("the canary fell")
    })]);
    let plan = Plan::deploy(&stages, &Selection::default(), "dev", &bench.world).unwrap();
    let told = Told::default();
    bench.carry_out(&plan, &told, &Never, None).unwrap();
    let expected = [
        "run-started",
        "stage-started",
        "step-started",
        "step-progress",
        "step-note",
        "step-failed",
        "stage-ended",
        "run-ended",
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}

/// A table of up to ten stages, each with needs among those before it.
fn graphs() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
    prop::collection::vec(prop::collection::btree_set(0_usize..10, 0..4), 1..10).prop_map(|needs| {
        let earlier = |(at, needs): (usize, BTreeSet<usize>)| {
            needs.into_iter().filter(|need| *need < at).collect()
        };
        needs.into_iter().enumerate().map(earlier).collect()
    })
}

const NAMES: [&str; 10] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the graph, the selection and the direction: every selected stage runs once, and
    /// after all selected stages it depends on, also through stages that are left out.
    #[test]
    fn dependencies_are_kept(graph in graphs(), kept in prop::collection::vec(any::<bool>(), 10), down in any::<bool>()) {
        let stages = graph.iter().enumerate().map(|(at, needs)| {
            let needs: Vec<_> = needs.iter().map(|need| NAMES[*need]).collect();
            stage(NAMES[at], &needs).changes("x")
        });
        let stages = table(stages.collect());
        let only: Vec<_> = (0..graph.len()).filter(|at| kept[*at]).map(|at| NAMES[at].to_owned()).collect();
        let selection = Selection { only: only.clone(), ..Selection::default() };
        let expected = if only.is_empty() { graph.len() } else { only.len() };
        let bench = Bench::new();
        let plan = if down { Plan::destroy } else { Plan::deploy };
        let plan = plan(&stages, &selection, "dev", &bench.world).unwrap();
        let report = bench.carry_out(&plan, &Silent, &Never, None).unwrap();
        prop_assert_eq!(report.verdict, Verdict::Done);
        let done = bench.done();
        let place = |at: usize| done.iter().position(|done| done.starts_with(&format!("{}/", NAMES[at])));
        prop_assert_eq!(done.len(), expected);
        for at in 0..graph.len() {
            for need in all_needs(&graph, at) {
                if let (Some(stage), Some(need)) = (place(at), place(need)) {
                    prop_assert_eq!(need < stage, !down);
                }
            }
        }
    }
}

fn all_needs(graph: &[BTreeSet<usize>], at: usize) -> BTreeSet<usize> {
    let direct = graph[at].iter().copied();
    direct.clone().chain(direct.flat_map(|need| all_needs(graph, need))).collect()
}

#[test]
fn a_name_that_would_lead_out_of_the_folder_is_refused() {
    let bench = Bench::new();
    let stages = table(vec![stage("a", &[])]);
    let plan = Plan::deploy(&stages, &Selection::default(), "../dev", &bench.world).unwrap();
    let error = bench.carry_out(&plan, &Silent, &Never, None).unwrap_err().to_string();
    let expected = "`../dev` is no name for an environment: use letters, digits, `-` and `_`";
    assert_eq!(error, expected);
}

#[test]
fn two_effects_are_counted_apart() {
    let stages =
        table(vec![stage("a", &[]).changes("x").step("y", Effect::Read, |_, _| changed())]);
    let plan = Plan::deploy(&stages, &Selection::default(), "dev", &World::default()).unwrap();
    let counts = BTreeMap::from([(Effect::Read, 1), (Effect::Write, 1), (Effect::Destructive, 0)]);
    assert_eq!(plan.document().effects, counts);
}
