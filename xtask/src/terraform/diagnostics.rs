//! What Terraform says went wrong, as data: the whole of each error, not its last line.
//!
//! Read from the text that it prints with `-no-color`: a summary behind `Error:`, where it is, an
//! excerpt of the code, and the detail in paragraphs.

use std::path::Path;

use xtask_tools::CommandFailure;

/// One error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Diagnostic {
    pub(super) summary: String,
    pub(super) detail: String,
    /// The resource that it is about.
    pub(super) address: Option<String>,
    /// A file, as Terraform names it, and a line in it.
    pub(super) place: Option<(String, String)>,
}

/// Errors beyond these are counted.
const SHOWN: usize = 8;

/// Characters of one error's text.
const LONGEST: usize = 1_200;

/// Puts all that Terraform said into an error that a command of it ended with. `root` is the
/// repository: files are named as seen from there.
pub(super) fn explained(error: anyhow::Error, module: &Path) -> anyhow::Error {
    let mut failure = match error.downcast::<CommandFailure>() {
        Ok(failure) => failure,
        Err(other) => return other,
    };
    let found = read(&failure.tail);
    if !found.is_empty() {
        failure.said = Some(told(&found, module));
    }
    failure.into()
}

fn told(found: &[Diagnostic], module: &Path) -> String {
    let mut lines: Vec<String> = found.iter().take(SHOWN).map(|one| one.sentence(module)).collect();
    if found.len() > SHOWN {
        lines.push(format!("{} more in the log", found.len() - SHOWN));
    }
    if lines.len() == 1 { lines.remove(0) } else { format!("\n    {}\n   ", lines.join("\n    ")) }
}

impl Diagnostic {
    fn sentence(&self, module: &Path) -> String {
        let place =
            self.place.as_ref().map(|(file, line)| format!("{}:{line}: ", shown(file, module)));
        let about = self.address.as_ref().map(|address| format!("{address}: "));
        let detail =
            if self.detail.is_empty() { String::new() } else { format!(": {}", self.detail) };
        let text = format!(
            "{}{}{}{detail}",
            place.unwrap_or_default(),
            about.unwrap_or_default(),
            self.summary
        );
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

/// As seen from the repository, which holds the module's folder or the folder around it.
fn shown(file: &str, module: &Path) -> String {
    let path = module.join(file);
    let root =
        module.ancestors().find(|folder| folder.ends_with("terraform")).and_then(Path::parent);
    let short = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(&path);
    short.display().to_string()
}

/// The errors in what a command printed.
pub(super) fn read(lines: &[String]) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut part = Part::Outside;
    for line in lines {
        let line = plain(line);
        if let Some(summary) = line.strip_prefix("Error: ") {
            found.push(Diagnostic { summary: summary.trim().to_owned(), ..Diagnostic::default() });
            part = Part::Head;
        } else if line.starts_with("Warning: ") {
            part = Part::Outside;
        } else if let Some(current) = found.last_mut() {
            part = current.take(part, &line);
        }
    }
    found
}

/// Where in an error a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Outside,
    /// Before and at the lines that say where it is.
    Head,
    /// The code's lines below them.
    Excerpt,
    Detail,
}

impl Diagnostic {
    fn take(&mut self, part: Part, line: &str) -> Part {
        let text = line.trim();
        if part == Part::Outside || (text.is_empty() && part != Part::Excerpt) {
            return part;
        }
        if part == Part::Excerpt {
            return if text.is_empty() { Part::Detail } else { part };
        }
        if part == Part::Head {
            if let Some(address) = line.strip_prefix("  with ") {
                self.address = Some(address.trim_end_matches([',', ':']).to_owned());
                return part;
            }
            if let Some((file, rest)) =
                line.strip_prefix("  on ").and_then(|on| on.split_once(" line "))
            {
                let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
                self.place = Some((file.to_owned(), number));
                return Part::Excerpt;
            }
        }
        if !self.detail.is_empty() {
            self.detail.push(' ');
        }
        self.detail.push_str(text);
        Part::Detail
    }
}

/// Without colours and without the frame that Terraform draws on a terminal.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, code)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = code.split_once('m').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    match text.strip_prefix(['│', '╷', '╵']) {
        Some(framed) => framed.strip_prefix(' ').unwrap_or(framed).trim_end().to_owned(),
        None => text.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{read, told};

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const INVALID: &str = "Refreshing...

Error: Invalid value for variable

  on environments/dev.tfvars line 3:
   3: region = \"moon\"
     ├────────────────
     │ var.region is \"moon\"

region is a region such as eu-west-1,
not a planet.

This was checked by the validation rule at variables.tf:12,3-13.

Warning: Deprecated

No matter.

Error: creating SSM Parameter (/dev/x): operation error SSM: ParameterAlreadyExists

  with aws_ssm_parameter.this[\"x\"],
  on parameters.tf line 7, in resource \"aws_ssm_parameter\" \"this\":
   7: resource \"aws_ssm_parameter\" \"this\" {
";

    #[test]
    fn each_error_is_whole_with_its_place() {
        let found = read(&lines(INVALID));
        assert_eq!(found.len(), 2, "{found:?}");
        let module = Path::new("/repository/terraform");
        assert_eq!(
            told(&found[..1], module),
            "terraform/environments/dev.tfvars:3: Invalid value for variable: region is a region such as eu-west-1, \
             not a planet. This was checked by the validation rule at variables.tf:12,3-13."
        );
        assert_eq!(
            told(&found[1..], module),
            "terraform/parameters.tf:7: aws_ssm_parameter.this[\"x\"]: creating SSM Parameter (/dev/x): operation \
             error SSM: ParameterAlreadyExists"
        );
        assert_eq!(told(&found, module).lines().count(), 4);
    }

    #[test]
    fn colours_and_frames_are_left_out() {
        let framed = "\u{1b}[31m╷\u{1b}[0m\u{1b}[0m\n\u{1b}[31m│\u{1b}[0m \u{1b}[0m\u{1b}[1mError: \u{1b}[0mNo workspace\n\
                      \u{1b}[31m│\u{1b}[0m \n\u{1b}[31m│\u{1b}[0m The bucket is gone.\n\u{1b}[31m╵\u{1b}[0m\u{1b}[0m\n\
                      \u{1b}[0m\u{1b}[0m";
        let found = read(&lines(framed));
        assert_eq!(told(&found, Path::new("/t")), "No workspace: The bucket is gone.");
    }

    #[test]
    fn a_file_elsewhere_keeps_its_path() {
        let text = "Error: x\n\n  on /elsewhere/a.tfvars line 9:\n   9: y\n";
        assert_eq!(
            told(&read(&lines(text)), Path::new("/r/terraform")),
            "/elsewhere/a.tfvars:9: x"
        );
    }
}
