//! One step on the way to a field, as `FieldsV1` writes it and as conflict messages print it.

use std::fmt;

use serde_json::Value;

use crate::schema::{Identity, List, Schema};

/// A JSON value in its compact text form, which gives it an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Literal(String);

impl Literal {
    fn of(value: &Value) -> Self {
        Self(value.to_string())
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field of an object.
    Field(String),
    /// An item of a list of objects, by the fields that tell it apart.
    Key(Vec<(String, Literal)>),
    /// An item of a set.
    Value(Literal),
    /// An item by position; read and written, never made here.
    Index(usize),
}

impl Element {
    pub(crate) fn field(name: impl Into<String>) -> Self {
        Self::Field(name.into())
    }

    /// The step to an item of a list; the position does not count except in lists without identity.
    pub(crate) fn of_item(list: &List, index: usize, item: &Value) -> Result<Self, String> {
        match &list.identity {
            Identity::Atomic => Ok(Self::Index(index)),
            Identity::Set if item.is_object() || item.is_array() => {
                Err("associative list without keys has an element that's not a scalar".into())
            }
            Identity::Set => Ok(Self::Value(Literal::of(item))),
            Identity::Keys(keys) => keyed(&list.items, keys, item),
        }
    }

    /// The step that a `FieldsV1` key stands for.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "f" => Some(Self::field(rest)),
            "v" => serde_json::from_str(rest).ok().map(|value| Self::Value(Literal::of(&value))),
            "i" => rest.parse().ok().map(Self::Index),
            "k" => {
                let keys: serde_json::Map<String, Value> = serde_json::from_str(rest).ok()?;
                let mut keys: Vec<_> =
                    keys.into_iter().map(|(name, value)| (name, Literal::of(&value))).collect();
                keys.sort();
                Some(Self::Key(keys))
            }
            _ => None,
        }
    }

    /// The key that `FieldsV1` writes for this step.
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Value(literal) => format!("v:{}", literal.0),
            Self::Index(index) => format!("i:{index}"),
            Self::Key(keys) => {
                let keys = keys.iter().map(|(name, literal)| (name.clone(), literal.value()));
                format!("k:{}", Value::Object(keys.collect()))
            }
        }
    }
}

fn keyed(items: &Schema, keys: &[String], item: &Value) -> Result<Element, String> {
    if !item.is_object() {
        return Err("associative list with keys may not have non-map elements".into());
    }
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let default = || items.field(key).and_then(|schema| schema.default.as_ref());
        if let Some(value) = item.get(key).filter(|value| !value.is_null()).or_else(default) {
            found.push((key.clone(), Literal::of(value)));
        }
    }
    if found.is_empty() {
        let quoted: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields {} (and doesn't have default values for any key fields)",
            quoted.join(", ")
        ));
    }
    found.sort();
    Ok(Element::Key(found))
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Value(literal) => write!(f, "[={}]", literal.0),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Key(keys) => {
                let keys: Vec<String> =
                    keys.iter().map(|(name, literal)| format!("{name}={}", literal.0)).collect();
                write!(f, "[{}]", keys.join(","))
            }
        }
    }
}

/// The way from an object's root to a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(pub(crate) Vec<Element>);

impl Path {
    pub(crate) fn with(&self, element: Element) -> Self {
        let mut elements = self.0.clone();
        elements.push(element);
        Self(elements)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|element| element.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_survive_writing_and_reading() {
        for text in
            ["f:spec", "f:app.kubernetes.io/name", r#"k:{"name":"a:b"}"#, r#"v:"x""#, "v:1", "i:3"]
        {
            assert_eq!(Element::parse(text).unwrap().encode(), text);
        }
        assert_eq!(Element::parse("x:y"), None);
    }

    #[test]
    fn keys_print_as_in_conflict_messages() {
        let port = Element::parse(r#"k:{"containerPort":8080,"protocol":"TCP"}"#).unwrap();
        assert_eq!(port.to_string(), r#"[containerPort=8080,protocol="TCP"]"#);
    }
}
