//! The plans of all environments, which the runner makes in its sandbox, once a process.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde_json::Value;

/// What the runner makes for the checks that look at plans.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    /// `terraform show -json` of each environment, by its name.
    pub environments: BTreeMap<String, PathBuf>,
    /// The same of the bootstrap module.
    pub bootstrap: PathBuf,
    /// What the runner showed about itself on the way, by name.
    pub observed: BTreeMap<String, Result<(), String>>,
}

impl Plans {
    pub(crate) fn of(&self, environment: &str) -> anyhow::Result<&Path> {
        let file = self.environments.get(environment);
        file.map(PathBuf::as_path).with_context(|| format!("there is no plan of `{environment}`"))
    }

    /// Every plan.
    pub(crate) fn files(&self) -> Vec<&Path> {
        self.environments.values().chain([&self.bootstrap]).map(PathBuf::as_path).collect()
    }

    pub(crate) fn read(file: &Path) -> anyhow::Result<Value> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("failed to read the plan `{}`", file.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` is no plan in JSON", file.display()))
    }
}

/// The plan with a sample in each place where the code gives a value that AWS has yet to tell, such
/// as the ARN of a key that is not made yet: a scanner takes what it does not see for absent.
pub(crate) fn with_samples(mut plan: Value) -> Value {
    let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
    let unknown: BTreeMap<_, _> = changes
        .iter()
        .filter_map(|it| Some((it["address"].as_str()?, &it["change"]["after_unknown"])))
        .collect();
    let code = plan["configuration"]["root_module"].clone();
    fill_module(&mut plan["planned_values"]["root_module"], &unknown, &code);
    plan
}

/// What stands for a value that only AWS knows.
const SAMPLE: &str = "known-after-apply";

fn fill_module(module: &mut Value, unknown: &BTreeMap<&str, &Value>, code: &Value) {
    for resource in list(module, "resources") {
        let address = resource["address"].as_str().unwrap_or_default().to_owned();
        let written = expressions(code, &address);
        if let (Some(unknown), Some(written)) = (unknown.get(address.as_str()), written) {
            fill(&mut resource["values"], unknown, written);
        }
    }
    for child in list(module, "child_modules") {
        fill_module(child, unknown, code);
    }
}

/// The members of a list that may be absent; indexing would put a null there.
fn list<'a>(module: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    module.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

fn fill(values: &mut Value, unknown: &Value, written: &Value) {
    match (values, unknown) {
        (Value::Object(values), Value::Object(unknown)) => {
            for (key, unknown) in unknown {
                let written = &written[key.as_str()];
                if *unknown == true && !written.is_null() {
                    values.insert(key.clone(), Value::String(SAMPLE.to_owned()));
                } else if let Some(value) = values.get_mut(key) {
                    fill(value, unknown, written);
                }
            }
        }
        (Value::Array(values), Value::Array(unknown)) => {
            for (index, (value, unknown)) in values.iter_mut().zip(unknown).enumerate() {
                fill(value, unknown, &written[index]);
            }
        }
        _ => {}
    }
}

/// The expressions of the block behind `module.a["x"].type.name[0]`.
fn expressions<'a>(code: &'a Value, address: &str) -> Option<&'a Value> {
    let address = without_indices(address);
    let mut module = code;
    let mut rest = address.as_str();
    while let Some((name, inner)) = rest.strip_prefix("module.").and_then(|it| it.split_once('.')) {
        module = &module["module_calls"][name]["module"];
        rest = inner;
    }
    let blocks = module["resources"].as_array()?;
    blocks.iter().find(|block| block["address"] == *rest).map(|block| &block["expressions"])
}

fn without_indices(address: &str) -> String {
    let mut depth = 0_u32;
    let mut plain = String::new();
    for character in address.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn samples_stand_only_where_the_code_gives_a_value() {
        let address = r#"module.m["a.b"].aws_x.y[0]"#;
        let plan = json!({
            "planned_values": { "root_module": { "child_modules": [{ "resources": [
                { "address": address, "values": { "rule": [{}] } },
            ] }] } },
            "resource_changes": [{ "address": address, "change": { "after_unknown": {
                "kms_key_id": true, "arn": true, "rule": [{ "key": true, "id": true }],
            } } }],
            "configuration": { "root_module": { "module_calls": { "m": { "module": { "resources": [
                { "address": "aws_x.y", "expressions": {
                    "kms_key_id": { "references": ["var.key"] }, "rule": [{ "key": {} }],
                } },
            ] } } } } },
        });
        let filled = with_samples(plan);
        let resource = &filled["planned_values"]["root_module"]["child_modules"][0]["resources"][0];
        assert_eq!(
            resource["values"],
            json!({ "kms_key_id": SAMPLE, "rule": [{ "key": SAMPLE }] })
        );
    }
}
