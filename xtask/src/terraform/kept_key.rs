//! The database's key, which outlives its environment: what a tear-down lets go of, and what the next
//! deployment takes over instead of making it.

use xtask_cloud::{Cloud, Key};

use super::{Terraform, follow};
use crate::{exit::Exit, watch::Watch};

/// The key and the alias by which it is found again.
pub(crate) const DATABASE_KEY: [&str; 2] = [
    r#"module.encryption.aws_kms_key.this["database"]"#,
    r#"module.encryption.aws_kms_alias.this["database"]"#,
];

impl Terraform {
    /// The same, with plans that take over the key behind `alias`, if there is one: another one
    /// would find the alias taken. Nothing changes where the state holds that key already.
    ///
    /// # Errors
    /// When the key cannot be used, or AWS does not say.
    pub(crate) fn keeping_key(mut self, cloud: &Cloud, alias: &str) -> anyhow::Result<Self> {
        self.kept_keys = cloud.key_behind(alias)?.map(|key| variable(&key, alias)).transpose()?;
        Ok(self)
    }

    /// Takes resources out of the state and leaves them in AWS.
    pub(crate) fn let_go(&self, watch: &Watch<'_>, addresses: &[&str]) -> anyhow::Result<()> {
        let command = |lock| {
            self.command("let go of what outlives the environment", watch)
                .args(["state", "rm", "-no-color", lock])
                .args(addresses)
        };
        let forgotten = self.locking(watch, command, |command| follow(command, watch));
        self.written(watch, forgotten)
    }
}

/// The argument that makes a plan take the key over.
fn variable(key: &Key, alias: &str) -> anyhow::Result<String> {
    if key.is_usable() {
        return Ok(format!("-var=kept_keys={}", serde_json::json!({ "database": key.id })));
    }
    let (id, state) = (&key.id, &key.state);
    let cancel = if key.is_departing() {
        format!("`aws kms cancel-key-deletion --key-id {id}` and ")
    } else {
        String::new()
    };
    Err(Exit::Refused.error(format!(
        "{alias} points to key {id}, which is {state}: no database and no snapshot that it encrypts can be read. To \
         have it back, run {cancel}`aws kms enable-key --key-id {id}`; if nothing needs it, `aws kms delete-alias \
         --alias-name {alias}`. Nothing was planned or applied"
    )))
}

#[cfg(test)]
mod tests {
    use xtask_cloud::Key;

    use super::variable;
    use crate::exit::Exit;

    fn key(state: &str) -> Key {
        Key { id: "k-1".to_owned(), arn: String::new(), state: state.to_owned() }
    }

    #[test]
    fn the_variable_is_one_that_terraform_reads() {
        let argument = variable(&key("Enabled"), "alias/a").unwrap();
        assert_eq!(argument, r#"-var=kept_keys={"database":"k-1"}"#);
        let declared = include_str!("../../../terraform/variables.tf");
        assert!(declared.contains("variable \"kept_keys\""), "Terraform does not know it");
    }

    #[test]
    fn a_key_that_cannot_be_used_is_refused_with_both_ways_out() {
        let refused = |state: &str| variable(&key(state), "alias/a").unwrap_err();
        assert_eq!(Exit::of(&refused("PendingDeletion")), Exit::Refused);
        let text = refused("PendingDeletion").to_string();
        let ways =
            ["cancel-key-deletion --key-id k-1", "enable-key", "delete-alias --alias-name alias/a"];
        for part in ways {
            assert!(text.contains(part), "`{part}` is not said: {text}");
        }
        assert!(!refused("Disabled").to_string().contains("cancel"));
    }

    /// The addresses and the alias are those of the code.
    #[test]
    fn the_key_is_where_the_code_has_it() {
        let module = include_str!("../../../terraform/modules/encryption/main.tf");
        let parts = [
            "resource \"aws_kms_key\" \"this\"",
            "resource \"aws_kms_alias\" \"this\"",
            "    database   = {",
            "\"alias/${var.name_prefix}-${each.key}\"",
        ];
        for part in parts {
            assert!(module.contains(part), "`{part}` is not in the module");
        }
        let takes_over = include_str!("../../../terraform/kept-keys.tf");
        for address in ["aws_kms_key.this[each.key]", "aws_kms_alias.this[each.key]"] {
            assert!(takes_over.contains(&format!("module.encryption.{address}")), "{address}");
        }
    }
}
