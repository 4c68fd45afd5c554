//! A server with one cluster, and the programs that talk to it.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{Client, config::Kubeconfig};
use sandbox_kubernetes::{Config, LogProvider, NoLogs, Server, StaticTokens, User};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot};
use xtask_tools::Processes;

/// The token that the test's clients have.
pub(crate) const TOKEN: &str = "token-of-the-test";
pub(crate) const CLUSTER: &str = "supabase-test";

/// Nothing that a test waits for takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    /// Both streams, line by line.
    pub(crate) text: String,
}

impl Ran {
    /// The text of a program that has to succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.text);
        self.text
    }

    /// The text of a program that has to fail.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert_ne!(self.code, 0, "{}", self.text);
        self.text
    }
}

/// A running server; it ends with the value.
pub(crate) struct Sandbox {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    pub(crate) runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
}

impl Sandbox {
    pub(crate) fn start() -> Self {
        Self::with_logs(Arc::new(NoLogs))
    }

    pub(crate) fn with_logs(logs: Arc<dyn LogProvider>) -> Self {
        let runtime = Runtime::new().unwrap();
        let user = User { name: "alice".into(), groups: vec!["system:masters".into()] };
        let tokens = StaticTokens::new([(TOKEN.to_owned(), user)]);
        let config = Config { logs, ..Config::loopback() };
        let server = runtime.block_on(Server::bind(config, Arc::new(tokens))).unwrap();
        server.add_cluster(CLUSTER);
        let (stop, stopped) = oneshot::channel();
        let serving = server.clone();
        runtime.spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serving.serve(stopped).await.unwrap();
        });
        let sandbox = Self { server, folder: TempDir::new().unwrap(), runtime, stop: Some(stop) };
        fs::write(sandbox.kubeconfig_path(), sandbox.kubeconfig()).unwrap();
        sandbox
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn kubeconfig_path(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn kubeconfig(&self) -> String {
        let authority = self.folder.path().join("ca.pem");
        fs::write(&authority, self.server.ca_pem()).unwrap();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: '{}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: test, user: {{token: {TOKEN}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n",
            self.server.endpoint(CLUSTER),
            authority.display()
        )
    }

    /// A kube-rs client of the cluster.
    pub(crate) fn client(&self) -> Client {
        let config = Kubeconfig::read_from(self.kubeconfig_path()).unwrap();
        self.runtime.block_on(async {
            let options = kube::config::KubeConfigOptions::default();
            let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
            Client::try_from(config).unwrap()
        })
    }

    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Ran {
        self.run(&program("KUBECTL", "kubectl"), arguments, "")
    }

    /// `kubectl` with a file on its standard input.
    pub(crate) fn kubectl_with(&self, arguments: &[&str], input: &str) -> Ran {
        self.run(&program("KUBECTL", "kubectl"), arguments, input)
    }

    pub(crate) fn helm(&self, arguments: &[&str]) -> Ran {
        self.run(&program("HELM", "helm"), arguments, "")
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Ran {
        let processes = Processes::default();
        let home = self.folder.path();
        let every_code: Vec<i32> = (0..=255).collect();
        let command = processes
            .command(program)
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig_path())
            .env("HOME", home)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .stdin(input)
            .allow_codes(&every_code)
            .timeout(PATIENCE);
        let mut text = String::new();
        let finished = command.run(&mut |line| {
            text.push_str(line.text);
            text.push('\n');
        });
        let finished = finished.unwrap_or_else(|error| {
            panic!("{error:#}\n{text}\nset HELM to a helm 4 and KUBECTL to a kubectl, or have them on PATH")
        });
        Ran { code: finished.code, text }
    }

    /// Writes a file into the test's folder and gives back its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

fn program(variable: &str, name: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| name.to_owned())
}

/// Asks until the answer is yes.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "still not so: {what}");
        std::thread::yield_now();
    }
}
