use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Schema;

fn first(schema: &Value, values: &Value) -> Option<String> {
    let schema = Schema::parse(&schema.to_string(), "x").unwrap();
    let faults = schema.faults(values).unwrap();
    faults.first().map(|fault| format!("{}: {}", fault.path.join("."), fault.why))
}

#[test]
fn every_fault_has_its_path_and_its_remedy() {
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["kong"],
        "properties": {
            "kong": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "replicas": {"type": "integer", "minimum": 0, "maximum": 9},
                    "level": {"enum": ["debug", "info"]},
                    "cpu": {"anyOf": [{"type": "string", "pattern": "^[0-9]+m$"}, {"type": "number", "exclusiveMinimum": 0}]}
                }
            },
            "env": {"type": "object", "propertyNames": {"pattern": "^[A-Z]+$"}, "additionalProperties": {"$ref": "#/$defs/text"}},
            "urls": {"type": "object", "additionalProperties": {"type": "string", "not": {"enum": ["*"]}}}
        },
        "$defs": {"text": {"type": ["string", "null"], "maxLength": 3}}
    });
    for (values, fault) in [
        (json!({"kong": {"replicas": 1, "level": "info", "cpu": "5m"}, "env": {"A": null}}), None),
        (
            json!({"kong": {"replicsa": 1}}),
            Some("kong.replicsa: is not a value of this chart (did you mean `replicas`?)"),
        ),
        (
            json!({"kong": {"zzzzzz": 1}}),
            Some("kong.zzzzzz: is not a value of this chart; known are replicas, level, cpu"),
        ),
        (
            json!({"kong": {"replicas": "one"}}),
            Some("kong.replicas: is \"one\" and must be integer; helm"),
        ),
        (
            json!({"kong": {"replicas": 10}}),
            Some("kong.replicas: is 10 and must be at most 9; helm"),
        ),
        (
            json!({"kong": {"replicas": 1.5}}),
            Some("kong.replicas: is 1.5 and must be integer; helm"),
        ),
        (
            json!({"kong": {"level": "all"}}),
            Some("kong.level: is \"all\" and must be one of \"debug\", \"info\"; helm"),
        ),
        (json!({"kong": {"cpu": 0}}), Some("kong.cpu: is 0 and must be string")),
        (json!({}), Some("kong: is needed and was taken out")),
        (json!({"kong": {}, "env": {"a": "x"}}), Some("env.a: is a name that cannot stand there")),
        (json!({"kong": {}, "env": {"A": "xxxx"}}), Some("env.A: is too long")),
        (json!({"kong": {}, "urls": {"a": "*"}}), Some("urls.a: must not be \"*\"")),
    ] {
        let found = first(&schema, &values);
        match fault {
            None => assert_eq!(found, None),
            Some(start) => {
                let found = found.unwrap_or_default();
                assert!(found.starts_with(start), "{found}");
            }
        }
    }
}

/// Keywords that are checked, and those that say nothing about a value.
const KNOWN: [&str; 22] = [
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "enum",
    "const",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "required",
    "properties",
    "additionalProperties",
    "propertyNames",
    "anyOf",
    "not",
    "items",
    "default",
];

#[test]
fn the_schemas_use_nothing_that_is_not_checked() {
    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(schema) = schema.as_object() else { return };
        for (keyword, inner) in schema {
            found.insert(keyword.clone());
            match (keyword.as_str(), inner) {
                ("properties" | "$defs", Value::Object(named)) => {
                    named.values().for_each(|schema| keywords(schema, found));
                }
                ("enum" | "const" | "required", _) => {}
                (_, Value::Array(schemas)) => schemas.iter().for_each(|it| keywords(it, found)),
                (_, schema) => keywords(schema, found),
            }
        }
    }
    let schema = include_str!("../../../../helm/supabase/values.schema.json");
    let mut found = BTreeSet::new();
    keywords(&serde_json::from_str(schema).unwrap(), &mut found);
    let unknown: Vec<_> = found.iter().filter(|it| !KNOWN.contains(&it.as_str())).collect();
    assert!(unknown.is_empty(), "config/schema.rs does not check {unknown:?}");
}
