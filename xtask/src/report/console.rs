//! Standard output, redacted, and quiet about a reader that went away.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, IsTerminal as _, Write as _, stderr, stdout},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use xtask_tools::Redactor;

/// What is told of output that has no place, such as on a full disk.
pub(crate) const UNWRITTEN: &str = "failed to write to standard output";

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    redactor: Redactor,
    /// Whether GitHub Actions reads the output.
    github: bool,
    /// Why standard output did not take a line.
    lost: Arc<OnceLock<String>>,
    warned: Arc<Mutex<BTreeSet<String>>>,
}

impl Console {
    pub(crate) fn new(redactor: Redactor) -> Self {
        let github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        Self { redactor, github, lost: Arc::default(), warned: Arc::default() }
    }

    /// One line to standard output.
    pub(crate) fn line(&self, text: &str) {
        let written = writeln!(stdout().lock(), "{}", self.redactor.redact(text));
        // Whoever closed the pipe (`| head`) has seen enough; that is no failure of ours.
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.lost.get_or_init(|| error.to_string());
        }
    }

    /// Why a part of the output is missing, such as a full disk behind it.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// A warning to standard error, however often the reason for it is met.
    pub(crate) fn warn_once(&self, text: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(text.to_owned()) {
            self.remark(&format!("warning: {text}"));
        }
    }

    /// One line to standard error: what must not end up in a captured result.
    pub(crate) fn remark(&self, text: &str) {
        let _ = writeln!(stderr().lock(), "{}", self.redactor.redact(text));
    }

    pub(crate) fn is_terminal(&self) -> bool {
        !self.github && stdout().is_terminal()
    }

    pub(crate) fn is_github(&self) -> bool {
        self.github
    }

    /// An error annotation on GitHub, in the escaping that workflow commands ask for.
    pub(crate) fn annotate_error(&self, title: &str, text: &str) {
        if self.github {
            let data = escaped(&self.redactor.redact(text));
            let title = escaped(title).replace(':', "%3A").replace(',', "%2C");
            self.line(&format!("::error title={title}::{data}"));
        }
    }

    pub(crate) fn redacted(&self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    #[test]
    fn workflow_commands_are_escaped_once() {
        assert_eq!(super::escaped("50%\nmore"), "50%25%0Amore");
    }
}
