//! Values of a file that know the line they stand on.

use std::collections::HashMap;

use serde_json::{Number, Value};

/// A value and the line on which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) line: usize,
    pub(super) node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Located>),
    Map(Entries),
}

/// The entries of a map in their order. A key is found without looking at the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entries {
    list: Vec<Entry>,
    by_key: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key.
    pub(super) line: usize,
    pub(super) value: Located,
}

impl Entries {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key).and_then(|index| self.list.get(*index))
    }

    /// Adds an entry, or takes the place of the one with its key.
    pub(super) fn set(&mut self, entry: Entry) {
        match self.by_key.get(&entry.key).and_then(|index| self.list.get_mut(*index)) {
            Some(place) => *place = entry,
            None => {
                self.by_key.insert(entry.key.clone(), self.list.len());
                self.list.push(entry);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    /// The entry that a path such as `["auth", "smtp"]` leads to.
    pub(super) fn at<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Entry> {
        let mut path = path.into_iter();
        let mut found = self.get(path.next()?)?;
        for key in path {
            let Node::Map(inner) = &found.value.node else { return None };
            found = inner.get(key)?;
        }
        Some(found)
    }

    pub(super) fn to_json(&self) -> Value {
        Value::Object(
            self.list.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
        )
    }
}

impl Located {
    pub(super) fn to_json(&self) -> Value {
        match &self.node {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(value) => Value::Number(value.clone()),
            Node::Text(text) => Value::String(text.clone()),
            Node::List(items) => items.iter().map(Self::to_json).collect(),
            Node::Map(entries) => entries.to_json(),
        }
    }

    /// What it is, for people: never the value of a text, which may be long.
    pub(super) fn kind(&self) -> &'static str {
        match self.node {
            Node::Null => "null",
            Node::Bool(_) => "a truth value",
            Node::Number(_) => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }
}
