//! A state that does not hold what AWS holds: what could not be saved is put back, what AWS has and
//! the state has not is named with the command that takes it over.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde::Deserialize;
use xtask_pipeline::Blocked;
use xtask_tools::{CommandFailure, Secret};

use super::{
    Terraform,
    diagnostics::{self, Diagnostic},
    lost, removed,
};
use crate::watch::Watch;

/// The file that Terraform leaves in the module's folder when it cannot save the state.
const UNSAVED: &str = "errored.tfstate";

/// What AWS says of a name that is taken.
const TAKEN: [&str; 7] = [
    "AlreadyAssociated",
    "AlreadyExists",
    "AlreadyOwnedByYou",
    "Duplicate",
    "ResourceConflict",
    "ResourceInUse",
    "already exists",
];

/// What two states are compared by; the rest may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    lineage: String,
    serial: u64,
}

impl Version {
    /// Why this state may not be replaced by `other`.
    fn refuses(&self, other: &Self) -> Option<String> {
        if self.lineage.is_empty() {
            return None;
        }
        if self.lineage != other.lineage {
            return Some("it is not a state of this environment".to_owned());
        }
        (self.serial >= other.serial).then(|| {
            format!("the state has moved on to {}, the file holds {}", self.serial, other.serial)
        })
    }
}

impl Terraform {
    /// The error of a command that writes the state, with all that Terraform said. A state that it could
    /// not save is put back, or kept and named.
    pub(super) fn written<T>(
        &self,
        watch: &Watch<'_>,
        ended: anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let Err(error) = ended else { return ended };
        let left = self.module.join(UNSAVED);
        if !error.downcast_ref::<CommandFailure>().is_some_and(names_unsaved) || !left.is_file() {
            return Err(error);
        }
        let put_back = moved(&left, &self.work.join(UNSAVED)).and_then(|()| self.put_back(watch));
        let told = match put_back {
            Ok(told) => told.unwrap_or_default(),
            Err(unsaved) => format!("{unsaved:#}"),
        };
        Err(error.context(told))
    }

    /// Puts back a state that an earlier command could not save; what was done, if there was one.
    ///
    /// # Errors
    /// When it cannot be put back: the text names the file that it is kept in and the command.
    pub(crate) fn put_back(&self, watch: &Watch<'_>) -> anyhow::Result<Option<String>> {
        let left = self.module.join(UNSAVED);
        let kept = self.work.join(UNSAVED);
        if left.is_file() {
            // Of a run that was killed before it could tell; maybe of another environment's.
            let (whose, current) = (version(&left)?.lineage, self.current(watch)?.lineage);
            if current.is_empty() {
                let by_hand = self.mending("push", &[&left.display().to_string()]);
                return Ok(Some(format!(
                    "{} holds a state that could not be saved, of this environment or of another one; if it is this \
                     one's, put it back with: {by_hand}",
                    left.display()
                )));
            }
            if current == whose {
                moved(&left, &kept)?;
            }
        }
        if !kept.is_file() {
            return Ok(None);
        }
        let unsaved = version(&kept)?;
        if self.current(watch)?.refuses(&unsaved).is_some() {
            let aside = self.work.join(format!("unsaved-{}.tfstate", unsaved.serial));
            moved(&kept, &aside)?;
            return Ok(Some(format!(
                "a state that an earlier command could not save is out of date, because the state has moved on since; \
                 it is kept in {}",
                aside.display()
            )));
        }
        let shown = kept.display().to_string();
        let by_hand = self.mending("push", &[&shown]);
        self.push(watch, &kept).with_context(|| {
            format!("the state of an earlier command could not be saved and is kept in {shown}; put it back with: {by_hand}")
        })?;
        Ok(Some("the state that could not be saved at first was put back".to_owned()))
    }

    /// Makes a saved state the environment's own and removes the file.
    ///
    /// # Errors
    /// When the environment's state is another one or a later one.
    pub(crate) fn push(&self, watch: &Watch<'_>, file: &Path) -> anyhow::Result<()> {
        if let Some(why) = self.current(watch)?.refuses(&version(file)?) {
            anyhow::bail!("`{}` is not put back: {why}", file.display());
        }
        let command = |lock| {
            let command = self.command("put the saved state back", watch);
            command.args(["state", "push", "-no-color", lock]).arg(file).despite_interrupt()
        };
        self.locking(watch, command, |command| super::follow(command, watch))?;
        removed(file)
    }

    /// Takes what AWS has into the state, under the address that the code gives it.
    pub(crate) fn adopt(
        &self,
        watch: &Watch<'_>,
        password: &Secret,
        address: &str,
        id: &str,
    ) -> anyhow::Result<()> {
        let command = |lock| {
            self.command("take it into the state", watch)
                .args(["import", "-input=false", "-no-color", lock])
                .arg(self.variables())
                .secret_env("TF_VAR_database_password", password)
                .args([address, id])
        };
        self.locking(watch, command, |command| super::follow(command, watch))
    }

    /// The error with the whole of what Terraform said, and with what AWS has and the state has not.
    pub(super) fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(failure) = error.downcast_ref::<CommandFailure>() else { return error };
        let found = diagnostics::read(&failure.tail);
        // What only a person or the next command can do is said by whoever looks at these.
        let is_final = !failure.is_interrupted() && !names_unsaved(failure);
        let taken: Vec<Taken> = found.iter().filter_map(|one| self.taken(one)).collect();
        let error = diagnostics::explained(error, &self.module);
        if taken.is_empty() {
            return error;
        }
        let commands: Vec<&str> = taken.iter().map(|one| one.command.as_str()).collect();
        let told = format!(
            "AWS has what the state has not, from a run that could not save its state or from somebody else. \
             Look at each and take it over, or delete it in AWS:\n    {}\n   ",
            commands.join("\n    ")
        );
        // The next plan finds the others and takes over what is ours.
        match taken.iter().find(|one| !one.is_sought).filter(|_| is_final) {
            Some(first) => {
                let command = first.command.clone();
                Blocked { message: format!("{told}: {error:#}"), command }.into()
            }
            None => error.context(told),
        }
    }

    /// The command that takes over what is in the way of making a resource.
    fn taken(&self, found: &Diagnostic) -> Option<Taken> {
        let says_so = |text: &str| TAKEN.iter().any(|word| text.contains(word));
        let address = found.address.as_ref()?;
        if !says_so(&found.summary) && !says_so(&found.detail) {
            return None;
        }
        let id = named(&found.summary).unwrap_or_else(|| "<its id>".to_owned());
        let command = self.mending("adopt", &[&format!("'{address}'"), &format!("'{id}'")]);
        Some(Taken {
            command,
            is_sought: kind_of(address).is_some_and(|kind| lost::is_sought(&kind)),
        })
    }

    fn current(&self, watch: &Watch<'_>) -> anyhow::Result<Version> {
        let pull =
            self.command("read the state", watch).args(["state", "pull"]).despite_interrupt();
        let text = pull.output().map_err(|error| self.explained(error))?;
        if text.trim().is_empty() {
            return Ok(Version::default());
        }
        // Not shown: a state may hold what nobody should read.
        serde_json::from_str(&text).map_err(|_| anyhow::anyhow!("the state is not readable"))
    }
}

/// Something in AWS that is in the way of making a resource.
struct Taken {
    /// Takes it over.
    command: String,
    /// Whether the next plan looks for it.
    is_sought: bool,
}

fn names_unsaved(failure: &CommandFailure) -> bool {
    failure.tail.iter().any(|line| line.contains(UNSAVED))
}

/// The type in an address such as `module.a["b.c"].aws_vpc.this[0]`, whose keys may hold dots.
fn kind_of(address: &str) -> Option<String> {
    let (mut plain, mut in_key, mut in_quotes) = (String::new(), false, false);
    for letter in address.chars() {
        match letter {
            '"' => in_quotes = !in_quotes,
            '[' if !in_quotes => in_key = true,
            ']' if !in_quotes => in_key = false,
            _ if in_key => {}
            _ => plain.push(letter),
        }
    }
    plain.rsplit('.').nth(1).map(str::to_owned)
}

/// What a message such as `creating SSM Parameter (/dev/x): …` names: for a route its table and its
/// destination, which its id is made of.
fn named(summary: &str) -> Option<String> {
    let mut names = summary.split('(').skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let first = names.next()?;
    match names.next() {
        Some(range) if summary.contains("Route in Route Table (") => {
            Some(format!("{first}_{range}"))
        }
        _ => Some(first.to_owned()),
    }
}

fn version(file: &Path) -> anyhow::Result<Version> {
    let text =
        fs::read_to_string(file).with_context(|| format!("failed to read `{}`", file.display()))?;
    serde_json::from_str(&text)
        .map_err(|_| anyhow::anyhow!("`{}` is not a Terraform state", file.display()))
}

fn moved(from: &Path, to: &Path) -> anyhow::Result<()> {
    let cannot = || format!("failed to move `{}` to `{}`", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    fs::copy(from, to).with_context(cannot)?;
    removed(from)
}

#[cfg(test)]
mod tests {
    use super::{kind_of, named};

    #[test]
    fn what_is_in_the_way_is_named_as_an_import_takes_it() {
        let route = "api error RouteAlreadyExists: Route in Route Table (rtb-1) with destination (0.0.0.0/0) already exists";
        assert_eq!(named(route).unwrap(), "rtb-1_0.0.0.0/0");
        assert_eq!(named("creating SSM Parameter (/dev/x): it (is) there").unwrap(), "/dev/x");
        assert_eq!(named("it exists"), None);
    }

    #[test]
    fn the_type_is_told_from_modules_and_keys() {
        for address in
            ["aws_vpc.this", "module.a[\"b.c\"].aws_vpc.this", "module.a.aws_vpc.b[\"c.d[0]\"]"]
        {
            assert_eq!(kind_of(address).unwrap(), "aws_vpc", "{address}");
        }
    }
}
