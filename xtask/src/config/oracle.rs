//! What Helm itself makes of values, for the tests to compare with.

use std::{fs, path::Path};

use anyhow::Context as _;
use serde_json::{Value, json};
use xtask_tools::Processes;

/// Helm, as `cargo xtask` has installed it.
fn program() -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_dir(root.join("target/tools/helm"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("helm"))
        .find(|helm| helm.is_file())
        .expect("this test needs helm: `cargo xtask doctor` says how to get it")
}

/// The values that a chart is given. `under`: the chart's own values, then files below `values`.
pub(super) fn helm(under: &[&str], values: &str) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("templates"))?;
    fs::write(at("Chart.yaml"), "apiVersion: v2\nname: probe\nversion: 0.1.0\n")?;
    fs::write(at("templates/values.yaml"), "{\"values\": {{ .Values | toJson | quote }}}\n")?;
    fs::write(at("values.yaml"), under.first().unwrap_or(&"{}"))?;
    let mut command = Processes::default().command(program()).arg("template").arg("probe");
    command = command.arg(folder.path());
    for (number, text) in under.iter().skip(1).copied().chain([values]).enumerate() {
        let file = at(&format!("given-{number}.yaml"));
        fs::write(&file, text)?;
        command = command.arg("-f").arg(file);
    }
    let said = command.output().map_err(|error| anyhow::anyhow!("{error}"))?;
    let line = said.lines().find(|line| line.starts_with("{\"values\"")).context("no values")?;
    let outer: Value = serde_json::from_str(line)?;
    Ok(serde_json::from_str(outer["values"].as_str().context("no text")?)?)
}

/// Numbers whole or not, to twelve digits; the order of keys does not count.
pub(super) fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            json!(format!("{:.11e}", number.as_f64().unwrap_or(f64::NAN) + 0.0))
        }
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), comparable(value))).collect()
        }
        other => other.clone(),
    }
}
