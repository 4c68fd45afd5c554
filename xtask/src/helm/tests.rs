//! Real helm against the sandbox's API server, which has no controllers here: a Job never ends, so
//! that an upgrade hangs or fails as the test needs it.

mod live;

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use sandbox_kubernetes::{Config, Server, StaticTokens};
use serde_json::json;
use tokio::runtime::Runtime;
use xtask_cloud::{Cluster, DeadlineExceeded, HelmRelease, Target, Wait, kinds};
use xtask_pipeline::{StepRun, testing::Rehearsal};
use xtask_tools::{Interrupt, NoDownload, Processes, Redactor, Toolbox};

use super::{
    Chart, Helm, Install, Installed, MARK_LABEL, Made,
    claim::{Claim, Work},
    decisions::Worked,
    find,
    recovery::Failed,
};
use crate::{cli::repository, exit::Exit};

const NAMESPACE: &str = "supabase";

/// The latest revision of a release, as the cluster tells it.
pub(super) fn release(revision: u32, status: &str) -> HelmRelease {
    HelmRelease {
        name: "web".to_owned(),
        namespace: NAMESPACE.to_owned(),
        revision,
        status: status.to_owned(),
        labels: BTreeMap::new(),
        modified: None,
    }
}

const TEMPLATES: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  {{- if .Values.hold }}
  finalizers: [example.com/hold]
  {{- end }}
data: {mode: {{ .Values.mode | quote }}}
{{- if .Values.hang }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: never-ends
  labels: {app.kubernetes.io/instance: web}
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "never:1"}]
{{- end }}
"#;

/// A cluster, and what works on it.
struct World {
    cluster: Cluster,
    helm: Helm,
    folder: tempfile::TempDir,
    rehearsal: Rehearsal,
    _runtime: Runtime,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = Server::bind(Config::loopback(), Arc::new(StaticTokens::default()));
            let server = server.await.unwrap();
            server.add_cluster("test");
            tokio::spawn(server.clone().serve(std::future::pending()));
            server
        });
        let kubeconfig = write_kubeconfig(folder.path(), &server);
        let chart = folder.path().join("chart");
        fs::create_dir_all(chart.join("templates")).unwrap();
        let about = "apiVersion: v2\nname: web\nversion: 1.0.0\n";
        fs::write(chart.join("Chart.yaml"), about).unwrap();
        fs::write(chart.join("values.yaml"), "mode: none\nhang: false\nhold: false\n").unwrap();
        fs::write(chart.join("templates/all.yaml"), TEMPLATES).unwrap();
        let mut environment = BTreeMap::new();
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            environment.insert(name.to_owned(), folder.path().join(name).display().to_string());
        }
        environment.insert("KUBECONFIG".to_owned(), kubeconfig.display().to_string());
        let helm = Helm {
            processes: Processes::new(Redactor::new(), Interrupt::new()),
            program: program(),
            environment,
            logs: folder.path().join("logs"),
        };
        let cluster = Cluster::from_context(Some(&kubeconfig), "test").unwrap();
        Self { cluster, helm, folder, rehearsal: Rehearsal::new(), _runtime: runtime }
    }

    fn install(&self, values: &str) -> Install {
        let file = self.folder.path().join("values.yaml");
        fs::write(&file, values).unwrap();
        Install {
            release: "web".to_owned(),
            namespace: NAMESPACE.to_owned(),
            chart: Chart::Local(self.folder.path().join("chart")),
            values: vec![file],
            timeout: Duration::from_secs(60),
            wait: true,
        }
    }

    fn run(&self) -> StepRun<'_> {
        self.rehearsal.step("release", "upgrade")
    }

    fn deploy(&self, values: &str) -> anyhow::Result<Installed> {
        self.helm.install_into(&self.cluster, &self.run(), &self.install(values))
    }

    /// Deploys in a stage that soon has used up its time: another Helm is waited for.
    fn deploy_in_haste(&self, values: &str) -> anyhow::Error {
        self.deploy_within(Duration::from_secs(3), values)
    }

    /// The same for an upgrade that hangs, once it had the time to begin.
    fn deploy_to_the_end(&self, values: &str) -> anyhow::Error {
        self.deploy_within(Duration::from_secs(12), values)
    }

    fn deploy_within(&self, time: Duration, values: &str) -> anyhow::Error {
        let mut run = self.run();
        run.deadline = Instant::now() + time;
        self.helm.install_into(&self.cluster, &run, &self.install(values)).unwrap_err()
    }

    fn claim(&self) -> Claim {
        self.helm.claim(NAMESPACE, "web").unwrap()
    }

    /// A helm whose runner is gone. It holds what `Command::holding` would have given it.
    fn orphan(&self, claim: &Claim, words: &[&str]) -> Child {
        #[expect(clippy::disallowed_methods, reason = "a child that is left behind")]
        let mut command = std::process::Command::new(&self.helm.program);
        command
            .args(words)
            .args(["--namespace", NAMESPACE, "--wait", "--timeout", "5m"])
            .envs(&self.helm.environment)
            .stdin(claim.file().try_clone().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// The same, with a first install (or an upgrade) that never ends.
    fn orphaned_install(&self, claim: &Claim) -> Child {
        self.orphaned(claim, "pending-install")
    }

    fn orphaned(&self, claim: &Claim, status: &str) -> Child {
        let chart = self.folder.path().join("chart").display().to_string();
        let mark = format!("{MARK_LABEL}=orphan");
        let words = ["upgrade", "--install", "web", &chart, "--create-namespace"];
        let child =
            self.orphan(claim, &[&words[..], &["--set=hang=true", "--labels", &mark]].concat());
        self.until(status);
        self.until_the_hook_runs();
        child
    }

    /// The Job never ends: what ends the wait is the word that it was seen.
    fn until_the_hook_runs(&self) {
        let seen = Cell::new(false);
        let (is_seen, see) = (|| seen.get(), |text: &str| seen.set(text.ends_with(" runs")));
        let wait = Wait::until(Instant::now() + Duration::from_secs(60), &is_seen, &see);
        let error = self.cluster.wait_job(NAMESPACE, "never-ends", &wait).unwrap_err();
        assert!(seen.get(), "{error:#}");
    }

    fn until(&self, status: &str) {
        let wait = &Wait::at_most(Duration::from_secs(60));
        let is_there = |release: Option<&HelmRelease>| {
            Ok(match release {
                Some(release) if release.status == status => ControlFlow::Break(()),
                other => ControlFlow::Continue(format!("{other:?}")),
            })
        };
        self.cluster.wait_helm_release(NAMESPACE, "web", wait, is_there).unwrap();
    }

    /// Revision and status of the release, and the mode that is in the cluster.
    fn state(&self) -> (u32, String, String) {
        let release = find(&self.cluster, &self.install("")).unwrap().unwrap();
        let target = Target::new(kinds::CONFIG_MAP, NAMESPACE, "web");
        let object = self.cluster.get(&target).unwrap().unwrap_or_default();
        let mode = object["data"]["mode"].as_str().unwrap_or_default().to_owned();
        (release.revision, release.status, mode)
    }

    #[track_caller]
    fn assert_state(&self, revision: u32, status: &str, mode: &str) {
        assert_eq!(self.state(), (revision, status.to_owned(), mode.to_owned()));
    }

    #[track_caller]
    fn assert_noted(&self, part: &str) {
        let notes = self.rehearsal.notes();
        assert!(notes.iter().any(|note| note.contains(part)), "`{part}` is not in {notes:#?}");
    }
}

/// The one that the project found or installed.
fn program() -> PathBuf {
    let tools = repository().join("target/tools");
    let toolbox = Toolbox::new(tools, Processes::default(), Arc::new(NoDownload));
    toolbox.ensure("helm").unwrap().path
}

fn write_kubeconfig(folder: &Path, server: &Server) -> PathBuf {
    let authority = folder.join("ca.pem");
    fs::write(&authority, server.ca_pem()).unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": server.endpoint("test"), "certificate-authority": authority,
        }}],
        "users": [{"name": "test", "user": {"token": server.internal_token()}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    let path = folder.join("kubeconfig");
    fs::write(&path, config.to_string()).unwrap();
    path
}

#[test]
fn what_a_killed_first_install_left_is_diagnosed_removed_and_installed() {
    let world = World::start();
    let claim = world.claim();
    claim.begin(&Work::Upgrade { mark: "orphan".to_owned() }).unwrap();
    let mut helm = world.orphaned_install(&claim);
    helm.kill().unwrap();
    helm.wait().unwrap();
    drop(claim);
    let installed = world.deploy("mode: good").unwrap();
    assert!(installed.made.unwrap().replaced.is_none());
    world.assert_state(1, "deployed", "good");
    let notes = world.rehearsal.notes();
    let place = |part: &str| notes.iter().position(|note| note.contains(part)).unwrap();
    let removed = place("web was left pending-install and never worked: removing it first");
    assert!(place("Job/never-ends: not complete") < removed, "{notes:#?}");
    assert_eq!(world.claim().left(), None);
}

#[test]
fn a_removal_that_was_killed_is_finished_before_a_new_install() {
    let world = World::start();
    world.deploy("mode: old").unwrap();
    world.deploy("{mode: older, hold: true}").unwrap();
    let claim = world.claim();
    claim.begin(&Work::Uninstall).unwrap();
    let mut helm = world.orphan(&claim, &["uninstall", "web"]);
    world.until("uninstalling");
    helm.kill().unwrap();
    helm.wait().unwrap();
    // Whatever held the object lets it go: an apply without the finalizer, as the one who set it.
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": NAMESPACE}});
    world.cluster.apply(&object, "helm", true).unwrap();
    drop(claim);
    let installed = world.deploy("mode: new").unwrap();
    assert!(installed.made.unwrap().replaced.is_none());
    world.assert_state(1, "deployed", "new");
    world.assert_noted("web was left uninstalling: removing the rest of it first");
}

#[test]
fn a_helm_that_outlived_its_runner_is_waited_for() {
    let world = World::start();
    let claim = world.claim();
    assert!(claim.try_take().unwrap());
    claim.begin(&Work::Upgrade { mark: "orphan".to_owned() }).unwrap();
    let mut helm = world.orphaned_install(&claim);
    drop(claim);
    let error = world.deploy_in_haste("mode: good");
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    world.assert_noted("another Helm of this machine still works on web");
    assert_eq!(helm.try_wait().unwrap(), None, "it was disturbed");
    let mut run = world.run();
    run.deadline = Instant::now();
    let error = world.helm.uninstall(&run, &world.cluster, "web", NAMESPACE).unwrap_err();
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    assert_eq!(helm.try_wait().unwrap(), None, "it was disturbed");
    helm.kill().unwrap();
    helm.wait().unwrap();
    world.deploy("mode: good").unwrap();
    world.assert_state(1, "deployed", "good");
}

#[test]
fn a_helm_that_may_run_on_another_machine_is_waited_for() {
    let world = World::start();
    let elsewhere = Claim::open(&world.folder.path().join("elsewhere"), NAMESPACE, "web").unwrap();
    let mut helm = world.orphaned_install(&elsewhere);
    let error = world.deploy_in_haste("mode: good");
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    world.assert_noted("web is pending-install (revision 1) since");
    world.assert_noted("`helm uninstall web --namespace supabase` ends the wait");
    assert_eq!(helm.try_wait().unwrap(), None, "it was disturbed");
    helm.kill().unwrap();
    helm.wait().unwrap();
}

/// An old revision whose labels an upgrade on another machine copies.
fn upgraded_elsewhere(world: &World) -> Child {
    world.deploy("mode: good").unwrap();
    let old = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.web.v1", "namespace": NAMESPACE,
            "labels": {"createdAt": "1700000000", "modifiedAt": "1700000000"},
        },
    });
    world.cluster.apply(&old, "test", true).unwrap();
    let elsewhere = Claim::open(&world.folder.path().join("elsewhere"), NAMESPACE, "web").unwrap();
    world.orphaned(&elsewhere, "pending-upgrade")
}

#[test]
fn an_upgrade_that_another_machine_has_just_begun_is_not_taken_for_an_old_one() {
    let world = World::start();
    let mut helm = upgraded_elsewhere(&world);
    let error = world.deploy_in_haste("mode: better");
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    world.assert_noted("web is pending-upgrade (revision 2) since");
    let mut run = world.run();
    run.deadline = Instant::now();
    let error = world.helm.uninstall(&run, &world.cluster, "web", NAMESPACE).unwrap_err();
    assert!(error.downcast_ref::<DeadlineExceeded>().is_some(), "{error:#}");
    world.assert_state(2, "pending-upgrade", "good");
    assert_eq!(helm.try_wait().unwrap(), None, "it was disturbed");
    helm.kill().unwrap();
    helm.wait().unwrap();
}

#[test]
fn what_another_machine_begins_after_the_look_is_neither_ended_nor_rolled_back() {
    let world = World::start();
    let mut helm = upgraded_elsewhere(&world);
    let install = world.install("mode: better");
    let claim = world.claim();
    assert!(claim.try_take().unwrap());
    // This run looked before revision 2 was begun, and found that somebody had left revision 1.
    world
        .helm
        .recover(&world.run(), &world.cluster, &install, &claim, &release(1, "pending-install"))
        .unwrap();
    world.assert_state(2, "pending-upgrade", "good");
    // Or it found nothing unfinished at all.
    let chart = world.folder.path().join("chart");
    let upgrade = world.helm.upgrade(&world.run(), &install, &claim, &chart, "digest", "ours");
    let worked = Some(Worked { revision: 1, answers: true });
    let failed = Failed { mark: "ours".to_owned(), worked, error: upgrade.unwrap_err() };
    let error = world.helm.give_back(&world.run(), &world.cluster, &install, &claim, failed);
    let said = "another Helm is at work on the release (revision 2 is pending-upgrade), so this run leaves it alone";
    assert!(error.to_string().contains(said), "{error}");
    world.assert_state(2, "pending-upgrade", "good");
    assert_eq!(helm.try_wait().unwrap(), None, "it was disturbed");
    helm.kill().unwrap();
    helm.wait().unwrap();
}

#[test]
fn an_upgrade_that_helm_refuses_makes_no_revision_and_no_roll_back() {
    let world = World::start();
    world.deploy("mode: good").unwrap();
    fs::write(world.folder.path().join("chart/templates/broken.yaml"), "{{ fail \"no\" }}")
        .unwrap();
    let error = world.deploy("mode: better").unwrap_err().to_string();
    assert!(error.ends_with("no revision was made: the release is as it was"), "{error}");
    world.assert_state(1, "deployed", "good");
}

#[test]
fn an_upgrade_that_ends_with_its_stage_is_rolled_back_all_the_same() {
    let world = World::start();
    world.deploy("mode: good").unwrap();
    let error = world.deploy_to_the_end("{mode: bad, hang: true}");
    assert_eq!(Exit::of(&error), Exit::StageFailed);
    let error = error.to_string();
    assert!(error.contains("was interrupted at its deadline"), "{error}");
    assert!(error.ends_with("; rolled back to revision 1, which worked"), "{error}");
    world.assert_noted("Job/never-ends: not complete");
    world.assert_state(3, "deployed", "good");
    assert_eq!(world.claim().left(), None);
}

#[test]
fn an_interrupted_upgrade_is_left_for_the_next_run() {
    let world = World::start();
    world.deploy("mode: good").unwrap();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            world.until("pending-upgrade");
            world.helm.processes.interrupt().request();
        });
        world.deploy("{mode: bad, hang: true}").unwrap_err().to_string()
    });
    assert!(error.ends_with("the next run upgrades it from there"), "{error}");
    world.assert_state(2, "failed", "good");
    // The person starts it again.
    let processes = Processes::new(Redactor::new(), Interrupt::new());
    let world = World { helm: Helm { processes, ..world.helm.clone() }, ..world };
    world.deploy("mode: better").unwrap();
    world.assert_state(3, "deployed", "better");
}

#[test]
fn a_first_install_that_fails_stays_to_be_looked_at_and_is_upgraded_next() {
    let world = World::start();
    let error = world.deploy_to_the_end("{mode: bad, hang: true}");
    assert_eq!(Exit::of(&error), Exit::StageFailed);
    let error = error.to_string();
    assert!(error.contains("no earlier revision ever worked, so the release stays"), "{error}");
    world.assert_noted("Job/never-ends: not complete");
    assert_eq!(world.state().1, "failed");
    world.deploy("mode: good").unwrap();
    world.assert_state(2, "deployed", "good");
}

#[test]
fn a_revision_whose_tests_failed_is_rolled_back_by_the_run_that_made_it() {
    let world = World::start();
    world.deploy("mode: good").unwrap();
    let made = world.deploy("mode: bad").unwrap().made;
    let wrong = || Exit::SmokeFailed.error("the tests found something");
    let reject =
        |made: Option<&Made>| world.helm.reject(&world.run(), &world.cluster, made, wrong());
    let error = reject(None);
    assert_eq!(Exit::of(&error), Exit::SmokeFailed);
    assert!(error.to_string().ends_with("because this run did not change it"), "{error}");
    world.assert_state(2, "deployed", "bad");
    let error = reject(made.as_ref());
    assert_eq!(Exit::of(&error), Exit::StageFailed);
    let said = "the tests found something; rolled back to revision 1, which worked";
    assert_eq!(error.to_string(), said);
    world.assert_state(3, "deployed", "good");
}

#[test]
fn a_revision_whose_tests_failed_is_left_alone_once_another_run_has_replaced_it() {
    let world = World::start();
    world.deploy("mode: good").unwrap();
    let made = world.deploy("mode: bad").unwrap().made;
    world.deploy("mode: better").unwrap();
    let wrong = Exit::SmokeFailed.error("the tests found something");
    let error = world.helm.reject(&world.run(), &world.cluster, made.as_ref(), wrong).to_string();
    assert!(error.ends_with("revision 3, which is deployed, is another run's work"), "{error}");
    world.assert_state(3, "deployed", "better");
}
