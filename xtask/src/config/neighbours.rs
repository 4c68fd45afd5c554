//! Environments that share an account share its names: rights on `supabase-dev-*` would hold for what `dev-eu` owns.

use std::path::Path;

use super::{hcl, located::Node, source};
use crate::exit::Exit;

/// How the name of the state bucket goes on behind `supabase-`.
const STATE: &str = "terraform";

/// Refuses a name whose rights would hold for another environment of the account, or the other way round.
///
/// # Errors
/// One sentence that names both files and the remedy.
pub(super) fn refuse(
    folder: &Path,
    names: &[String],
    name: &str,
    account: &str,
) -> anyhow::Result<()> {
    let shown = |name: &str| format!("terraform/environments/{name}.tfvars");
    if name.starts_with(STATE) {
        return Err(Exit::BadInput.error(format!(
            "{}: an environment called `{name}` would own the state bucket by its name: rename it",
            shown(name)
        )));
    }
    let clashes = |other: &&String| {
        other.as_str() != name && (other.starts_with(name) || name.starts_with(other.as_str()))
    };
    for other in names.iter().filter(clashes) {
        if account_of(&folder.join(format!("{other}.tfvars"))).is_some_and(|id| id == account) {
            let (short, long) = if other.len() < name.len() {
                (other.as_str(), name)
            } else {
                (name, other.as_str())
            };
            return Err(Exit::BadInput.error(format!(
                "{}: `{long}` begins with the name of `{short}` ({}) in the same account {account}, so that the rights \
                 of `{short}` would hold for `{long}`: rename one, or give it an account of its own",
                shown(long),
                shown(short)
            )));
        }
    }
    Ok(())
}

/// The account that a file names. One that cannot be read is complained about when its own environment is used.
fn account_of(file: &Path) -> Option<String> {
    let text = source::read(file, "").ok()?;
    match &hcl::read(&text, "").ok()?.get("account_id")?.value.node {
        Node::Text(account) => Some(account.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refused(environments: &[(&str, &str)], name: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, account) in environments {
            let text = format!("account_id = \"{account}\"\n");
            fs::write(folder.path().join(format!("{name}.tfvars")), text).unwrap();
        }
        let names: Vec<String> = environments.iter().map(|(name, _)| (*name).to_owned()).collect();
        let account = environments.iter().find(|(known, _)| *known == name).unwrap().1;
        let error = refuse(folder.path(), &names, name, account).err()?;
        assert_eq!(Exit::of(&error), Exit::BadInput);
        Some(format!("{error:#}"))
    }

    #[test]
    fn a_name_that_begins_anothers_is_refused_from_either_side() {
        let pair = [("dev", "111122223333"), ("dev-eu", "111122223333"), ("prod", "111122223333")];
        let expected = "terraform/environments/dev-eu.tfvars: `dev-eu` begins with the name of `dev` \
                        (terraform/environments/dev.tfvars) in the same account 111122223333, so that the rights of \
                        `dev` would hold for `dev-eu`: rename one, or give it an account of its own";
        assert_eq!(refused(&pair, "dev").as_deref(), Some(expected));
        assert_eq!(refused(&pair, "dev-eu").as_deref(), Some(expected));
        assert_eq!(refused(&pair, "prod"), None);
    }

    #[test]
    fn accounts_keep_environments_apart() {
        assert_eq!(refused(&[("dev", "111122223333"), ("dev-eu", "444455556666")], "dev"), None);
    }

    #[test]
    fn the_state_bucket_is_nobodys() {
        let text = refused(&[("terraform", "111122223333")], "terraform").unwrap();
        assert!(text.contains("would own the state bucket"), "{text}");
    }
}
