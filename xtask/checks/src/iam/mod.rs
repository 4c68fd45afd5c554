//! parliament on the IAM policies of the Terraform code: unknown actions, resources that an action
//! cannot have, misspelt conditions.

mod code;
mod decisions;
mod plan;

use std::path::PathBuf;

use anyhow::ensure;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::decisions::decisions;
use crate::{
    CheckContext, CheckOutcome,
    plans::Plans,
    process::{ask, write},
    tools::PythonTool,
};

/// Actions that are younger than parliament's data.
const NEW_ACTIONS: [&str; 1] = ["elasticloadbalancing:ModifyIpPools"];

/// Actions that AWS grants on single resources (a protection, a load balancer, log groups), which parliament's
/// data does not know yet.
const SCOPED_ACTIONS: [&str; 3] =
    ["elasticloadbalancing:SetWebAcl", "logs:DescribeLogGroups", "shield:CreateProtection"];

/// Services whose actions need several resources at once, each granted by a statement of its own.
const SPLIT_SERVICES: [&str; 2] = ["ec2:", "kms:"];

/// How actions that only read begin. `*` is their usual resource, and checkov watches the others.
const READING: [&str; 5] = ["BatchGet", "Describe", "Get", "List", "View"];

/// One identity policy, made fit for parliament.
#[derive(Debug, Clone, PartialEq)]
struct Policy {
    /// Where it stands, for people: `modules/identity/workloads.tf: ReadParameters`.
    place: String,
    statements: Vec<Value>,
    /// False when a resource is known only once it is made, so that its shape says nothing.
    resources_are_known: bool,
}

impl Policy {
    /// A permissions boundary grants nothing: it says what may be granted at all.
    fn is_a_ceiling(&self) -> bool {
        self.place.starts_with("aws_iam_policy.boundary")
    }

    /// A policy of the role that makes and changes an environment.
    fn deploys(&self) -> bool {
        self.place.starts_with("aws_iam_policy.role[") && self.place.contains("-deploy-")
    }

    /// The document as parliament can read it: it takes a colon in an object's key, as Terraform's
    /// workspaces have it (`env:/prod/`), for a part of the ARN.
    fn document(&self) -> Value {
        let mut statements = self.statements.clone();
        for statement in &mut statements {
            let resources = match statement.get_mut("Resource") {
                Some(Value::Array(resources)) => resources.iter_mut().collect(),
                Some(resource) => vec![resource],
                None => Vec::new(),
            };
            for resource in resources {
                if let Some((bucket, key)) = resource.as_str().and_then(|arn| arn.split_once(":/"))
                    && bucket.contains(":s3:::")
                {
                    *resource = Value::String(format!("{bucket}/{key}"));
                }
            }
        }
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

/// A line of `parliament --json`.
#[derive(Deserialize)]
struct Issue {
    issue: String,
    title: String,
    #[serde(default)]
    detail: Value,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    filepath: PathBuf,
}

/// The policies as the code states them. What the code leaves open is replaced by samples.
pub(crate) fn policies_of_code(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let files = context.files("terraform", |path| path.ends_with(".tf"))?;
    let policies = code::policies(context, &files)?;
    lint(context, "iam-code", &policies)
}

/// The policies in the plans of the environments and of the bootstrap: the very text that AWS would
/// get. A policy with the ARN of something that is not made yet is unknown and left out.
pub(crate) fn policies_of_plans(context: &CheckContext) -> anyhow::Result<CheckOutcome> {
    let mut policies = Vec::new();
    for path in context.plans()?.files() {
        policies.extend(plan::policies(&Plans::read(path)?));
    }
    lint(context, "iam-plan", &policies)
}

fn lint(
    context: &CheckContext,
    scratch: &str,
    policies: &[Policy],
) -> anyhow::Result<CheckOutcome> {
    ensure!(!policies.is_empty(), "no IAM policy was found to be checked");
    let folder = context.empty_scratch(scratch)?;
    for (index, policy) in policies.iter().enumerate() {
        write(&folder.join(format!("{index}.json")), &policy.document().to_string())?;
    }
    let command = context.python_tool(PythonTool::Parliament)?;
    let answer = ask(&command.args(["--json", "--directory"]).arg(&folder))?;
    let issues = issues(&answer.stdout);
    // It ends with 1 when it found something, and otherwise it broke off.
    ensure!(
        answer.succeeded() || (answer.code == 1 && !issues.is_empty()),
        "parliament ended with exit code {}: {}",
        answer.code,
        answer.all.trim()
    );
    let mut findings: Vec<_> =
        issues.iter().filter_map(|issue| describe(issue, policies)).collect();
    findings.extend(policies.iter().flat_map(open_arns));
    findings.sort();
    findings.dedup();
    let statements: usize = policies.iter().map(|policy| policy.statements.len()).sum();
    Ok(CheckOutcome::of_findings(&findings, format!("{statements} statements")))
}

/// ARNs whose partition or service is a pattern. IAM refuses the whole policy, which parliament does
/// not know: "vendor must be fully qualified and cannot contain regexes".
fn open_arns(policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    // Elsewhere, a `*` may only stand for what the code leaves open.
    if !policy.resources_are_known {
        return found;
    }
    let resources = policy.statements.iter().flat_map(|statement| {
        ["Resource", "NotResource"].into_iter().flat_map(|key| match &statement[key] {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect::<Vec<_>>(),
        })
    });
    for arn in resources.filter(|arn| *arn != "*") {
        if arn.split(':').take(3).any(|part| part.contains(['*', '?'])) {
            found.push(format!("{}: spell out partition and service of {arn}", policy.place));
        }
    }
    found
}

fn issues(output: &str) -> Vec<Issue> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The finding for people; none for what is known to be fine.
fn describe(issue: &Issue, policies: &[Policy]) -> Option<String> {
    let index: Option<usize> =
        issue.location.filepath.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
    let policy = index.and_then(|index| policies.get(index));
    let is_fine = match issue.issue.as_str() {
        "RESOURCE_STAR" if only_reads(&issue.detail) => true,
        // Nor does it matter which actions of a whole service take none of its resources.
        "RESOURCE_STAR" | "RESOURCE_MISMATCH" if policy.is_some_and(Policy::is_a_ceiling) => true,
        // Whoever deploys the buckets writes their policies.
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION" if policy.is_some_and(Policy::deploys) => true,
        // `StringEquals` on an ARN compares the whole of it, which is what is meant.
        "MISMATCHED_TYPE_BUT_USABLE" => true,
        "UNKNOWN_ACTION" => NEW_ACTIONS.iter().any(|action| text(&issue.detail).ends_with(action)),
        kind if kind.starts_with("RESOURCE_") => policy.is_some_and(|it| !it.resources_are_known),
        _ => false,
    };
    if is_fine {
        return None;
    }
    if issue.issue == "RESOURCE_MISMATCH" {
        let detail = Value::Array(mismatches(&issue.detail));
        if detail.as_array().is_some_and(Vec::is_empty) {
            return None;
        }
        return Some(sentence(issue, policy, &detail));
    }
    Some(sentence(issue, policy, &issue.detail))
}

fn sentence(issue: &Issue, policy: Option<&Policy>, detail: &Value) -> String {
    let place = policy.map_or("an unknown policy", |policy| policy.place.as_str());
    let detail = if detail.is_null() { String::new() } else { format!(": {detail}") };
    format!("{place}: {} ({}){detail}", issue.title, issue.issue)
}

/// The actions that can never be allowed by their statement.
fn mismatches(actions: &Value) -> Vec<Value> {
    let counts = |entry: &&Value| {
        let action = entry["action"].as_str().unwrap_or_default();
        let split = SPLIT_SERVICES.iter().any(|service| action.starts_with(service));
        !SCOPED_ACTIONS.contains(&action) && (entry["required_format"] == "*" || !split)
    };
    actions.as_array().into_iter().flatten().filter(counts).cloned().collect()
}

/// Whether a list of actions holds nothing but reading ones.
fn only_reads(actions: &Value) -> bool {
    let reads = |action: &Value| {
        let name = action.as_str().and_then(|action| action.split(':').nth(1)).unwrap_or_default();
        READING.iter().any(|start| name.starts_with(start))
    };
    actions.as_array().is_some_and(|actions| actions.iter().all(reads))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a statement belongs to a policy that grants rights to its own principal. Trust policies
/// and policies of buckets and keys name a principal, and parliament does not understand them.
fn is_identity_statement(statement: &Value) -> bool {
    statement.get("Effect").is_some()
        && (statement.get("Action").is_some() || statement.get("NotAction").is_some())
        && statement.get("Principal").is_none()
        && statement.get("NotPrincipal").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(resources_are_known: bool) -> Policy {
        Policy { place: "a.tf: Read".to_owned(), statements: Vec::new(), resources_are_known }
    }

    #[test]
    fn issues_name_the_place_and_guesses_are_left_out() {
        let output = concat!(
            r#"{"issue": "RESOURCE_MISMATCH", "title": "No match", "detail": [{"action": "s3:GetObject"}], "location": {"filepath": "x/0.json"}}"#,
            "\nnoise\n",
            r#"{"issue": "UNKNOWN_ACTION", "title": "Unknown", "detail": null, "location": {"filepath": "x/0.json"}}"#,
        );
        let issues = issues(output);
        let described = |known| -> Vec<_> {
            issues.iter().filter_map(|issue| describe(issue, &[policy(known)])).collect()
        };
        let unknown = "a.tf: Read: Unknown (UNKNOWN_ACTION)".to_owned();
        assert_eq!(described(false), std::slice::from_ref(&unknown));
        assert_eq!(
            described(true),
            [
                "a.tf: Read: No match (RESOURCE_MISMATCH): [{\"action\":\"s3:GetObject\"}]"
                    .to_owned(),
                unknown
            ]
        );
    }

    #[test]
    fn what_is_known_to_be_fine_is_left_out() {
        let issue = |issue: &str, detail: Value| Issue {
            issue: issue.to_owned(),
            title: String::new(),
            detail,
            location: Location { filepath: "x/0.json".into() },
        };
        let is_found = |found: Issue| describe(&found, &[policy(true)]).is_some();
        assert!(!is_found(issue("RESOURCE_STAR", json!(["rds:DescribeX", "s3:ListY"]))));
        assert!(is_found(issue("RESOURCE_STAR", json!(["rds:DescribeX", "rds:DeleteX"]))));
        let entry =
            |action: &str, format: &str| json!([{ "action": action, "required_format": format }]);
        let mismatch = |action, format| is_found(issue("RESOURCE_MISMATCH", entry(action, format)));
        assert!(!mismatch("kms:CreateAlias", "arn:*:kms:*:*:alias/*"));
        assert!(mismatch("kms:CreateKey", "*"));
        assert!(mismatch("s3:ListBucket", "arn:*:s3:::*"));
        let new = "Unknown action elasticloadbalancing:ModifyIpPools";
        assert!(!is_found(issue("UNKNOWN_ACTION", json!(new))));
        assert!(is_found(issue("UNKNOWN_ACTION", json!("Unknown action s3:GetObjekt"))));
    }

    #[test]
    fn ceilings_and_deployers_are_known_by_their_place() {
        let at = |place: &str| Policy { place: place.to_owned(), ..policy(true) };
        let boundary = at("aws_iam_policy.boundary[\"prod\"]");
        let deployer = at("aws_iam_policy.role[\"prod-deploy-data\"]");
        let planner = at("aws_iam_policy.role[\"prod-plan-read\"]");
        let mismatch = Issue {
            issue: "RESOURCE_MISMATCH".to_owned(),
            title: String::new(),
            detail: json!([{ "action": "eks:ListClusters", "required_format": "*" }]),
            location: Location { filepath: "x/0.json".into() },
        };
        assert_eq!(describe(&mismatch, std::slice::from_ref(&boundary)), None);
        assert!(describe(&mismatch, std::slice::from_ref(&planner)).is_some());
        assert!(boundary.is_a_ceiling() && !deployer.is_a_ceiling());
        assert!(deployer.deploys() && !planner.deploys() && !boundary.deploys());
    }

    #[test]
    fn a_colon_in_an_object_key_is_taken_out() {
        let statement =
            json!({ "Resource": ["arn:aws:s3:::b/env:/prod/*", "arn:aws:kms:r:1:key/*"] });
        let policy = Policy { statements: vec![statement], ..policy(true) };
        assert_eq!(
            policy.document()["Statement"][0]["Resource"],
            json!(["arn:aws:s3:::b/env/prod/*", "arn:aws:kms:r:1:key/*"])
        );
    }

    #[test]
    fn an_arn_of_any_service_is_found() {
        let of = |resource: Value, resources_are_known| {
            let statements = vec![json!({ "Resource": resource })];
            open_arns(&Policy { statements, ..policy(resources_are_known) })
        };
        let fine = json!(["*", "arn:aws:s3:::b/*", "arn:aws:iam::1:role/*"]);
        assert_eq!(of(fine, true), [""; 0]);
        let open = json!(["arn:aws:s3:::b", "arn:aws:*:eu-west-1:1:*"]);
        let found = "a.tf: Read: spell out partition and service of arn:aws:*:eu-west-1:1:*";
        assert_eq!(of(open.clone(), true), [found]);
        assert_eq!(of(open, false), [""; 0]);
        assert_eq!(of(json!("arn:aws:s?:::b"), true).len(), 1);
    }

    #[test]
    fn statements_with_a_principal_are_left_out() {
        assert!(is_identity_statement(&json!({ "Effect": "Allow", "Action": "s3:GetObject" })));
        let trust = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {} });
        assert!(!is_identity_statement(&trust));
        assert!(!is_identity_statement(&json!({ "Effect": "NoSchedule" })));
    }
}
