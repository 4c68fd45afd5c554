//! Where the checks get their tools from. Nothing else here knows.

use anyhow::Context;
use hcl::Expression;
use xtask_tools::{Command, Surroundings};

use crate::CheckContext;

const PROVIDER: &str = "hashicorp/aws";
const LOCK_FILE: &str = "terraform/.terraform.lock.hcl";

/// A scanner that comes as a Python package. Each has an environment of its own, because their
/// dependencies contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PythonTool {
    Checkov,
    KubernetesValidate,
    Parliament,
    Shellcheck,
    Zizmor,
}

impl PythonTool {
    /// The name of its program, and of its file of pinned requirements.
    fn name(self) -> &'static str {
        match self {
            Self::Checkov => "checkov",
            Self::KubernetesValidate => "kubernetes-validate",
            Self::Parliament => "parliament",
            Self::Shellcheck => "shellcheck",
            Self::Zizmor => "zizmor",
        }
    }
}

impl CheckContext {
    /// Terraform, with the provider from a local mirror where there is one.
    pub(crate) fn terraform(&self) -> anyhow::Result<Command> {
        let version = self.provider_version()?;
        let surroundings = Surroundings::of_this_process();
        let providers = self.toolbox.terraform_providers(PROVIDER, &version, &surroundings)?;
        let program = self.toolbox.ensure("terraform")?.path;
        Ok(self.command(program).environment(&providers.environment).env("TF_IN_AUTOMATION", "1"))
    }

    pub(crate) fn helm(&self) -> anyhow::Result<Command> {
        Ok(self.command(self.toolbox.ensure("helm")?.path))
    }

    /// A scanner, installed on its first use.
    pub(crate) fn python_tool(&self, tool: PythonTool) -> anyhow::Result<Command> {
        let name = tool.name();
        let requirements = self.root.join(format!("xtask/checks/requirements/{name}.txt"));
        let interpreter = self.toolbox.python_environment(name, &requirements)?;
        Ok(self.command(interpreter.with_file_name(name)))
    }

    /// The version of the provider that the lock file names.
    fn provider_version(&self) -> anyhow::Result<String> {
        let text = self.read(LOCK_FILE)?;
        let body = hcl::parse(&text).with_context(|| format!("failed to read `{LOCK_FILE}`"))?;
        let block = body
            .blocks()
            .find(|block| block.labels().iter().any(|label| label.as_str().ends_with(PROVIDER)));
        let version = block.and_then(|block| {
            let mut attributes = block.body().attributes();
            let version = attributes.find(|attribute| attribute.key() == "version")?;
            match version.expr() {
                Expression::String(version) => Some(version.clone()),
                _ => None,
            }
        });
        version.with_context(|| format!("`{LOCK_FILE}` names no version of {PROVIDER}"))
    }
}
