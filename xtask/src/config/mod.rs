//! An environment as data: `terraform/environments/<env>.tfvars` and `helm/overlays/<env>.yaml`.
//!
//! Architecture invariant: adding an environment touches no code. Whatever is wrong in the files is
//! reported as one sentence with file, line, key and remedy before anything is started.

mod neighbours;
mod overlay;
mod placeholders;
mod tfvars;
mod versions;

use std::path::{Path, PathBuf};

use crate::exit::Exit;

pub(crate) use overlay::Overlay;
pub(crate) use placeholders::{DOCUMENTATION_ACCOUNT, Placeholder};
pub(crate) use versions::{Support, kubernetes_support, postgres_support};

/// The tag `Project` of all that is ours, as `terraform/locals.tf` has it.
pub(crate) const PROJECT: &str = "supabase";

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
    pub(crate) overlay: Overlay,
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
        if !is_plain_name(name) || !var_file.is_file() {
            return Err(unknown(name, &known(&folder)));
        }
        let overlay_file = root.join(format!("helm/overlays/{name}.yaml"));
        if !overlay_file.is_file() {
            return Err(Exit::BadInput.error(format!(
                "environment `{name}` has no overlay: create helm/overlays/{name}.yaml \
                 (helm/overlays/example.yaml is a start)"
            )));
        }
        let shown = format!("terraform/environments/{name}.tfvars");
        let vars = tfvars::Tfvars::read(&var_file, &shown)?;
        neighbours::refuse(&folder, &known(&folder), name, &vars.string("account_id")?)?;
        let overlay = Overlay::read(&overlay_file, &format!("helm/overlays/{name}.yaml"))?;
        let declared = vars.string("environment")?;
        if declared != name {
            return Err(
                vars.wrong("environment", &format!("must be \"{name}\", as the file's name"))
            );
        }
        let placeholders = vars.placeholders().chain(overlay.placeholders()).collect();
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
            var_file,
            overlay_file,
            overlay,
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

fn unknown(name: &str, known: &[String]) -> anyhow::Error {
    let nearest = known.iter().find(|candidate| near(candidate, name));
    let hint =
        nearest.map(|candidate| format!(" (did you mean `{candidate}`?)")).unwrap_or_default();
    Exit::BadInput.error(format!(
        "unknown environment `{name}`{hint}: known are {}; a new one is terraform/environments/<name>.tfvars \
         plus helm/overlays/<name>.yaml",
        known.join(", ")
    ))
}

/// Close enough for a typing error: one name starts with the other, or they differ in one place.
fn near(candidate: &str, name: &str) -> bool {
    let same_start = candidate.starts_with(name) || name.starts_with(candidate);
    let differing = candidate.chars().zip(name.chars()).filter(|(a, b)| a != b).count();
    !name.is_empty() && (same_start || (candidate.len() == name.len() && differing <= 1))
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

/// A file name and nothing more: no separator, no dot, so that it never leaves the folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
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
