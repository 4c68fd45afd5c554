//! Runs a container's own command on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;
use xtask_tools::{Cause, CommandFailure, Interrupt, Stream};

use super::images::Image;
use super::volumes::TERMINATION_LOG;
use crate::cluster::Cluster;
use crate::irsa;
use crate::mounts::Mounts;
use crate::network_policy;
use crate::pod_logs::LogWriter;
use crate::process;

/// No tool of the sandbox needs longer; a Pod's own deadline may be shorter.
const LONGEST_RUN: Duration = Duration::from_secs(600);
/// As a kubelet cuts it.
const LONGEST_MESSAGE: usize = 4096;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    pub(crate) reason: &'static str,
    pub(crate) message: Option<String>,
}

impl Exit {
    pub(crate) fn with(code: i32, message: Option<String>) -> Self {
        Self { code, reason: if code == 0 { "Completed" } else { "Error" }, message }
    }
}

/// Stops the program when the Pod's worker lets go of it.
struct StopOnDrop(Interrupt);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// A container whose program is on this machine.
pub(crate) struct LocalRun<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pod: &'a Pod,
    pub(crate) container: &'a Container,
    pub(crate) image: &'a Image,
    pub(crate) env: &'a BTreeMap<String, String>,
    pub(crate) mounts: &'a Mounts,
    /// A folder of this container alone.
    pub(crate) folder: &'a Path,
}

impl LocalRun<'_> {
    /// Runs to the end.
    pub(crate) async fn run(&self, log: &LogWriter) -> Exit {
        let words: Vec<String> = super::stand_in::words(self.container)
            .iter()
            .map(|word| self.mounts.rewrite(word))
            .collect();
        if self.container.command.as_ref().is_none_or(Vec::is_empty) {
            let image = self.container.image.as_deref().unwrap_or_default();
            return start_error(format!(
                "sandbox: {image} runs here only with a command of its own; its entry point is not on this machine"
            ));
        }
        let path = self.path();
        let missing = self.image.programs.iter().find(|program| find(program, &path).is_none());
        if let Some(program) = missing {
            return start_error(format!(
                "sandbox: `{program}` is needed on this machine to run this image"
            ));
        }
        let Some(program) = words.first().and_then(|word| find(word, &path)) else {
            let word = words.first().cloned().unwrap_or_default();
            return start_error(format!("exec: \"{word}\": executable file not found in $PATH"));
        };
        let message_file = self.folder.join(TERMINATION_LOG);
        let prepared = std::fs::create_dir_all(self.folder)
            .and_then(|()| std::fs::File::create(&message_file).map(drop));
        if let Err(error) = prepared {
            return start_error(format!(
                "sandbox: failed to prepare `{}`: {error}",
                self.folder.display()
            ));
        }
        if let Err(blocked) = self.check_database_edge() {
            log.line("stderr", &blocked);
            return Exit::with(1, Some(blocked));
        }
        let mut env = self.environment(&path, &message_file);
        self.aws_access(&mut env, log).await;
        let interrupt = Interrupt::new();
        let command = process::stoppable(&program, &env, interrupt.clone())
            .args(words.iter().skip(1))
            .cwd(self.work_folder())
            .timeout(self.deadline())
            .grace(Duration::from_secs(2));
        let writer = log.clone();
        let _stop = StopOnDrop(interrupt);
        let ended = tokio::task::spawn_blocking(move || {
            command.run(&mut |line| {
                let stream = match line.stream {
                    Stream::Output => "stdout",
                    Stream::Error => "stderr",
                };
                writer.line(stream, line.text);
            })
        })
        .await;
        let code = match ended {
            Ok(Ok(finished)) => finished.code,
            Ok(Err(error)) => {
                match error.downcast_ref::<CommandFailure>().map(|failure| &failure.cause) {
                    Some(Cause::Code(code)) => *code,
                    Some(Cause::Signal(signal)) => 128 + signal,
                    Some(Cause::Deadline { .. } | Cause::Interrupted { .. }) => 137,
                    _ => {
                        let message = format!("sandbox: {error:#}");
                        log.line("stderr", &message);
                        return start_error(message);
                    }
                }
            }
            Err(_) => 137,
        };
        Exit::with(code, self.message(code, &message_file, log))
    }

    /// PostgreSQL's programs come first, then what this machine has.
    fn path(&self) -> Vec<PathBuf> {
        let own = std::env::var_os("PATH").unwrap_or_default();
        let mut path = vec![self.cluster.config.postgres_bin.clone()];
        path.extend(std::env::split_paths(&own));
        path.extend(["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from));
        path
    }

    fn environment(&self, path: &[PathBuf], message_file: &Path) -> BTreeMap<String, String> {
        let message_file = message_file.to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = self
            .env
            .iter()
            .map(|(name, value)| (name.clone(), self.mounts.rewrite(value)))
            .collect();
        let path = std::env::join_paths(path).unwrap_or_default().to_string_lossy().into_owned();
        let folder = self.folder.to_string_lossy().into_owned();
        env.insert("PATH".to_owned(), path);
        env.entry("HOME".to_owned()).or_insert_with(|| folder.clone());
        env.entry("TMPDIR".to_owned()).or_insert(folder);
        env.entry("HOSTNAME".to_owned()).or_insert_with(|| self.pod.name_any());
        env.entry("TERMINATION_LOG".to_owned()).or_insert(message_file);
        env.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
        if let Some(gateway) = self.cluster.config.load_balancers.gateway() {
            // Names of Services resolve in the gateway alone; it knows by the login which Pod asks.
            let proxy = format!("http://pod:{}@{gateway}", self.pod.uid().unwrap_or_default());
            env.insert("http_proxy".to_owned(), proxy);
            env.insert("no_proxy".to_owned(), "127.0.0.1,localhost".to_owned());
        }
        env
    }

    /// What stands for the role's credentials, if the Pod's ServiceAccount may take its role. If not,
    /// the program is left with a token that does not exist, and fails as it would.
    async fn aws_access(&self, env: &mut BTreeMap<String, String>, log: &LogWriter) {
        if !env.contains_key("AWS_ROLE_ARN") {
            return;
        }
        let namespace = self.pod.namespace().unwrap_or_default();
        let account = self.pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        let account = account.unwrap_or_else(|| "default".to_owned());
        if let Err(error) = irsa::role_of(self.cluster, &namespace, &account).await {
            log.line("stderr", &format!("sandbox: {error:#}"));
            return;
        }
        env.remove("AWS_ROLE_ARN");
        env.remove("AWS_WEB_IDENTITY_TOKEN_FILE");
        let access = &self.cluster.config.aws;
        env.insert("AWS_ENDPOINT_URL".to_owned(), access.endpoint.to_string());
        env.insert("AWS_ACCESS_KEY_ID".to_owned(), access.access_key_id.clone());
        env.insert("AWS_SECRET_ACCESS_KEY".to_owned(), access.secret_access_key.clone());
    }

    /// Nothing here filters packets: a database that the Pod may not reach has to be refused before.
    fn check_database_edge(&self) -> Result<(), String> {
        let Some(host) = self.env.get("PGHOST") else { return Ok(()) };
        let port = self.env.get("PGPORT").and_then(|port| port.parse().ok()).unwrap_or(5432);
        network_policy::permits_outside(self.cluster, self.pod, port)
            .map_err(|blocked| format!("sandbox: connection to {host}:{port} timed out: {blocked}"))
    }

    fn work_folder(&self) -> PathBuf {
        let wanted = self.container.working_dir.as_deref().and_then(|path| self.mounts.local(path));
        wanted.filter(|path| path.is_dir()).unwrap_or_else(|| self.folder.to_owned())
    }

    fn deadline(&self) -> Duration {
        let seconds = self.pod.spec.as_ref().and_then(|spec| spec.active_deadline_seconds);
        let own = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        own.map_or(LONGEST_RUN, |own| own.min(LONGEST_RUN))
    }

    fn message(&self, code: i32, file: &Path, log: &LogWriter) -> Option<String> {
        let written = std::fs::read(file).unwrap_or_default();
        let mut text = String::from_utf8_lossy(&written).into_owned();
        let policy = self.container.termination_message_policy.as_deref();
        if text.is_empty() && code != 0 && policy == Some("FallbackToLogsOnError") {
            text = log.tail(80);
        }
        let mut end = text.len().min(LONGEST_MESSAGE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        (!text.is_empty()).then_some(text)
    }
}

fn start_error(message: String) -> Exit {
    Exit { code: 128, reason: "StartError", message: Some(message) }
}

/// The file that a shell would run for `word`.
fn find(word: &str, path: &[PathBuf]) -> Option<PathBuf> {
    if word.contains('/') {
        return Some(PathBuf::from(word));
    }
    path.iter().map(|folder| folder.join(word)).find(|file| file.is_file())
}
