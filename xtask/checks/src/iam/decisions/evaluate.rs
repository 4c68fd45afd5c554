//! What AWS would decide: identity policies below a permissions boundary, evaluated by `iam-rs`.
//!
//! Known differences between the evaluator and AWS, none of which our policies meet: `ArnEquals` takes no wildcards,
//! names of context keys are compared with their case, and a resource `*` has to be written as an ARN.

use anyhow::{Context as _, anyhow};
use iam_rs::{
    Arn, Context, ContextValue, Decision, EvaluationOptions, IAMPolicy, IAMRequest,
    PolicyEvaluator, Principal, PrincipalId,
};

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "eu-west-1";

/// Services that answer in one region, whatever region they are asked about.
const GLOBAL: [&str; 5] = ["budgets", "ce", "iam", "route53", "shield"];
const GLOBAL_REGION: &str = "us-east-1";

/// Who asks, and what limits it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) grants: Vec<IAMPolicy>,
    pub(super) ceiling: IAMPolicy,
}

/// What AWS authorizes at once: one action on one resource.
#[derive(Debug, Clone)]
pub(super) struct Question {
    action: String,
    resource: String,
    context: Context,
}

impl Question {
    /// `resource` is an ARN, what follows the account in one of the action's service, or `*` where AWS names none.
    pub(super) fn new(action: &str, resource: &str) -> Self {
        let service = action.split(':').next().unwrap_or_default();
        let region = if GLOBAL.contains(&service) && action != "iam:PassRole" {
            GLOBAL_REGION
        } else {
            REGION
        };
        let resource = match resource {
            "*" => "*".to_owned(),
            arn if arn.starts_with("arn:") => arn.to_owned(),
            name => format!("arn:aws:{service}:{}:{name}", place(service)),
        };
        Self { action: action.to_owned(), resource, context: Context::new() }
            .with("aws:RequestedRegion", region)
    }

    /// The same with a tag on the resource.
    pub(super) fn tagged(self, tag: &str, value: &str) -> Self {
        self.with(&format!("aws:ResourceTag/{tag}"), value)
    }

    /// The same with a key of the request's context.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_owned(), ContextValue::String(value.to_owned()));
        self
    }

    pub(super) fn with_list(mut self, key: &str, values: Vec<String>) -> Self {
        self.context.insert(key.to_owned(), ContextValue::StringList(values));
        self
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)?;
        let mut context: Vec<_> =
            self.context.data.iter().filter(|(key, _)| *key != "aws:RequestedRegion").collect();
        context.sort_by_key(|(key, _)| *key);
        for (key, value) in context {
            match value {
                ContextValue::String(text) => write!(f, ", {key} = {text}")?,
                other => write!(f, ", {key} = {other:?}")?,
            }
        }
        Ok(())
    }
}

/// Region and account as the ARNs of a service have them.
fn place(service: &str) -> String {
    match service {
        "s3" | "route53" => ":".to_owned(),
        "iam" | "budgets" | "ce" => format!(":{ACCOUNT}"),
        _ => format!("{REGION}:{ACCOUNT}"),
    }
}

impl Identity {
    /// Whether the request is allowed, and by or in spite of what.
    pub(super) fn decide(&self, question: &Question) -> anyhow::Result<(bool, String)> {
        let (ceiling, limit) = decide(std::slice::from_ref(&self.ceiling), question)?;
        let (grant, reason) = decide(&self.grants, question)?;
        Ok(match (ceiling, grant) {
            (Decision::Allow, Decision::Allow) => (true, format!("allowed by {reason}")),
            (Decision::Deny, _) => (false, format!("denied by {limit} of the boundary")),
            (Decision::NotApplicable, _) => (false, "nothing in the boundary allows it".to_owned()),
            (_, Decision::Deny) => (false, format!("denied by {reason}")),
            (_, Decision::NotApplicable) => (false, "nothing grants it".to_owned()),
        })
    }

    /// Whether the boundary alone lets the request pass.
    pub(super) fn ceiling_allows(&self, question: &Question) -> anyhow::Result<bool> {
        Ok(decide(std::slice::from_ref(&self.ceiling), question)?.0 == Decision::Allow)
    }
}

/// The decision of these policies, with the statements that made it.
fn decide(policies: &[IAMPolicy], question: &Question) -> anyhow::Result<(Decision, String)> {
    // Only the pattern `*` matches it, as with AWS.
    let resource =
        if question.resource == "*" { "arn:aws:none:::none" } else { &question.resource };
    let resource =
        Arn::parse(resource).map_err(|error| anyhow!("`{resource}` is not an ARN: {error}"))?;
    // Identity policies name no principal: whose they are is known.
    let principal =
        Principal::Aws(PrincipalId::String(format!("arn:aws:iam::{ACCOUNT}:role/asked")));
    let request = IAMRequest::new_with_context(
        principal,
        question.action.as_str(),
        resource,
        question.context.clone(),
    );
    let options = EvaluationOptions { collect_match_details: true, ..EvaluationOptions::default() };
    let evaluator = PolicyEvaluator::with_policies(policies.to_vec()).with_options(options);
    let result = evaluator
        .evaluate(&request)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("failed to evaluate {question}"))?;
    let met: Vec<_> = result
        .statement_details
        .iter()
        .filter(|statement| statement.conditions_satisfied)
        .map(|statement| statement.sid.as_deref().unwrap_or("a statement without Sid"))
        .collect();
    Ok((result.decision, met.last().map_or_else(String::new, ToString::to_string)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(grants: &str, ceiling: &str) -> Identity {
        let policy = |statements: &str| {
            IAMPolicy::from_json(&format!(
                r#"{{"Version": "2012-10-17", "Statement": {statements}}}"#
            ))
            .unwrap()
        };
        Identity { name: "x".to_owned(), grants: vec![policy(grants)], ceiling: policy(ceiling) }
    }

    const ALL: &str = r#"[{"Sid": "All", "Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]"#;

    fn may(identity: &Identity, question: &Question) -> bool {
        identity.decide(question).unwrap().0
    }

    #[test]
    fn both_have_to_allow_and_neither_may_deny() {
        let read = r#"[{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}]"#;
        let deny = r#"[{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Sid": "No", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]"#;
        let question = Question::new("s3:GetObject", "b/key");
        assert!(may(&identity(ALL, read), &question) && may(&identity(read, ALL), &question));
        assert!(!may(&identity(ALL, read), &Question::new("s3:GetObject", "c/key")));
        assert!(!may(&identity(ALL, read), &Question::new("s3:PutObject", "b/key")));
        assert!(!may(&identity(ALL, deny), &question) && !may(&identity(deny, ALL), &question));
        let told = identity(ALL, deny).decide(&question).unwrap().1;
        assert_eq!(told, "denied by No of the boundary");
    }

    #[test]
    fn an_action_without_a_resource_is_allowed_by_a_star_alone() {
        let named = r#"[{"Effect": "Allow", "Action": "ec2:*", "Resource": "arn:aws:ec2:*:*:*"}]"#;
        let question = Question::new("ec2:DescribeVpcs", "*");
        assert!(may(&identity(ALL, ALL), &question) && !may(&identity(named, ALL), &question));
    }

    #[test]
    fn an_absent_tag_differs_from_every_value() {
        let others = r#"[{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/E": "dev"}, "Null": {"aws:ResourceTag/E": "false"}}},
            {"Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceTag/E": "dev"}}}]"#;
        let identity = identity(ALL, others);
        let asked = |action: &str, owner: Option<&str>| {
            let question = Question::new(action, "key/k");
            may(&identity, &owner.map_or(question.clone(), |owner| question.tagged("E", owner)))
        };
        assert!(asked("kms:Decrypt", Some("dev")) && asked("kms:Decrypt", None));
        assert!(!asked("kms:Decrypt", Some("prod")));
        assert!(
            asked("kms:ScheduleKeyDeletion", Some("dev"))
                && !asked("kms:ScheduleKeyDeletion", None)
        );
    }

    #[test]
    fn what_is_not_named_is_denied() {
        let own = r#"[{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ssm:GetParameter*", "NotResource": ["arn:aws:ssm:*:123456789012:parameter/dev/*"]}]"#;
        let identity = identity(ALL, own);
        assert!(may(&identity, &Question::new("ssm:GetParameter", "parameter/dev/a")));
        assert!(!may(&identity, &Question::new("ssm:GetParametersByPath", "parameter/")));
        assert!(may(&identity, &Question::new("ssm:DescribeParameters", "*")));
    }

    #[test]
    fn a_question_is_shown_with_its_context() {
        let question = Question::new("kms:Decrypt", "key/k").tagged("Environment", "prod");
        assert_eq!(
            question.to_string(),
            "kms:Decrypt on arn:aws:kms:eu-west-1:123456789012:key/k, aws:ResourceTag/Environment = prod"
        );
    }
}
