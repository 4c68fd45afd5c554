//! The sandbox as a program: up, used, killed, up again, down.
//!
//! Needs Python and PostgreSQL, as the sandbox itself does; what is missing is installed into
//! `target/tools`, as by `up`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use xtask_tools::{CommandFailure, Processes, Secret};

const PASSWORD: &str = "TheMastersPassword0123456789";

pub(crate) struct Sandbox {
    folder: PathBuf,
    processes: Processes,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) http: reqwest::Client,
}

impl Sandbox {
    pub(crate) fn new(name: &str) -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            folder: std::path::absolute(target.join(format!("sandbox-test-{name}"))).unwrap(),
            processes: Processes::default(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let command = self
            .processes
            .command(env!("CARGO_BIN_EXE_xtask-sandbox"))
            .arg("--folder")
            .arg(&self.folder)
            .args(arguments)
            .allow_codes(&[0, 1, 2]);
        let mut text = String::new();
        let finished = command
            .run(&mut |line| {
                text.push_str(line.text);
                text.push('\n');
            })
            .unwrap();
        (finished.code, text)
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("sandbox.json")).unwrap()).unwrap()
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.state()["control"].as_str().unwrap());
        self.runtime.block_on(async {
            let mut request = self.http.request(method.parse().unwrap(), url);
            if let Some(body) = body {
                request = request.json(&body);
            }
            let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    }

    /// One statement as the master user: what it printed, or why it failed.
    fn sql(
        &self,
        port: &Value,
        tls: &str,
        password: &str,
        statement: &str,
    ) -> Result<String, String> {
        self.processes
            .command(self.psql())
            .env("PGSSLMODE", tls)
            .env("PGSSLROOTCERT", self.folder.join("ca.pem"))
            .secret_env("PGPASSWORD", &Secret::new(password))
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", "supabase_master", "-d", "supabase"])
            .arg("-p")
            .arg(port.to_string())
            .args(["-c", statement])
            .output()
            .map(|text| text.trim().to_owned())
            .map_err(|error| error.downcast::<CommandFailure>().unwrap().tail.join("\n"))
    }

    /// The one beside the server that the sandbox started.
    fn psql(&self) -> PathBuf {
        let toolbox = xtask_tools::Toolbox::new(
            self.folder.with_file_name("tools"),
            self.processes.clone(),
            std::sync::Arc::new(xtask_tools::NoDownload),
        );
        toolbox.ensure("postgresql").unwrap().folder().join("psql")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.run(&["down"]);
        let _ = std::fs::remove_file(self.folder.with_extension("lock"));
    }
}

fn database(identifier: &str, source: Option<&str>) -> Value {
    json!({
        "identifier": identifier,
        "engine_version": "17.4",
        "master_username": "supabase_master",
        "master_password": source.is_none().then_some(PASSWORD),
        "database_name": "supabase",
        "source_identifier": source,
        "parameters": {"rds.force_ssl": "1", "rds.logical_replication": "1"},
    })
}

#[test]
fn a_sandbox_comes_up_serves_databases_survives_a_kill_and_leaves_nothing() {
    let sandbox = Sandbox::new("lifecycle");
    assert_eq!(sandbox.run(&["down"]).0, 0);
    let (code, text) = sandbox.run(&["up"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(sandbox.run(&["status"]).0, 0);

    // A database, as the RDS API would ask for it.
    let (status, made) = sandbox.call("POST", "/databases", Some(database("one", None)));
    assert_eq!(status, 200, "{made}");
    let port = &made["port"];
    let master = |statement: &str| sandbox.sql(port, "verify-full", PASSWORD, statement);
    assert_eq!(master("select usesuper from pg_user where usename = current_user").unwrap(), "f");
    assert_eq!(master("show wal_level").unwrap(), "logical");
    assert!(master("create role other superuser").unwrap_err().contains("SUPERUSER attribute"));
    assert!(master("alter system set fsync = on").unwrap_err().contains("permission denied"));
    let plain = sandbox.sql(port, "disable", PASSWORD, "select 1").unwrap_err();
    assert!(plain.contains("no encryption"), "{plain}");

    // A replica follows it and takes no writes.
    master("create table seen as select 7 as number").unwrap();
    let (status, replica) = sandbox.call("POST", "/databases", Some(database("two", Some("one"))));
    assert_eq!(status, 200, "{replica}");
    let on_replica =
        |statement: &str| sandbox.sql(&replica["port"], "verify-full", PASSWORD, statement);
    assert_eq!(on_replica("select number from seen").unwrap(), "7");
    assert!(on_replica("create table nothing ()").unwrap_err().contains("read-only"));

    // Another password, and no trace of either.
    let change = Some(json!({"password": "AnotherPassword0123456789"}));
    assert_eq!(sandbox.call("PUT", "/databases/one/password", change).0, 200);
    assert!(master("select 1").unwrap_err().contains("password authentication failed"));
    assert_eq!(sandbox.sql(port, "require", "AnotherPassword0123456789", "select 1").unwrap(), "1");
    for entry in std::fs::read_dir(sandbox.folder.join("logs")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("Password0123456789"), "{} holds a password", path.display());
    }

    // Deleting waits for the end of the server.
    assert_eq!(sandbox.call("DELETE", "/databases/two", None).0, 200);
    assert!(on_replica("select 1").unwrap_err().contains("refused"));
    let (status, unknown) = sandbox.call("DELETE", "/databases/two", None);
    assert_eq!((status, unknown["error"].as_str()), (422, Some("there is no database `two`")));

    // Killed, found dead, and replaced; its server does not stay behind.
    let pid = sandbox.state()["pid"].to_string();
    sandbox.processes.command("kill").args(["-9", &pid]).run_quietly().unwrap();
    let (code, text) = sandbox.run(&["status", "--format", "json"]);
    assert_eq!(code, 1);
    assert!(text.contains("\"dead\""), "{text}");
    let (code, text) = sandbox.run(&["up"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("database one"), "{text}");
    assert!(master("select 1").unwrap_err().contains("refused"));
    assert_ne!(sandbox.state()["pid"].to_string(), pid);

    // Up is up.
    let (code, text) = sandbox.run(&["up"]);
    assert_eq!(code, 0);
    assert!(text.contains("up already"), "{text}");

    assert_eq!(sandbox.run(&["down"]).0, 0);
    assert!(!sandbox.folder.exists());
    assert!(sandbox.run(&["status"]).1.contains("no sandbox is up"));
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let sandbox = Sandbox::new("port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, text) = sandbox.run(&["up", "--gateway-port", &port]);
    assert_eq!(code, 1);
    assert!(text.contains(&format!("port {port} is in use")), "{text}");
    assert!(text.contains("--gateway-port"), "{text}");
    assert!(!sandbox.folder.exists());
}
