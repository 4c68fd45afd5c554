//! Reads a `run:` line as what it has to be: one command.

use std::collections::BTreeSet;

/// The only lines that may run before there is a runner.
const PREPARATION: [&str; 3] =
    ["rustup toolchain install", "cargo build --locked --bin xtask", "chmod +x target/debug/xtask"];

/// How a line starts the runner. `exec` puts it in the place of the shell: a cancelled run then
/// reaches it, and Terraform saves its state and gives its lock back.
const RUNNER: [&str; 2] = ["exec cargo xtask ", "exec target/debug/xtask "];

/// The value that stands for each variable when the command line is tried out. A number is
/// accepted everywhere: it is a fine name for an environment, too.
const SAMPLE: &str = "1";

/// What a `run:` line does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RunLine {
    Preparation,
    /// The runner, with these arguments; variables have the value [`SAMPLE`].
    Runner(Vec<String>),
}

/// Reads a line, given the environment variables that its step has.
pub(super) fn read(line: &str, variables: &BTreeSet<&str>) -> Result<RunLine, String> {
    let line = line.trim();
    if line.contains("${{") {
        return Err("an expression in a command is open to injection: pass it by `env:`".to_owned());
    }
    if PREPARATION.contains(&line) {
        return Ok(RunLine::Preparation);
    }
    let Some(rest) = RUNNER.iter().find_map(|start| line.strip_prefix(start)) else {
        let starts = RUNNER.map(|start| format!("`{start}`")).join(" or ");
        return Err(format!("`{line}` is not one command of the runner: start it with {starts}"));
    };
    if let Some(found) = rest.chars().find(|found| "\n|&;<>`()#*?".contains(*found)) {
        return Err(format!(
            "`{found}` makes it more than one plain command: let the runner do it"
        ));
    }
    let words = shlex::split(rest).ok_or_else(|| "its quotes do not match".to_owned())?;
    check_quotes(rest)?;
    words
        .iter()
        .map(|word| substitute(word, variables))
        .collect::<Result<_, _>>()
        .map(RunLine::Runner)
}

/// A variable outside of quotes is split into words at its blanks.
fn check_quotes(text: &str) -> Result<(), String> {
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            '\'' => return Err("use double quotes, in which variables have their value".to_owned()),
            '$' if !quoted => return Err("put variables into double quotes".to_owned()),
            _ => {}
        }
    }
    Ok(())
}

/// `word` with every `$NAME` replaced; the name has to be defined.
fn substitute(word: &str, variables: &BTreeSet<&str>) -> Result<String, String> {
    let mut parts = word.split('$');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        if !variables.contains(name) {
            return Err(format!(
                "`${name}` is not defined by an `env:` of the step, job or workflow"
            ));
        }
        result.push_str(SAMPLE);
        result.push_str(rest);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<RunLine, String> {
        read(line, &BTreeSet::from(["TARGET"]))
    }

    #[test]
    fn the_runner_is_called_by_exec_with_defined_variables() {
        let words =
            |words: &[&str]| RunLine::Runner(words.iter().map(ToString::to_string).collect());
        assert_eq!(read_line("rustup toolchain install"), Ok(RunLine::Preparation));
        assert_eq!(
            read_line(r#"exec target/debug/xtask plan "$TARGET" --out "a/$TARGET.tfplan""#),
            Ok(words(&["plan", "1", "--out", "a/1.tfplan"]))
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for (line, reason) in [
            ("cargo xtask test", "start it with"),
            ("exec cargo xtask test || true", "more than one"),
            ("exec cargo xtask test\nexec cargo xtask bench", "more than one"),
            ("exec cargo xtask plan ${{ inputs.environment }}", "injection"),
            ("exec cargo xtask plan $TARGET", "double quotes"),
            (r#"exec cargo xtask plan "$OTHER""#, "not defined"),
            (r#"exec cargo xtask plan "dev"#, "quotes do not match"),
            ("terraform apply", "start it with"),
        ] {
            let refusal = read_line(line).unwrap_err();
            assert!(refusal.contains(reason), "{line}: {refusal}");
        }
    }
}
