//! Settings that nobody reads: each environment variable that the chart gives a program has to be one
//! that the pinned version of that program reads. A wrong name fails nowhere else; it does nothing.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_norway::Value;

use crate::{
    CheckContext, CheckOutcome,
    helm::{Manifest, render_all},
};

const DATA: &str = "xtask/checks/data/settings.yaml";
const COMPONENT: &str = "app.kubernetes.io/component";

#[derive(Deserialize)]
struct Data {
    programs: Vec<Program>,
}

/// What one program reads; the file describes each field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    component: String,
    image: String,
    tag: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "from")]
    _from: String,
    reads: BTreeSet<String>,
    #[serde(default)]
    ours: BTreeSet<String>,
    #[serde(default)]
    handed_on: bool,
}

pub(crate) fn read(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let data: Data = serde_norway::from_str(&context.read(DATA)?)
        .with_context(|| format!("`{DATA}` is not a list of programs"))?;
    let programs: BTreeMap<_, _> =
        data.programs.iter().map(|program| (program.component.as_str(), program)).collect();
    let (mut findings, mut looked_at) = (BTreeSet::new(), 0);
    for (manifest, overlay) in of_overlays(manifests) {
        let own = context.read(&format!("helm/overlays/{overlay}.yaml"))?;
        let own: Value = serde_norway::from_str(&own)
            .with_context(|| format!("helm/overlays/{overlay}.yaml is not YAML"))?;
        for deployment in manifest.values()?.iter().filter(|object| object["kind"] == "Deployment")
        {
            let template = &deployment["spec"]["template"];
            let component = text(&template["metadata"]["labels"][COMPONENT]);
            let Some(program) = programs.get(component.as_str()) else {
                findings.insert(format!("{DATA}: nobody says what `{component}` reads"));
                continue;
            };
            for container in template["spec"]["containers"].as_sequence().into_iter().flatten() {
                looked_at += names(container).count();
                let found = unread(program, container, &own[component.as_str()]);
                findings.extend(found.map(|finding| format!("{}: {finding}", manifest.name)));
            }
        }
    }
    ensure!(looked_at > 0, "the charts render no environment variable");
    let findings: Vec<_> = findings.into_iter().collect();
    Ok(CheckOutcome::of_findings(&findings, format!("{looked_at} variables")))
}

/// The manifests of the chart that has overlays, each with its overlay's name.
fn of_overlays(manifests: &[Manifest]) -> impl Iterator<Item = (&Manifest, &str)> {
    manifests
        .iter()
        .filter_map(|manifest| Some((manifest, manifest.name.strip_suffix("-supabase")?)))
}

/// What is wrong with a container's variables. `own` is the overlay's part about the component.
fn unread(
    program: &Program,
    container: &Value,
    own: &Value,
) -> impl Iterator<Item = String> + use<> {
    let Program { component, image, tag, .. } = program;
    let mut findings = Vec::new();
    let running = text(&container["image"]);
    let running = running.split('@').next().unwrap_or_default();
    let (repository, version) = running.rsplit_once(':').unwrap_or((running, ""));
    if repository != image && !repository.ends_with(&format!("/{image}")) || version != tag {
        findings.push(format!(
            "{component} runs {running}; {DATA} knows what {image}:{tag} reads: look what has changed, \
             and write the list of the new version"
        ));
    }
    let env = container["env"].as_sequence().into_iter().flatten();
    let values: String = env.map(|entry| text(&entry["value"])).collect();
    for name in names(container) {
        let given_by_overlay = ["extraEnv", "extraSecretEnv"]
            .iter()
            .any(|key| own.get(key).is_some_and(|given| given.get(name).is_some()));
        let is_read = program.reads.iter().any(|pattern| matches(pattern, name))
            || program.ours.contains(name)
            || values.contains(&format!("$({name})"))
            || (program.handed_on && given_by_overlay);
        if !is_read {
            findings
                .push(format!("{component} is given {name}, which {image}:{tag} does not read"));
        }
    }
    findings.into_iter()
}

fn names(container: &Value) -> impl Iterator<Item = &str> {
    let env = container["env"].as_sequence().into_iter().flatten();
    env.filter_map(|entry| entry["name"].as_str())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.len() > start.len() && name.starts_with(start),
        None => pattern == name,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(handed_on: bool) -> Program {
        let text = format!(
            "{{component: web, image: example/web, tag: v1, source: s, from: f, reads: [PORT, 'WEB_*'], \
             handed_on: {handed_on}}}"
        );
        serde_norway::from_str(&text).unwrap()
    }

    fn findings(program: &Program, container: &str, overlay: &str) -> Vec<String> {
        let yaml = |text: &str| serde_norway::from_str::<Value>(text).unwrap();
        unread(program, &yaml(container), &yaml(overlay)).collect()
    }

    #[test]
    fn a_name_that_the_version_does_not_read_is_found() {
        let container = "{image: 'mirror:5000/example/web:v1@sha256:0', env: [{name: PORT, value: '1'}, \
                         {name: WEB_X, value: 'a$(KEY)'}, {name: KEY, value: k}, {name: WEB_, value: ''}, \
                         {name: POOL, value: '5'}]}";
        assert_eq!(
            findings(&program(false), container, "{}"),
            ["WEB_", "POOL"]
                .map(|name| format!("web is given {name}, which example/web:v1 does not read"))
        );
    }

    #[test]
    fn another_version_has_to_be_looked_at() {
        let said = findings(&program(false), "{image: 'example/web:v2', env: []}", "{}");
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("web runs example/web:v2; "), "{}", said[0]);
        assert_eq!(findings(&program(false), "{image: 'other-example/web:v1'}", "{}").len(), 1);
    }

    #[test]
    fn an_overlay_may_add_what_is_handed_on_and_nothing_else() {
        let container = "{image: 'example/web:v1', env: [{name: MINE, value: x}, {name: TOKEN}]}";
        let overlay = "{extraEnv: {MINE: x}, extraSecretEnv: {TOKEN: {secret: s, key: k}}}";
        assert_eq!(findings(&program(true), container, overlay).len(), 0);
        assert_eq!(findings(&program(true), container, "{}").len(), 2);
        assert_eq!(findings(&program(false), container, overlay).len(), 2);
    }
}
