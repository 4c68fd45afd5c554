//! Runs the runner's binary and keeps what it said.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Seek as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};
use xtask_tools::{Interrupt, Processes, Redactor};

/// A call of `xtask`, to be filled in.
pub(crate) struct Xtask {
    /// A line for bash that runs it, as `"$@"`.
    through: Option<&'static str>,
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Processes that nobody interrupts and that hide nothing.
pub(crate) fn processes() -> Processes {
    Processes::new(Redactor::new(), Interrupt::new())
}

impl Xtask {
    /// `xtask` with these words, split at blanks.
    pub(crate) fn new(line: &str) -> Self {
        Self {
            through: None,
            words: line.split_whitespace().map(str::to_owned).collect(),
            environment: BTreeMap::new(),
            folder: root(),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn inside(mut self, folder: &Path) -> Self {
        self.folder = folder.to_owned();
        self
    }

    /// Has bash run it: what only a shell can do to a process, such as where its output goes.
    pub(crate) fn through(mut self, line: &'static str) -> Self {
        self.through = Some(line);
        self
    }

    /// Runs it to its end; `follow` hears every line of standard output and error as it comes.
    pub(crate) fn follow(&self, mut follow: impl FnMut(&str)) -> Said {
        let mut said = Said { code: 0, out: String::new(), error: String::new() };
        let program = env!("CARGO_BIN_EXE_xtask");
        let command = match self.through {
            None => processes().command(program),
            Some(line) => processes().command("bash").args(["-c", line, "bash", program]),
        };
        let finished = command
            .args(&self.words)
            .environment(&self.environment)
            .cwd(&self.folder)
            .allow_codes(&(0..=255).collect::<Vec<_>>())
            .run(&mut |line| {
                follow(line.text);
                let text = match line.stream {
                    xtask_tools::Stream::Output => &mut said.out,
                    xtask_tools::Stream::Error => &mut said.error,
                };
                text.push_str(line.text);
                text.push('\n');
            })
            .unwrap();
        said.code = finished.code;
        said
    }

    pub(crate) fn run(&self) -> Said {
        self.follow(|_| ())
    }

    /// Starts it and sends `signal` with the first line of standard output that `is_time` accepts.
    pub(crate) fn stopped(&self, signal: Signal, is_time: impl Fn(&str) -> bool) -> Said {
        let mut error = tempfile::tempfile().unwrap();
        #[expect(clippy::disallowed_methods, reason = "plays the person who starts and stops it")]
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(&self.words)
            .envs(&self.environment)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(error.try_clone().unwrap())
            .spawn()
            .unwrap();
        let mut said = Said { code: 0, out: String::new(), error: String::new() };
        let mut sent = false;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if !sent && is_time(&line) {
                kill_process(Pid::from_child(&child), signal).unwrap();
                sent = true;
            }
            said.out.push_str(&line);
            said.out.push('\n');
        }
        let ended = child.wait().unwrap();
        error.rewind().unwrap();
        error.read_to_string(&mut said.error).unwrap();
        assert!(sent, "it ended before it could be stopped:\n{}\n{}", said.out, said.error);
        // A killed process has no code of its own.
        said.code = ended.code().unwrap_or(-1);
        said
    }
}
