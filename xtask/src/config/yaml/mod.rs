//! Reads YAML as Helm does, with the line of every value.
//!
//! Helm's library reads YAML 1.1: `yes`, `off` and `0644` are no texts there, and `<<` merges. What
//! a person cannot have meant is refused, although Helm takes it: a key twice, a second document, a
//! key that is not a text. What Helm has rendered is read as it reads it, with all of that. The tests
//! compare this reader with Helm itself.

mod scalar;

use std::collections::{BTreeSet, HashMap};

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Value;

use super::located::{Entries, Entry, Located, Node};
use crate::exit::Exit;

/// What is taken.
struct Terms {
    /// Whether people wrote it, so that what nobody can have meant is refused.
    written: bool,
    /// Maps and lists within each other.
    deepest: usize,
    /// Values, with all aliases written out.
    most: usize,
}

const VALUES: Terms = Terms { written: true, deepest: 64, most: 100_000 };

/// Definitions of custom resources fill megabytes.
const MANIFEST: Terms = Terms { written: false, deepest: 256, most: 10_000_000 };

/// The map that a file holds; an empty file is an empty map.
///
/// # Errors
/// One sentence with file, line, key and remedy.
pub(super) fn read(text: &str, shown: &str) -> anyhow::Result<Entries> {
    let mut reader = Reader::new(text, shown, VALUES);
    match reader.documents()?.pop() {
        None => Ok(Entries::default()),
        Some(Located { node: Node::Null, .. }) => Ok(Entries::default()),
        Some(Located { node: Node::Map(entries), .. }) => Ok(entries),
        Some(other) => Err(reader.wrong(
            other.line,
            &format!("values are a map, `key: value`, and not {}", other.kind()),
        )),
    }
}

/// The documents of a manifest that Helm rendered; an empty one is null.
///
/// # Errors
/// When Helm could not have read it either.
pub(crate) fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents = Reader::new(text, "the manifest", MANIFEST).documents();
    // Nobody gave it as input, so that the error has no code of its own.
    let documents = documents.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    Ok(documents.iter().map(Located::to_json).collect())
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    terms: Terms,
    shown: &'a str,
    /// The keys that lead to what is being read.
    path: Vec<String>,
    anchors: HashMap<usize, Located>,
    values: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, shown: &'a str, terms: Terms) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            terms,
            shown,
            path: Vec::new(),
            anchors: HashMap::new(),
            values: 0,
            depth: 0,
        }
    }

    fn documents(&mut self) -> anyhow::Result<Vec<Located>> {
        let mut found = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(found),
                Event::DocumentStart(..) if self.terms.written && !found.is_empty() => {
                    return Err(self.wrong(
                        line(span),
                        "a second document begins, which some versions of Helm merge and others leave out; keep one",
                    ));
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    found.push(self.value(event, span)?);
                }
                _ => return Err(self.wrong(line(span), "the values begin without a document")),
            }
        }
    }

    fn next(&mut self) -> anyhow::Result<(Event<'a>, Span)> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(found)) => return Ok(found),
                Some(Err(error)) => {
                    let at = *error.marker();
                    let reason = error.to_string();
                    let reason = reason.split(" at char ").next().unwrap_or_default();
                    return Err(Exit::BadInput.error(format!(
                        "{}:{}:{}: {}not valid YAML, {reason}; check indentation and quotes",
                        self.shown,
                        at.line(),
                        at.col() + 1,
                        self.key()
                    )));
                }
                None => return Err(self.wrong(1, "the values end too early")),
            }
        }
    }

    fn value(&mut self, event: Event<'a>, span: Span) -> anyhow::Result<Located> {
        let line = line(span);
        self.count(1, line)?;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = self.tagged(tag.as_deref(), line, "str")?;
                let plain = style == ScalarStyle::Plain && !is_text;
                let node = if plain { self.scalar(&text, line)? } else { Node::Text(text.into()) };
                (anchor, node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), line, "seq")?;
                (anchor, self.deeper(line, Self::list)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tagged(tag.as_deref(), line, "map")?;
                (anchor, self.deeper(line, Self::map)?)
            }
            Event::Alias(id) => {
                let Some(value) = self.anchors.get(&id) else {
                    return Err(self.wrong(line, "refers to itself; write the value out"));
                };
                let value = Located { line, node: value.node.clone() };
                self.count(size(&value), line)?;
                return Ok(value);
            }
            _ => return Err(self.wrong(line, "a value is expected here")),
        };
        let value = Located { line, node };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    /// Values that were read or written out so far.
    fn count(&mut self, more: usize, line: usize) -> anyhow::Result<()> {
        self.values += more;
        if self.values > self.terms.most {
            return Err(
                self.wrong(line, "makes the file longer than values can be; use fewer aliases")
            );
        }
        Ok(())
    }

    /// Whether the value carries the one tag that may stand there. Others would change how Helm
    /// reads it.
    fn tagged(&self, tag: Option<&Tag>, line: usize, may: &str) -> anyhow::Result<bool> {
        match tag {
            None => Ok(false),
            Some(tag) if tag.core_suffix() == Some(may) => Ok(true),
            Some(tag) => Err(self.wrong(
                line,
                &format!(
                    "has the tag `{}`; leave it out and write the value itself",
                    tag.original()
                ),
            )),
        }
    }

    fn scalar(&self, text: &str, line: usize) -> anyhow::Result<Node> {
        scalar::resolve(text).ok_or_else(|| {
            self.wrong(
                line,
                &format!("is `{text}`, which values cannot hold; put a text in quotes"),
            )
        })
    }

    fn deeper(
        &mut self,
        line: usize,
        read: fn(&mut Self) -> anyhow::Result<Node>,
    ) -> anyhow::Result<Node> {
        self.depth += 1;
        if self.depth > self.terms.deepest {
            return Err(self.wrong(line, "nests values too deep"));
        }
        let node = read(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn list(&mut self) -> anyhow::Result<Node> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node::List(items));
            }
            items.push(self.value(event, span)?);
        }
    }

    fn map(&mut self) -> anyhow::Result<Node> {
        let mut entries = Entries::default();
        let mut written = BTreeSet::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Node::Map(entries));
            }
            let line = line(span);
            let merges =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            if merges {
                let (event, span) = self.next()?;
                let value = self.value(event, span)?;
                self.merge(&mut entries, value)?;
                continue;
            }
            let key = self.value(event, span)?;
            let key = self.key_of(key)?;
            self.path.push(key.clone());
            if self.terms.written && !written.insert(key.clone()) {
                let first = entries.get(&key).map_or(line, |first| first.line);
                return Err(self.wrong(
                    line,
                    &format!("was set on line {first} already; Helm would forget the first: keep one of the two"),
                ));
            }
            let (event, span) = self.next()?;
            let value = self.value(event, span)?;
            self.path.pop();
            entries.set(Entry { key, line, value });
        }
    }

    fn key_of(&self, key: Located) -> anyhow::Result<String> {
        match key.node {
            Node::Text(text) => Ok(text),
            Node::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
            // As the library writes them that makes JSON of it for the API.
            Node::Bool(word) if !self.terms.written => Ok(word.to_string()),
            _ => Err(self.wrong(
                key.line,
                &format!("has {} as a key, as Helm reads it; put the key in quotes", key.kind()),
            )),
        }
    }

    /// `<<`: the entries of a map, or of several, of which the first wins. They take the place of
    /// what stands before them and give way to what follows.
    fn merge(&self, entries: &mut Entries, value: Located) -> anyhow::Result<()> {
        match value.node {
            Node::Map(merged) => {
                for entry in merged.iter() {
                    entries.set(Entry { line: value.line, ..entry.clone() });
                }
                Ok(())
            }
            Node::List(maps) => maps.into_iter().rev().try_for_each(|map| match map.node {
                Node::Map(_) => self.merge(entries, map),
                _ => Err(self.not_mergeable(map.line)),
            }),
            _ => Err(self.not_mergeable(value.line)),
        }
    }

    fn not_mergeable(&self, line: usize) -> anyhow::Error {
        self.wrong(line, "`<<` merges a map, or a list of maps, and nothing else")
    }

    fn key(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("`{}` ", self.path.join(".")) }
    }

    fn wrong(&self, line: usize, why: &str) -> anyhow::Error {
        Exit::BadInput.error(format!("{}:{line}: {}{why}", self.shown, self.key()))
    }
}

fn line(span: Span) -> usize {
    span.start.line()
}

fn size(value: &Located) -> usize {
    1 + match &value.node {
        Node::List(items) => items.iter().map(size).sum(),
        Node::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
