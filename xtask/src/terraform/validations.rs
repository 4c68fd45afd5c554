//! The validations of a module's variables, asked of Terraform before anything is made.
//!
//! Terraform is given the declarations alone: without resources it needs no provider, no state and
//! no credentials, and says within a second what it would say after all of them were there.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::Context as _;
use regex::Regex;
use serde::Deserialize;
use xtask_tools::Processes;

use crate::secrets::{self, Alphabet};

/// Terraform takes a second.
const LONGEST: Duration = Duration::from_secs(60);

/// A value that a validation refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedValue {
    /// The line of the variable in the file.
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// Asks Terraform whether the variables of `module` take what stands in `var_file`. What is written
/// for that goes into the folder `work`.
///
/// # Errors
/// When Terraform fails for another reason.
pub(crate) fn refused_values(
    processes: &Processes,
    program: &Path,
    module: &Path,
    var_file: &Path,
    work: &Path,
) -> anyhow::Result<Vec<RefusedValue>> {
    fs::create_dir_all(work).with_context(|| format!("failed to create `{}`", work.display()))?;
    let declarations = read(&module.join("variables.tf"))?;
    let write = |name: &str, text: &str| {
        fs::write(work.join(name), text).with_context(|| format!("failed to write `{name}`"))
    };
    write("locals.tf", &locals(module, &declarations)?)?;
    write("variables.tf", &declarations)?;
    let any_password = secrets::random_text(40, Alphabet::Alphanumeric)?;
    let (ended, text) = processes
        .command(program)
        .arg(format!("-chdir={}", work.display()))
        .args(["plan", "-input=false", "-refresh=false", "-lock=false", "-json"])
        .arg(format!("-var-file={}", var_file.display()))
        .env("TF_DATA_DIR", work.join("terraform").display().to_string())
        .env("TF_IN_AUTOMATION", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_WORKSPACE")
        .secret_env("TF_VAR_database_password", &any_password)
        .purpose("ask Terraform about the variables")
        .timeout(LONGEST)
        .allow_codes(&[0, 1])
        .capture()?;
    let errors = errors(&text);
    anyhow::ensure!(ended.code == 0 || !errors.is_empty(), "terraform failed without a reason");
    errors.into_iter().map(|error| error.of(var_file)).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

/// The local values that the declarations refer to, and those that these refer to.
fn locals(module: &Path, declarations: &str) -> anyhow::Result<String> {
    let mut known = BTreeMap::new();
    let folder =
        module.read_dir().with_context(|| format!("failed to list `{}`", module.display()));
    for file in folder? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "tf") {
            continue;
        }
        let text = read(&path)?;
        if !text.contains("locals {") {
            continue;
        }
        let body = hcl_edit::parser::parse_body(&text)
            .map_err(|error| anyhow::anyhow!("`{}` is not valid HCL: {error}", path.display()))?;
        for block in body.blocks().filter(|block| block.ident.as_str() == "locals") {
            for local in block.body.attributes() {
                known.insert(local.key.as_str().to_owned(), local.value.to_string());
            }
        }
    }
    let reference = Regex::new(r"\blocal\.([A-Za-z_][A-Za-z0-9_-]*)").context("the pattern")?;
    let named = |text: &str| -> Vec<String> {
        reference.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let mut wanted = named(declarations);
    let mut found = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let value: &String =
            known.get(&name).with_context(|| format!("there is no local.{name}"))?;
        wanted.extend(named(value));
        found.insert(name, value.replace("${path.module}", &module.display().to_string()));
    }
    let lines: String =
        found.iter().map(|(name, value)| format!("  {name} = {}\n", value.trim())).collect();
    Ok(format!("locals {{\n{lines}}}\n"))
}

#[derive(Debug, Deserialize)]
struct Said {
    diagnostic: Diagnostic,
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    severity: String,
    summary: String,
    #[serde(default)]
    detail: String,
    range: Option<Range>,
}

#[derive(Debug, Deserialize)]
struct Range {
    filename: String,
    start: Start,
}

#[derive(Debug, Deserialize)]
struct Start {
    line: usize,
}

/// The errors among the lines that Terraform prints; a line of another form is none.
fn errors(text: &str) -> Vec<Diagnostic> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Said>(line).ok())
        .map(|said| said.diagnostic)
        .filter(|diagnostic| diagnostic.severity == "error")
        .collect()
}

impl Diagnostic {
    fn of(self, var_file: &Path) -> anyhow::Result<RefusedValue> {
        let why = self.detail.split("\n\n").next().unwrap_or_default().trim();
        match self.range {
            Some(range) if Path::new(&range.filename).file_name() == var_file.file_name() => {
                Ok(RefusedValue { line: range.start.line, why: why.to_owned() })
            }
            _ => Err(anyhow::anyhow!("terraform: {}: {why}", self.summary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, sync::Arc};

    use xtask_tools::{NoDownload, Processes, Toolbox};

    use super::{RefusedValue, locals, refused_values};

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    fn refused(module: &str, file: &str, from: &str, to: &str) -> Vec<RefusedValue> {
        let processes = Processes::default();
        let tools =
            Toolbox::new(root().join("target/tools"), processes.clone(), Arc::new(NoDownload));
        let terraform = tools.ensure("terraform").unwrap().path;
        let folder = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(root().join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        let var_file = folder.path().join("x.tfvars");
        fs::write(&var_file, text.replacen(from, to, 1)).unwrap();
        let work = folder.path().join("work");
        refused_values(&processes, &terraform, &root().join(module), &var_file, &work).unwrap()
    }

    #[test]
    fn a_value_that_a_validation_refuses_is_told_with_its_line() {
        let dev = "terraform/environments/dev.tfvars";
        let found = refused("terraform", dev, "10.20.0.0/16", "10.20.0.0/36");
        assert_eq!(found[0].line, 9, "{found:?}");
        assert!(found[0].why.starts_with("network.cidr \"10.20.0.0/36\" must be"), "{found:?}");
    }

    #[test]
    fn what_is_shipped_is_taken() {
        let account = "terraform/bootstrap/accounts/123456789012.tfvars";
        for (module, file) in [
            ("terraform", "terraform/environments/dev.tfvars"),
            ("terraform", "terraform/environments/prod.tfvars"),
            ("terraform/bootstrap", account),
        ] {
            assert_eq!(refused(module, file, "", ""), []);
        }
    }

    #[test]
    fn only_the_locals_that_are_needed_are_taken_along() {
        let module = tempfile::tempdir().unwrap();
        let text = "locals {\n  a = local.b + 1\n  b = 2\n  c = data.x.y\n}\n";
        fs::write(module.path().join("locals.tf"), text).unwrap();
        let found = locals(module.path(), "condition = var.x == local.a").unwrap();
        assert_eq!(found, "locals {\n  a = local.b + 1\n  b = 2\n}\n");
        assert!(locals(module.path(), "local.z").is_err());
    }
}
