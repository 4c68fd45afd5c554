//! The state as data: what there is.
//!
//! Source: "JSON Output Format", Terraform documentation, format version 1.x.

use serde::Deserialize;
use serde_json::Value;
use xtask_tools::{Cause, CommandFailure};

/// What `terraform show -json` says of a state; without resources where there is none.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct State {
    #[serde(default)]
    values: Option<Values>,
}

#[derive(Debug, Clone, Deserialize)]
struct Values {
    root_module: Module,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Module {
    resources: Vec<Resource>,
    child_modules: Vec<Self>,
}

/// One resource that Terraform knows of.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Resource {
    pub(crate) address: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `managed` or `data`.
    #[serde(default)]
    mode: String,
    #[serde(default)]
    pub(super) values: Value,
}

impl State {
    /// # Errors
    /// When the text is not a state's JSON; it is not shown, because a state may hold secrets.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            anyhow::anyhow!(
                "failed to read the state's JSON: it breaks off at line {}",
                error.line()
            )
        })
    }

    /// What Terraform made, module by module.
    pub(crate) fn managed(&self) -> Vec<&Resource> {
        let mut found = Vec::new();
        let mut modules: Vec<&Module> =
            self.values.iter().map(|values| &values.root_module).collect();
        while let Some(module) = modules.pop() {
            found.extend(module.resources.iter().filter(|resource| resource.mode != "data"));
            modules.extend(&module.child_modules);
        }
        found
    }
}

/// Whether listing the state failed because there is none. Any other failure, an interrupt most of
/// all, says nothing about what is in it.
pub(super) fn says_there_is_none(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CommandFailure>().is_some_and(|failure| {
        failure.cause == Cause::Code(1)
            && failure.tail.iter().any(|line| line.contains("No state file was found"))
    })
}

/// Whether a resource of this type is among the addresses of a state, in whatever module.
pub(crate) fn holds_type(addresses: &[String], kind: &str) -> bool {
    addresses.iter().any(|address| {
        let parts: Vec<&str> = address.split('.').collect();
        parts.contains(&kind) && !parts.contains(&"data")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use xtask_tools::{Cause, CommandFailure};

    use super::{State, holds_type, says_there_is_none};

    fn failure(cause: Cause, tail: &[&str]) -> anyhow::Error {
        let tail = tail.iter().map(|line| (*line).to_owned()).collect();
        let line = "terraform state list".to_owned();
        CommandFailure { purpose: None, line, cause, tail, said: None, log: None }.into()
    }

    #[test]
    fn only_terraforms_own_word_makes_a_state_empty() {
        let none = ["No state file was found!", "", "State management commands require a state"];
        assert!(says_there_is_none(&failure(Cause::Code(1), &none)));
        let denied = ["Error: Failed to load state: AccessDenied: no"];
        assert!(!says_there_is_none(&failure(Cause::Code(1), &denied)));
        assert!(!says_there_is_none(&failure(Cause::Code(1), &[])));
        let interrupted = Cause::Interrupted { started: true, killed: false };
        assert!(!says_there_is_none(&failure(interrupted, &none)));
        assert!(!says_there_is_none(&anyhow::anyhow!("No state file was found")));
    }

    #[test]
    fn resources_are_found_in_every_module() {
        let resource =
            |address: &str, mode: &str| json!({"address": address, "type": "t", "mode": mode});
        let inner = json!({"resources": [resource("module.a.module.b.t.x", "managed")]});
        let outer =
            json!({"resources": [resource("module.a.data.t.y", "data")], "child_modules": [inner]});
        let root = json!({"resources": [resource("t.z", "managed")], "child_modules": [outer]});
        let state = State::parse(&json!({"values": {"root_module": root}}).to_string()).unwrap();
        let addresses: Vec<_> = state.managed().into_iter().map(|one| &*one.address).collect();
        assert_eq!(addresses, ["t.z", "module.a.module.b.t.x"]);
    }

    #[test]
    fn no_state_has_no_resources_and_a_broken_one_is_not_shown() {
        assert!(State::parse(r#"{"format_version": "1.0"}"#).unwrap().managed().is_empty());
        let error = State::parse(r#"{"values": "canary"#).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn a_type_is_told_from_names_and_data() {
        let holds = |address: &str| holds_type(&[address.to_owned()], "aws_eks_cluster");
        assert!(holds("module.cluster.aws_eks_cluster.this"));
        assert!(!holds("module.cluster.aws_eks_cluster_policy.this"));
        assert!(!holds("module.cluster.data.aws_eks_cluster.this"));
    }
}
