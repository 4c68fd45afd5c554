//! IAM policies out of a plan in JSON.

use serde_json::Value;

use super::{Policy, is_identity_statement};

/// The resources whose `policy` grants rights to a role, user or group.
const IDENTITY_POLICIES: [&str; 5] = [
    "aws_iam_policy",
    "aws_iam_role_policy",
    "aws_iam_user_policy",
    "aws_iam_group_policy",
    "aws_ssoadmin_permission_set_inline_policy",
];

/// Every policy that the plan knows; what is known only after apply cannot be checked here.
pub(super) fn policies(plan: &Value) -> Vec<Policy> {
    let mut policies = Vec::new();
    collect(&plan["planned_values"]["root_module"], &mut policies);
    policies
}

fn collect(module: &Value, policies: &mut Vec<Policy>) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if IDENTITY_POLICIES.iter().any(|kind| resource["type"] == *kind) {
            policies.extend(policy(resource));
        }
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        collect(child, policies);
    }
}

fn policy(resource: &Value) -> Option<Policy> {
    let place = resource["address"].as_str()?.to_owned();
    let document: Value = serde_json::from_str(resource["values"]["policy"].as_str()?).ok()?;
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.clone(),
        statement => vec![statement.clone()],
    };
    let statements: Vec<_> = statements.into_iter().filter(is_identity_statement).collect();
    (!statements.is_empty()).then_some(Policy { place, statements, resources_are_known: true })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_found_in_every_module() {
        let statement =
            r#"{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}"#;
        let role = |address: &str, values: Value| json!({ "type": "aws_iam_role_policy", "address": address, "values": values });
        let plan = json!({ "planned_values": { "root_module": {
            "resources": [
                role("a", json!({ "policy": statement })),
                role("known after apply", json!({})),
                { "type": "aws_s3_bucket_policy", "address": "b", "values": { "policy": statement } },
            ],
            "child_modules": [{ "child_modules": [{ "resources": [role("c", json!({ "policy": statement }))] }] }],
        } } });
        let places: Vec<_> = policies(&plan).into_iter().map(|policy| policy.place).collect();
        assert_eq!(places, ["a", "c"]);
    }
}
