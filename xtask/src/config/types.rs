//! What Terraform's variable declarations allow, and whether a tfvars file keeps to it.
//!
//! Terraform itself only warns about an unknown variable and says nothing of an unknown attribute
//! of an object: a misspelt `deletion_protection` would leave the default in force.

use std::path::Path;

use anyhow::Context as _;
use hcl_edit::{
    Span as _,
    expr::{Expression, FuncCall, Object, ObjectKey},
    structure::Block,
};
use xtask_tools::{did_you_mean, nearest};

use super::located::{Entries, Entry, Located, Node};
use crate::exit::Exit;

/// The variables that a module declares.
#[derive(Debug)]
pub(super) struct Declarations {
    /// The module's file, as people know it.
    shown: String,
    variables: Vec<Attribute>,
}

/// A variable, or an attribute of an object.
#[derive(Debug)]
struct Attribute {
    name: String,
    of: Type,
    /// It may be left out, or be null.
    optional: bool,
    /// It is handed over at run time and never stands in a file.
    ephemeral: bool,
}

#[derive(Debug)]
enum Type {
    Any,
    Text,
    Number,
    Bool,
    /// A list or a set.
    List(Box<Self>),
    Map(Box<Self>),
    Object(Vec<Attribute>),
    Tuple(Vec<Self>),
}

/// What is wrong with a value, and where.
struct Fault<'a> {
    /// None for what is missing from the whole file.
    line: Option<usize>,
    key: String,
    why: Why<'a>,
}

enum Why<'a> {
    Said(String),
    /// It is none of these; what it may have been is looked for when it is told.
    Unknown {
        name: &'a str,
        path: String,
        here: &'a [Attribute],
    },
}

impl Declarations {
    /// Reads `variables.tf` of a module; `module` is the folder below `root`.
    ///
    /// # Errors
    /// When the file is missing, or declares something in a form that is not known here.
    pub(super) fn read(root: &Path, module: &str) -> anyhow::Result<Self> {
        let shown = format!("{module}/variables.tf");
        let text = std::fs::read_to_string(root.join(&shown))
            .with_context(|| format!("failed to read `{shown}`"))?;
        Self::parse(&text, &shown)
    }

    pub(super) fn parse(text: &str, shown: &str) -> anyhow::Result<Self> {
        let body = hcl_edit::parser::parse_body(text)
            .map_err(|error| anyhow::anyhow!("{shown} is not valid HCL: {error}"))?;
        let mut variables = Vec::new();
        for block in body.blocks().filter(|block| block.ident.as_str() == "variable") {
            let line = text.get(..block.span().map_or(0, |span| span.start));
            let line = line.unwrap_or_default().matches('\n').count() + 1;
            variables.push(variable(block).with_context(|| format!("{shown}:{line}"))?);
        }
        anyhow::ensure!(!variables.is_empty(), "{shown} declares no variable");
        Ok(Self { shown: shown.to_owned(), variables })
    }

    /// Compares the entries of the file `shown` with the declarations.
    ///
    /// # Errors
    /// The first fault, as one sentence with file, line, key and remedy.
    pub(super) fn check(&self, entries: &Entries, shown: &str) -> anyhow::Result<()> {
        let mut faults = Vec::new();
        self.compare(entries, &mut faults);
        let Some(first) = faults.iter().min_by_key(|fault| fault.line.unwrap_or(usize::MAX)) else {
            return Ok(());
        };
        let place = first.line.map(|line| format!(":{line}")).unwrap_or_default();
        let more = match faults.len() - 1 {
            0 => String::new(),
            1 => " (and there is one more fault)".to_owned(),
            count => format!(" (and there are {count} more faults)"),
        };
        let why = self.told(&first.why);
        Err(Exit::BadInput.error(format!("{shown}{place}: `{}` {why}{more}", first.key)))
    }

    fn compare<'a>(&'a self, entries: &'a Entries, faults: &mut Vec<Fault<'a>>) {
        for entry in entries.iter() {
            match self.variables.iter().find(|variable| variable.name == entry.key) {
                Some(variable) if variable.ephemeral => faults.push(Fault {
                    line: Some(entry.line),
                    key: entry.key.clone(),
                    why: Why::Said(
                        "never stands in a file: the runner hands it over; take the line out"
                            .to_owned(),
                    ),
                }),
                Some(variable) => {
                    variable.of.compare(&entry.value, variable.optional, &entry.key, faults);
                }
                None => faults.push(unknown(entry, "", &self.variables)),
            }
        }
        for missing in absent(entries, &self.variables) {
            faults.push(Fault {
                line: None,
                key: missing.name.clone(),
                why: Why::Said(format!("is missing; add it, {}", missing.of.wanted())),
            });
        }
    }

    fn told(&self, why: &Why<'_>) -> String {
        let (name, path, here) = match why {
            Why::Said(text) => return text.clone(),
            Why::Unknown { name, path, here } => (*name, path, *here),
        };
        let names: Vec<&str> =
            here.iter().filter(|it| !it.ephemeral).map(|it| it.name.as_str()).collect();
        let remedy = if nearest(name, names.iter().copied()).is_some() {
            did_you_mean(name, names.iter().copied())
        } else if let Some(place) = places(&self.variables, "", name).first() {
            // The right name in the wrong place.
            format!(" (did you mean `{place}`?)")
        } else {
            format!("; known are {}", names.join(", "))
        };
        if path.is_empty() {
            format!("is not a variable of {}{remedy}", self.shown)
        } else {
            format!("is not an attribute of `{path}` in {}{remedy}", self.shown)
        }
    }
}

fn unknown<'a>(entry: &'a Entry, path: &str, here: &'a [Attribute]) -> Fault<'a> {
    Fault {
        line: Some(entry.line),
        key: join(path, &entry.key),
        why: Why::Unknown { name: &entry.key, path: path.to_owned(), here },
    }
}

/// Every path whose last part is `name`.
fn places(attributes: &[Attribute], path: &str, name: &str) -> Vec<String> {
    attributes
        .iter()
        .flat_map(|attribute| {
            let path = join(path, &attribute.name);
            let mut found = match &attribute.of {
                Type::Object(inner) => places(inner, &path, name),
                _ => Vec::new(),
            };
            if attribute.name == name {
                found.insert(0, path);
            }
            found
        })
        .collect()
}

fn absent<'a>(
    entries: &'a Entries,
    attributes: &'a [Attribute],
) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(|it| !it.optional && !it.ephemeral && entries.get(&it.name).is_none())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Type {
    /// Types and attributes, at any depth. Terraform would convert `"2"` to a number; here a
    /// value is written as what it is, so that a wrong type is always noticed.
    fn compare<'a>(
        &'a self,
        value: &'a Located,
        nullable: bool,
        path: &str,
        faults: &mut Vec<Fault<'a>>,
    ) {
        match (self, &value.node) {
            (Self::Any, _)
            | (Self::Text, Node::Text(_))
            | (Self::Number, Node::Number(_))
            | (Self::Bool, Node::Bool(_)) => {}
            (_, Node::Null) if nullable => {}
            (Self::List(of), Node::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    of.compare(item, false, &format!("{path}[{index}]"), faults);
                }
            }
            (Self::Tuple(types), Node::List(items)) if types.len() == items.len() => {
                for (index, (of, item)) in types.iter().zip(items).enumerate() {
                    of.compare(item, false, &format!("{path}[{index}]"), faults);
                }
            }
            (Self::Map(of), Node::Map(entries)) => {
                for entry in entries.iter() {
                    of.compare(&entry.value, false, &join(path, &entry.key), faults);
                }
            }
            (Self::Object(attributes), Node::Map(entries)) => {
                for entry in entries.iter() {
                    match attributes.iter().find(|it| it.name == entry.key) {
                        Some(attribute) => attribute.of.compare(
                            &entry.value,
                            attribute.optional,
                            &join(path, &entry.key),
                            faults,
                        ),
                        None => faults.push(unknown(entry, path, attributes)),
                    }
                }
                for missing in absent(entries, attributes) {
                    faults.push(Fault {
                        line: Some(value.line),
                        key: join(path, &missing.name),
                        why: Why::Said(format!("is missing; add it, {}", missing.of.wanted())),
                    });
                }
            }
            _ => faults.push(Fault {
                line: Some(value.line),
                key: path.to_owned(),
                why: Why::Said(format!("is {} and must be {}", told(value), self.wanted())),
            }),
        }
    }

    /// What a value of this type is, for people.
    fn wanted(&self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Text => "a text in quotes",
            Self::Number => "a number without quotes",
            Self::Bool => "true or false, without quotes",
            Self::List(_) | Self::Tuple(_) => "a list in brackets",
            Self::Map(_) | Self::Object(_) => "a map in braces",
        }
    }
}

/// A value in a message: short ones as they are.
fn told(value: &Located) -> String {
    match &value.node {
        Node::Text(text) if text.len() <= 40 => format!("the text {text:?}"),
        Node::Number(number) => format!("the number {number}"),
        Node::Bool(value) => value.to_string(),
        _ => value.kind().to_owned(),
    }
}

fn variable(block: &Block) -> anyhow::Result<Attribute> {
    let label = block.labels.first().context("a variable has no name")?;
    let expression =
        |name: &str| block.body.attributes().find(|it| it.key.as_str() == name).map(|it| &it.value);
    let of = expression("type").map(parse_type).transpose()?.unwrap_or(Type::Any);
    let ephemeral = expression("ephemeral").and_then(Expression::as_bool) == Some(true);
    Ok(Attribute {
        name: label.as_str().to_owned(),
        of,
        optional: expression("default").is_some(),
        ephemeral,
    })
}

fn parse_type(expression: &Expression) -> anyhow::Result<Type> {
    let unknown =
        || format!("the type `{}` is not known to the runner", expression.to_string().trim());
    if let Expression::Variable(name) = expression {
        return Ok(match name.as_str() {
            "string" => Type::Text,
            "number" => Type::Number,
            "bool" => Type::Bool,
            "any" => Type::Any,
            _ => anyhow::bail!(unknown()),
        });
    }
    let Expression::FuncCall(call) = expression else { anyhow::bail!(unknown()) };
    let argument = call.args.iter().next().with_context(unknown)?;
    Ok(match call.name.name.as_str() {
        "list" | "set" => Type::List(Box::new(parse_type(argument)?)),
        "map" => Type::Map(Box::new(parse_type(argument)?)),
        "object" => Type::Object(attributes(argument.as_object().with_context(unknown)?)?),
        "tuple" => {
            let types = argument.as_array().with_context(unknown)?;
            Type::Tuple(types.iter().map(parse_type).collect::<anyhow::Result<_>>()?)
        }
        _ => anyhow::bail!(unknown()),
    })
}

fn attributes(object: &Object) -> anyhow::Result<Vec<Attribute>> {
    let mut attributes = Vec::new();
    for (key, value) in object {
        let ObjectKey::Ident(name) = key else {
            anyhow::bail!("an attribute's name is an expression")
        };
        let inner = value.expr().as_func_call().and_then(optional);
        attributes.push(Attribute {
            name: name.as_str().to_owned(),
            of: parse_type(inner.unwrap_or(value.expr()))?,
            optional: inner.is_some(),
            ephemeral: false,
        });
    }
    Ok(attributes)
}

/// The type inside of `optional(type, default)`.
fn optional(call: &FuncCall) -> Option<&Expression> {
    (call.name.name.as_str() == "optional").then(|| call.args.iter().next()).flatten()
}

#[cfg(test)]
mod tests;
