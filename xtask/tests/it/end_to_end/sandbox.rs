//! A sandbox for one test, and what is asked of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use serde_json::Value;
use xtask_cloud::{Cloud, CloudConfig};
use xtask_tools::{NoDownload, Toolbox};

use crate::harness::{Said, Xtask, processes, root};

/// A sandbox that ends with the test, whatever becomes of the test.
pub(super) struct Sandbox {
    pub(super) folder: PathBuf,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        Self::called("e2e")
    }

    /// One beside others; the name is short, because PostgreSQL's sockets live below it, and a
    /// socket's path has a limit.
    pub(super) fn called(name: &str) -> Self {
        let sandbox = Self { folder: root().join("target").join(name) };
        // The only one that builds it: a build waits for others that compile, and a step has deadlines.
        sandbox.with_folder("sandbox down").run();
        let _ = fs::remove_dir_all(sandbox.runs());
        sandbox
    }

    pub(super) fn xtask(&self, line: &str) -> Xtask {
        let built = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("xtask-sandbox");
        self.with_folder(line).env("XTASK_SANDBOX_BIN", built.display())
    }

    /// The same in another checkout.
    pub(super) fn xtask_in(&self, checkout: &Path, line: &str) -> Xtask {
        self.xtask(line).inside(checkout)
    }

    fn with_folder(&self, line: &str) -> Xtask {
        Xtask::new(line).env("XTASK_SANDBOX_DIR", self.folder.display())
    }

    /// Journals, logs and generated files.
    pub(super) fn runs(&self) -> PathBuf {
        let name = self.folder.file_name().unwrap().to_str().unwrap();
        self.folder.with_file_name(format!("{name}-runs"))
    }

    /// The file in which the sandbox says where its parts are.
    pub(super) fn state(&self) -> Value {
        let state = fs::read_to_string(self.folder.join("sandbox.json")).unwrap();
        serde_json::from_str(&state).unwrap()
    }

    /// Endpoints and credentials.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.state()["env"].clone()).unwrap()
    }

    pub(super) fn cloud(&self) -> Cloud {
        Cloud::new(CloudConfig { region: "eu-west-1".to_owned(), env: self.environment() }).unwrap()
    }

    /// Runs a command that has to succeed; shows what it says when it does not.
    pub(super) fn must(&self, line: &str) -> Said {
        let begun = Instant::now();
        let said = self.xtask(line).run();
        assert_eq!(said.code, 0, "`xtask {line}` failed:\n{}\n{}", said.out, said.error);
        tell(&format!("`xtask {line}` took {:.1} s", begun.elapsed().as_secs_f64()));
        said
    }

    /// The state as Terraform keeps it.
    pub(super) fn terraform_state(&self, environment: &str) -> String {
        let data = self.runs().join(environment).join("terraform");
        processes()
            .command(toolbox().ensure("terraform").unwrap().path)
            .arg(format!("-chdir={}", root().join("terraform").display()))
            .args(["state", "pull"])
            .environment(&self.environment())
            .env("TF_WORKSPACE", environment)
            .env("TF_DATA_DIR", data.display().to_string())
            .output()
            .unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.xtask("sandbox down").run();
    }
}

/// The tools that the runner found or installed before.
pub(super) fn toolbox() -> Toolbox {
    Toolbox::new(root().join("target/tools"), processes(), Arc::new(NoDownload))
}

#[expect(clippy::print_stdout, reason = "tells whoever waits for the long story how it goes")]
pub(super) fn tell(text: &str) {
    println!("end-to-end: {text}");
}

/// Every file below `folder`, without the providers that Terraform links.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // They are hundreds of megabytes and not ours.
            if path.ends_with("terraform/providers") {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Every line of `--format json` is one event.
pub(super) fn events(said: &Said) -> Vec<Value> {
    said.out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not an event: {line}")))
        .collect()
}

/// The steps that ended, as `stage/step`, with how: `changed`, `unchanged` or `skipped`.
pub(super) fn outcomes(said: &Said) -> Vec<(String, String)> {
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
