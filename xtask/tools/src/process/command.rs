//! What to run: the builder, the line for people, and the ways to run it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::de::DeserializeOwned;

use super::{
    Cause, CommandFailure, Daemon, Finished, Line, Processes,
    output::Sink,
    supervise::{self, Limits},
};
use crate::Secret;

/// How long a child may take to end after it was interrupted, before it is killed. Terraform needs
/// this to finish the calls under way and to save its state.
const GRACE: Duration = Duration::from_secs(120);

/// One command line and how to run it. It can be shown, and run more than once.
#[derive(Clone)]
pub struct Command {
    pub(super) processes: Processes,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) shown_environment: BTreeMap<String, Value>,
    pub(super) common_environment: BTreeMap<String, Option<String>>,
    pub(super) directory: Option<PathBuf>,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) purpose: Option<String>,
    pub(super) log: Option<PathBuf>,
    pub(super) input: Option<Vec<u8>>,
    pub(super) held: Option<Arc<File>>,
    pub(super) good_codes: Vec<i32>,
    pub(super) limit: Limit,
    pub(super) grace: Duration,
    pub(super) despite_interrupt: bool,
}

#[derive(Clone)]
pub(super) enum Value {
    Plain(OsString),
    Secret(Secret),
}

#[derive(Clone, Copy)]
pub(super) enum Limit {
    None,
    At(Instant),
    After(Duration),
}

impl Command {
    pub(super) fn new(processes: Processes, program: &OsStr) -> Self {
        Self {
            processes,
            program: program.to_owned(),
            arguments: Vec::new(),
            shown_environment: BTreeMap::new(),
            common_environment: BTreeMap::new(),
            directory: None,
            owner: None,
            purpose: None,
            log: None,
            input: None,
            held: None,
            good_codes: vec![0],
            limit: Limit::None,
            grace: GRACE,
            despite_interrupt: false,
        }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// A variable that belongs to this very command; the line for people shows it.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown_environment.insert(name.to_owned(), Value::Plain(value.as_ref().to_owned()));
        self
    }

    /// A variable with a secret; the line for people shows its name alone (`NAME="$NAME"`).
    /// The secret is registered with the redactor.
    #[must_use]
    pub fn secret_env(mut self, name: &str, value: &Secret) -> Self {
        self.shown_environment.insert(name.to_owned(), Value::Secret(value.clone()));
        self
    }

    /// A layer of variables that many commands share (endpoints, credentials' names, caches). The
    /// line for people leaves them out. Later layers win; [`Command::env`] wins over all of them.
    #[must_use]
    pub fn environment<'a, K, V>(mut self, layer: impl IntoIterator<Item = (&'a K, &'a V)>) -> Self
    where
        K: AsRef<str> + ?Sized + 'a,
        V: AsRef<str> + ?Sized + 'a,
    {
        let layer = layer.into_iter();
        self.common_environment.extend(
            layer.map(|(name, value)| (name.as_ref().to_owned(), Some(value.as_ref().to_owned()))),
        );
        self
    }

    /// Keeps a variable of this process from the child.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.shown_environment.remove(name);
        self.common_environment.insert(name.to_owned(), None);
        self
    }

    #[must_use]
    pub fn cwd(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// Runs the child as another user: PostgreSQL refuses to run as root.
    #[must_use]
    pub fn run_as(mut self, user: u32, group: u32) -> Self {
        self.owner = Some((user, group));
        self
    }

    /// Why it is run, as an imperative: "apply the Terraform plan". Errors say "failed to ...".
    #[must_use]
    pub fn purpose(mut self, purpose: &str) -> Self {
        self.purpose = Some(purpose.to_owned());
        self
    }

    /// Appends the line for people, what the child prints, redacted, and how it ended to `file`.
    /// Captured standard output ([`Command::output`], [`Command::json`]) is data and is left out.
    #[must_use]
    pub fn log_to(mut self, file: impl AsRef<Path>) -> Self {
        self.log = Some(file.as_ref().to_owned());
        self
    }

    /// When the child has to be over: it is interrupted then, and killed after the grace time.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.limit = Limit::At(deadline);
        self
    }

    /// As [`Command::deadline`], counted from the start of the child.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limit = Limit::After(time);
        self
    }

    /// How long after the deadline (or after an interrupt beyond it) the child is killed: two
    /// minutes when nothing is said.
    #[must_use]
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// What the child reads from its standard input; nothing when this is not called. The way for
    /// secrets into programs that take none by the environment.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Hands the child an open file as its standard input, to hold rather than to read: a lock on
    /// it then lasts as long as this process or the child, whichever ends later.
    #[must_use]
    pub fn holding(mut self, file: &Arc<File>) -> Self {
        self.held = Some(Arc::clone(file));
        self
    }

    /// The exit codes that are no failure: `&[0, 2]` for `terraform plan -detailed-exitcode`.
    #[must_use]
    pub fn allow_codes(mut self, codes: &[i32]) -> Self {
        codes.clone_into(&mut self.good_codes);
        self
    }

    /// Runs the child although a stop was asked for, and passes no interrupt to it: for what has
    /// to be done after an interrupt, such as a rollback.
    #[must_use]
    pub fn despite_interrupt(mut self) -> Self {
        self.despite_interrupt = true;
        self
    }

    /// Runs it to its end; `on_line` gets every line as it comes, redacted.
    ///
    /// # Errors
    /// A [`CommandFailure`] when it could not be started, ended with another code than the allowed
    /// ones, was stopped or ran into its deadline.
    pub fn run(&self, on_line: &mut dyn FnMut(Line<'_>)) -> anyhow::Result<Finished> {
        let mut sink = Sink::lines(self, on_line)?;
        supervise::to_the_end(self, &mut sink)
    }

    /// As [`Command::run`], for a command whose lines nobody follows.
    ///
    /// # Errors
    /// See [`Command::run`].
    pub fn run_quietly(&self) -> anyhow::Result<Finished> {
        self.run(&mut |_| ())
    }

    /// Its standard output as it is, *not* redacted: data for this program, not for people.
    /// Standard error is logged.
    ///
    /// # Errors
    /// See [`Command::run`]; also when the output is not UTF-8.
    pub fn output(&self) -> anyhow::Result<String> {
        Ok(self.capture()?.1)
    }

    /// As [`Command::output`], with how it ended, for commands that tell by their exit code, too.
    ///
    /// # Errors
    /// See [`Command::output`].
    pub fn capture(&self) -> anyhow::Result<(Finished, String)> {
        let mut ignore = |_: Line<'_>| ();
        let mut sink = Sink::captured(self, &mut ignore)?;
        let finished = supervise::to_the_end(self, &mut sink)?;
        let text = String::from_utf8(sink.into_captured())
            .map_err(|_| self.failure(Cause::UnreadableOutput("it is not UTF-8".to_owned())))?;
        Ok((finished, text))
    }

    /// Its standard output, read as JSON.
    ///
    /// # Errors
    /// See [`Command::run`]; also when the output does not fit `T` (the error does not show it).
    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let text = self.output()?;
        serde_json::from_str(&text).map_err(|error| {
            let place = format!("not the expected JSON at line {}", error.line());
            self.failure(Cause::UnreadableOutput(place)).into()
        })
    }

    /// Starts it in a session of its own, with its output appended to the log file *as it is* (a
    /// daemon's log is not redacted: it must outlive this process), and leaves it running.
    ///
    /// # Errors
    /// A [`CommandFailure`] when it could not be started.
    pub fn spawn_daemon(&self) -> anyhow::Result<Daemon> {
        self.refuse_secret_arguments()?;
        self.register_secrets()?;
        Daemon::spawn(self)
    }

    /// The line for people: quoted for a shell, to be copied, without secrets.
    #[must_use]
    pub fn line(&self) -> String {
        let mut words = Vec::new();
        for (name, value) in &self.shown_environment {
            words.push(match value {
                Value::Plain(value) => format!("{name}={}", quoted(&value.to_string_lossy())),
                Value::Secret(_) => format!("{name}=\"${name}\""),
            });
        }
        words.push(quoted(&self.program.to_string_lossy()).into_owned());
        words
            .extend(self.arguments.iter().map(|word| quoted(&word.to_string_lossy()).into_owned()));
        let line = words.join(" ");
        let line = match &self.directory {
            Some(directory) => format!("(cd {} && {line})", quoted(&directory.to_string_lossy())),
            None => line,
        };
        self.processes.redactor().redact(&line).into_owned()
    }

    /// The instant that the limit means for a child started now.
    pub(super) fn limits(&self) -> Limits {
        let started = Instant::now();
        let deadline = match self.limit {
            Limit::None => None,
            Limit::At(instant) => Some(instant),
            Limit::After(time) => started.checked_add(time),
        };
        Limits { started, deadline, grace: self.grace }
    }

    pub(super) fn failure(&self, cause: Cause) -> CommandFailure {
        CommandFailure {
            purpose: self.purpose.clone(),
            line: self.line(),
            cause,
            tail: Vec::new(),
            said: None,
            log: self.log.clone(),
        }
    }

    pub(super) fn refuse_secret_arguments(&self) -> anyhow::Result<()> {
        let words = std::iter::once(&self.program).chain(&self.arguments);
        for (position, word) in words.enumerate() {
            if self.processes.redactor().reveals(&word.to_string_lossy()) {
                return Err(self.failure(Cause::SecretArgument(position)).into());
            }
        }
        Ok(())
    }

    pub(super) fn register_secrets(&self) -> anyhow::Result<()> {
        for (name, value) in &self.shown_environment {
            if let Value::Secret(secret) = value {
                let register = self.processes.redactor().register(secret);
                register.with_context(|| format!("failed to pass `{name}`"))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Command").field(&self.line()).finish()
    }
}

/// `word` as a POSIX shell takes it for one word.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        assert_eq!(
            quoted("-var-file=environments/dev.tfvars"),
            "-var-file=environments/dev.tfvars"
        );
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
