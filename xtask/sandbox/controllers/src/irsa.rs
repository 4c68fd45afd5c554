//! IAM roles for service accounts: who may take which role, read from the real trust policy.

use std::collections::BTreeMap;

use anyhow::Context;
use k8s_openapi::api::core::v1::{EnvVar, Pod};
use kube::ResourceExt;
use serde_json::Value;

use crate::aws::{Aws, AwsError, first_text};
use crate::cluster::Cluster;

/// The annotation that gives a ServiceAccount its role.
pub(crate) const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const AUDIENCE: &str = "sts.amazonaws.com";

/// The role of a ServiceAccount, once it is proven that the account may take it.
pub(crate) async fn role_of(
    cluster: &Cluster,
    namespace: &str,
    account: &str,
) -> anyhow::Result<String> {
    let object = cluster
        .service_accounts
        .get(namespace, account)
        .with_context(|| format!("ServiceAccount \"{account}\" not found"))?;
    let arn = object.annotations().get(ROLE_ANNOTATION).cloned().with_context(|| {
        format!(
            "an IAM role must be associated with service account {account} (namespace: {namespace})"
        )
    })?;
    let aws = Aws::new(cluster.config.aws.clone());
    let subject = format!("system:serviceaccount:{namespace}:{account}");
    assume(&aws, &cluster.config.name, &arn, &subject).await?;
    Ok(arn)
}

/// Judges AssumeRoleWithWebIdentity as STS would.
async fn assume(aws: &Aws, cluster: &str, arn: &str, subject: &str) -> anyhow::Result<()> {
    let denied = |why: &str| {
        anyhow::anyhow!(
            "operation error STS: AssumeRoleWithWebIdentity, api error AccessDenied: Not authorized to \
             perform sts:AssumeRoleWithWebIdentity on {arn} as {subject}: {why}"
        )
    };
    let name = arn.rsplit('/').next().unwrap_or_default();
    let parameters = BTreeMap::from([("RoleName".to_owned(), name.to_owned())]);
    let role = match aws.query(("iam", "2010-05-08"), "GetRole", &parameters).await {
        Ok(role) => role,
        Err(error) => {
            return Err(match error.downcast_ref::<AwsError>() {
                Some(error) if error.code.contains("NoSuchEntity") => {
                    denied("the role does not exist")
                }
                _ => error,
            });
        }
    };
    if first_text(&role, "Arn").as_deref() != Some(arn) {
        return Err(denied("a role of this name has another ARN"));
    }
    let policy = first_text(&role, "AssumeRolePolicyDocument").unwrap_or_default();
    let policy: Value = serde_json::from_str(&decode(&policy))
        .with_context(|| format!("the trust policy of {arn} is no JSON"))?;
    let issuer = issuer(aws, cluster).await;
    trusts(&policy, issuer.as_deref(), subject).map_err(|why| denied(&why))
}

/// The cluster's OIDC issuer without its scheme; none when EKS does not know the cluster.
async fn issuer(aws: &Aws, cluster: &str) -> Option<String> {
    let described = aws.get_json("eks", &format!("/clusters/{cluster}")).await.ok()?;
    let issuer = described.pointer("/cluster/identity/oidc/issuer")?.as_str()?;
    Some(issuer.trim_start_matches("https://").to_owned())
}

/// Whether a trust policy lets `subject` of `issuer` in; else what is in the way.
fn trusts(policy: &Value, issuer: Option<&str>, subject: &str) -> Result<(), String> {
    let mut why =
        "no statement of its trust policy allows sts:AssumeRoleWithWebIdentity".to_owned();
    for statement in as_list(policy.get("Statement")) {
        let allowed = statement.get("Effect").and_then(Value::as_str) == Some("Allow")
            && as_list(statement.get("Action")).iter().any(|action| {
                matches!(action.as_str(), Some("sts:AssumeRoleWithWebIdentity" | "sts:*" | "*"))
            });
        if !allowed {
            continue;
        }
        match admits(statement, issuer, subject) {
            Ok(()) => return Ok(()),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

fn admits(statement: &Value, issuer: Option<&str>, subject: &str) -> Result<(), String> {
    let federated = as_list(statement.pointer("/Principal/Federated"));
    if let Some(issuer) = issuer
        && !federated.iter().any(|arn| arn.as_str().is_some_and(|arn| arn.ends_with(issuer)))
    {
        return Err(format!("its trust policy names another identity provider than {issuer}"));
    }
    let conditions = statement.get("Condition").and_then(Value::as_object);
    for (operator, pairs) in conditions.into_iter().flatten() {
        for (key, wanted) in pairs.as_object().into_iter().flatten() {
            let actual = match key.rsplit(':').next() {
                Some("sub") => subject,
                Some("aud") => AUDIENCE,
                _ => continue,
            };
            let wanted = as_list(Some(wanted));
            let holds = wanted.iter().filter_map(|value| value.as_str()).any(|wanted| {
                wanted == actual || operator.contains("Like") && like(wanted, actual)
            });
            if !holds {
                return Err(format!("its trust policy wants {key} to be {}", show(&wanted)));
            }
        }
    }
    Ok(())
}

fn as_list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(all)) => all.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    }
}

fn show(values: &[&Value]) -> String {
    values.iter().filter_map(|value| value.as_str()).collect::<Vec<_>>().join(" or ")
}

/// IAM's wildcards: `*` for any text, `?` for one character.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| like(rest, &text[at..]))
        }
        Some(first) => text.chars().next().is_some_and(|next| {
            (first == '?' || first == next)
                && like(&pattern[first.len_utf8()..], &text[next.len_utf8()..])
        }),
    }
}

/// IAM answers policies URL-encoded.
fn decode(text: &str) -> String {
    if !text.starts_with('%') {
        return text.to_owned();
    }
    let plus_kept = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("p={plus_kept}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Fails unless the bucket exists in this account.
pub(crate) async fn require_bucket(cluster: &Cluster, bucket: &str) -> anyhow::Result<()> {
    let aws = Aws::new(cluster.config.aws.clone());
    match aws.head_bucket(bucket).await? {
        200 => Ok(()),
        404 => anyhow::bail!("NoSuchBucket: The specified bucket does not exist: {bucket}"),
        status => anyhow::bail!("s3:HeadBucket of {bucket} answers {status}"),
    }
}

/// What EKS's webhook adds to a Pod whose ServiceAccount has a role.
pub(crate) fn inject(cluster: &Cluster, pod: &mut Pod) {
    let namespace = pod.namespace().unwrap_or_default();
    let Some(spec) = &mut pod.spec else { return };
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let account = cluster.service_accounts.get(&namespace, account);
    let role = account.and_then(|account| account.annotations().get(ROLE_ANNOTATION).cloned());
    let Some(role) = role else { return };
    let region = cluster.config.aws.region.clone();
    let variables = [
        ("AWS_ROLE_ARN", role),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "/var/run/secrets/eks.amazonaws.com/serviceaccount/token".to_owned(),
        ),
        ("AWS_DEFAULT_REGION", region.clone()),
        ("AWS_REGION", region),
        ("AWS_STS_REGIONAL_ENDPOINTS", "regional".to_owned()),
    ];
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    for container in containers {
        let env = container.env.get_or_insert_default();
        for (name, value) in &variables {
            if !env.iter().any(|variable| variable.name == *name) {
                env.push(EnvVar {
                    name: (*name).to_owned(),
                    value: Some(value.clone()),
                    value_from: None,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";

    fn policy(subject: &str) -> Value {
        json!({"Statement": [{
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::123456789012:oidc-provider/{ISSUER}")},
            "Condition": {"StringEquals": {
                format!("{ISSUER}:sub"): subject,
                format!("{ISSUER}:aud"): "sts.amazonaws.com",
            }},
        }]})
    }

    #[test]
    fn a_role_is_for_the_subject_that_its_policy_names() {
        let subject = "system:serviceaccount:supabase:secrets-reader";
        assert_eq!(trusts(&policy(subject), Some(ISSUER), subject), Ok(()));
        let other =
            trusts(&policy("system:serviceaccount:default:x"), Some(ISSUER), subject).unwrap_err();
        assert!(other.contains("system:serviceaccount:default:x"), "{other}");
        assert!(trusts(&policy(subject), Some("oidc.other/id/X"), subject).is_err());
        assert!(trusts(&json!({"Statement": []}), None, subject).is_err());
    }

    #[test]
    fn wildcards_count_only_with_string_like() {
        let subject = "system:serviceaccount:supabase:secrets-reader";
        assert!(
            trusts(&policy("system:serviceaccount:supabase:*"), Some(ISSUER), subject).is_err()
        );
        assert!(like("system:serviceaccount:supabase:*", subject));
        assert!(!like("system:serviceaccount:other:*", subject));
    }

    #[test]
    fn policies_are_decoded() {
        assert_eq!(decode("%7B%22a%22%3A%20%22b+c%22%7D"), r#"{"a": "b+c"}"#);
        assert_eq!(decode("{}"), "{}");
    }
}
