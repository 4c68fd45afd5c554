//! What two parts of the repository have to say alike, because neither fails alone when they do not:
//! the Secrets that Pods read and those that are synced, the service accounts that roles trust and
//! those that charts make.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_norway::Value;

use crate::{
    CheckContext, CheckOutcome,
    helm::{Manifest, render_all},
};

const WORKLOADS: &str = "terraform/modules/identity/main.tf";
const ADDONS: &str = "helm/addons/addons.yaml";
const ROLE: &str = "eks.amazonaws.com/role-arn";

/// A key of a Secret.
type SecretKey = (String, String);

/// Every key of a Secret that a Pod reads is produced by exactly one ExternalSecret.
pub(crate) fn secrets(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let mut produced = BTreeMap::new();
    for object in objects(manifests)? {
        count_produced(&object, &mut produced);
    }
    let mut findings = Vec::new();
    let mut read = BTreeSet::new();
    for manifest in manifests {
        let mut keys = BTreeSet::new();
        manifest.values()?.iter().for_each(|object| collect_read(object, &mut keys));
        findings.extend(mismatches(&manifest.name, &keys, &produced));
        read.extend(keys);
    }
    let summary = format!("{} keys read, {} synced", read.len(), produced.len());
    Ok(CheckOutcome::of_findings(&findings, summary))
}

fn mismatches(
    place: &str,
    read: &BTreeSet<SecretKey>,
    produced: &BTreeMap<SecretKey, usize>,
) -> Vec<String> {
    let wrong = |key: &SecretKey| match produced.get(key).copied().unwrap_or_default() {
        1 => None,
        0 => Some("by no ExternalSecret; add it to helm/secrets/files/secrets.yaml".to_owned()),
        many => Some(format!("by {many} ExternalSecrets")),
    };
    read.iter()
        .filter_map(|key| {
            let why = wrong(key)?;
            Some(format!("{place}: key `{}` of Secret {} is read and made {why}", key.1, key.0))
        })
        .collect()
}

fn count_produced(object: &Value, produced: &mut BTreeMap<SecretKey, usize>) {
    if object["kind"] != "ExternalSecret" {
        return;
    }
    let target = text(&object["spec"]["target"]["name"]);
    for entry in object["spec"]["data"].as_sequence().into_iter().flatten() {
        *produced.entry((target.clone(), text(&entry["secretKey"]))).or_default() += 1;
    }
}

/// Every `secretKeyRef`, wherever it stands.
fn collect_read(value: &Value, read: &mut BTreeSet<SecretKey>) {
    if let Some(reference) = value.get("secretKeyRef") {
        read.insert((text(&reference["name"]), text(&reference["key"])));
    }
    match value {
        Value::Mapping(mapping) => mapping.values().for_each(|value| collect_read(value, read)),
        Value::Sequence(sequence) => sequence.iter().for_each(|value| collect_read(value, read)),
        _ => {}
    }
}

/// A role's purpose, and the `namespace:service-account` that may assume it.
type Trust = (String, String);

/// The roles that Terraform makes trust the service accounts that charts and add-ons use, no other.
pub(crate) fn service_accounts(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let manifests = match render_all(context)? {
        Ok(manifests) => manifests,
        Err(output) => return Ok(CheckOutcome::Failed(output)),
    };
    let trusted = workloads(&context.read(WORKLOADS)?)?;
    let mut used = BTreeSet::new();
    for object in objects(manifests)? {
        used.extend(annotated(&object));
    }
    used.extend(addons(context)?);
    let mut findings = Vec::new();
    for (role, account) in trusted.difference(&used) {
        findings
            .push(format!("{WORKLOADS}: role `{role}` trusts {account}, which no chart gives it"));
    }
    for (role, account) in used.difference(&trusted) {
        findings.push(format!(
            "service account {account} is given role `{role}`, which {WORKLOADS} does not trust it with"
        ));
    }
    Ok(CheckOutcome::of_findings(&findings, format!("{} roles", trusted.len())))
}

/// What `local.workloads` says.
fn workloads(text: &str) -> anyhow::Result<BTreeSet<Trust>> {
    let body = hcl::parse(text).with_context(|| format!("`{WORKLOADS}` is not HCL"))?;
    let mut attributes = body
        .blocks()
        .filter(|block| block.identifier() == "locals")
        .flat_map(|block| block.body().attributes());
    let found = attributes.find(|attribute| attribute.key() == "workloads");
    let Some(hcl::Expression::Object(workloads)) = found.map(hcl::Attribute::expr) else {
        bail!("{WORKLOADS} has no object `workloads` among its locals")
    };
    let mut trusts = BTreeSet::new();
    for (role, workload) in workloads {
        let field = |name: &str| -> anyhow::Result<&str> {
            let hcl::Expression::Object(fields) = workload else {
                bail!("{WORKLOADS}: workload `{role}` is no object")
            };
            match fields.get(&hcl::ObjectKey::from(hcl::Identifier::new(name)?)) {
                Some(hcl::Expression::String(text)) => Ok(text),
                _ => bail!("{WORKLOADS}: workload `{role}` has no text `{name}`"),
            }
        };
        let account = format!("{}:{}", field("namespace")?, field("service_account")?);
        trusts.insert((role.to_string(), account));
    }
    Ok(trusts)
}

/// The sample values name roles as Terraform does: `supabase-<environment>-<purpose>`.
fn annotated(object: &Value) -> Option<Trust> {
    let metadata = &object["metadata"];
    let arn = metadata["annotations"][ROLE].as_str().filter(|arn| !arn.is_empty())?;
    if object["kind"] != "ServiceAccount" {
        return None;
    }
    let role = arn.rsplit_once("role/supabase-sample-").map_or(arn, |(_, purpose)| purpose);
    let namespace = metadata["namespace"].as_str().unwrap_or("supabase");
    Some((role.replace('-', "_"), format!("{namespace}:{}", text(&metadata["name"]))))
}

/// One row of the table of add-ons.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addon {
    namespace: String,
    values_file: String,
    role: Option<String>,
    service_account: String,
}

#[derive(Deserialize)]
struct Addons {
    addons: Vec<Addon>,
}

/// The add-ons that have a role; their values have to make the service account that the table names.
fn addons(context: &CheckContext) -> anyhow::Result<BTreeSet<Trust>> {
    let table: Addons = serde_norway::from_str(&context.read(ADDONS)?)
        .with_context(|| format!("failed to read `{ADDONS}`"))?;
    let mut trusts = BTreeSet::new();
    for Addon { namespace, values_file, role, service_account } in table.addons {
        let path = format!("helm/addons/{values_file}");
        let values: Value = serde_norway::from_str(&context.read(&path)?)
            .with_context(|| format!("failed to read `{path}`"))?;
        let named = [&values["serviceAccount"]["name"], &values["rbac"]["serviceAccount"]["name"]];
        if !named.iter().any(|name| name.as_str() == Some(&service_account)) {
            bail!("{path} does not name the service account `{service_account}` of {ADDONS}");
        }
        trusts.extend(role.map(|role| (role, format!("{namespace}:{service_account}"))));
    }
    Ok(trusts)
}

fn objects(manifests: &[Manifest]) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for manifest in manifests {
        objects.extend(manifest.values()?);
    }
    Ok(objects)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Value {
        serde_norway::from_str(text).unwrap()
    }

    #[test]
    fn a_key_that_is_made_never_or_twice_is_found() {
        let pod = yaml(
            "spec: {containers: [{env: [{valueFrom: {secretKeyRef: {name: a, key: x}}}, \
             {valueFrom: {secretKeyRef: {name: a, key: y}}}, {valueFrom: {secretKeyRef: {name: b, key: z}}}]}]}",
        );
        let secret = yaml(
            "{kind: ExternalSecret, spec: {target: {name: a}, data: [{secretKey: x}, {secretKey: y}, {secretKey: y}]}}",
        );
        let (mut read, mut produced) = (BTreeSet::new(), BTreeMap::new());
        collect_read(&pod, &mut read);
        count_produced(&secret, &mut produced);
        assert_eq!(
            mismatches("dev", &read, &produced),
            [
                "dev: key `y` of Secret a is read and made by 2 ExternalSecrets",
                "dev: key `z` of Secret b is read and made by no ExternalSecret; add it to \
                 helm/secrets/files/secrets.yaml",
            ]
        );
    }

    #[test]
    fn both_sides_of_a_trust_are_read() {
        let code = "locals {\n  other = 1\n  workloads = {\n    external_secrets = {\n      namespace = \"supabase\"\n      \
                    service_account = \"secrets-reader\"\n      statements = local.x\n    }\n  }\n}\n";
        let account = yaml(
            "{kind: ServiceAccount, metadata: {name: secrets-reader, annotations: \
             {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/supabase-sample-external-secrets'}}}",
        );
        let expected = ("external_secrets".to_owned(), "supabase:secrets-reader".to_owned());
        assert_eq!(workloads(code).unwrap(), BTreeSet::from([expected.clone()]));
        assert_eq!(annotated(&account), Some(expected));
        assert!(workloads("locals {}").is_err());
    }
}
