//! The database's key outlives the environment as long as anything is encrypted with it: its final
//! snapshot, snapshots that a person took, a database restored from one. A tear-down lets go of the
//! key before Terraform destroys the rest, and deletes it in the end if nothing needs it. The next
//! deployment takes it over (`terraform/kept_key.rs`).

use xtask_cloud::Key;
use xtask_pipeline::{Action, Outcome, Preview, StepRun};

use crate::{context::Context, terraform::DATABASE_KEY, watch::Watch};

/// Takes the key out of Terraform's hands.
pub(super) struct LetGo;

impl Action<Context> for LetGo {
    fn preview(&self) -> Preview {
        Preview::Command(format!("terraform state rm '{}'", DATABASE_KEY.join("' '")))
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let (terraform, watch) = (context.terraform()?, Watch::of(run));
        let held = terraform.addresses(&watch)?;
        let ours: Vec<&str> = DATABASE_KEY
            .into_iter()
            .filter(|address| held.iter().any(|it| it == address))
            .collect();
        if ours.is_empty() {
            return Ok(Outcome::Unchanged("not in the state".to_owned()));
        }
        terraform.let_go(&watch, &ours)?;
        Ok(Outcome::Changed("stays, with what is encrypted with it".to_owned()))
    }
}

/// Deletes the key, or says what needs it.
pub(super) struct Release;

impl Action<Context> for Release {
    fn preview(&self) -> Preview {
        Preview::Request(
            "kms:ScheduleKeyDeletion of the database's key, unless a snapshot or a database is encrypted with it"
                .to_owned(),
        )
    }

    fn run(&self, context: &Context, run: &StepRun<'_>) -> anyhow::Result<Outcome> {
        let cloud = context.cloud()?;
        let alias = context.environment.database_key_alias();
        let Some(key) = cloud.key_behind(&alias)? else {
            return Ok(Outcome::Unchanged("there is none".to_owned()));
        };
        let needing = cloud.databases_encrypted_with(&key.arn)?;
        if needing.is_empty() {
            cloud.delete_key(&key, &alias)?;
            return Ok(Outcome::Changed(format!("{} is deleted in 30 days", key.arn)));
        }
        let kept = kept(&key, &needing, &context.command_line("destroy"));
        run.note(&kept);
        Ok(Outcome::Unchanged(kept))
    }
}

/// What stays, why, and how it goes.
fn kept(key: &Key, needing: &[String], again: &str) -> String {
    let (first, more) = (&needing[0], needing.len() - 1);
    let others = if more == 0 { String::new() } else { format!(" and {more} more") };
    let danger = if key.is_departing() {
        format!(
            "it is scheduled for deletion, and they will be unreadable: run `aws kms cancel-key-deletion --key-id {0}` \
             and `aws kms enable-key --key-id {0}`",
            key.id
        )
    } else {
        format!("about 1 USD a month; once they are deleted, `{again}` deletes it as well")
    };
    format!("kept {}, which {first}{others} cannot be read without; {danger}", key.arn)
}

#[cfg(test)]
mod tests {
    use xtask_cloud::Key;

    use super::kept;

    fn key(state: &str) -> Key {
        Key { id: "k".to_owned(), arn: "arn:key/k".to_owned(), state: state.to_owned() }
    }

    #[test]
    fn what_is_kept_is_named_with_what_needs_it_and_its_end() {
        let needing = ["arn:snapshot:a".to_owned(), "arn:snapshot:b".to_owned()];
        let text = kept(&key("Enabled"), &needing, "cargo xtask destroy prod");
        for part in ["arn:key/k", "arn:snapshot:a and 1 more", "`cargo xtask destroy prod`"] {
            assert!(text.contains(part), "`{part}` is not said: {text}");
        }
        assert!(!kept(&key("Enabled"), &needing[..1], "x").contains("more"));
    }

    #[test]
    fn a_key_that_somebody_scheduled_for_deletion_is_a_warning_with_the_way_back() {
        let text = kept(&key("PendingDeletion"), &["arn:snapshot:a".to_owned()], "x");
        assert!(text.contains("cancel-key-deletion --key-id k"), "{text}");
    }
}
