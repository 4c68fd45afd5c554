//! The life of one container: pulled, configured, started, probed, restarted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ContainerState, ObjectReference, Probe};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, ResourceExt};

use super::images::{Behaviour, Image};
use super::local_run::{Exit, LocalRun};
use super::pod::PodWorker;
use super::probes::{Listening, check};
use super::runtime::ContainerRuntime;
use super::stand_in::{Candidate, words};
use super::status::{running, terminated, waiting};
use super::{COMPONENT, environment};
use crate::events::EventType::{self, Normal, Warning};
use crate::mounts::Mounts;
use crate::names;
use crate::pod_logs::LogWriter;

/// The pause before the first restart; it doubles with each further one. A kubelet starts with 10 s.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether a container may be started again after it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restarts {
    Always,
    OnFailure,
    Never,
}

impl Restarts {
    pub(super) fn of(policy: Option<&str>) -> Self {
        match policy {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn again(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// One container of a Pod.
pub(super) struct ContainerWorker<'a> {
    pub(super) pod: &'a PodWorker,
    pub(super) container: &'a Container,
    pub(super) folder: &'a Path,
    pub(super) mounts: Mounts,
    pub(super) restarts: Restarts,
}

impl ContainerWorker<'_> {
    /// Lives until the container ended for good; the answer is its last exit code.
    pub(super) async fn live(&self) -> i32 {
        let image = self.pull().await;
        let mut pause = FIRST_PAUSE;
        loop {
            let env = self.configure().await;
            self.event(Normal, "Created", &format!("Created container: {}", self.container.name))
                .await;
            self.event(Normal, "Started", &format!("Started container {}", self.container.name))
                .await;
            let since = Time(jiff::Timestamp::now());
            let exit = self.run(image, env, &since).await;
            self.pod.runtime.remove(&self.container.name);
            let ended = terminated(exit.code, exit.reason, exit.message.clone(), &since);
            let succeeded = exit.code == 0;
            self.update(|status| {
                status.state = Some(ended.clone());
                status.ready = succeeded && self.pod.is_init(&self.container.name);
                status.started = Some(false);
            })
            .await;
            if !self.restarts.again(exit.code) {
                return exit.code;
            }
            self.back_off(ended, pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits for ever where the image cannot be had, as a node does while it tries again.
    async fn pull(&self) -> &Image {
        let reference = self.container.image.clone().unwrap_or_default();
        match self.pod.kubelet.images.find(&reference) {
            Ok(image) => {
                let message = format!(
                    "Container image \"{reference}\" already present on machine (sandbox: simulated)"
                );
                self.event(Normal, "Pulled", &message).await;
                image
            }
            Err(why) => {
                self.event(Normal, "Pulling", &format!("Pulling image \"{reference}\"")).await;
                self.event(
                    Warning,
                    "Failed",
                    &format!("Failed to pull image \"{reference}\": {why}"),
                )
                .await;
                self.event(Warning, "Failed", "Error: ErrImagePull").await;
                self.update(|status| status.state = Some(waiting("ErrImagePull", &why))).await;
                tokio::time::sleep(FIRST_PAUSE).await;
                let back_off = format!("Back-off pulling image \"{reference}\"");
                self.event(Normal, "BackOff", &back_off).await;
                self.event(Warning, "Failed", "Error: ImagePullBackOff").await;
                let message = format!("{back_off}: ErrImagePull: {why}");
                self.update(|status| status.state = Some(waiting("ImagePullBackOff", &message)))
                    .await;
                std::future::pending().await
            }
        }
    }

    /// Waits until every reference of the environment can be resolved.
    async fn configure(&self) -> BTreeMap<String, String> {
        loop {
            let changed = self.pod.wake.notified();
            match environment::resolve(self.container, &self.pod.pod, &self.pod.references()) {
                Ok(env) => return env,
                Err(message) => {
                    self.event(Warning, "Failed", &format!("Error: {message}")).await;
                    self.update(|status| {
                        status.state = Some(waiting("CreateContainerConfigError", &message));
                    })
                    .await;
                }
            }
            changed.await;
        }
    }

    async fn run(&self, image: &Image, env: BTreeMap<String, String>, since: &Time) -> Exit {
        let pod = &self.pod.pod;
        let uid = pod.uid().unwrap_or_default();
        let namespace = pod.namespace().unwrap_or_default();
        let logs = &self.pod.kubelet.cluster.config.logs;
        let log = match logs.begin(&namespace, (&pod.name_any(), &uid), &self.container.name) {
            Ok(log) => log,
            Err(error) => {
                return Exit {
                    code: 128,
                    reason: "StartError",
                    message: Some(format!("sandbox: no log: {error}")),
                };
            }
        };
        if self.is_to_crash() {
            return crash(&env, &log);
        }
        let probed = image.behaviour != Behaviour::Run;
        self.update(|status| {
            status.state = Some(running(since));
            status.started = Some(!probed);
            status.ready = !probed
                && self.container.readiness_probe.is_none()
                && !self.pod.is_init(&status.name);
            status.image_id = format!("sandbox-simulated@{}", status.image);
            status.container_id = Some(format!("sandbox://{}", names::random_suffix(16)));
        })
        .await;
        if probed {
            self.stand_in(image, env, &log).await
        } else {
            self.local(image, &env, &log).await
        }
    }

    async fn local(&self, image: &Image, env: &BTreeMap<String, String>, log: &LogWriter) -> Exit {
        let run = LocalRun {
            cluster: &self.pod.kubelet.cluster,
            pod: &self.pod.pod,
            container: self.container,
            image,
            env,
            mounts: &self.mounts,
            folder: self.folder,
        };
        tokio::select! {
            exit = run.run(log) => exit,
            () = self.until_crash() => crash(env, log),
        }
    }

    async fn stand_in(
        &self,
        image: &Image,
        env: BTreeMap<String, String>,
        log: &LogWriter,
    ) -> Exit {
        let name = &self.container.name;
        log.line("stdout", &format!("sandbox: simulated {name}; nothing of the image runs here"));
        let candidate = Candidate {
            cluster: &self.pod.kubelet.cluster,
            pod: &self.pod.pod,
            container: self.container,
            image,
            env: &env,
            mounts: &self.mounts,
        };
        let started = match candidate.start().await {
            Ok(started) => started,
            Err(why) => {
                log.line("stderr", &format!("{name}: {why}"));
                return Exit::with(1, Some(why));
            }
        };
        if let Some(login) = &started.login {
            log.line("stdout", &format!("{name}: logged in to PostgreSQL as {login:?} over TLS"));
        }
        let words = words(self.container);
        let more = started.kong.as_ref().map(|kong| kong.open_paths(&env)).unwrap_or_default();
        self.pod.runtime.insert(
            name,
            ContainerRuntime {
                image: image.clone(),
                env: env.clone(),
                mounts: self.mounts.clone(),
                started,
            },
        );
        let listening = Listening { image, env: &env, words: &words, more: &more };
        tokio::select! {
            exit = self.watch_probes(&listening) => exit,
            () = self.until_crash() => crash(&env, log),
        }
    }

    /// Ends only when a probe has the container killed. What the probes find never changes while a
    /// stand-in runs, so each is looked at once.
    async fn watch_probes(&self, listening: &Listening<'_>) -> Exit {
        let check = |probe: &Option<Probe>| match probe {
            Some(probe) => {
                check(probe, self.container, &self.pod.pod, &self.pod.address(), listening)
            }
            None => Ok(()),
        };
        if let Err(why) = check(&self.container.startup_probe) {
            return self.kill(self.container.startup_probe.as_ref(), "Startup", &why).await;
        }
        let delay = |probe: &Option<Probe>| {
            let seconds = probe.as_ref().and_then(|probe| probe.initial_delay_seconds).unwrap_or(0);
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        };
        tokio::time::sleep(delay(&self.container.startup_probe)).await;
        self.update(|status| status.started = Some(true)).await;
        tokio::time::sleep(delay(&self.container.readiness_probe)).await;
        match check(&self.container.readiness_probe) {
            Ok(()) => self.update(|status| status.ready = true).await,
            Err(why) => {
                self.event(Warning, "Unhealthy", &format!("Readiness probe failed: {why}")).await
            }
        }
        if let Err(why) = check(&self.container.liveness_probe) {
            return self.kill(self.container.liveness_probe.as_ref(), "Liveness", &why).await;
        }
        std::future::pending().await
    }

    /// Lets a failing probe use up its threshold.
    async fn kill(&self, probe: Option<&Probe>, kind: &str, why: &str) -> Exit {
        let number = |value: Option<i32>, default: u64| {
            value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default)
        };
        let probe = probe.cloned().unwrap_or_default();
        self.event(Warning, "Unhealthy", &format!("{kind} probe failed: {why}")).await;
        let seconds = number(probe.initial_delay_seconds, 0)
            + number(probe.failure_threshold, 3) * number(probe.period_seconds, 10);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let message = format!(
            "Container {} failed {} probe, will be restarted",
            self.container.name,
            kind.to_lowercase()
        );
        self.event(Normal, "Killing", &message).await;
        Exit { code: 137, reason: "Error", message: None }
    }

    async fn back_off(&self, ended: ContainerState, pause: Duration) {
        let pod = &self.pod.pod;
        let name = &self.container.name;
        let uid = pod.uid().unwrap_or_default();
        let full = format!("{}_{}({uid})", pod.name_any(), pod.namespace().unwrap_or_default());
        let event = format!("Back-off restarting failed container {name} in pod {full}");
        self.event(Warning, "BackOff", &event).await;
        let message =
            format!("back-off {}s restarting failed container={name} pod={full}", pause.as_secs());
        self.update(|status| {
            status.state = Some(waiting("CrashLoopBackOff", &message));
            status.last_state = Some(ended);
            status.restart_count += 1;
        })
        .await;
        // A changed Secret or a cleared fault may be what it takes.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.pod.wake.notified() => {}
        }
    }

    fn is_to_crash(&self) -> bool {
        let labels = self.pod.pod.labels();
        let revision =
            labels.get("pod-template-hash").or_else(|| labels.get("controller-revision-hash"));
        labels.get("app.kubernetes.io/component").is_some_and(|component| {
            let faults = &self.pod.kubelet.cluster.config.faults;
            faults.crashes(component, revision.map(String::as_str))
        })
    }

    async fn until_crash(&self) {
        let mut changes = self.pod.kubelet.cluster.config.faults.changes();
        while !self.is_to_crash() {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn update(&self, change: impl FnOnce(&mut k8s_openapi::api::core::v1::ContainerStatus)) {
        self.pod
            .update(|board| {
                if let Some(status) = board.container(&self.container.name) {
                    change(status);
                }
            })
            .await;
    }

    async fn event(&self, kind: EventType, reason: &str, message: &str) {
        let list =
            if self.pod.is_init(&self.container.name) { "initContainers" } else { "containers" };
        let about = ObjectReference {
            field_path: Some(format!("spec.{list}{{{}}}", self.container.name)),
            ..self.pod.pod.object_ref(&())
        };
        let events = &self.pod.kubelet.cluster.events;
        events.record_about(COMPONENT, &about, (kind, reason, message)).await;
    }
}

/// Like many a program that ends in error, it tells its settings, secrets included: whoever shows a
/// log has to hide them.
fn crash(env: &BTreeMap<String, String>, log: &LogWriter) -> Exit {
    let message = "sandbox: this container crashes because a fault is on";
    for (name, value) in env {
        log.line("stderr", &format!("{name}={value}"));
    }
    log.line("stderr", message);
    Exit::with(1, Some(message.to_owned()))
}

/// The runtimes of a Pod's containers, shared with the gateway.
pub(super) type Runtime = Arc<super::runtime::PodRuntime>;
