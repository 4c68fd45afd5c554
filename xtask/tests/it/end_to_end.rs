//! From nothing to nothing in a sandbox of its own, as a person would do it.
//!
//! One long story and not many short ones: each chapter needs the world that the one before left.
//! It prints `end-to-end: ...` lines for whoever waits.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;
use xtask_cloud::{Cloud, CloudConfig};
use xtask_tools::Redactor;

use crate::harness::{Said, Xtask, processes, root};

/// A sandbox that ends with the test, whatever becomes of the test.
struct Sandbox {
    folder: PathBuf,
}

impl Sandbox {
    fn new() -> Self {
        // Short: PostgreSQL's sockets live below it, and a socket's path has a limit.
        let sandbox = Self { folder: root().join("target/e2e") };
        sandbox.xtask("sandbox down").run();
        let _ = fs::remove_dir_all(sandbox.runs());
        sandbox
    }

    fn xtask(&self, line: &str) -> Xtask {
        Xtask::new(line).env("XTASK_SANDBOX_DIR", self.folder.display())
    }

    fn runs(&self) -> PathBuf {
        self.folder.with_file_name("e2e-runs")
    }

    fn cloud(&self) -> Cloud {
        let state = fs::read_to_string(self.folder.join("sandbox.json")).unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        let env = serde_json::from_value(state["env"].clone()).unwrap();
        Cloud::new(CloudConfig { region: "eu-west-1".to_owned(), env }).unwrap()
    }

    /// Runs a command that has to succeed; shows what it says when it does not.
    fn must(&self, line: &str) -> Said {
        let begun = Instant::now();
        let mut all = String::new();
        let said = self.xtask(line).follow(|text| {
            all.push_str(text);
            all.push('\n');
        });
        assert_eq!(said.code, 0, "`xtask {line}` failed:\n{all}");
        tell(&format!("`xtask {line}` took {:.1} s", begun.elapsed().as_secs_f64()));
        said
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.xtask("sandbox down").run();
    }
}

#[expect(clippy::print_stdout, reason = "tells whoever waits for the long story how it goes")]
fn tell(text: &str) {
    println!("end-to-end: {text}");
}

#[test]
fn dev_and_prod_from_nothing_to_nothing() {
    let sandbox = Sandbox::new();
    sandbox.must("sandbox up");

    // Both environments at the same time, in one sandbox.
    std::thread::scope(|scope| {
        let prod = scope.spawn(|| sandbox.must("deploy prod --sandbox --format json"));
        answers(&sandbox.must("deploy dev --sandbox --format json"));
        answers(&prod.join().unwrap());
    });

    nothing_changes(&sandbox.must("deploy dev --sandbox --format json"));
    let plan = sandbox.must("plan prod --sandbox");
    assert!(plan.out.contains("No changes"), "{}", plan.out);

    drift_is_found_and_taken_back(&sandbox);
    a_stopped_stage_command_finds_its_inputs(&sandbox);
    no_secret_leaks(&sandbox, "dev");
    no_secret_leaks(&sandbox, "prod");

    std::thread::scope(|scope| {
        let prod = scope.spawn(|| sandbox.must("destroy prod --sandbox --confirm prod"));
        gone(&sandbox.must("destroy dev --sandbox --confirm dev"));
        gone(&prod.join().unwrap());
    });
    tell("done");
}

/// Every line of `--format json` is one event.
fn events(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not an event: {line}")))
        .collect()
}

fn outcomes(said: &Said) -> Vec<(String, String)> {
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    events(said)
        .iter()
        .filter(|event| event["event"] == "step-finished")
        .map(|event| {
            let name = format!("{}/{}", text(event, "stage"), text(event, "step"));
            (name, text(&event["outcome"], "result"))
        })
        .collect()
}

fn answers(said: &Said) {
    let outcomes = outcomes(said);
    for probe in
        ["rest-service", "rest-none", "rest-wrong", "auth-health", "storage-status", "meta-anon"]
    {
        let name = format!("smoke/{probe}");
        assert!(
            outcomes.contains(&(name, "unchanged".to_owned())),
            "{probe} was not asked: {outcomes:?}"
        );
    }
}

fn nothing_changes(said: &Said) {
    let changed: Vec<_> =
        outcomes(said).into_iter().filter(|(_, result)| result == "changed").collect();
    assert!(changed.is_empty(), "a second deployment changed {changed:?}");
}

fn drift_is_found_and_taken_back(sandbox: &Sandbox) {
    let said = sandbox.must("drift dev --sandbox");
    assert!(said.out.contains("no drift in `dev`"), "{}", said.out);
    let deleted = sandbox.cloud().delete_parameters_by_path("/dev/supabase/cluster").unwrap();
    assert!(!deleted.is_empty(), "Terraform made no plain parameters");
    let said = sandbox.xtask("drift dev --sandbox").run();
    assert_eq!(said.code, 2, "{} {}", said.out, said.error);
    assert!(said.out.contains("was deleted"), "{}", said.out);
    sandbox.must("stage infrastructure dev --sandbox");
    sandbox.must("drift dev --sandbox");
}

fn a_stopped_stage_command_finds_its_inputs(sandbox: &Sandbox) {
    let said = sandbox.must("stage smoke dev --sandbox");
    assert!(said.out.contains("rest-service"), "{}", said.out);
}

fn gone(said: &Said) {
    assert!(said.out.contains("nothing of `"), "{}", said.out);
}

/// Looks for every stored secret, in every form, in all that a run left behind.
fn no_secret_leaks(sandbox: &Sandbox, environment: &str) {
    let redactor = Redactor::new();
    let secrets = sandbox.cloud().parameters_by_path(&format!("/{environment}/supabase")).unwrap();
    // Terraform's plain parameters lie below the same prefix.
    const PLAIN: [&str; 6] =
        ["/cluster/name", "/host", "/identifier", "/database/name", "/port", "/bucket"];
    let is_secret =
        |name: &str| !name.ends_with("/username") && !PLAIN.iter().any(|end| name.ends_with(end));
    let secrets: Vec<_> = secrets.into_iter().filter(|secret| is_secret(&secret.name)).collect();
    assert!(secrets.len() >= 15, "{environment} has only {} secrets", secrets.len());
    for secret in &secrets {
        redactor.register(&secret.value).unwrap();
    }
    let folder = sandbox.runs().join(environment);
    let mut looked_at = 0;
    for file in files(&folder) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!redactor.reveals(&text), "{} holds a secret", file.display());
        looked_at += 1;
    }
    assert!(looked_at > 10, "only {looked_at} files in {}", folder.display());
    let state = terraform_state(sandbox, environment);
    assert!(state.contains("aws_db_instance"), "the state is empty");
    assert!(!redactor.reveals(&state), "the state of {environment} holds a secret");
    tell(&format!(
        "{} secrets of {environment} are in none of {looked_at} files and not in the state",
        secrets.len()
    ));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // Terraform links its providers, which are hundreds of megabytes and not ours.
            if path.ends_with("terraform/providers") {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

fn terraform_state(sandbox: &Sandbox, environment: &str) -> String {
    let state = fs::read_to_string(sandbox.folder.join("sandbox.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    let env: std::collections::BTreeMap<String, String> =
        serde_json::from_value(state["env"].clone()).unwrap();
    processes()
        .command("terraform")
        .arg(format!("-chdir={}", root().join("terraform").display()))
        .args(["state", "pull"])
        .environment(&env)
        .env("TF_WORKSPACE", environment)
        .env(
            "TF_DATA_DIR",
            sandbox.runs().join(environment).join("terraform").display().to_string(),
        )
        .output()
        .unwrap()
}
