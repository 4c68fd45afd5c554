//! One verb a file. This file dispatches and turns errors into a text and an exit code.

mod aws_credentials;
mod bench;
mod bootstrap;
mod deploy;
mod destroy;
mod doctor;
mod drift;
mod eks_token;
mod fmt;
mod plan;
mod sandbox;
mod secrets;
mod state;
mod status;
mod test;
mod yardstick;

use std::{path::PathBuf, time::Duration};

use xtask_pipeline::{Interrupted, Journal};
use xtask_tools::{CommandFailure, Interrupt, Processes, Redactor, place_for_output};

use crate::{
    cli::{self, Command, Format, Target},
    config::Environment,
    context::Context,
    exit::Exit,
    platform::Platform,
    report::{self, Console},
    toolbox::Toolbox,
    watch::Watch,
};

/// What every command shares.
pub(crate) struct Session {
    root: PathBuf,
    format: Format,
    console: Console,
    redactor: Redactor,
}

impl Session {
    pub(crate) fn new(format: Format) -> Self {
        let redactor = Redactor::new();
        Self { root: cli::repository(), format, console: Console::new(redactor.clone()), redactor }
    }

    /// Runs the command; whatever goes wrong is told in words, never as a backtrace.
    pub(crate) fn run(self, command: Command) -> Exit {
        let ended = match command {
            Command::Deploy(arguments) => deploy::run(&self, arguments),
            Command::Stage(arguments) => deploy::run_stage(&self, arguments),
            Command::Plan(arguments) => plan::run(&self, &arguments),
            Command::Drift(arguments) => drift::run(&self, &arguments),
            Command::Destroy(arguments) => destroy::run(&self, arguments),
            Command::State(arguments) => state::run(&self, &arguments),
            Command::Status(arguments) => status::run(&self, &arguments),
            Command::Secrets(arguments) => secrets::run(&self, arguments),
            Command::Doctor(arguments) => doctor::run(&self, &arguments),
            Command::Test(arguments) => test::run(&self, &arguments),
            Command::Bootstrap(arguments) => bootstrap::run(&self, &arguments),
            Command::Yardstick(arguments) => yardstick::run(&self, &arguments),
            Command::Fmt => fmt::run(&self),
            Command::Bench(arguments) => bench::run(&self, &arguments),
            Command::Sandbox(arguments) => sandbox::run(&self, &arguments),
            Command::EksToken(arguments) => eks_token::run(&self, &arguments),
            Command::AwsCredentials(arguments) => aws_credentials::run(&self, &arguments),
        };
        match ended {
            Ok(Exit::Done) if let Some(why) = self.console.lost() => {
                self.console.remark(&format!("error: {}: {why}", report::UNWRITTEN));
                Exit::Failed
            }
            Ok(exit) => exit,
            Err(error) if was_stopped(&error) => {
                self.console.remark("stopped on request");
                Exit::Interrupted
            }
            Err(error) => {
                self.console.remark(&format!("error: {error:#}"));
                self.console.annotate_error("xtask", &format!("{error:#}"));
                Exit::of(&error)
            }
        }
    }

    /// Processes that hear the person's interrupt.
    fn processes(&self) -> anyhow::Result<Processes> {
        place_for_output().map_err(|why| Exit::BadInput.error(why))?;
        Ok(Processes::new(self.redactor.clone(), Interrupt::on_signals()?))
    }

    /// The world of a command that works on an environment; starts the sandbox when it is asked for.
    fn context(&self, target: &Target) -> anyhow::Result<Context> {
        // Bad input is told before anything is started.
        let environment = Environment::load(&self.root, &target.environment)?;
        let processes = self.processes()?;
        let platform = if target.sandbox {
            sandbox::platform(self, &processes)?
        } else {
            Platform::ambient(&self.root)
        };
        self.world(environment, platform, processes, target)
    }

    /// The same without any platform: for what only looks at files.
    fn offline(&self, target: &Target) -> anyhow::Result<Context> {
        let environment = Environment::load(&self.root, &target.environment)?;
        let platform = if target.sandbox {
            Platform::sandbox_at_rest(&sandbox::folder(self))
        } else {
            Platform::ambient(&self.root)
        };
        self.world(environment, platform, self.processes()?, target)
    }

    fn world(
        &self,
        environment: Environment,
        platform: Platform,
        processes: Processes,
        target: &Target,
    ) -> anyhow::Result<Context> {
        let toolbox = Toolbox::new(&self.root, &processes, &self.console)?;
        Ok(Context::new(
            self.root.clone(),
            environment,
            platform,
            processes,
            toolbox,
            target.cluster.clone(),
        ))
    }

    /// A sign of life of work that is no stage; only people at a terminal want it.
    fn progress(&self, message: &str) {
        if self.console.is_terminal() && !message.trim().is_empty() {
            self.console.remark(&format!("  … {}", message.trim()));
        }
    }

    /// The terms of work that is no stage.
    fn watch(&self, name: &str, longest: Duration) -> Watch<'_> {
        let note = |message: &str| self.console.remark(message);
        Watch::aside(name, longest, |message| self.progress(message), note)
    }

    fn journal(&self, context: &Context) -> Journal {
        let (redactor, console) = (self.redactor.clone(), self.console.clone());
        Journal::at(context.runs())
            .redacting(move |text| redactor.redact(text).into_owned())
            .telling(move |damage| console.warn_once(damage))
    }
}

/// Whether the person's interrupt ended a command, in the words of whichever layer heard it first.
fn was_stopped(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Interrupted>()
            || cause.is::<xtask_cloud::Interrupted>()
            || cause.downcast_ref::<CommandFailure>().is_some_and(CommandFailure::is_interrupted)
    })
}
