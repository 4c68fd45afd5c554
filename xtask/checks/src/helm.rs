//! Checks of the charts as they are deployed: base overlay, environment overlay, generated values.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_norway::Value;
use xtask_tools::Command;

use crate::{
    CheckContext, CheckOutcome,
    checkov::unexplained_skips,
    process::{ask, write},
    tools::PythonTool,
};

/// Our charts. The overlays belong to the first one.
const CHARTS: [&str; 3] = ["supabase", "secrets", "database"];
const OVERLAYS: &str = "helm/overlays";

/// The versions of Kubernetes that the environments may run.
const KUBERNETES: [&str; 2] = ["1.35", "1.36"];

/// Groups of custom resources, for which no schema is bundled.
const CUSTOM_GROUPS: [&str; 2] = ["external-secrets.io", "elbv2.k8s.aws"];

/// One chart as one environment gets it.
struct Release<'a> {
    chart: &'a str,
    overlay: &'a str,
}

/// What a release renders to.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// `prod-supabase`.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) text: String,
}

pub(crate) fn lint(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let overlays = overlays(context)?;
    let releases = releases(&overlays);
    for release in &releases {
        let chart = format!("helm/{}", release.chart);
        let command = context.helm()?.args(["lint", "--strict", &chart]);
        let answer = ask(&with_values(context, release, command))?;
        if !answer.succeeded() {
            return Ok(CheckOutcome::Failed(format!("{}:\n{}", release.name(), answer.all)));
        }
    }
    Ok(CheckOutcome::Passed(format!("{} releases", releases.len())))
}

/// Every release renders, names no object twice, and its schema refuses what it does not know.
pub(crate) fn render(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let mut findings = Vec::new();
    let mut objects = 0;
    for manifest in manifests {
        let found = manifest.objects()?;
        if found.is_empty() {
            findings.push(format!("{}: renders nothing", manifest.name));
        }
        objects += found.len();
        // The templates put reasons together, so only what they render shows whether one is there.
        findings.extend(
            unexplained_skips(&manifest.name, &manifest.text).iter().map(ToString::to_string),
        );
        let mut seen = BTreeSet::new();
        for object in found {
            let id = object.id();
            if !seen.insert(id.clone()) {
                findings.push(format!("{}: {id} is rendered twice", manifest.name));
            }
        }
    }
    for chart in CHARTS {
        findings.extend(schema_gaps(context, chart)?);
    }
    let summary = format!("{} releases, {objects} objects", manifests.len());
    Ok(CheckOutcome::of_findings(&findings, summary))
}

/// Every object fits the schema of every supported Kubernetes.
pub(crate) fn schema(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let mut findings = Vec::new();
    let mut expected = 0;
    for manifest in manifests {
        let objects = manifest.objects()?;
        let lists = objects.iter().filter(|object| object.is_list());
        findings.extend(lists.map(|list| {
            format!(
                "{}: {}: no check looks into a list, render its items one by one",
                manifest.name,
                list.id()
            )
        }));
        expected += objects.iter().filter(|object| !object.is_custom()).count();
    }
    for version in KUBERNETES {
        let command = context.python_tool(PythonTool::KubernetesValidate)?;
        let command = command.args(["--strict", "--kubernetes-version", version]);
        let answer = ask(&command.args(manifests.iter().map(|manifest| &manifest.file)))?;
        let unfit = unvalidated(&answer.all, expected);
        if unfit.is_empty() && !answer.succeeded() {
            findings.push(format!("kubernetes-validate ended with exit code {}", answer.code));
        }
        findings.extend(unfit.iter().map(|line| format!("Kubernetes {version}: {line}")));
    }
    let summary = format!("{} releases, {}", manifests.len(), KUBERNETES.join(" and "));
    Ok(CheckOutcome::of_findings(&findings, summary))
}

/// What kubernetes-validate says of objects other than that they fit, or that it has no schema for a
/// custom resource. Its exit code does not tell: a version that does not exist is a warning to it.
fn unvalidated(output: &str, expected: usize) -> Vec<String> {
    let passed = |line: &&str| line.starts_with("INFO ");
    let is_custom = |line: &&str| {
        let of_group = |group: &&str| line.contains(&format!(" with api version {group}/"));
        line.starts_with("WARN ") && CUSTOM_GROUPS.iter().any(of_group)
    };
    let others = output.lines().filter(|line| !passed(line) && !is_custom(line));
    let mut findings: Vec<String> = others.map(str::to_owned).collect();
    let fit = output.lines().filter(passed).count();
    if findings.is_empty() && fit != expected {
        findings.push(format!("{fit} of {expected} objects were validated"));
    }
    findings
}

/// What every release renders to, or what Helm said.
pub(crate) type Rendered = Result<Vec<Manifest>, String>;

/// Every release, rendered into the scratch folder once a process; the inner error is what Helm said.
pub(crate) fn render_all(context: &CheckContext) -> anyhow::Result<Result<&[Manifest], String>> {
    let render = || render_releases(context).map_err(|error| format!("{error:#}"));
    match context.shared.rendered.get_or_init(render) {
        Ok(rendered) => Ok(rendered.as_deref().map_err(Clone::clone)),
        Err(error) => Err(anyhow::anyhow!("{error}")),
    }
}

fn render_releases(context: &CheckContext) -> anyhow::Result<Rendered> {
    let overlays = overlays(context)?;
    let folder = context.empty_scratch("manifests")?;
    let mut manifests = Vec::new();
    for release in releases(&overlays) {
        let chart = format!("helm/{}", release.chart);
        let command = context.helm()?.args(["template", release.chart, &chart]);
        let command = command.args(["--namespace", "supabase", "--kube-version", KUBERNETES[0]]);
        let answer = ask(&with_values(context, &release, command))?;
        if !answer.succeeded() {
            return Ok(Err(format!("{}:\n{}", release.name(), answer.all)));
        }
        let file = folder.join(format!("{}.yaml", release.name()));
        write(&file, &answer.stdout)?;
        manifests.push(Manifest { name: release.name(), file, text: answer.stdout });
    }
    Ok(Ok(manifests))
}

/// The overlays that are deployed: all but the base. Every environment has one.
fn overlays(context: &CheckContext) -> anyhow::Result<Vec<String>> {
    let files = context.files(OVERLAYS, |path| path.ends_with(".yaml"))?;
    let name = |path: &String| Path::new(path).file_stem()?.to_str().map(str::to_owned);
    let names: Vec<_> = files.iter().filter_map(name).filter(|name| name != "base").collect();
    ensure!(!names.is_empty(), "there is no overlay in `{OVERLAYS}`");
    for environment in context.environments()? {
        ensure!(
            names.contains(&environment),
            "environment `{environment}` has no overlay: add `{OVERLAYS}/{environment}.yaml`"
        );
    }
    Ok(names)
}

fn releases(overlays: &[String]) -> Vec<Release<'_>> {
    let of_chart = |chart| overlays.iter().map(move |overlay| Release { chart, overlay });
    let mut releases: Vec<_> = of_chart(CHARTS[0]).collect();
    // The other charts have no overlay: they are the same everywhere.
    releases.extend(CHARTS[1..].iter().map(|chart| Release { chart, overlay: "every" }));
    releases
}

impl Release<'_> {
    fn name(&self) -> String {
        format!("{}-{}", self.overlay, self.chart)
    }
}

fn with_values(context: &CheckContext, release: &Release<'_>, command: Command) -> Command {
    let overlay = |name: &str| format!("--values={OVERLAYS}/{name}.yaml");
    let command = if release.chart == CHARTS[0] {
        command.args([overlay("base"), overlay(release.overlay)])
    } else {
        command
    };
    command.arg(format!("--values={}", sample_values(context, release.chart).display()))
}

/// Values such as the runner generates, with a sample environment in them.
fn sample_values(context: &CheckContext, chart: &str) -> PathBuf {
    context.root.join(format!("xtask/checks/values/{chart}.yaml"))
}

/// Wrong values that the chart's schema lets pass.
fn schema_gaps(context: &CheckContext, chart: &str) -> anyhow::Result<Vec<String>> {
    let mut gaps = Vec::new();
    for (wrong, what) in [
        ("unknownKey=true", "an unknown key"),
        (r#"environment={"unknownKey": true}"#, "a mapping in the place of a text"),
    ] {
        let release = Release { chart, overlay: "base" };
        let command = context.helm()?.args(["template", chart, &format!("helm/{chart}")]);
        let command = with_values(context, &release, command).args(["--set-json", wrong]);
        let answer = ask(&command)?;
        if answer.succeeded() || !answer.all.contains("schema") {
            gaps.push(format!("helm/{chart}: values.schema.json does not refuse {what}"));
        }
    }
    Ok(gaps)
}

/// The head of a Kubernetes object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    api_version: String,
    kind: String,
    #[serde(default)]
    metadata: ObjectMetadata,
}

#[derive(Default, Deserialize)]
struct ObjectMetadata {
    /// Empty for a list alone.
    #[serde(default)]
    name: String,
    namespace: Option<String>,
}

impl Object {
    fn is_list(&self) -> bool {
        self.kind.ends_with("List")
    }

    fn is_custom(&self) -> bool {
        self.api_version.split_once('/').is_some_and(|(group, _)| CUSTOM_GROUPS.contains(&group))
    }

    fn id(&self) -> String {
        let namespace = self.metadata.namespace.as_deref().unwrap_or("supabase");
        format!("{} {namespace}/{}", self.kind, self.metadata.name)
    }
}

impl Manifest {
    /// All objects.
    pub(crate) fn values(&self) -> anyhow::Result<Vec<Value>> {
        let mut values = Vec::new();
        for document in serde_norway::Deserializer::from_str(&self.text) {
            let value = Value::deserialize(document)
                .with_context(|| format!("{} renders to something that is not YAML", self.name))?;
            if !value.is_null() {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn objects(&self) -> anyhow::Result<Vec<Object>> {
        let head = |value| {
            let nameless = || format!("{} renders something without a name", self.name);
            let object: Object = serde_norway::from_value(value).with_context(nameless)?;
            ensure!(object.is_list() || !object.metadata.name.is_empty(), nameless());
            Ok(object)
        };
        self.values()?.into_iter().map(head).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest { name: "x".to_owned(), file: PathBuf::new(), text: text.to_owned() }
    }

    #[test]
    fn objects_are_read_from_all_documents() {
        let text = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: a\n---\n# empty\n---\n\
                    apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a\n  namespace: n\n";
        let objects = manifest(text).objects().unwrap();
        let ids: Vec<_> = objects.iter().map(Object::id).collect();
        assert_eq!(ids, ["Service supabase/a", "Deployment n/a"]);
        assert!(manifest("kind: [").objects().is_err());
        assert!(manifest("a: 1").objects().is_err());
        assert!(manifest("{apiVersion: v1, kind: Service}").objects().is_err());
        assert!(
            manifest("{apiVersion: v1, kind: List, items: []}").objects().unwrap()[0].is_list()
        );
    }

    #[test]
    fn an_object_that_was_not_validated_is_a_finding_whatever_the_exit_code() {
        let fit = "INFO x.yaml passed for resource service/a against version 1.36\n";
        let warned = |version: &str| {
            format!(
                "WARN x.yaml Couldn't find schema for kind Budget with api version {version} for kubernetes version 1.36\n"
            )
        };
        assert!(unvalidated(fit, 1).is_empty());
        let custom = format!("{fit}{}", warned("external-secrets.io/v1"));
        assert!(unvalidated(&custom, 1).is_empty());
        for version in ["policy/v2", "autoscaling/v3", "v2", "made.up.k8s.io/v1", "madeup/v1"] {
            let found = unvalidated(&format!("{fit}{}", warned(version)), 2);
            assert_eq!(found.len(), 1, "{version}");
            assert!(found[0].contains(version), "{found:?}");
        }
        assert_eq!(unvalidated(fit, 2), ["1 of 2 objects were validated"]);
        let unfit = "ERROR x.yaml did not validate for resource service/a against version 1.36: spec: wrong\n";
        assert_eq!(unvalidated(unfit, 1).len(), 1);
    }
}
