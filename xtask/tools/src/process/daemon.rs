//! Programs that stay when this process ends: the sandbox and its servers.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};
use serde::{Deserialize, Serialize};

use super::{
    Cause, Command,
    output::open_log,
    supervise::{not_started, set_up},
};
use crate::Interrupt;

/// A started daemon, seen by the process that started it. Dropping it leaves it running.
#[derive(Debug)]
pub struct Daemon {
    child: Box<dyn ChildWrapper>,
    identity: ProcessIdentity,
}

impl Daemon {
    pub(super) fn spawn(command: &Command) -> anyhow::Result<Self> {
        let not_started = |error: &io::Error| command.failure(not_started(command, error));
        let (out, err) = match &command.log {
            Some(path) => {
                let file = open_log(path)?;
                let copy = file.try_clone().map_err(|error| not_started(&error))?;
                (Stdio::from(file), Stdio::from(copy))
            }
            None => (Stdio::null(), Stdio::null()),
        };
        let mut wrap = CommandWrap::with_new(&command.program, |child| {
            child.args(&command.arguments).stdin(Stdio::null()).stdout(out).stderr(err);
            set_up(command, child);
        });
        let child = wrap.wrap(ProcessSession).spawn().map_err(|error| not_started(&error))?;
        let pid = child.id();
        let started = start_mark(pid)
            .ok_or_else(|| command.failure(Cause::NotStarted("it ended at once".to_owned())))?;
        Ok(Self { child, identity: ProcessIdentity { pid, started } })
    }

    /// What another process needs to find it again.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// How it ended, in words, or nothing while it runs.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn ended(&mut self) -> io::Result<Option<String>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        Ok(Some(match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
        }))
    }

    /// Ends it and its children: SIGTERM, and SIGKILL when `grace` is over. See
    /// [`ProcessIdentity::stop`].
    ///
    /// # Errors
    /// When the system does not tell how it ended.
    pub fn stop(&mut self, grace: Duration) -> io::Result<()> {
        let until = Instant::now() + grace;
        signal(self.pid(), Signal::TERM);
        let pause = Interrupt::new();
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= until {
                signal(self.pid(), Signal::KILL);
                self.child.wait()?;
                break;
            }
            pause.wait_timeout(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// A process that can be recognised later: a number alone is given out again after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    pub pid: u32,
    /// When it was started, as the system tells it; only good for comparing.
    pub started: String,
}

impl ProcessIdentity {
    /// This process.
    #[must_use]
    pub fn current() -> Self {
        let pid = std::process::id();
        Self { pid, started: start_mark(pid).unwrap_or_default() }
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        start_mark(self.pid).is_some_and(|started| started == self.started)
    }

    /// Ends the process and its group: SIGTERM, and SIGKILL when `grace` is over. True when it ran
    /// and is gone now, false when it did not run.
    #[must_use]
    pub fn stop(&self, grace: Duration) -> bool {
        if !self.is_running() {
            return false;
        }
        let until = Instant::now() + grace;
        signal(self.pid, Signal::TERM);
        let pause = Interrupt::new();
        let mut killed = false;
        while self.is_running() {
            if !killed && Instant::now() >= until {
                signal(self.pid, Signal::KILL);
                killed = true;
            }
            pause.wait_timeout(Duration::from_millis(20));
        }
        true
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only way to fail is that it has just ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

/// A text that tells two processes with the same number apart; nothing when no such process runs.
/// On Linux the start time (field 22 of `/proc/<pid>/stat`); elsewhere only that it runs.
fn start_mark(pid: u32) -> Option<String> {
    let process = Pid::from_raw(i32::try_from(pid).ok()?)?;
    if !fs::exists("/proc/self/stat").unwrap_or(false) {
        return test_kill_process(process).is_ok().then(|| "running".to_owned());
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in brackets and may hold blanks and brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Only its parent can end a zombie; for everybody else it is gone.
    (state != "Z" && state != "X").then(|| fields.nth(18).map(str::to_owned))?
}
