//! Compares values with a chart's `values.schema.json`, the one source of what an overlay may say.
//!
//! Helm compares them with the same file when preflight renders the chart, and has the last word.
//! Here the fault is told before any tool is needed, with its line and the nearest right name. So
//! only what our schemas use is known; a test says when one of them uses more.

use anyhow::Context as _;
use regex::Regex;
use serde_json::{Map, Value};
use xtask_tools::{did_you_mean, nearest};

use super::overlay::Overlay;
use crate::exit::Exit;

/// References within references; our schemas have none.
const DEEPEST: usize = 64;

pub(super) struct Schema {
    document: Value,
}

struct Fault {
    path: Vec<String>,
    why: String,
}

impl Schema {
    /// `shown`: the schema's file, as people know it.
    pub(super) fn parse(text: &str, shown: &str) -> anyhow::Result<Self> {
        let document =
            serde_json::from_str(text).with_context(|| format!("{shown} is not a JSON schema"))?;
        Ok(Self { document })
    }

    /// # Errors
    /// The first fault, as one sentence with file, line, key and remedy.
    pub(super) fn check(&self, values: &Overlay) -> anyhow::Result<()> {
        let faults = self.faults(values.all())?;
        let told = |fault: &Fault| {
            let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
            let place = values.place_of(&path);
            format!("{place}: `{}` {}", path.join("."), fault.why)
        };
        let Some(first) = faults.first() else { return Ok(()) };
        let more = match faults.len() - 1 {
            0 => String::new(),
            1 => " (and there is one more fault)".to_owned(),
            count => format!(" (and there are {count} more faults)"),
        };
        Err(Exit::BadInput.error(format!("{}{more}", told(first))))
    }

    fn faults(&self, values: &Value) -> anyhow::Result<Vec<Fault>> {
        let mut faults = Vec::new();
        Walk { document: &self.document, path: Vec::new(), faults: &mut faults }.value(
            values,
            &self.document,
            0,
        )?;
        Ok(faults)
    }
}

struct Walk<'a> {
    document: &'a Value,
    path: Vec<String>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &Value, schema: &'a Value, depth: usize) -> anyhow::Result<()> {
        anyhow::ensure!(depth < DEEPEST, "the schema refers to itself without end");
        // `true` allows everything; `false` does not occur as a schema of a value.
        let Some(schema) = schema.as_object() else { return Ok(()) };
        if let Some(reference) = text(schema, "$ref") {
            let target = reference.strip_prefix('#').and_then(|path| self.document.pointer(path));
            let target = target.with_context(|| format!("the schema has no `{reference}`"))?;
            self.value(value, target, depth + 1)?;
        }
        if let Some(why) = wrong_by_itself(value, schema)? {
            let about = text(schema, "description").map(|text| format!(" ({text})"));
            self.fault(format!(
                "{why}{}; helm/supabase/values.yaml describes it",
                about.unwrap_or_default()
            ));
            return Ok(());
        }
        self.combined(value, schema, depth)?;
        match value {
            Value::Object(map) => self.object(map, schema, depth),
            Value::Array(items) => {
                let Some(inner) = schema.get("items") else { return Ok(()) };
                for (index, item) in items.iter().enumerate() {
                    self.inside(&index.to_string(), item, inner, depth)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn combined(
        &mut self,
        value: &Value,
        schema: &'a Map<String, Value>,
        depth: usize,
    ) -> anyhow::Result<()> {
        if let Some(Value::Array(choices)) = schema.get("anyOf") {
            let mut reasons = Vec::new();
            for choice in choices {
                let faults = self.aside(value, choice, depth)?;
                match faults.into_iter().next() {
                    None => return Ok(()),
                    Some(fault) => reasons.push(fault.why),
                }
            }
            self.fault(reasons.join(", or "));
        }
        if let Some(refused) = schema.get("not")
            && self.aside(value, refused, depth)?.is_empty()
        {
            let about = text(schema, "description").unwrap_or("it is refused by the chart");
            self.fault(format!("must not be {value}: {about}"));
        }
        Ok(())
    }

    /// The faults against another schema, without counting them.
    fn aside(&self, value: &Value, schema: &'a Value, depth: usize) -> anyhow::Result<Vec<Fault>> {
        let mut faults = Vec::new();
        Walk { document: self.document, path: self.path.clone(), faults: &mut faults }.value(
            value,
            schema,
            depth + 1,
        )?;
        Ok(faults)
    }

    fn object(
        &mut self,
        map: &Map<String, Value>,
        schema: &'a Map<String, Value>,
        depth: usize,
    ) -> anyhow::Result<()> {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in map {
            if let Some(names) = schema.get("propertyNames")
                && let Some(fault) = self.aside(&Value::from(name.as_str()), names, depth)?.first()
            {
                let why = format!("is a name that cannot stand there: it {}", fault.why);
                self.inside_fault(name, why);
                continue;
            }
            match (properties.and_then(|known| known.get(name)), schema.get("additionalProperties"))
            {
                (Some(inner), _) => self.inside(name, value, inner, depth)?,
                (None, Some(Value::Bool(false))) => {
                    let known: Vec<&str> =
                        properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                    let remedy = if nearest(name, known.iter().copied()).is_some() {
                        did_you_mean(name, known.iter().copied())
                    } else {
                        format!("; known are {}", known.join(", "))
                    };
                    self.inside_fault(name, format!("is not a value of this chart{remedy}"));
                }
                (None, Some(inner)) => self.inside(name, value, inner, depth)?,
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !map.contains_key(*name)) {
            self.inside_fault(
                name,
                "is needed and was taken out with null; leave it in".to_owned(),
            );
        }
        Ok(())
    }

    fn inside(
        &mut self,
        name: &str,
        value: &Value,
        schema: &'a Value,
        depth: usize,
    ) -> anyhow::Result<()> {
        self.path.push(name.to_owned());
        let done = self.value(value, schema, depth + 1);
        self.path.pop();
        done
    }

    fn inside_fault(&mut self, name: &str, why: String) {
        self.path.push(name.to_owned());
        self.fault(why);
        self.path.pop();
    }

    fn fault(&mut self, why: String) {
        self.faults.push(Fault { path: self.path.clone(), why });
    }
}

fn text<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Value::as_str)
}

/// What is wrong with a value whatever it holds: type, choice, form, bounds.
fn wrong_by_itself(value: &Value, schema: &Map<String, Value>) -> anyhow::Result<Option<String>> {
    let wanted: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !wanted.is_empty() && !wanted.iter().any(|name| is_type(value, name)) {
        return Ok(Some(format!("is {} and must be {}", told(value), wanted.join(" or "))));
    }
    if let Some(Value::Array(choices)) = schema.get("enum")
        && !choices.contains(value)
    {
        let choices: Vec<String> = choices.iter().map(told).collect();
        return Ok(Some(format!("is {} and must be one of {}", told(value), choices.join(", "))));
    }
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        return Ok(Some(format!("is {} and can only be {}", told(value), told(only))));
    }
    match value {
        Value::String(written) => wrong_text(written, schema),
        Value::Number(number) => Ok(wrong_number(number.as_f64().unwrap_or_default(), schema)),
        _ => Ok(None),
    }
}

fn wrong_text(written: &str, schema: &Map<String, Value>) -> anyhow::Result<Option<String>> {
    let length = u64::try_from(written.chars().count()).unwrap_or(u64::MAX);
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
    if bound("minLength").is_some_and(|least| length < least) {
        return Ok(Some("is too short".to_owned()));
    }
    if bound("maxLength").is_some_and(|most| length > most) {
        return Ok(Some("is too long".to_owned()));
    }
    let Some(pattern) = text(schema, "pattern") else { return Ok(None) };
    let form = Regex::new(pattern).with_context(|| format!("the schema's pattern `{pattern}`"))?;
    let value = Value::from(written);
    Ok((!form.is_match(written))
        .then(|| format!("is {} and must have the form `{pattern}`", told(&value))))
}

fn wrong_number(number: f64, schema: &Map<String, Value>) -> Option<String> {
    let bound = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let told =
        |relation: &str, bound: f64| Some(format!("is {number} and must be {relation} {bound}"));
    match (bound("minimum"), bound("maximum"), bound("exclusiveMinimum")) {
        (Some(least), ..) if number < least => told("at least", least),
        (_, Some(most), _) if number > most => told("at most", most),
        (.., Some(below)) if number <= below => told("more than", below),
        _ => None,
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // A whole number, however it is written.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// A value in a message: short ones as they are.
fn told(value: &Value) -> String {
    match value {
        Value::Object(_) => "a map".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if text.len() > 60 => "a long text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
