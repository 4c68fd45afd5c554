//! Who holds the state's lock, since when, and the command that takes it away from a dead one.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use xtask_pipeline::Blocked;
use xtask_tools::{Command, CommandFailure};

use super::Terraform;
use crate::watch::Watch;

/// What Terraform itself waits before the holder is named; its start takes some seconds on top.
const FIRST_LOOK: &str = "-lock-timeout=3s";

/// What it waits once the holder was named: another run may be in the middle of an apply.
const PATIENCE: &str = "-lock-timeout=15m";

/// A lock that somebody else holds, in Terraform's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Held {
    id: String,
    who: String,
    operation: String,
    since: Option<Timestamp>,
}

impl Terraform {
    /// Runs a command that needs the state for itself; `command` is given the argument that says how
    /// long to wait for it. Who is in the way is named within seconds, with the command that helps
    /// should it be dead, and only then waited for.
    ///
    /// # Errors
    /// A [`Blocked`] when the lock is still held at the end.
    pub(super) fn locking<T>(
        &self,
        watch: &Watch<'_>,
        command: impl Fn(&'static str) -> Command,
        mut run: impl FnMut(&Command) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let held = match run(&command(FIRST_LOOK)) {
            Ok(done) => return Ok(done),
            Err(error) => match held(&error) {
                Some(held) => held,
                None => return Err(self.explained(error)),
            },
        };
        watch.note(&format!(
            "{}; waiting up to 15 min. If it is dead: {}",
            held.told(Timestamp::now()),
            self.unlock_command(&held.id)
        ));
        run(&command(PATIENCE)).map_err(|error| match self::held(&error) {
            Some(held) => {
                let command = self.unlock_command(&held.id);
                let told = held.told(Timestamp::now());
                let message = format!(
                    "{told}. Wait for its end; when nothing works on it any more, take the lock away: {command}"
                );
                Blocked { message, command }.into()
            }
            None => self.explained(error),
        })
    }

    /// Takes the lock away from whoever holds it under this id.
    pub(crate) fn unlock(&self, watch: &Watch<'_>, id: &str) -> anyhow::Result<()> {
        let command =
            self.command("take the state's lock away", watch).args(["force-unlock", "-force", id]);
        self.follow(&command, watch)
    }

    fn unlock_command(&self, id: &str) -> String {
        self.mending("unlock", &[id])
    }
}

/// The lock that a command failed at, if that is why it failed.
fn held(error: &anyhow::Error) -> Option<Held> {
    let failure = error.downcast_ref::<CommandFailure>()?;
    // Who stops waiting has not failed: that is to end as an interrupt.
    if failure.is_interrupted() {
        return None;
    }
    let lines = failure.tail.iter().map(|line| line.trim_start_matches(['│', ' ']).trim_end());
    let mut info = lines.skip_while(|line| !line.starts_with("Lock Info:")).skip(1);
    let mut held = Held::default();
    for line in info.by_ref().take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else { break };
        let value = value.trim();
        match name {
            "ID" => value.clone_into(&mut held.id),
            "Who" => value.clone_into(&mut held.who),
            "Operation" => {
                value.trim_start_matches("OperationType").clone_into(&mut held.operation);
            }
            "Created" => held.since = timestamp(value),
            _ => {}
        }
    }
    (!held.id.is_empty()).then_some(held)
}

/// A time such as `2026-01-31 09:30:00.123456789 +0000 UTC`.
fn timestamp(text: &str) -> Option<Timestamp> {
    let (time, zone) = text.split_once(" +")?;
    let time: DateTime = zone.starts_with("0000").then(|| time.parse().ok())??;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

impl Held {
    fn told(&self, now: Timestamp) -> String {
        let since = self.since.map(|since| {
            let minutes = (now.as_second() - since.as_second()).max(0) / 60;
            format!(" since {since:.0} ({minutes} min ago)")
        });
        let operation = if self.operation.is_empty() {
            String::new()
        } else {
            format!(" for {}", self.operation.to_ascii_lowercase())
        };
        let (who, id) = (&self.who, &self.id);
        format!("the state is locked by {who}{}{operation}, lock {id}", since.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use xtask_tools::{Cause, CommandFailure};

    use super::held;

    const TEXT: &str = "
Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error StatusCode:
412, RequestID: x, HostID: y, api error PreconditionFailed: no
Lock Info:
  ID:        f3b8e7a2-6a1c-8d55-2b0f-0d2f6c1f4b11
  Path:      bucket/env:/dev/supabase.tfstate
  Operation: OperationTypeApply
  Who:       root@machine
  Version:   1.11.4
  Created:   2026-01-31 09:30:00.123456789 +0000 UTC
  Info:      

Terraform acquires a state lock to protect the state from being written
by multiple users at the same time.
";

    fn failure(text: &str) -> anyhow::Error {
        CommandFailure {
            purpose: None,
            line: "terraform plan".to_owned(),
            cause: Cause::Code(1),
            tail: text.lines().map(str::to_owned).collect(),
            said: None,
            log: None,
        }
        .into()
    }

    #[test]
    fn the_holder_its_age_and_its_id_are_told() {
        let now: Timestamp = "2026-01-31T09:42:30Z".parse().unwrap();
        let told = held(&failure(TEXT)).unwrap().told(now);
        assert_eq!(
            told,
            "the state is locked by root@machine since 2026-01-31T09:30:00Z (12 min ago) for apply, lock \
             f3b8e7a2-6a1c-8d55-2b0f-0d2f6c1f4b11"
        );
    }

    #[test]
    fn who_stops_waiting_was_interrupted_and_not_blocked() {
        let mut stopped: CommandFailure = failure(TEXT).downcast().unwrap();
        stopped.cause = Cause::Interrupted { started: true, killed: false };
        assert_eq!(held(&stopped.into()), None);
    }

    #[test]
    fn any_other_failure_is_none() {
        assert_eq!(held(&failure("Error: no such bucket")), None);
        assert_eq!(held(&anyhow::anyhow!("Lock Info:\n  ID: x")), None);
    }
}
