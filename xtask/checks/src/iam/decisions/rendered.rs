//! The identities of `terraform/bootstrap`, as Terraform renders them for two environments in one account.

use anyhow::{Context as _, ensure};
use iam_rs::IAMPolicy;
use serde::Deserialize;
use serde_json::Value;

use super::evaluate::Identity;
use crate::{CheckContext, terraform};

/// The test whose run renders the policies.
const TEST: &str = "tests/decisions.tftest.hcl";

/// A line of `terraform test -json -verbose`.
#[derive(Deserialize)]
struct Line {
    test_plan: Option<TestPlan>,
}

#[derive(Deserialize)]
struct TestPlan {
    resource_changes: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    index: Value,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(default)]
    after: Value,
}

/// Renders every role of the bootstrap with its policies and its boundary.
pub(super) fn identities(context: &CheckContext) -> anyhow::Result<Vec<Identity>> {
    let filter = format!("-filter={TEST}");
    let answer = terraform::initialised(context, "terraform/bootstrap", |command| {
        command.args(["test", "-json", "-verbose"]).arg(&filter)
    })?;
    ensure!(answer.succeeded(), "terraform test of {TEST} failed:\n{}", answer.all);
    read(&answer.stdout).with_context(|| format!("failed to read the plan of {TEST}"))
}

fn read(output: &str) -> anyhow::Result<Vec<Identity>> {
    let lines = output.lines().filter(|line| line.contains("\"test_plan\""));
    let plans = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok()?.test_plan);
    let resources: Vec<_> = plans.flat_map(|plan| plan.resource_changes).collect();
    let of_kind =
        |kind: &'static str| resources.iter().filter(move |resource| resource.kind == kind);
    let policies = of_kind("aws_iam_policy")
        .map(|resource| Ok((text(resource, "name")?, policy(resource)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let named = |name: &str| {
        policies.iter().find(|(known, _)| known == name).map(|(_, policy)| policy.clone())
    };
    let mut identities = Vec::new();
    for role in of_kind("aws_iam_role") {
        let name = text(role, "name")?;
        let boundary = text(role, "permissions_boundary")?;
        let boundary = boundary.rsplit('/').next().unwrap_or_default().to_owned();
        let ceiling = named(&boundary)
            .with_context(|| format!("the boundary {boundary} of {name} is not rendered"))?;
        let attached = of_kind("aws_iam_role_policy_attachment")
            .filter(|attachment| attachment.change.after["role"] == name.as_str())
            // The ARN is not known before the policy is made; its key is that of the attachment.
            .map(|attachment| {
                format!("supabase-{}", attachment.index.as_str().unwrap_or_default())
            });
        let grants: Option<Vec<_>> = attached.map(|policy| named(&policy)).collect();
        let grants = grants.filter(|grants| !grants.is_empty());
        let grants = grants.with_context(|| format!("a policy of {name} is not rendered"))?;
        identities.push(Identity { name, grants, ceiling });
    }
    ensure!(!identities.is_empty(), "it has no role");
    Ok(identities)
}

fn text(resource: &Resource, key: &str) -> anyhow::Result<String> {
    let value = resource.change.after[key].as_str();
    value.map(str::to_owned).with_context(|| format!("`{key}` of a {} is not known", resource.kind))
}

fn policy(resource: &Resource) -> anyhow::Result<IAMPolicy> {
    Ok(IAMPolicy::from_json(&text(resource, "policy")?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_role_has_what_is_attached_to_it() {
        let policy = |name: &str, action: &str| {
            let document = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }] });
            json!({ "type": "aws_iam_policy", "index": name, "change": { "after": { "name": format!("supabase-{name}"), "policy": document.to_string() } } })
        };
        let role = json!({ "type": "aws_iam_role", "index": "dev-plan", "change": { "after": {
            "name": "supabase-dev-plan", "permissions_boundary": "arn:aws:iam::1:policy/supabase-dev-boundary",
        } } });
        let attachment = json!({ "type": "aws_iam_role_policy_attachment", "index": "dev-plan-read", "change": { "after": { "role": "supabase-dev-plan" } } });
        let plan = |resources: Value| {
            json!({ "test_plan": { "resource_changes": resources } }).to_string()
        };
        let boundary = policy("dev-boundary", "*");
        let whole = plan(json!([
            boundary,
            policy("dev-plan-read", "s3:GetObject"),
            policy("dev-other", "*"),
            role,
            attachment
        ]));
        let identities = read(&format!("{{}}\nnoise\n{whole}\n")).unwrap();
        assert_eq!(identities.len(), 1);
        assert_eq!(identities[0].name, "supabase-dev-plan");
        assert_eq!(identities[0].grants.len(), 1);
        let without = plan(json!([boundary, role, attachment]));
        assert!(
            format!("{:#}", read(&without).unwrap_err())
                .contains("a policy of supabase-dev-plan is not rendered")
        );
        assert!(read("{}").is_err());
    }
}
