//! Runs a child to its end: interrupts it once, kills it only when its time is over.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::ExitStatus,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    Cause, Command, Stream,
    command::Value,
    output::{Sink, Tail},
};

/// How often a running child is looked at: what it printed, whether its time is over.
const LOOK: Duration = Duration::from_millis(40);

/// GitHub's runner kills every process that carries this when a job is cancelled, a Terraform in the
/// middle of saving its state, too.
const MARK_OF_A_JOB: &str = "RUNNER_TRACKING_ID";

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// One of the allowed exit codes.
    pub code: i32,
    pub duration: Duration,
}

pub(super) struct Limits {
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    pub(super) grace: Duration,
}

/// What was done to a child that should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Nothing: it runs.
    No,
    /// It got its one SIGINT at this instant.
    Interrupted {
        at: Instant,
        by_deadline: bool,
    },
    Killed {
        by_deadline: bool,
    },
}

pub(super) fn to_the_end(command: &Command, sink: &mut Sink<'_>) -> anyhow::Result<Finished> {
    command.register_secrets()?;
    command.refuse_secret_arguments()?;
    if !command.despite_interrupt && command.processes.interrupt().is_set() {
        let cause = Cause::Interrupted { started: false, killed: false };
        return Err(command.failure(cause).into());
    }
    sink.remark(&format!("$ {command}"))?;
    let limits = command.limits();
    let not_started = |error: &io::Error| command.failure(not_started(command, error));
    let no_place =
        |error: io::Error| command.failure(Cause::NotStarted(no_place_for_output(&error)));
    let mut tails =
        [Tail::new(Stream::Output).map_err(no_place)?, Tail::new(Stream::Error).map_err(no_place)?];
    let handle = expression(command, &tails)
        .and_then(|expression| expression.start())
        .map_err(|error| not_started(&error))?;
    let group = handle.pids().first().and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?));

    let mut stop = Stop::No;
    let status = loop {
        let ended = handle.wait_timeout(LOOK);
        let ended = ended.map_err(|error| command.failure(Cause::NotStarted(error.to_string())))?;
        tails.iter_mut().try_for_each(|tail| tail.read(sink, ended.is_some()))?;
        if let Some(output) = ended {
            break output.status;
        }
        stop = stop_if_due(command, &limits, stop, group);
    };
    let duration = limits.started.elapsed();
    sink.remark(&format!("-> {status} after {:.1} s", duration.as_secs_f64()))?;
    match status.code() {
        Some(code) if command.good_codes.contains(&code) => Ok(Finished { code, duration }),
        _ => {
            let mut failure = command.failure(cause(status, stop, &limits));
            failure.tail = sink.take_tail();
            Err(failure.into())
        }
    }
}

/// Signals a running child when it is time to; its next state.
fn stop_if_due(command: &Command, limits: &Limits, stop: Stop, group: Option<Pid>) -> Stop {
    let asked = !command.despite_interrupt && command.processes.interrupt().is_set();
    let next = next(stop, asked, limits, Instant::now());
    match (stop, next) {
        (Stop::No, Stop::Interrupted { .. }) => signal(group, Signal::INT),
        (Stop::Interrupted { .. }, Stop::Killed { .. }) => signal(group, Signal::KILL),
        _ => {}
    }
    next
}

/// The decision itself. A child goes from running to interrupted to killed and never back, so it
/// gets each signal at most once, whoever asks for it.
fn next(stop: Stop, asked: bool, limits: &Limits, now: Instant) -> Stop {
    match stop {
        Stop::No => {
            let overdue = limits.deadline.is_some_and(|deadline| now >= deadline);
            let interrupted = Stop::Interrupted { at: now, by_deadline: !asked };
            if asked || overdue { interrupted } else { Stop::No }
        }
        Stop::Interrupted { at, by_deadline } => {
            let kill_from = limits.deadline.map(|deadline| deadline.max(at) + limits.grace);
            let is_over = kill_from.is_some_and(|instant| now >= instant);
            if is_over { Stop::Killed { by_deadline } } else { stop }
        }
        Stop::Killed { .. } => stop,
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The only way to fail is that it has just ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

fn cause(status: ExitStatus, stop: Stop, limits: &Limits) -> Cause {
    let limit = limits.deadline.map_or(Duration::ZERO, |deadline| deadline - limits.started);
    match stop {
        Stop::Interrupted { by_deadline: true, .. } => Cause::Deadline { limit, killed: false },
        Stop::Killed { by_deadline: true } => Cause::Deadline { limit, killed: true },
        Stop::Interrupted { .. } => Cause::Interrupted { started: true, killed: false },
        Stop::Killed { .. } => Cause::Interrupted { started: true, killed: true },
        Stop::No => match (status.code(), status.signal()) {
            (Some(code), _) => Cause::Code(code),
            (None, signal) => Cause::Signal(signal.unwrap_or_default()),
        },
    }
}

/// "Not found" is what the system says of a missing program and of a missing folder alike.
pub(super) fn not_started(command: &Command, error: &io::Error) -> Cause {
    match (error.kind(), &command.directory) {
        (io::ErrorKind::NotFound, Some(folder)) if !folder.is_dir() => {
            Cause::NotStarted(format!("its folder `{}` does not exist", folder.display()))
        }
        (io::ErrorKind::NotFound, _) => Cause::NotFound,
        _ => Cause::NotStarted(error.to_string()),
    }
}

/// Whether the output of children has a place. Asked before anything is done, since a program that
/// cannot be started for this reason looks like one that does not fit.
///
/// # Errors
/// Names the temporary folder and the remedy.
pub fn place_for_output() -> Result<(), String> {
    match Tail::new(Stream::Output) {
        Ok(_) => Ok(()),
        Err(error) => Err(no_place_for_output(&error)),
    }
}

fn no_place_for_output(error: &io::Error) -> String {
    format!(
        "the output of programs has no place in the temporary folder `{}`: {error}; set TMPDIR to a folder that takes \
         files",
        std::env::temp_dir().display()
    )
}

/// The command for duct. The child leads a process group of its own, so that Ctrl-C in a terminal
/// reaches it through us alone, once.
fn expression(command: &Command, tails: &[Tail; 2]) -> io::Result<duct::Expression> {
    #[expect(clippy::disallowed_methods, reason = "this is the process wrapper")]
    let mut expression = duct::cmd(&command.program, &command.arguments)
        .unchecked()
        .stdout_file(tails[0].writer()?)
        .stderr_file(tails[1].writer()?);
    expression = match (&command.input, &command.held) {
        (Some(input), _) => expression.stdin_bytes(input.clone()),
        (None, Some(file)) => expression.stdin_file(file.try_clone()?),
        (None, None) => expression.stdin_null(),
    };
    let command = command.clone();
    Ok(expression.before_spawn(move |child| {
        set_up(&command, child);
        child.env_remove(MARK_OF_A_JOB);
        child.process_group(0);
        Ok(())
    }))
}

/// What every child gets: environment, folder, user.
pub(super) fn set_up(command: &Command, child: &mut std::process::Command) {
    for (name, value) in &command.common_environment {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    for (name, value) in &command.shown_environment {
        match value {
            Value::Plain(value) => child.env(name, value),
            Value::Secret(secret) => child.env(name, secret.expose()),
        };
    }
    if let Some(directory) = &command.directory {
        child.current_dir(directory);
    }
    if let Some((user, group)) = command.owner {
        child.uid(user).gid(group);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Looks at a child at random times, with a stop asked for at some time, or a deadline.
        #[test]
        fn a_child_is_interrupted_once_and_killed_only_after_deadline_and_grace(
            looks in prop::collection::vec(0_u64..1000, 1..60),
            asked_at in prop::option::of(0_u64..1000),
            deadline in prop::option::of(0_u64..1000),
            grace in 0_u64..300,
        ) {
            let mut looks = looks;
            looks.sort_unstable();
            let started = Instant::now();
            let after = |time: u64| started + Duration::from_millis(time);
            let limits = Limits {
                started,
                deadline: deadline.map(after),
                grace: Duration::from_millis(grace),
            };
            let mut stop = Stop::No;
            let (mut interrupts, mut kills) = (0, 0);
            for look in looks {
                let asked = asked_at.is_some_and(|at| look >= at);
                let new = next(stop, asked, &limits, after(look));
                if stop == Stop::No && new != stop {
                    interrupts += 1;
                    prop_assert!(asked || deadline.is_some_and(|deadline| look >= deadline));
                }
                if matches!(new, Stop::Killed { .. }) && new != stop {
                    kills += 1;
                    let was_interrupted = matches!(stop, Stop::Interrupted { .. });
                    prop_assert!(was_interrupted);
                    prop_assert!(deadline.is_some_and(|deadline| look >= deadline + grace));
                }
                stop = new;
            }
            prop_assert!(interrupts <= 1 && kills <= 1);
        }
    }
}
