//! Every check that asks a tool passes a small good repository and fails a broken one.
//!
//! The tools are those of the runner. They are installed when they are missing, so these tests are
//! run by the check `checks-can-fail` and not by a plain `cargo test`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of these tests may panic, too")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use xtask_checks::{CHECKS, CheckContext, CheckOutcome};
use xtask_tools::{NoDownload, Processes, Toolbox};

/// Where the repository's own pins are.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// A copy of the fixture, to be broken.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder };
        let root = repository.root();
        copy(&Path::new(PACKAGE).join("tests/fixture"), root);
        fs::rename(root.join("Cargo.toml.fixture"), root.join("Cargo.toml")).unwrap();
        for chart in ["secrets", "database"] {
            copy(&root.join("helm/supabase"), &root.join("helm").join(chart));
        }
        for chart in ["supabase", "secrets", "database"] {
            repository.write(&format!("xtask/checks/values/{chart}.yaml"), "environment: dev\n");
        }
        for pins in ["requirements", "actionlint"] {
            let place = format!("xtask/checks/{pins}");
            copy(&Path::new(PACKAGE).join(pins), &root.join(place));
        }
        repository.write("xtask/checks/checkov-kubernetes.yaml", "skip-check: [CKV_K8S_21]\n");
        let lock = "terraform/.terraform.lock.hcl";
        let our_lock = Path::new(PACKAGE).join("../..").join(lock);
        fs::copy(our_lock, root.join(lock)).unwrap();
        repository.command("git").args(["init", "--quiet"]).run_quietly().unwrap();
        let resolve = ["generate-lockfile", "--offline", "--quiet"];
        repository.command("cargo").args(resolve).run_quietly().unwrap();
        repository
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, program: &str) -> xtask_tools::Command {
        Processes::default().command(program).cwd(self.root())
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Changes a file; what is replaced has to be there.
    fn replace(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.root().join(path)).unwrap();
        assert!(text.contains(from), "{path} holds {from}");
        self.write(path, &text.replacen(from, to, 1));
    }

    fn check(&self, name: &str) -> Result<CheckOutcome, String> {
        let processes = Processes::default();
        let tools = env::var_os("XTASK_CHECKS_TOOLS").map(PathBuf::from);
        let tools = tools.unwrap_or_else(|| Path::new(PACKAGE).join("../../target/tools"));
        let toolbox = Toolbox::new(tools, processes.clone(), Arc::new(NoDownload));
        let context =
            CheckContext::new(self.root(), processes, Arc::new(toolbox), Vec::new(), |_| Ok(()));
        fs::create_dir_all(&context.scratch).unwrap();
        let check = CHECKS.iter().find(|check| check.name == name).unwrap();
        (check.run)(&context).map_err(|error| format!("{error:#}"))
    }

    #[track_caller]
    fn passes(&self, name: &str) {
        match self.check(name) {
            Ok(CheckOutcome::Passed(_)) => {}
            other => panic!("{name} does not pass the good repository: {other:?}"),
        }
    }

    /// The check fails, because of what was broken.
    #[track_caller]
    fn fails(&self, name: &str, because: &str) {
        let output = match self.check(name) {
            Ok(CheckOutcome::Failed(output)) | Err(output) => output,
            other => panic!("{name} does not fail: {other:?}"),
        };
        assert!(output.contains(because), "{name} does not say {because}: {output}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: bad
spec:
  selector: { matchLabels: { a: b } }
  template:
    metadata: { labels: { a: b } }
    spec:
      containers:
        - name: bad
          image: nginx
          securityContext: { privileged: true }
";

#[test]
#[ignore = "installs tools; the check `checks-can-fail` runs it"]
fn rust() {
    let good = Repository::new();
    for name in ["rust-format", "dependencies", "licences", "clippy", "rust-build", "rust-tests"] {
        good.passes(name);
    }
    let bad = Repository::new();
    bad.replace("src/lib.rs", "number + 1", "  number+1");
    bad.fails("rust-format", "src/lib.rs");
    bad.replace("src/lib.rs", "number+1", "return number + 1;");
    bad.fails("clippy", "needless_return");
    bad.replace("src/lib.rs", "number + 1", "number + 2");
    bad.passes("rust-build");
    bad.fails("rust-tests", "one_more");
    bad.replace("src/lib.rs", "number + 2", "numbr + 2");
    bad.fails("rust-build", "numbr");
    bad.replace("src/lib.rs", "numbr + 2", "number + 2");
    bad.replace("src/lib.rs", "#[test]", "");
    bad.fails("rust-tests", "no test ran");
    bad.write("deny.toml", "[licenses]\nallow = [\"ISC\"]\n");
    bad.fails("licences", "itoa");
    bad.write("deny.toml", "");
    bad.fails("licences", "licenses");
}

#[test]
#[ignore = "installs tools; the check `checks-can-fail` runs it"]
fn terraform() {
    let good = Repository::new();
    for name in ["terraform-format", "terraform-validate", "terraform-test", "iam-policies"] {
        good.passes(name);
    }
    good.passes("checkov-terraform");
    let bad = Repository::new();
    bad.write("terraform/environments/dev.tfvars", "environment=\"dev\"\n");
    bad.fails("terraform-format", "dev.tfvars");
    bad.replace("terraform/main.tf", "s3:GetObject", "s3:GetObjekt");
    bad.fails("iam-policies", "GetObjekt");
    bad.replace("terraform/main.tf", "-alerts\"", "-alarms\"");
    bad.fails("terraform-test", "The topic has another name.");
    bad.replace("terraform/main.tf", "  kms_master_key_id = \"alias/${var.environment}\"\n", "");
    bad.fails("checkov-terraform", "CKV_AWS_26");
    bad.replace(
        "terraform/main.tf",
        "aws_sns_topic\" \"alerts\" {",
        "aws_sns_topic\" \"alerts\" {\n  nme = 1",
    );
    bad.fails("terraform-validate", "nme");
    fs::remove_file(bad.root().join("terraform/tests/dev.tftest.hcl")).unwrap();
    bad.fails("terraform-test", "no test");
}

#[test]
#[ignore = "installs tools; the check `checks-can-fail` runs it"]
fn charts() {
    let good = Repository::new();
    for name in ["helm-lint", "helm-render", "kubernetes-schema"] {
        good.passes(name);
    }
    let bad = Repository::new();
    let template = "helm/supabase/templates/bad.yaml";
    bad.write(template, DEPLOYMENT);
    bad.passes("kubernetes-schema");
    bad.fails("checkov-kubernetes", "CKV_K8S_16");
    bad.write(template, &DEPLOYMENT.replace("  selector:", "  replicaz: 2\n  selector:"));
    bad.fails("kubernetes-schema", "replicaz");
    let labelled = "labels: { a: b, app.kubernetes.io/component: bad } }";
    let with_setting = DEPLOYMENT
        .replace("metadata: { labels: { a: b } }", &format!("metadata: {{ {labelled}"))
        .replace("image: nginx", "image: 'nginx:1'\n          env: [{ name: PORT, value: '1' }]");
    let program =
        "programs: [{component: bad, image: nginx, tag: '1', source: s, from: f, reads: [PORT]}]";
    bad.write("xtask/checks/data/settings.yaml", program);
    bad.write(template, &with_setting);
    bad.passes("settings-read");
    bad.write(template, &with_setting.replace("PORT", "PROT"));
    bad.fails("settings-read", "is given PROT");
    bad.write(template, "apiVersion: example.com/v1\nkind: Odd\nmetadata: { name: odd }\n");
    bad.fails("kubernetes-schema", "schema for kind Odd");
    bad.write(template, "apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: supabase }\n");
    bad.fails("helm-render", "rendered twice");
    bad.write(template, "{{ .Values.missing.key }}");
    bad.fails("helm-lint", "bad.yaml");
    bad.write(template, "");
    bad.replace("helm/supabase/values.schema.json", "\"additionalProperties\": false,", "");
    bad.fails("helm-render", "does not refuse an unknown key");
    fs::remove_file(bad.root().join("helm/overlays/dev.yaml")).unwrap();
    bad.write("helm/overlays/prod.yaml", "environment: prod\n");
    bad.fails("helm-lint", "has no overlay");
}

#[test]
#[ignore = "installs tools; the check `checks-can-fail` runs it"]
fn workflows_and_scripts() {
    let good = Repository::new();
    for name in ["tidy", "workflows", "zizmor", "actionlint", "shellcheck", "scanner-skips"] {
        good.passes(name);
    }
    let bad = Repository::new();
    let workflow = ".github/workflows/ci.yml";
    bad.replace(workflow, "exec cargo xtask test", "cargo xtask test || true");
    bad.fails("workflows", "start it with");
    bad.replace(workflow, "cargo xtask test || true", "echo ${{ github.head_ref }}");
    bad.fails("zizmor", "template-injection");
    bad.replace(workflow, "github.head_ref", "nonsense.head_ref");
    bad.fails("actionlint", "nonsense");
    bad.write(".ci/run", "#!/bin/sh\ncd $1\n");
    bad.fails("shellcheck", "SC2086");
    bad.replace("terraform/main.tf", "{\n  name ", "{\n  #checkov:skip=CKV_AWS_26\n  name ");
    bad.fails("scanner-skips", "CKV_AWS_26");
    bad.write("long.md", &"line\n\n".repeat(301));
    bad.fails("tidy", "long.md");
}
