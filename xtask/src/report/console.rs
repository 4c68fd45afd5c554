//! Standard output, redacted, and quiet about a reader that went away.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use xtask_tools::Redactor;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    redactor: Redactor,
    /// Whether GitHub Actions reads the output.
    github: bool,
}

impl Console {
    pub(crate) fn new(redactor: Redactor) -> Self {
        let github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        Self { redactor, github }
    }

    /// One line to standard output.
    pub(crate) fn line(&self, text: &str) {
        // Whoever closed the pipe (`| head`) has seen enough; that is no failure of ours.
        let _ = writeln!(stdout().lock(), "{}", self.redactor.redact(text));
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
