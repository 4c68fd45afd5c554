//! Whether RBAC lets the operator make a token for a ServiceAccount.
//!
//! The sandbox's API has no authorisation of its own; a missing right here is what a real cluster
//! would refuse.

use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::api::{Api, ListParams};

use crate::cluster::Cluster;

/// Fails unless the account `(namespace, name)` may create tokens of `account` in `target`.
pub(super) async fn require_token_right(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    target: &str,
    account: &str,
) -> anyhow::Result<()> {
    let all = ListParams::default();
    let is_subject = |subject: &Subject| {
        let by_group = subject.kind == "Group" && subject.name == "system:serviceaccounts";
        by_group
            || subject.kind == "ServiceAccount"
                && subject.name == name
                && subject.namespace.as_deref() == Some(namespace)
    };
    let mut granted: Vec<RoleRef> = Vec::new();
    let bindings: Api<RoleBinding> = cluster.api(target);
    for binding in bindings.list(&all).await? {
        if binding.subjects.iter().flatten().any(is_subject) {
            granted.push(binding.role_ref);
        }
    }
    let bindings: Api<ClusterRoleBinding> = Api::all(cluster.client.clone());
    for binding in bindings.list(&all).await? {
        if binding.subjects.iter().flatten().any(is_subject) {
            granted.push(binding.role_ref);
        }
    }
    for reference in granted {
        let rules = if reference.kind == "Role" {
            let roles: Api<Role> = cluster.api(target);
            roles.get_opt(&reference.name).await?.and_then(|role| role.rules)
        } else {
            let roles: Api<ClusterRole> = Api::all(cluster.client.clone());
            roles.get_opt(&reference.name).await?.and_then(|role| role.rules)
        };
        if rules.unwrap_or_default().iter().any(|rule| grants(rule, account)) {
            return Ok(());
        }
    }
    anyhow::bail!(
        "serviceaccounts \"{account}\" is forbidden: User \"system:serviceaccount:{namespace}:{name}\" cannot \
         create resource \"serviceaccounts/token\" in API group \"\" in the namespace \"{target}\""
    )
}

fn grants(rule: &PolicyRule, account: &str) -> bool {
    let has = |list: Option<&Vec<String>>, wanted: &str| {
        list.into_iter().flatten().any(|entry| entry == wanted || entry == "*")
    };
    let named = rule
        .resource_names
        .as_ref()
        .is_none_or(|names| names.is_empty() || names.iter().any(|name| name == account));
    named
        && has(Some(&rule.verbs), "create")
        && has(rule.api_groups.as_ref(), "")
        && has(rule.resources.as_ref(), "serviceaccounts/token")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_may_be_for_one_account() {
        let rule: PolicyRule = serde_json::from_value(json!({
            "apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"],
            "resourceNames": ["secrets-reader"],
        }))
        .unwrap();
        assert!(grants(&rule, "secrets-reader"));
        assert!(!grants(&rule, "other"));
        assert!(!grants(&PolicyRule { verbs: vec!["get".into()], ..rule }, "secrets-reader"));
    }
}
