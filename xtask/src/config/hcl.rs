//! Reads a `.tfvars` file: names and plain values, each with its line.
//!
//! Terraform would evaluate expressions there. Here they are refused, so that what a person reads
//! in the file is what holds. `hcl-edit`, which reads the variables' declarations, is not used for
//! this: it looks through a map from its beginning for every key. The tests compare both.

use serde_json::Number;

use super::located::{Entries, Entry, Located, Node};
use crate::exit::Exit;

/// Maps and lists within each other; nobody writes more by hand.
const DEEPEST: usize = 32;

/// # Errors
/// One sentence with file, line, key and remedy.
pub(super) fn read(text: &str, shown: &str) -> anyhow::Result<Entries> {
    Reader { rest: text, line: 1, shown, path: Vec::new() }.body()
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    shown: &'a str,
    /// The keys that lead to what is being read.
    path: Vec<String>,
}

impl<'a> Reader<'a> {
    fn body(mut self) -> anyhow::Result<Entries> {
        let mut entries = Entries::default();
        loop {
            self.skip(true)?;
            let Some(first) = self.peek() else { return Ok(entries) };
            let line = self.line;
            if !is_name_start(first) {
                return Err(self.wrong(&format!(
                    "`{}` where a line `name = value` begins; compare with the lines around it",
                    shown(first)
                )));
            }
            let key = self.name();
            self.path.push(key.clone());
            self.skip(false)?;
            if !self.eat('=') {
                return Err(self.wrong("has no `=` after it: a tfvars file holds lines `name = value` and nothing else"));
            }
            self.entry(&mut entries, key, line)?;
            self.skip(false)?;
            if !(self.peek().is_none() || self.at_newline()) {
                return Err(self.not_plain());
            }
            self.path.pop();
        }
    }

    /// The value after `=`, added under its key.
    fn entry(&mut self, entries: &mut Entries, key: String, line: usize) -> anyhow::Result<()> {
        if let Some(first) = entries.get(&key) {
            let first = first.line;
            self.line = line;
            return Err(
                self.wrong(&format!("was set on line {first} already; keep one of the two"))
            );
        }
        self.skip(false)?;
        let value = self.value()?;
        entries.set(Entry { key, line, value });
        Ok(())
    }

    fn value(&mut self) -> anyhow::Result<Located> {
        let line = self.line;
        let node = match self.peek() {
            Some('"') => Node::Text(self.text()?),
            Some('[') => self.list()?,
            Some('{') => self.map()?,
            Some('-' | '0'..='9') => self.number()?,
            Some(first) if is_name_start(first) => {
                let before = self.rest;
                match self.name().as_str() {
                    "true" => Node::Bool(true),
                    "false" => Node::Bool(false),
                    "null" => Node::Null,
                    _ => {
                        self.rest = before;
                        return Err(self.not_plain());
                    }
                }
            }
            None | Some('\n' | '\r' | ',' | '}' | ']') => {
                return Err(self.wrong("has no value; write one after the `=`"));
            }
            Some(_) => return Err(self.not_plain()),
        };
        Ok(Located { line, node })
    }

    fn list(&mut self) -> anyhow::Result<Node> {
        self.deeper('[')?;
        let mut items = Vec::new();
        loop {
            self.skip(true)?;
            if self.eat(']') {
                self.path.pop();
                return Ok(Node::List(items));
            }
            items.push(self.value()?);
            self.skip(true)?;
            if !self.eat(',') && self.peek() != Some(']') {
                return Err(self.unless_ended("`,` or `]`"));
            }
        }
    }

    fn map(&mut self) -> anyhow::Result<Node> {
        self.deeper('{')?;
        let mut entries = Entries::default();
        loop {
            self.skip(true)?;
            if self.eat('}') {
                self.path.pop();
                return Ok(Node::Map(entries));
            }
            let line = self.line;
            let key = self.key()?;
            self.path.push(key.clone());
            self.skip(false)?;
            if !(self.eat('=') || self.eat(':')) {
                return Err(self.unless_ended("`=`"));
            }
            self.entry(&mut entries, key, line)?;
            self.skip(false)?;
            if !(self.eat(',') || self.at_newline() || self.peek() == Some('}')) {
                return Err(self.unless_ended("a new line, `,` or `}`"));
            }
            self.path.pop();
        }
    }

    /// Takes the bracket. The path gets an empty part, which is not shown.
    fn deeper(&mut self, bracket: char) -> anyhow::Result<()> {
        self.eat(bracket);
        self.path.push(String::new());
        if self.path.iter().filter(|part| part.is_empty()).count() > DEEPEST {
            return Err(self.wrong("nests values too deep; compare with the variable's type"));
        }
        Ok(())
    }

    /// A key of a map: a name, a text, or a whole number, which Terraform takes as its digits.
    fn key(&mut self) -> anyhow::Result<String> {
        match self.peek() {
            Some('"') => self.text(),
            Some('0'..='9') => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                let shortest = digits.trim_start_matches('0');
                Ok(if shortest.is_empty() { "0" } else { shortest }.to_owned())
            }
            Some(first) if is_name_start(first) => Ok(self.name()),
            None => Err(self.unless_ended("`}`")),
            Some(other) => Err(self
                .wrong(&format!("has `{}` where a key begins; write `key = value`", shown(other)))),
        }
    }

    fn number(&mut self) -> anyhow::Result<Node> {
        let sign = if self.eat('-') { "-" } else { "" };
        self.take_while(|c| c == ' ' || c == '\t');
        let digits = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let exponent = if digits.ends_with(['e', 'E']) && self.rest.starts_with(['+', '-']) {
            self.take_while(|c| c.is_ascii_digit() || c == '+' || c == '-')
        } else {
            ""
        };
        let number = serde_json::from_str::<Number>(&format!("{sign}{digits}{exponent}"));
        match number {
            Ok(number) if digits.starts_with(|c: char| c.is_ascii_digit()) => {
                Ok(Node::Number(number))
            }
            _ => Err(self.wrong(&format!(
                "is `{sign}{digits}{exponent}`, which is not a number here; put a text in quotes, and write a number without leading zeros"
            ))),
        }
    }

    /// A text in quotes, without its quotes.
    fn text(&mut self) -> anyhow::Result<String> {
        self.eat('"');
        let mut text = String::new();
        loop {
            let Some(next) = self.next() else {
                return Err(self.wrong("has a quote that is never closed; add the second `\"`"));
            };
            match next {
                '"' => return Ok(text),
                '\n' => {
                    self.line -= 1;
                    return Err(self
                        .wrong("has a quote that is not closed on its line; add the second `\"`"));
                }
                '\\' => text.push(self.escaped()?),
                '$' | '%' if self.rest.starts_with('{') => return Err(self.not_plain()),
                // Doubled, it stands for itself.
                '$' if self.eat_text("${") => text.push_str("${"),
                '%' if self.eat_text("%{") => text.push_str("%{"),
                other => text.push(other),
            }
        }
    }

    fn escaped(&mut self) -> anyhow::Result<char> {
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('"') => return Ok('"'),
            Some('\\') => return Ok('\\'),
            Some('u') => 4,
            Some('U') => 8,
            _ => {
                return Err(self.wrong(
                    "has a `\\` before something that needs none; write `\\\\` for a backslash",
                ));
            }
        };
        let code: String = self.rest.chars().take(digits).collect();
        let found = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
        match found {
            Some(character) if code.len() == digits => {
                self.rest = self.rest.get(digits..).unwrap_or_default();
                Ok(character)
            }
            _ => Err(self.wrong("has a `\\u` that is not followed by the digits of a character")),
        }
    }

    fn name(&mut self) -> String {
        self.take_while(is_name_part).to_owned()
    }

    /// Spaces and comments, and line ends where they mean nothing.
    fn skip(&mut self, newlines: bool) -> anyhow::Result<()> {
        loop {
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else {
                    return Err(
                        self.wrong("is followed by a comment that is never closed; add `*/`")
                    );
                };
                let (comment, rest) = self.rest.split_at(end + 2);
                self.line += comment.matches('\n').count();
                self.rest = rest;
            } else if self.rest.starts_with([' ', '\t']) || newlines && self.at_newline() {
                self.next();
            } else {
                return Ok(());
            }
        }
    }

    fn at_newline(&self) -> bool {
        self.rest.starts_with('\n') || self.rest.starts_with("\r\n")
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn eat_text(&mut self, wanted: &str) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// What is missing, or that the value goes on where a plain one ends.
    fn unless_ended(&self, wanted: &str) -> anyhow::Error {
        match self.peek() {
            None => self.wrong(&format!("is not closed: the file ends where {wanted} is expected")),
            Some(found) => self.wrong(&format!(
                "has `{}` where {wanted} is expected: only plain values stand in a tfvars file",
                shown(found)
            )),
        }
    }

    fn not_plain(&self) -> anyhow::Error {
        self.wrong(
            "is an expression: write the value itself, as a text in quotes, a number, true, false, null, a list or a map",
        )
    }

    fn wrong(&self, why: &str) -> anyhow::Error {
        let path: Vec<&str> =
            self.path.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let key = if path.is_empty() { String::new() } else { format!("`{}` ", path.join(".")) };
        Exit::BadInput.error(format!("{}:{}: {key}{why}", self.shown, self.line))
    }
}

/// A character as a message shows it.
fn shown(character: char) -> String {
    character.escape_debug().to_string()
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn is_name_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

#[cfg(test)]
mod tests;
