//! Whether a boundary cuts what a policy below it grants: AWS would refuse such a right only when it is used.

use iam_rs::{IAMAction, IAMEffect, IAMOperator, IAMResource, IAMStatement};
use serde_json::Value;

use super::evaluate::{Identity, Question};

/// A sentence for each right that is granted in vain.
pub(super) fn in_vain(identity: &Identity) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let statements = identity.grants.iter().flat_map(|policy| &policy.statement);
    for statement in statements.filter(|statement| statement.effect == IAMEffect::Allow) {
        for question in questions(statement) {
            if !identity.ceiling_allows(&question)? {
                let sid = statement.sid.as_deref().unwrap_or("a statement without Sid");
                found.push(format!(
                    "{}: {sid} grants in vain what its boundary refuses: {question}",
                    identity.name
                ));
            }
        }
    }
    Ok(found)
}

/// A sample of each action on each resource, under conditions that are met.
fn questions(statement: &IAMStatement) -> Vec<Question> {
    let actions: Vec<&str> = match &statement.action {
        Some(IAMAction::Single(action)) => vec![action],
        Some(IAMAction::Multiple(actions)) => actions.iter().map(String::as_str).collect(),
        None => Vec::new(),
    };
    let resources: Vec<&str> = match &statement.resource {
        Some(IAMResource::Single(resource)) => vec![resource],
        Some(IAMResource::Multiple(resources)) => resources.iter().map(String::as_str).collect(),
        None => Vec::new(),
    };
    let mut questions = Vec::new();
    for action in &actions {
        for resource in &resources {
            let resource = if *resource == "*" { "*".to_owned() } else { sample(resource) };
            questions.push(met(Question::new(&sample(action), &resource), statement));
        }
    }
    questions
}

fn sample(pattern: &str) -> String {
    pattern.replace('*', "x")
}

/// The question in a context that meets every condition of the statement.
fn met(mut question: Question, statement: &IAMStatement) -> Question {
    let conditions = statement.condition.iter().flat_map(|block| &block.conditions);
    for (operator, keys) in conditions {
        for (key, value) in keys {
            let value = value.to_json_value();
            let first = match &value {
                Value::Array(values) => values.first().and_then(Value::as_str),
                value => value.as_str(),
            };
            let first = sample(first.unwrap_or_default());
            question = match operator {
                // `true` asks for its absence.
                IAMOperator::Null if first == "true" => question,
                IAMOperator::Null => question.with(key, "x"),
                IAMOperator::ForAllValuesStringEquals | IAMOperator::ForAllValuesStringLike => {
                    question.with_list(key, vec![first])
                }
                _ => question.with(key, &first),
            };
        }
    }
    question
}

#[cfg(test)]
mod tests {
    use iam_rs::IAMPolicy;

    use super::*;

    #[test]
    fn a_right_that_the_boundary_cuts_is_found() {
        let policy = |statements: &str| {
            IAMPolicy::from_json(&format!(
                r#"{{"Version": "2012-10-17", "Statement": {statements}}}"#
            ))
            .unwrap()
        };
        let grants = policy(
            r#"[{"Sid": "Keys", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:List*"], "Resource": ["arn:aws:kms:eu-west-1:123456789012:key/*"],
                 "Condition": {"StringEquals": {"aws:ResourceTag/E": ["dev", "prod"]}, "Null": {"kms:ViaService": "false"}}}]"#,
        );
        let identity = |ceiling: &str| Identity {
            name: "deploy".to_owned(),
            grants: vec![grants.clone()],
            ceiling: policy(ceiling),
        };
        let tagged = r#"[{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/E": "dev"}}}]"#;
        assert_eq!(in_vain(&identity(tagged)).unwrap(), [""; 0]);
        let lists = r#"[{"Effect": "Allow", "Action": "kms:L*", "Resource": "arn:aws:kms:*:123456789012:key/*"}]"#;
        assert_eq!(
            in_vain(&identity(lists)).unwrap(),
            [
                "deploy: Keys grants in vain what its boundary refuses: kms:Decrypt on arn:aws:kms:eu-west-1:123456789012:key/x, \
              aws:ResourceTag/E = dev, kms:ViaService = x"
            ]
        );
    }
}
