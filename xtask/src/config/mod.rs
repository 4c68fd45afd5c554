//! An environment as data: `terraform/environments/<env>.tfvars` and `helm/overlays/<env>.yaml`.
//!
//! Architecture invariant: adding an environment touches no code. Whatever is wrong in the files is
//! reported as one sentence with file, line, key and remedy before anything is started.

mod hcl;
mod located;
mod neighbours;
#[cfg(test)]
mod oracle;
mod overlay;
mod placeholders;
mod schema;
mod source;
mod tfvars;
mod types;
mod versions;
pub(crate) mod yaml;

use std::path::{Path, PathBuf};

use xtask_tools::did_you_mean;

use crate::{
    exit::Exit,
    secrets::{ExtraSecret, extra_secrets},
};

pub(crate) use overlay::Overlay;
pub(crate) use placeholders::{DOCUMENTATION_ACCOUNT, Placeholder};
pub(crate) use tfvars::Vars;
pub(crate) use versions::{Support, kubernetes_support, postgres_support};

/// The tag `Project` of all that is ours, as `terraform/locals.tf` has it.
pub(crate) const PROJECT: &str = "supabase";

/// What the files of every environment are compared with, below the repository's root.
pub(crate) const SHARED: [&str; 4] = [
    "terraform/variables.tf",
    "helm/overlays/base.yaml",
    "helm/supabase/values.yaml",
    "helm/supabase/values.schema.json",
];

/// A validated environment.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) kubernetes_version: String,
    pub(crate) postgres_version: String,
    /// The DNS zone of the public host name; none means the load balancer's own name.
    pub(crate) domain: Option<String>,
    pub(crate) var_file: PathBuf,
    pub(crate) overlay_file: PathBuf,
    /// What the release is given, the runner's own part left out.
    pub(crate) overlay: Overlay,
    /// What Terraform is given.
    pub(crate) vars: Vars,
    /// Secrets that the overlay declares by reading them.
    pub(crate) extra_secrets: Vec<ExtraSecret>,
    /// Values that were never filled in, with their place.
    pub(crate) placeholders: Vec<Placeholder>,
}

impl Environment {
    /// Reads and checks the files of an environment below the repository's `root`.
    ///
    /// # Errors
    /// One sentence that names file, line, key and remedy.
    pub(crate) fn load(root: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = root.join("terraform/environments");
        let var_file = folder.join(format!("{name}.tfvars"));
        if name.contains(['/', '\\', '.']) || !var_file.is_file() {
            return Err(unknown(name, &known(&folder)));
        }
        if let Some(why) = name_refused(name) {
            return Err(Exit::BadInput.error(format!(
                "terraform/environments/{name}.tfvars: the name `{name}` {why}; rename the file, its overlay and \
                 `environment`"
            )));
        }
        let overlay_file = root.join(format!("helm/overlays/{name}.yaml"));
        if !overlay_file.is_file() {
            return Err(Exit::BadInput.error(format!(
                "environment `{name}` has no overlay: create helm/overlays/{name}.yaml \
                 (helm/overlays/example.yaml is a start)"
            )));
        }
        let shown = format!("terraform/environments/{name}.tfvars");
        let vars = Vars::read(root, &shown, "terraform")?;
        neighbours::refuse(&folder, &known(&folder), name, &vars.string("account_id")?)?;
        let declared = vars.string("environment")?;
        if declared != name {
            return Err(
                vars.wrong("environment", &format!("must be \"{name}\", as the file's name"))
            );
        }
        let overlay = Overlay::read(root, &format!("helm/overlays/{name}.yaml"))?;
        let placeholders = vars.placeholders().into_iter().chain(overlay.placeholders()).collect();
        Ok(Self {
            name: name.to_owned(),
            region: vars.matching("region", is_region, "a region such as \"eu-west-1\"")?,
            account_id: vars.matching(
                "account_id",
                is_account,
                "the 12 digits of the AWS account, in quotes",
            )?,
            kubernetes_version: vars.matching(
                "kubernetes_version",
                is_minor,
                "a minor such as \"1.35\"",
            )?,
            postgres_version: vars.matching(
                "postgres_version",
                is_number,
                "a major such as \"17\"",
            )?,
            domain: vars.optional_string("domain")?,
            extra_secrets: extra_secrets(&overlay)?,
            var_file,
            overlay_file,
            overlay,
            vars,
            placeholders,
        })
    }

    /// The names of all environments that are checked in.
    pub(crate) fn names(root: &Path) -> Vec<String> {
        known(&root.join("terraform/environments"))
    }

    /// Common prefix of every name in AWS; also the cluster's name.
    pub(crate) fn name_prefix(&self) -> String {
        format!("supabase-{}", self.name)
    }

    /// Where the secrets live in the Parameter Store.
    pub(crate) fn parameter_prefix(&self) -> String {
        format!("/{}/supabase", self.name)
    }

    /// The alias of the key that encrypts the database and its snapshots.
    pub(crate) fn database_key_alias(&self) -> String {
        format!("alias/{}-database", self.name_prefix())
    }

    /// One bucket an account and region holds the state of all environments in it.
    pub(crate) fn state_bucket(&self) -> String {
        format!("supabase-terraform-state-{}-{}", self.account_id, self.region)
    }

    /// Production asks for more: a typed confirmation, a domain, every protection.
    pub(crate) fn is_production(&self) -> bool {
        self.name == "prod" || self.name.starts_with("prod-")
    }
}

/// The values of an account's bootstrap.
#[derive(Debug)]
pub(crate) struct AccountFile {
    pub(crate) path: PathBuf,
    pub(crate) vars: Vars,
}

impl AccountFile {
    /// Reads and checks the file of an account below the repository's `root`.
    ///
    /// # Errors
    /// One sentence that names file, line, key and remedy.
    pub(crate) fn load(root: &Path, account: &str) -> anyhow::Result<Self> {
        let shown = format!("terraform/bootstrap/accounts/{account}.tfvars");
        let path = root.join(&shown);
        if !path.is_file() {
            return Err(Exit::BadInput.error(format!(
                "{shown} does not exist; copy terraform/bootstrap/accounts/{DOCUMENTATION_ACCOUNT}.tfvars and fill it in"
            )));
        }
        let vars = Vars::read(root, &shown, "terraform/bootstrap")?;
        if vars.string("account_id")? != account {
            return Err(
                vars.wrong("account_id", &format!("must be \"{account}\", as the file's name"))
            );
        }
        Ok(Self { path, vars })
    }
}

fn unknown(name: &str, known: &[String]) -> anyhow::Error {
    Exit::BadInput.error(format!(
        "unknown environment `{name}`{}: known are {}; a new one is terraform/environments/<name>.tfvars \
         plus helm/overlays/<name>.yaml",
        did_you_mean(name, known),
        known.join(", ")
    ))
}

fn known(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".tfvars").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Why AWS would refuse what is named after an environment of this name.
fn name_refused(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !(2..=15).contains(&name.len()) || !name.chars().all(fits) {
        Some("is not 2 to 15 lower-case letters, digits or hyphens")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("does not begin with a letter, as RDS demands")
    } else if name.ends_with('-') || name.contains("--") {
        Some("ends with a hyphen or has two in a row, which RDS refuses")
    } else if name.starts_with("aws") || name.starts_with("ssm") {
        Some("begins with `aws` or `ssm`, which the Parameter Store keeps for itself")
    } else if name == "default" {
        Some("is that of the workspace that Terraform keeps for itself")
    } else {
        None
    }
}

fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    text.split('-').count() >= 3
        && parts.next().is_some_and(|area| area.len() >= 2)
        && text.ends_with(|c: char| c.is_ascii_digit())
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && is_number(text)
}

fn is_minor(text: &str) -> bool {
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
